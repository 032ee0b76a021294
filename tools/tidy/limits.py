# SPDX-License-Identifier: Apache-2.0
"""Sizes that make one ask, and names that say nothing."""

import re

ENTRIES_MAX = 40
LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
README_WORDS_MAX = 400
ROOM_README_LINES_MAX = 60

SAYS_NOTHING = {"common", "core", "helper", "helpers", "misc", "shared", "util", "utils"}
_WRITTEN = {".h", ".cc", ".py", ".sh", ".sql", ".cmake", ".ts", ".tsx", ".css", ".conf"}
_TYPE = re.compile(
    r"\b(?:class|struct|union|concept|using|enum(?:\s+class)?)\s+(?:\[\[\w+\]\]\s+)?"
    r"(\w*(?:Manager|Helper|Data|Info|Impl))\b(?=\s*[{:=;]|\s+final)")
_MACRO_CALLS = re.compile(r"\A\s*(?:[A-Z][A-Z0-9_]*\((?:[^()]|\([^()]*\))*\)\s*\n)+")
_NO_FUNCTION = re.compile(
    r"^(?:(?:public|private|protected)\s*:|template\s*<.*?>\s(?=\s*(?:class|struct|concept))|\s)*"
    r"(?:namespace|class|struct|union|enum|extern)\b", re.DOTALL)


def folder_sizes(tree):
    """A folder has few enough entries to be read at a glance."""
    for folder, entries in tree.folders.items():
        if len(entries) > ENTRIES_MAX:
            first = min(path for path in tree.files if path.startswith(folder))
            yield tree.files[first].breach(
                1, "folder_sizes",
                f"{folder or '.'}/ has {len(entries)} entries, {ENTRIES_MAX} are allowed: split it")


def file_sizes(tree):
    """A file is short enough to be read in one sitting, and no line leaves the screen."""
    for file in tree:
        if file.suffix not in _WRITTEN and not file.is_script:
            continue
        if len(file.lines) > LINES_MAX:
            yield file.breach(LINES_MAX + 1, "file_sizes",
                              f"{len(file.lines)} lines, {LINES_MAX} are allowed: split it")
        for number, line in enumerate(file.lines, 1):
            if len(line) > COLUMNS_MAX:
                yield file.breach(number, "file_sizes",
                                  f"{len(line)} columns, {COLUMNS_MAX} are allowed")


def function_sizes(tree):
    """A function fits on one screen."""
    for file in tree.cpp:
        for first, last in functions(file):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield file.breach(first, "function_sizes",
                                  f"a function of {last - first + 1} lines, "
                                  f"{FUNCTION_LINES_MAX} are allowed: split it")


def functions(file):
    """First and last line of each outermost function. It trusts clang-format: the brace of a block
    stands after a space, that of a braced value does not, or after = return ( or a comma."""
    code = file.code
    opened = []  # for each open brace: is it a block, and where its function begins (or None)
    head = 0  # where the statement that we read begins
    inside = 0  # how many of the open braces belong to functions
    for match in re.finditer(r"[{};]", code):
        at = match.start()
        if match[0] == "{":
            before = code[head:at]
            is_block = before[-1:].isspace() and not re.search(r"(?:[=(,?]|\breturn)\s*$", before)
            is_block = is_block or not before.strip()
            begins = None
            if is_block and not inside:
                before = re.sub(_MACRO_CALLS, "", before, count=1).lstrip()
                if "(" in before and not _NO_FUNCTION.match(before):
                    begins = at - len(before)
            opened.append((is_block, begins))
            inside += begins is not None
            if is_block:
                head = at + 1
        elif match[0] == "}" and opened:
            was_block, begins = opened.pop()
            if begins is not None:
                inside -= 1
                yield file.line_of(begins), file.line_of(at)
            if was_block:
                head = at + 1
        elif match[0] == ";" and (not opened or opened[-1][0]):
            head = at + 1


def names(tree):
    """Files and folders are named in snake_case, after what they hold."""
    for file in tree:
        stem = file.name.split(".")[0]
        for part in (*file.folders, stem):
            if part in SAYS_NOTHING:
                yield file.breach(1, "names", f"'{part}' says nothing about what is in it")
        if file.suffix in (".h", ".cc", ".py", ".def"):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", stem):
                yield file.breach(1, "names", f"{file.name} is not snake_case")


def type_names(tree):
    """A type is named after what it is."""
    for file in tree.cpp:
        for match in _TYPE.finditer(file.code):
            yield file.breach(file.line_of(match.start()), "type_names",
                              f"{match[1]}: no Manager, Helper, Data, Info, Impl in a type's name")
