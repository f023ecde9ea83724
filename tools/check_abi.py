#!/usr/bin/env python3
"""Does a program that was compiled with the last release still work with this library?

    check_abi.py ROOT [--write]       --write renews cmake/krait.abi

cmake/krait.abi describes what compiled programs know of the last release: the types of functions,
the sizes and fields of structures, the values of constants.  All that must stay as it is.  What is
new may come, a field only where its structure had reserved words.

SPDX-License-Identifier: MIT
"""
import pathlib
import re
import subprocess
import sys
import tempfile
from lintlib import Check, binary_interface, released_version, without_comments

HEAD = "# What compiled programs know of krait {}, interface {}; made by tools/check_abi.py --write.\n"
NO_CONSTANTS = r"KR_(?:VERSION_|EXTERN_|API$|NODISCARD$|CONST$|EXPLORE_)"  # each release's own, or none
check = Check()
path = check.root / "cmake/krait.abi"
mapped = re.findall(r"^\s+(kr_\w+);", (check.root / "cmake/krait.map").read_text(), re.M)


def constants_of(text):
    """Macros that stand for a value, and enumerators."""
    yield from re.findall(r"^#define (KR_\w+)(?: |$)", text, re.M)
    for names in re.findall(r"\benum\b[^;{]*\{([^}]*)\}", text):
        yield from re.findall(r"(?:^|,)\s*(KR_\w+)", names)


def program():
    """A variable for each function and constant, so that the compiler tells what it is."""
    lines = ["#include <krait/krait.h>"]
    lines += [f"__typeof__({name}) *abi_function_{name};" for name in mapped]
    for header in check.files("include/krait/*.h"):
        if header.name == "explore.h":  # a library of its own, which is only linked statically
            continue
        for name in constants_of(without_comments(header.read_text())):
            if re.match(r"KR_\w+_INIT(?:_SHARED)?$", name):
                kind = re.sub(r"_INIT.*", "", name).lower()
                lines.append(f"{kind} abi_initial_{name} = {name};")
            elif not re.match(NO_CONSTANTS, name):
                lines.append(f"long long abi_constant_{name} = (long long)({name});")
    return "\n".join(lines) + "\n"


def described():
    script = pathlib.Path(__file__).with_name("abi_types.py")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "abi.c"
        source.write_text(program())
        subprocess.run(["cc", "-std=gnu11", "-g", "-fno-eliminate-unused-debug-types", "-I",
                        check.root / "include", "-c", source, "-o", source.with_suffix(".o")], check=True)
        said = subprocess.run(["gdb", "-nx", "-batch", "-x", script, source.with_suffix(".o")],
                              capture_output=True, text=True, check=False)
    if "Traceback" in said.stderr or "Error" in said.stderr:
        sys.exit(said.stderr)
    return sorted({line for line in said.stdout.splitlines() if re.match(r"[a-z]+ (?:kr|KR)_", line)})


def by_name(lines):
    """{(kind, name): what it is}; members of unions share places, not names."""
    return {tuple(line.split(" ")[:2]): line.split(" ", 2)[2] for line in lines}


def bytes_of(field):
    """(first, behind the last) byte of a field."""
    begin, size = field.split(" ")[:2]
    return (int(begin), int(begin) + int(size)) if ":" not in begin else (int(begin.split(":")[0]), 0)


def is_reserved(name, was, now):
    """Reserved words may become fewer, at their end or at their beginning."""
    if not name.endswith((".reserved", "._reserved")):
        return False
    return now is None or (bytes_of(was)[0] <= bytes_of(now)[0] and bytes_of(now)[1] <= bytes_of(was)[1])


def compare(old, new):
    for (kind, name), was in old.items():
        now = new.get((kind, name))
        if now is None and not is_reserved(name, was, now):
            check.complain(path, 0, f"{kind} {name} is gone: it was {was}")
        elif now is not None and now != was and not (kind == "field" and is_reserved(name, was, now)):
            check.complain(path, 0, f"{kind} {name} is {now}: it was {was}")
    for (kind, name), now in new.items():
        owner = name.split(".")[0]
        if kind != "field" or (kind, name) in old or ("struct", owner) not in old:
            continue
        room = [bytes_of(was) for (kind, other), was in old.items()
                if kind == "field" and other in (owner + ".reserved", owner + "._reserved")]
        begin, end = bytes_of(now)
        if not any(first <= begin and end <= last for first, last in room):
            check.complain(path, 0, f"field {name} lies where older programs have none that is reserved")


found = described()
interface = binary_interface(check.root)
if "--write" in sys.argv:
    path.write_text(HEAD.format(released_version(check.root), interface) + "\n".join(found) + "\n")
stored = path.read_text().splitlines() if path.exists() else [""]
number = re.search(r"interface (\d+);", stored[0])
if not number or int(number.group(1)) != interface:
    check.complain(path, 0, f"is not of interface {interface}: renew it by tools/check_abi.py . --write")
else:
    compare(by_name(stored[1:]), by_name(found))
    if check.complaints:
        check.complain(path, 0, "programs that were compiled with the last release would break.  If that "
                       "has to be, add 1 to KRAIT_SOVERSION in CMakeLists.txt; of an interface that was "
                       "never released only renew what is known: python3 tools/check_abi.py . --write")
check.finish()
