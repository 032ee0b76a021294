#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy-19 over our sources, several at once: clang_tidy.py BUILD_DIR [--jobs N] [file …]

Its checks walk our own declarations only (own_declarations.cc, made by the target of that name).
A source that passed is not read again until something that went into it changes: its key is the
hash of the checks, of its compile command, and of every file that the last build saw it include.
The keys of what passed are the names of empty files in build/tidy/.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

CLANG_TIDY = "clang-tidy-19"

# A test waits for its coroutines, so what they capture or refer to lives long enough; it sets up
# its environment before it starts a thread. What it costs to check the rest of a test is spent
# better on running it.
NOT_IN_TESTS = ",".join((
    "-cppcoreguidelines-avoid-capturing-lambda-coroutines",
    "-cppcoreguidelines-avoid-reference-coroutine-parameters",
    "-concurrency-mt-unsafe",
    "-modernize-*",
    "-performance-*",
))


class Digests:
    """Hashes of files, each read once: ours by content, the system's by size and time."""

    def __init__(self, root):
        self.root = str(root) + os.sep
        self.known = {}

    def of(self, path):
        if path not in self.known:
            if path.startswith(self.root):
                digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
            else:
                status = os.stat(path)
                digest = f"{status.st_size} {status.st_mtime_ns}"
            self.known[path] = digest
        return self.known[path]


def dependencies(build):
    """What each object was made from, as ninja noted it."""
    listed = subprocess.run(["ninja", "-C", build, "-t", "deps"],
                            check=True, capture_output=True, text=True).stdout
    made_from = {}
    for block in re.split(r"\n\n+", listed):
        head, *rows = block.strip().split("\n")
        target = head.split(":")[0]
        made_from[target] = [os.path.normpath(os.path.join(build, row.strip())) for row in rows]
    return made_from


def sources(root, build):
    """Our sources of the build, each with its object and its compile command."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = entry["file"]
        if path.startswith(str(root) + os.sep) and not path.startswith(str(build) + os.sep):
            made = re.search(r" -o (\S+) ", entry["command"])
            found.setdefault(path, (made[1], entry["command"]))
    return found


def key_of(path, command, files, digests, checks):
    whole = hashlib.sha256()
    for part in (checks, path, command, *(f"{file} {digests.of(file)}" for file in files)):
        whole.update(part.encode() + b"\0")
    return whole.hexdigest()


def write_commands(commands, directory, build):
    """Each source once: clang-tidy would read one that two targets compile as often as they do."""
    entries = [{"directory": str(build), "file": path, "command": command}
               for path, (_, command) in commands.items()]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "compile_commands.json").write_text(json.dumps(entries))


def sees_a_mistake(plugin, directory):
    """That what narrows the checks leaves them something to look at."""
    planted = directory / "planted.cc"
    planted.write_text("int* planted() { return 0; }\n")
    result = subprocess.run([CLANG_TIDY, "--quiet", f"--load={plugin}",
                             "--checks=-*,modernize-use-nullptr", planted, "--"],
                            capture_output=True, text=True, check=False)
    return "modernize-use-nullptr" in result.stdout


def run(path, plugin, directory):
    """None, or what clang-tidy found."""
    checks = ["--checks", NOT_IN_TESTS] if path.endswith("_test.cc") else []
    result = subprocess.run(
        [CLANG_TIDY, "--quiet", f"--load={plugin}", *checks, "-p", str(directory), path],
        capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return None
    noise = r"^(\d+ warnings? .*generated.*|Suppressed .*|.* treated as errors?)\n"
    return result.stdout + re.sub(noise, "", result.stderr, flags=re.MULTILINE)


def main():
    parser = argparse.ArgumentParser(description="clang-tidy over our sources")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*", help="only these (default: all)")
    arguments = parser.parse_intermixed_args()
    root = pathlib.Path(__file__).resolve().parents[2]
    build = arguments.build.resolve()
    passed = root / "build" / "tidy"
    passed.mkdir(parents=True, exist_ok=True)

    version = subprocess.run([CLANG_TIDY, "--version"], check=True, capture_output=True, text=True)
    checks = (root / ".clang-tidy").read_text() + version.stdout + NOT_IN_TESTS
    digests, made_from = Digests(root), dependencies(str(build))
    wanted = {str(pathlib.Path(file).resolve()) for file in arguments.files}
    keys = {}
    commands = sources(root, build)
    directory = build / "tidy"
    write_commands(commands, directory, build)
    plugin = build / "tools" / "own_declarations.so"
    checks += hashlib.sha256(plugin.read_bytes()).hexdigest()
    if not sees_a_mistake(plugin, directory):
        sys.exit(f"clang-tidy: with {plugin.name} it does not see a planted mistake")
    for path, (target, command) in commands.items():
        if target in made_from and (not wanted or path in wanted):
            keys[path] = key_of(path, command, made_from[target], digests, checks)
    todo = [path for path, key in keys.items() if not (passed / key).exists()]

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for path, found in zip(todo, pool.map(lambda path: run(path, plugin, directory), todo)):
            if found is None:
                (passed / keys[path]).touch()
            else:
                failed += 1
                print(found.replace(str(root) + os.sep, ""), flush=True)
    if not wanted:
        for old in passed.iterdir():
            if old.name not in keys.values():
                old.unlink()
    print(f"clang-tidy: {len(keys)} sources, {len(keys) - len(todo)} of them unchanged, "
          f"{failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
