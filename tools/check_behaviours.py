#!/usr/bin/env python3
"""Which rows of tests/behaviours does a test answer, which a deviation, which nothing yet?

A test answers a row when it has the row's name, TEST(test_notify), in a file whose head says
`Behaviours: section 4` (or several: `sections 8.1, 8.2`), or when a comment beside it says
`behaviour: 8.4 test_start_thread_again`.  tests/deviations has the lines
`section name | what we do | why`.  Prints the counts; fails when a row is open, and where a comment
names a row or a section that there is not.

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check

check = Check()
NAME = r"(?!behaviours?:)[A-Za-z_][\w.]*\*?"
SAID = rf"behaviours?: (\d+(?:\.\d+)?)((?:[\s*,]+(?:and )?{NAME})+)"


def read_rows():
    rows = {}
    for line in (check.root / "tests/behaviours").read_text().splitlines():
        if line and not line.startswith("#"):
            section, name, _tag = line.split()
            rows.setdefault(section, []).append(name)
    return rows


def read_deviations():
    path = check.root / "tests/deviations"
    found = {}
    if not path.exists():
        return found
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        row = parts[0].split()
        if len(parts) != 3 or len(row) != 2 or not all(parts):
            check.complain(path, number, "not `section name | what we do | why`")
        else:
            found[tuple(row)] = number
    return found


def is_row(rows, section, name):
    return any(name in (row, row.split(".")[-1]) for row in rows.get(section, []))


def read_tests(rows):
    """(section, name) of everything that a test says it answers."""
    answered = set()
    for path in check.files("tests/**/*.c"):
        text = path.read_text()
        head = re.search(r"Behaviours: sections? ([\d., and\n*]+)", text)
        sections = re.findall(r"\d+(?:\.\d+)?", head.group(1)) if head else []
        for section in sections:
            if section not in rows:
                check.complain(path, 0, f"no section is called {section}")
        for name in re.findall(r"\b[A-Z_]*TEST(?:_OF)?\((\w+)", text):
            answered.update((section, name) for section in sections)
        for said in re.finditer(SAID, text):
            section, names = said.group(1), re.findall(NAME, said.group(2))
            answered.update((section, name) for name in names)
            for name in names:  # other words may follow
                if re.match(r"(?:\w+\.)*test_", name) and not is_row(rows, section, name):
                    check.complain(path, text.count("\n", 0, said.start()) + 1,
                                   f"no row is called {section} {name}")
    return answered


rows, deviations = read_rows(), read_deviations()
answered = read_tests(rows)
print(f"{'section':>7} {'rows':>5} {'tested':>7} {'deviating':>10} {'open':>5}")
for section, names in rows.items():
    tested = [name for name in names
              if (section, name) in answered or (section, name.split(".")[-1]) in answered]
    deviating = [name for name in names if name not in tested and
                 ((section, name) in deviations or (section, name.split(".")[-1]) in deviations)]
    missing = [name for name in names if name not in tested and name not in deviating]
    print(f"{section:>7} {len(names):5} {len(tested):7} {len(deviating):10} {len(missing):5}")
    for name in missing:
        check.complain("tests/behaviours", 0, f"{section} {name}: no test and no deviation")
for (section, name), number in deviations.items():
    if not is_row(rows, section, name):
        check.complain(check.root / "tests/deviations", number, f"no row is called {section} {name}")

check.finish()
