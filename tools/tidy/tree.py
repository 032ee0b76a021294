# SPDX-License-Identifier: Apache-2.0
"""What the rules look at: the project's files, and what a rule reports."""

import dataclasses
import functools
import pathlib
import re
import subprocess

_TOKENS = re.compile(
    r"""(?P<number>\b\d[\w.]*(?:'\w+)*)"""
    r"""|(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<string>R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)\""""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')""",
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True, order=True)
class Breach:
    path: str
    line: int
    rule: str
    sentence: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.sentence}"


def _blank(text):
    """As many lines and columns, nothing on them."""
    return re.sub(r"[^\n]", " ", text)


class File:
    """One file: its path from the root, with slashes, and its text."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
        *folders, self.name = path.split("/")
        self.folders = tuple(folders)
        self.suffix = pathlib.PurePosixPath(path).suffix

    @property
    def is_cpp(self):
        return self.suffix in (".h", ".cc")

    @property
    def is_test(self):
        return self.name.endswith(("_test.cc", "_test.h", "_test.py"))

    @property
    def is_script(self):
        return self.suffix == ".sh" or bool(re.match(r"#!.*\bbash\b", self.text))

    @functools.cached_property
    def uncommented(self):
        """The text of a C++ source without its comments; lines stay where they are."""
        return _TOKENS.sub(lambda m: _blank(m[0]) if m["comment"] else m[0], self.text)

    @functools.cached_property
    def code(self):
        """The text of a C++ source without comments, strings and preprocessor lines."""
        bare = _TOKENS.sub(lambda m: m[0] if m["number"] else _blank(m[0]), self.text)
        return re.sub(r"^[ \t]*#(?:[^\n\\]|\\.)*", lambda m: _blank(m[0]), bare,
                      flags=re.MULTILINE | re.DOTALL)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def breach(self, line, rule, sentence):
        return Breach(self.path, line, rule, sentence)

    def find(self, pattern, rule, sentence, within="code"):
        """A breach at each match of the pattern; {} in the sentence is what matched."""
        for match in re.finditer(pattern, getattr(self, within)):
            yield self.breach(self.line_of(match.start()), rule, sentence.format(match[0].strip()))


class Tree:
    """The project's files by path. A test plants a tree of its own."""

    def __init__(self, texts, root=None):
        self.files = {path: File(path, text) for path, text in sorted(texts.items())}
        self.root = root

    @classmethod
    def read(cls, root):
        """All files that git tracks, or would if they were added; without what is not text."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
        texts = {}
        for path in filter(None, listed):
            try:
                texts[path] = (root / path).read_text(encoding="utf-8")
            except (FileNotFoundError, UnicodeDecodeError):  # deleted, or not text
                continue
        return cls(texts, root)

    def __iter__(self):
        return iter(self.files.values())

    @property
    def cpp(self):
        return [file for file in self if file.is_cpp]

    @functools.cached_property
    def folders(self):
        """The entries of each folder, by its path; the root is ''."""
        entries = {}
        for path in self.files:
            parts = path.split("/")
            for depth, part in enumerate(parts):
                entries.setdefault("/".join(parts[:depth]), set()).add(part)
        return entries
