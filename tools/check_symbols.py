#!/usr/bin/env python3
"""Is everything public kr_, declared, in the map and a real symbol, and every global listed?

    check_symbols.py ROOT BUILD [--write]        --write renews cmake/krait.map and Debian's list of
                                                 symbols from the headers

A writable global is marked KRI_GLOBAL or KRI_THREAD_LOCAL in the sources and listed in
docs/globals.md.

SPDX-License-Identifier: MIT
"""
import re
import subprocess
import sys
from lintlib import Check, binary_interface, released_version, without_comments

# Headers of the explorer, which is a library of its own.
MODEL_ONLY = ("explore.h",)
HEAD = """/* Every function that programs may call; renewed by tools/check_symbols.py --write. */
KRAIT_%s {
global:
"""
TAIL = """local:
    *;
};
"""
check = Check()
build = check.root / sys.argv[2]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def declared():
    names = set()
    for path in check.files("include/krait/*.h"):
        if path.name in MODEL_ONLY:
            continue
        text = re.sub(r"^\s*#.*(\\\n.*)*", "", without_comments(path.read_text()), flags=re.M)
        for statement in re.findall(r"\bKR_API\b([^;]*);", text):
            bare = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", statement)
            name = re.search(r"\b(\w+)\s*\((?!\s*\*)", bare)
            names.add(name.group(1) if name else bare.split()[-1])
        unmarked = re.sub(r"\bKR_API\b[^;]*;", "", text)
        for name in re.findall(r"^(?!static|typedef)[a-z][\w ]*[ *](kri?_\w+)\([^;{]*\)[^;{]*;",
                               unmarked, re.M):
            check.complain(path, 0, f"{name} is declared without KR_API")
    return names


def debian_list(path, names):
    """Each symbol with the first version that has it; of a new one that is this version."""
    node, version = f"KRAIT_{interface}", released_version(check.root)
    since = dict(re.findall(r"^ (\w+)@\w+ (\S+)$", path.read_text(), re.M)) if path.exists() else {}
    lines = [f"libkrait.so.{interface} libkrait{interface} #MINVER#",
             "* Build-Depends-Package: libkrait-dev"]
    lines += [f" {name}@{node} {since.get(name, version)}" for name in [node] + sorted(names)]
    return "\n".join(lines) + "\n"


public = declared()
interface = binary_interface(check.root)
map_path = check.root / "cmake/krait.map"
debian_path = check.root / f"debian/libkrait{interface}.symbols"
if "--write" in sys.argv:
    map_path.write_text(HEAD % interface + "".join(f"    {name};\n" for name in sorted(public)) + TAIL)
    debian_path.write_text(debian_list(debian_path, public))
if f"\nKRAIT_{interface} {{\n" not in map_path.read_text():
    check.complain(map_path, 0, f"the symbols are not those of KRAIT_{interface}")
if not debian_path.exists() or debian_path.read_text() != debian_list(debian_path, public):
    check.complain(debian_path, 0, "is not what --write would make of the headers")
mapped = set(re.findall(r"^\s+(kr\w*\*?);", map_path.read_text(), re.M))
exported = set()
for line in output("nm", "-D", "--defined-only", str(build / "libkrait.so")).splitlines():
    kind, name = line.split()[1:3]
    if kind != "A":
        exported.add(name.split("@")[0])

for name in sorted(public | mapped | exported):
    if not name.startswith("kr_"):
        check.complain("libkrait.so", 0, f"{name}: public names begin with kr_")
    where = [text for text, names in (("declared with KR_API", public), ("in cmake/krait.map", mapped),
                                      ("an exported symbol", exported)) if name not in names]
    if where:
        check.complain("libkrait.so", 0, f"{name} is not {', not '.join(where)}")

for line in output("nm", "-g", "--defined-only", str(build / "libkrait.a")).splitlines():
    parts = line.split()
    if parts[-1:] == ["_.stapsdt.base"]:  # of <sys/sdt.h>, and hidden
        continue
    if len(parts) == 3 and not re.match(r"(kr|kri|os)_", parts[2]):
        check.complain("libkrait.a", 0, f"{parts[2]}: names that cross files begin with kri_ or os_")

marked = set()
for path in check.files("src/**/*.[ch]"):
    text = without_comments(path.read_text())
    for statement in re.findall(r"[^;{}]*\bKRI_GLOBAL\b[^;]*;", text):
        marked.update(re.findall(r"\w+", statement))
    marked.update(name + "_slot" for name in
                  re.findall(r"\bKRI_(?:SHARED_)?THREAD_LOCAL\([^,;]*,\s*(\w+)\s*\)", text))
listed = set(re.findall(r"^\|\s*`(\w+)`", (check.root / "docs/globals.md").read_text(), re.M))
writable = set()
for line in output("objdump", "-t", str(build / "libkrait.a")).splitlines():
    found = re.match(r"[0-9a-f]+ .{7} (\.t?(?:data|bss)\S*|\*COM\*)\s+[0-9a-f]+\s+(?:\.hidden )?(\w+)",
                     line)
    if found and not found.group(1).startswith(".data.rel.ro"):
        writable.add(found.group(2))
for name in sorted(writable):
    if name not in marked:
        check.complain("libkrait.a", 0, f"writable global {name} is not marked KRI_GLOBAL")
    if name.removesuffix("_slot") not in listed:
        check.complain("docs/globals.md", 0, f"writable global {name} is not listed")
for name in sorted(listed - {name.removesuffix("_slot") for name in writable} - writable):
    check.complain("docs/globals.md", 0, f"{name} is listed and does not exist")

check.finish()
