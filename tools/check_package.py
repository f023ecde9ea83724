#!/usr/bin/env python3
"""Is every number of the release what include/krait/base.h and CMakeLists.txt say?

    check_package.py ROOT

The version: CHANGELOG.md and debian/changelog.  The binary interface: the names of Debian's
packages and lists.  Options of the build: docs/install.md has each.

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check, binary_interface, released_version

check = Check()
version = released_version(check.root)
interface = binary_interface(check.root)


def expect(name, pattern, wanted, what):
    path = check.root / name
    found = re.search(pattern, path.read_text() if path.exists() else "", re.M)
    if not found or found.group(1) != str(wanted):
        check.complain(path, 0, f"{what} {found.group(1) if found else 'missing'}, not {wanted}")


expect("CHANGELOG.md", r"^## (\S+?),? ", version, "its newest version is")
expect("debian/changelog", r"^krait \(([^)]*)\)", version, "its newest version is")
expect("debian/control", r"^Package: libkrait(\d+)$", interface, "the library's package is of interface")
for path in check.files("debian/libkrait[0-9]*"):
    number = re.match(r"libkrait(\d+)", path.name).group(1)
    if number != str(interface):
        check.complain(path, 0, f"belongs to interface {number}, not {interface}")

manual = (check.root / "docs/install.md").read_text()
listed = set(re.findall(r"^\| `(KRAIT_\w+)` \|", manual, re.M))
options = set()
for path in check.files("CMakeLists.txt", "cmake/*.cmake"):
    options.update(re.findall(r"^\s*(?:option|cmake_dependent_option)\((KRAIT_\w+)|"
                              r"^set\((KRAIT_\w+) .* CACHE", path.read_text(), re.M))
    options.update(("", f"KRAIT_WITH_{name}")
                   for name in re.findall(r"^krait_optional\((\w+) ", path.read_text(), re.M))
options = {name for pair in options for name in pair if name}
for name in sorted(options ^ listed):
    where = "is not listed" if name in options else "is listed, and no option"
    check.complain("docs/install.md", 0, f"{name} {where}")
check.finish()
