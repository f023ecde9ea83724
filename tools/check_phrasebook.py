#!/usr/bin/env python3
"""Does the phrasebook have every public name of Python's modules, and only names that krait has?

    check_phrasebook.py ROOT

docs/phrasebook.names has Python's names: a line `## module` begins one, each line after it is a
class with its members, or a name alone.  docs/phrasebook.md has a part of that heading, with tables
whose first column names Python's and whose second says krait's, or *none* with the reason.  `name`
stands for itself and for the members of that name of classes in its part, `Class.*` for a class with
all its members.  Prints the counts.

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check

check = Check()
book = check.root / "docs/phrasebook.md"
names = check.root / "docs/phrasebook.names"
CODE = re.compile(r"`([^`]+)`")


def read_names():
    """module: its names, members as class.member."""
    modules = {}
    for line in names.read_text().splitlines():
        words = line.split()
        if line.startswith("## "):
            wanted = modules.setdefault(line[3:], {})
        elif words and words[0] != "#":
            wanted[words[0]] = None
            wanted.update((f"{words[0]}.{member}", None) for member in words[1:])
    return modules


def public_names():
    text = "".join(path.read_text() for path in check.files("include/krait/*.h"))
    return set(re.findall(r"\b(?:kr|KR)_\w+", text))


def check_names(line, known, number):
    """Krait's names in a line; `_read` goes on from the name before, as kr_stream does."""
    before = ""
    for name in re.findall(r"(?<![\w.])(_?[A-Za-z]\w*)", " ".join(CODE.findall(line))):
        if name.startswith("_"):
            parts = before.split("_")
            found = next((whole for end in range(len(parts) - 1, 0, -1)
                          if (whole := "_".join(parts[:end]) + name) in known), None)
            if found is None:
                check.complain(book, number, f"nothing is called {name} behind {before}")
        elif name.startswith(("kr_", "KR_")):
            before = name
            if name not in known:
                check.complain(book, number, f"krait has no {name}")


def read_rows(known):
    """(part, first column, is there one in krait, is there a reason) of every row."""
    part = ""
    for number, line in enumerate(book.read_text().splitlines(), 1):
        check_names(line, known, number)
        if line.startswith("## "):
            part = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) < 2 or set(cells[0]) <= set("-: "):
            continue
        none = re.match(r"none\b", cells[1]) is not None
        if none and len(" ".join(cells[1:])) < len("none") + 10:
            check.complain(book, number, "none, without a reason")
        yield part, CODE.findall(cells[0]), none


counts = {True: 0, False: 0}
wanted = read_names()
missing = {module: dict(found) for module, found in wanted.items()}
for part, said, none in read_rows(public_names()):
    for phrase in said:
        for name in re.findall(r"[A-Za-z_][\w.]*\*?", phrase):
            of_part = [whole for whole in missing.get(part, ())
                       if name in (whole, whole.split(".", 1)[-1], whole.split(".")[0] + ".*")]
            for whole in of_part:
                del missing[part][whole]
                counts[none] += 1
open_names = [f"{module}.{name}" for module, left in missing.items() for name in left]
for name in open_names:
    check.complain(book, 0, f"says nothing of {name}")
print(f"phrasebook: {counts[False]} covered, {counts[True]} not applicable, {len(open_names)} missing")
check.finish()
