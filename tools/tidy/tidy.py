#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The style guide as a test: prints one line for each breach, and fails if there is one."""

import pathlib
import sys

import documents
import includes
import limits
import programs
import tree
import words

RULES = [
    includes.includes,
    limits.folder_sizes,
    limits.file_sizes,
    limits.function_sizes,
    limits.names,
    limits.type_names,
    words.licence,
    words.pragma_once,
    words.catch_all,
    words.doors,
    words.sleeps,
    words.autoincrement,
    words.shop_words,
    documents.links,
    documents.readmes,
    programs.formatting,
    programs.scripts,
    programs.generated,
]


def check(project):
    return sorted({breach for rule in RULES for breach in rule(project)})


def main():
    breaches = check(tree.Tree.read(pathlib.Path(__file__).resolve().parents[2]))
    for breach in breaches:
        print(breach)
    if breaches:
        print(f"tidy: {len(breaches)} breaches", file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
