# SPDX-License-Identifier: Apache-2.0
"""What may not be written, or only in one place."""

import re

# The four frames that may catch everything.
CATCHES_ALL = {
    "freehold/http/routes.cc",  # the request loop
    "freehold/database/lane.cc",
    "freehold/events/consumer_loop.cc",
    "freehold/saga/internal/saga_runner.cc",
}

# Headers that are included more than once on purpose.
INCLUDED_OFTEN = {"freehold/base/define_errors.h"}

_NOT_DETERMINISTIC = (
    r"\b(?:system_clock|steady_clock|high_resolution_clock)::now\b|\brandom_device\b"
    r"|\b(?:gettimeofday|clock_gettime|localtime|s?rand)\s*\("
    r"|(?<![\w.>:])(?:std)?::time\s*\(")
_SLEEP = r"\bsleep_(?:for|until)\b|\b(?:usleep|nanosleep)\s*\(|(?<!\w)::sleep\s*\("
_SHOP = r"(?<![\w:])(?:product|order|user|payment|cart)::|\bnamespace\s+(?:product|order|user)\b"


def licence(tree):
    """Every source says its licence in its first line, a script after its #! line."""
    for file in tree:
        if file.is_cpp or file.suffix == ".py" or file.is_script:
            mark = "// " if file.is_cpp else "# "
            lines = file.lines[1:] if file.text.startswith("#!") else file.lines
            mark += "SPDX-License-Identifier: Apache-2.0"
            if lines[:1] != [mark]:
                yield file.breach(1, "licence", f"does not begin with '{mark}'")


def pragma_once(tree):
    """Every header says #pragma once."""
    for file in tree.cpp:
        if file.suffix == ".h" and file.path not in INCLUDED_OFTEN:
            if not re.search(r"^#pragma once$", file.uncommented, re.MULTILINE):
                yield file.breach(1, "pragma_once", "a header without #pragma once")


def catch_all(tree):
    """Faults are caught in four frames."""
    for file in tree.cpp:
        if file.path not in CATCHES_ALL:
            yield from file.find(r"\bcatch\s*\(\s*\.\.\.\s*\)", "catch_all",
                                 "{}: only the four frames listed in tools/tidy/words.py do that")


def doors(tree):
    """Time and randomness come through the doors in freehold/base, so that a test can hold them."""
    for file in tree.cpp:
        if file.folders[:2] != ("freehold", "base"):
            yield from file.find(_NOT_DETERMINISTIC, "doors",
                                 "{}: take it from freehold/base/clock.h or random.h")


def sleeps(tree):
    """Nothing waits by sleeping, tests least of all."""
    for file in tree.cpp:
        yield from file.find(_SLEEP, "sleeps", "{}: wait for a condition, with a deadline")


def autoincrement(tree):
    """Positions are taken from the head row, ids are UUIDv7; no number comes from a sequence."""
    for file in tree:
        if file.is_cpp:
            text = file.uncommented
        elif file.suffix == ".sql":
            text = re.sub(r"--[^\n]*", "", file.text)
        else:
            continue
        for match in re.finditer(r"\bautoincrement\b", text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            yield file.breach(line, "autoincrement", "no position or id comes from a sequence")


def shop_words(tree):
    """The toolkit knows no word of a shop."""
    for file in tree.cpp:
        if file.folders[:1] == ("freehold",) and not file.is_test:
            yield from file.find(_SHOP, "shop_words", "{}: the toolkit knows no word of a shop")
