# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: the walls between the rooms of the toolkit and between the services."""

import re

# Rooms by height. A room includes itself and what stands lower, never its neighbours.
HEIGHT = {
    "base": 0,
    "schema": 1,
    "database": 2,
    "http": 3,  # an idempotent call's answer is stored by the transaction of its effect
    "identity": 4, "events": 4,
    "replica": 5, "saga": 5,
    "service": 6,
    "testing": 7,
}

# What the parts of a service may include of the toolkit and of their own service; use cases and
# main.cc stand in the service's folder itself and may include all of both.
TOOLKIT_OF = {
    "contract": {"base", "schema", "events"},
    "domain": {"base", "schema"},
    "store": {"base", "schema", "database", "events", "replica"},
}
MONEY_NEEDS = {"base", "schema"}
PARTS_OF = {
    "contract": {"contract"},
    "domain": {"contract", "domain"},
    "store": {"contract", "domain", "store"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
_OURS = ("freehold/", "shop/", "system_tests/", "bench/", "tools/")


def includes(tree):
    """Every #include stays within what design and rooms allow."""
    for file in tree.cpp:
        for match in INCLUDE.finditer(file.uncommented):
            quote, target = match.groups()
            for sentence in _objections(file, quote, target):
                yield file.breach(file.line_of(match.start()), "includes", sentence)


def _objections(file, quote, target):
    if (quote == '"') != target.startswith(_OURS):
        yield f'{target}: "" is for ours, by their path from the root, <> for all others'
    if target.startswith("boost/beast"):
        inside = file.folders[:2] == ("freehold", "http") and file.suffix == ".cc"
        if not inside and not _is_for_tests(file):
            yield f"{target}: Beast is included in the .cc files of freehold/http alone"
    if not target.startswith(_OURS) or not file.folders:
        return
    there = target.split("/")
    if there[:2] == ["freehold", "testing"] and not _is_for_tests(file):
        yield "freehold/testing is for tests"
    elif file.folders[0] == "freehold":
        yield from _from_toolkit(file, there)
    elif file.folders[0] == "shop":
        yield from _from_shop(file, there)
    elif file.folders[0] == "system_tests" and there[0] == "shop" and not _is_public(there):
        yield f"{target}: a system test knows a service by its contract/ alone"


def _is_for_tests(file):
    return (file.is_test or file.folders[:2] == ("freehold", "testing")
            or file.folders[:1] in (("system_tests",), ("bench",)))


def _is_public(there):
    return there[1] == "money" or there[2:3] == ["contract"]


def _from_toolkit(file, there):
    if there[0] != "freehold":
        yield f"the toolkit knows nothing of {there[0]}/"
        return
    here, room = file.folders[1:2], there[1]
    if room not in HEIGHT:
        yield f"freehold/{room} is not a room; the rooms are listed in tools/tidy/includes.py"
    elif here and here[0] in HEIGHT and room not in (here[0], "testing"):
        if HEIGHT[room] >= HEIGHT[here[0]]:
            yield f"freehold/{here[0]} may not include freehold/{room}, which is not below it"


def _from_shop(file, there):
    here = "/".join(file.folders[:3])
    service, part = (*file.folders[1:3], "", "")[:2]
    if there[0] == "freehold":
        allowed = MONEY_NEEDS if service == "money" else TOOLKIT_OF.get(part)
        if allowed and there[1] not in allowed and there[1] != "testing":
            yield f"{here} may not include freehold/{there[1]}"
    elif there[0] != "shop":
        yield f"the shop knows nothing of {there[0]}/"
    elif there[1] != service:
        if service == "money" or not _is_public(there):
            yield f"of shop/{there[1]} other services may include its contract/ alone"
    elif part in PARTS_OF and there[2] not in PARTS_OF[part]:
        yield f"{part}/ may not include {'/'.join(there[2:])}, which stands above it"
