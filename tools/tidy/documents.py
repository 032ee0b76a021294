# SPDX-License-Identifier: Apache-2.0
"""Documents: they are there, short, and their links lead somewhere."""

import posixpath
import re
import urllib.parse

import limits

_LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def _prose(file):
    return _CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), file.text)


def _anchors(file):
    """The anchors that GitHub makes from the headings."""
    fenceless = re.sub(r"^(```|~~~).*?^\1", "", file.text, flags=re.MULTILINE | re.DOTALL)
    seen = {}
    for heading in _HEADING.findall(fenceless):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        yield slug if slug not in seen else f"{slug}-{seen[slug]}"
        seen[slug] = seen.get(slug, 0) + 1


def links(tree):
    """A relative link in a document names a file that is there, and a heading that is in it."""
    for file in tree:
        if file.suffix != ".md":
            continue
        for match in _LINK.finditer(_prose(file)):
            if re.match(r"[a-z][a-z0-9+.-]*:", match[1]):
                continue
            line = file.line_of(match.start())
            path, _, anchor = urllib.parse.unquote(match[1]).partition("#")
            target = posixpath.normpath(posixpath.join(*file.folders, path)) if path else file.path
            if target not in tree.files and target not in tree.folders and target != ".":
                yield file.breach(line, "links", f"{match[1]}: there is no {target}")
            elif anchor and target.endswith(".md") and target in tree.files:
                if anchor not in _anchors(tree.files[target]):
                    yield file.breach(line, "links", f"{match[1]}: {target} has no such heading")


def readmes(tree):
    """Each room says what it is, on one page; the project's own README takes two minutes."""
    for folder in tree.folders:
        parts = folder.split("/")
        if len(parts) != 2 or parts[0] not in ("freehold", "shop"):
            continue
        inside = tree.folders[folder]
        readme = tree.files.get(folder + "/README.md")
        if readme is None and inside != {"CMakeLists.txt"}:
            some = tree.files[min(path for path in tree.files if path.startswith(folder + "/"))]
            yield some.breach(1, "readmes", f"{folder}/ has no README.md")
        elif readme and len(readme.lines) > limits.ROOM_README_LINES_MAX:
            yield readme.breach(limits.ROOM_README_LINES_MAX + 1, "readmes",
                                f"{len(readme.lines)} lines, "
                                f"{limits.ROOM_README_LINES_MAX} are allowed")
    readme = tree.files.get("README.md")
    if readme and len(readme.text.split()) > limits.README_WORDS_MAX:
        yield readme.breach(1, "readmes", f"{len(readme.text.split())} words, "
                                          f"{limits.README_WORDS_MAX} are allowed")
