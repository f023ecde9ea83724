"""What the checks have in common: finding files, and reporting.

SPDX-License-Identifier: MIT
"""
import pathlib
import re
import sys

CODE_FOLDERS = ("src", "include", "tests", "examples", "bench")


class Check:
    """Collects complaints; each names a place and says what is wrong there."""

    def __init__(self):
        self.root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
        self.complaints = []

    def files(self, *patterns):
        found = set()
        for pattern in patterns:
            found.update(path for path in self.root.glob(pattern) if path.is_file())
        return sorted(found)

    def code(self):
        return self.files(*(f"{folder}/**/*.[ch]" for folder in CODE_FOLDERS))

    def complain(self, path, line, text):
        if isinstance(path, pathlib.Path):
            path = path.relative_to(self.root)
        self.complaints.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")

    def finish(self):
        for complaint in self.complaints:
            print(complaint)
        sys.exit(1 if self.complaints else 0)


def released_version(root):
    """"0.1.0", from the one place where it stands."""
    text = (root / "include/krait/base.h").read_text()
    return ".".join(re.search(rf"#define KR_VERSION_{part} +(\d+)", text).group(1)
                    for part in ("MAJOR", "MINOR", "PATCH"))


def binary_interface(root):
    """The number in libkrait.so.1."""
    text = (root / "CMakeLists.txt").read_text()
    return int(re.search(r"set\(KRAIT_SOVERSION (\d+)\)", text).group(1))


def without_comments(text):
    """The C source with comments and the insides of strings blanked; lines stay where they are."""
    out = []
    at = 0
    while at < len(text):
        if text.startswith("/*", at):
            end = text.find("*/", at + 2)
            end = len(text) if end < 0 else end + 2
            out.append("\n" * text.count("\n", at, end) or " ")
        elif text.startswith("//", at):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
        elif text[at] in "\"'":
            end = at + 1
            while end < len(text) and text[end] not in (text[at], "\n"):
                end += 2 if text[end] == "\\" else 1
            end += 1
            out.append(text[at] * 2)
        else:
            end = at + 1
            out.append(text[at])
        at = end
    return "".join(out)
