#!/usr/bin/env python3
"""Are files and functions short enough to be read, and does each file name its licence?

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check

# A file of tests is a list of cases, each read for itself.
FILE_LINES, TEST_LINES, HEADER_LINES, FUNCTION_LINES = 500, 800, 250, 60
check = Check()

for path in check.code() + check.files("tools/*", "run", ".ci/run", "bench/*.sh", "examples/*/*.sh"):
    if path.name == "dictionary":
        continue
    lines = path.read_text().splitlines()
    public = path.parent == check.root / "include/krait"
    test = path.is_relative_to(check.root / "tests") and "harness" not in path.parts
    most = HEADER_LINES if public else TEST_LINES if test else FILE_LINES
    if len(lines) > most:
        check.complain(path, len(lines), f"{len(lines)} lines, more than {most}")
    if not any("SPDX-License-Identifier: MIT" in line for line in lines[:60]):
        check.complain(path, 1, "no SPDX-License-Identifier in the header comment")
    if path.suffix not in (".c", ".h"):
        continue
    begin = 0
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif re.match(r"}\s*$", line) and begin:
            if number - begin + 1 > FUNCTION_LINES:
                check.complain(path, begin, f"a function of {number - begin + 1} lines, more than "
                               f"{FUNCTION_LINES}")
            begin = 0

check.finish()
