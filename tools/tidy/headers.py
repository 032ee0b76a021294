#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each of our headers compiles alone: headers.py BUILD_DIR [--jobs N]

A header is compiled on top of the largest precompiled one of those that come first in it, directly
or by way of others, so that what many include is read once and not once for each. Nothing is there
then that is not there before its own first words when it is alone, so whatever it fails to include
is missed as before. The largest is the one that includes most of our headers.
"""

import argparse
import collections
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import includes
import tree

NOT_ALONE = {"freehold/base/define_errors.h"}  # made to be included inside a namespace
WORTH_PRECOMPILING = 6  # if so many headers are compiled on top of it
FIRST_LINES = re.compile(r"(?:[ \t]*(?:#[ \t]*(?:pragma once|include[^\n]*))?\n)*")


def _reached(included, path):
    """All that the header includes, by way of others as well."""
    seen, todo = set(), [path]
    while todo:
        new = included[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


class Headers:
    """Our headers by their path from the root, and which of the others each includes: anywhere, and
    before all else that it says."""

    def __init__(self, files):
        headers = {file.path: file.uncommented for file in files.cpp if file.suffix == ".h"}

        def ours(text):
            return {target for _, target in includes.INCLUDE.findall(text) if target in headers}

        self.included = {path: ours(text) for path, text in headers.items()}
        self.first = {path: ours(FIRST_LINES.match(text)[0]) for path, text in headers.items()}

    @functools.cache
    def reached(self, path):
        return _reached(self.included, path)

    @functools.cache
    def below(self, path):
        """What it may stand on: a header and its inline part include one another."""
        return {other for other in _reached(self.first, path) if path not in self.reached(other)}

    def bases(self):
        """The headers worth precompiling: each is the largest base of several others.

        None stands on another: this compiler crashes on what is precompiled in layers.
        """
        chosen = set(self.included) - NOT_ALONE
        while True:
            used = collections.Counter(self.base(path, chosen) for path in self.included)
            least = min(chosen, key=lambda path: (used[path], path), default=None)
            if least is None or used[least] >= WORTH_PRECOMPILING:
                return chosen
            chosen.remove(least)

    def base(self, path, bases):
        """What the header is compiled on top of, or None."""
        return min(self.below(path) & bases, key=lambda base: (-len(self.reached(base)), base),
                   default=None)


class Compiler:
    """Compiles one header as the sources of the build are compiled, without their headers."""

    def __init__(self, build, directory):
        self.build, self.directory = build, directory
        self.command = [*self._launcher(), *self._flags()]

    def _launcher(self):
        cache = (self.build / "CMakeCache.txt").read_text()
        found = [line for line in cache.splitlines()
                 if line.startswith("CMAKE_CXX_COMPILER_LAUNCHER:")]
        return [word for line in found for word in line.split("=", 1)[1].split(";") if word]

    def _flags(self):
        """Those which every source has (freehold_flags), not optimized."""
        commands = json.loads((self.build / "compile_commands.json").read_text())
        words = next(shlex.split(entry["command"]) for entry in commands
                     if entry["file"].endswith("/precompiled.cc"))
        shared = words[:words.index("-Winvalid-pch")]
        return [*shared, "-Xclang", "-fno-pch-timestamp", "-O0", "-g0"]

    def _precompiled(self, header):
        return self.directory / f"{header}.pch"

    def precompile(self, header):
        """None, or what the compiler says of it."""
        return self._run(header, "hxx", self._precompiled(header), "-fpch-instantiate-templates",
                         "-Xclang", "-emit-pch", "-x", "c++-header")

    def compile(self, header, base):
        """The same, on top of a precompiled one if there is one."""
        below = ["-Xclang", "-include-pch", "-Xclang", str(self._precompiled(base))] if base else []
        return self._run(header, "cc", self.directory / f"{header}.o", *below)

    def _run(self, header, suffix, made, *options):
        source = self.directory / f"{header}.{suffix}"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(f'#include "{header}"\n')
        result = subprocess.run([*self.command, *options, "-o", str(made), "-c", str(source)],
                                cwd=self.build, capture_output=True, text=True, check=False)
        return result.stdout + result.stderr if result.returncode else None


def main():
    parser = argparse.ArgumentParser(description="each of our headers compiles alone")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    headers = Headers(tree.Tree.read(pathlib.Path(__file__).resolve().parents[2]))
    compiler = Compiler(build, build / "tidy" / "headers")

    bases = headers.bases()
    failed = []

    def check(pool, work, paths):
        for path, said in zip(paths, pool.map(work, paths)):
            if said is not None:
                failed.append(path)
                print(f"{path} does not compile alone:\n{said}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        check(pool, compiler.precompile, sorted(bases))
        made = bases - set(failed)
        check(pool, lambda path: compiler.compile(path, headers.base(path, made)),
              sorted(headers.included.keys() - bases - NOT_ALONE))
    print(f"headers: {len(headers.included)}, {len(failed)} do not compile alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
