#!/usr/bin/env python3
"""Does docs/lessons.md name each row once, and do it and the lessons say the same of each other?

Each row 1 .. 80 has one line `| number | what | where |`, which names a program or a page.  Each
program of examples/lessons says at its top for which rows it is, and exactly those rows name it; it
has its .expected file, at most 120 lines, and no header but krait's and the system's.

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check

ROWS = range(1, 81)
LINES = 120

check = Check()
page = check.root / "docs/lessons.md"
folder = check.root / "examples/lessons"


def read_rows():
    """By the file name of each program the rows that name it, with the numbers of their lines."""
    named, seen, inside = {}, {}, False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        inside = line.startswith("| row | what is taught |") or inside and line.startswith("|")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not inside or not cells[0].isdigit():
            continue
        row, links = int(cells[0]), re.findall(r"\]\(([^)]+)\)", cells[-1])
        if row in seen:
            check.complain(page, number, f"row {row} stands in line {seen[row]} already")
        if row not in ROWS:
            check.complain(page, number, f"there is no row {row}")
        if len(cells) != 3 or not links:
            check.complain(page, number, f"row {row} names neither a program nor a page")
        seen[row] = number
        for link in links:
            if link.endswith(".c"):
                named.setdefault(link.rsplit("/", 1)[-1], {})[row] = number
    for row in ROWS:
        if row not in seen:
            check.complain(page, 0, f"row {row} is missing")
    return named


def said_rows(text):
    """The numbers in `Row 7` or `Rows 7, 8 and 9 of docs/lessons.md`."""
    said = re.search(r"\bRows? ([\d,\s*]+(?:and[\s*]+\d+ )?)of[\s*]+docs/lessons\.md", text)
    return {int(number) for number in re.findall(r"\d+", said.group(1))} if said else set()


def check_program(path, rows):
    text = path.read_text()
    said = said_rows(text)
    if not said:
        check.complain(path, 0, "says of no row of docs/lessons.md that it is for it")
    for row in sorted(said - set(rows)):
        check.complain(path, 0, f"is for row {row}, which does not name it")
    for row in sorted(set(rows) - said):
        check.complain(page, rows[row], f"row {row} names {path.name}, which does not say so")
    if len(text.splitlines()) > LINES:
        check.complain(path, 0, f"{len(text.splitlines())} lines, more than {LINES}")
    if re.search(r'#include "', text):
        check.complain(path, 0, "includes a header of its own: a lesson is one file")
    if not path.with_suffix(".expected").exists():
        check.complain(path, 0, "has no .expected file beside it")


named = read_rows()
programs = check.files("examples/lessons/*.c")
for path in programs:
    check_program(path, named.get(path.name, {}))
for name in sorted(set(named) - {path.name for path in programs}):
    for number in named[name].values():
        check.complain(page, number, f"there is no lesson {name}")

check.finish()
