# SPDX-License-Identifier: Apache-2.0
"""Rules that other programs know: clang-format, bash, our generators."""

import re
import subprocess

# Generated files that are committed: the command, run at the root, prints the file. It may use
# what the test preset has built. An empty list is checked in no time.
GENERATED = []


def _run(tree, command, **options):
    return subprocess.run(command, cwd=tree.root, capture_output=True, text=True, **options)


def formatting(tree):
    """C++ is laid out by clang-format."""
    paths = [file.path for file in tree.cpp]
    if not paths:
        return
    result = _run(tree, ["clang-format-19", "--dry-run", "-Werror", *paths])
    reported = set()
    for path, line in re.findall(r"^(.+?):(\d+):\d+: error:", result.stderr, re.MULTILINE):
        if path in tree.files and path not in reported:
            reported.add(path)
            yield tree.files[path].breach(int(line), "formatting",
                                          "not as clang-format lays it out: ./run format")
    if result.returncode and not reported:
        raise RuntimeError(result.stderr)


def scripts(tree):
    """A bash script can be parsed."""
    for file in tree:
        if file.is_script:
            result = _run(tree, ["bash", "-n"], input=file.text)
            if result.returncode:
                line = re.search(r"line (\d+)", result.stderr)
                yield file.breach(int(line[1]) if line else 1, "scripts",
                                  result.stderr.strip().split("\n")[0])


def generated(tree):
    """A generated file is what its generator would write now."""
    for command, path in GENERATED:
        result = _run(tree, command, shell=True, check=True)
        if path not in tree.files or tree.files[path].text != result.stdout:
            some = tree.files.get(path) or next(iter(tree))
            yield some.breach(1, "generated", f"{path} is stale: {command} > {path}")
