"""Does each kr_ and KR_ name of a page exist?

A name is known that a public header has outside of its comments, or that is a header's own; and of
KR_ names one that sources or scripts read from the environment or from the build.  A name that ends
in _ or has a * behind it stands for all that begin so.

SPDX-License-Identifier: MIT
"""
import re
from lintlib import without_comments

NAME = re.compile(r"(?<![\w$])((?:kr|KR)_\w+)(\*?)")


def known_names(check):
    known = set()
    for path in check.files("include/krait/*.h"):
        known.add(f"kr_{path.stem}")
        known.update(re.findall(r"\b(?:kr|KR)_\w+", without_comments(path.read_text())))
    for path in check.files("src/**/*.[ch]", "bench/*.[ch]", "examples/**/*.c",
                            "tests/harness/*.c"):
        known.update(re.findall(r'"(KR_\w+)\b', path.read_text()))
    for path in check.files("run", "bench/*.sh", "bench/*.py", "CMakeLists.txt", "cmake/*"):
        known.update(re.findall(r"\bKR_\w+", path.read_text()))
    return known


def check_names(check, path, text, known):
    for match in NAME.finditer(text):
        name, star = match.groups()
        if name in known or name.removesuffix("_") in ("kr", "KR"):
            continue
        if not ((star or name.endswith("_")) and any(other.startswith(name) for other in known)):
            check.complain(path, text.count("\n", 0, match.start()) + 1, f"krait has no {name}")
