#!/usr/bin/env python3
"""Has every public function a page of the reference manual that says what it is for, and does
groff take the pages without a word?  Does krait(1) know every command?

    check_reference.py ROOT BUILD

SPDX-License-Identifier: MIT
"""
import re
import shutil
import subprocess
import sys
import tempfile
import pathlib
from lintlib import Check

check = Check()
sys.path.insert(0, str(check.root / "tools/reference"))
import command  # noqa: E402
import headers as public  # noqa: E402
import man  # noqa: E402

# What macros call and KR_AUTO uses; the page of the macro or type is theirs.
INNER = re.compile(r"_(?:auto|next|end|guard|with_kind)$")


def check_pages(found):
    with tempfile.TemporaryDirectory() as folder:
        man.write(found, whole, "0", pathlib.Path(folder))
        command.write(check.root, "0", pathlib.Path(folder))
        if not shutil.which("groff"):
            return
        for page in sorted(pathlib.Path(folder).glob("man*/*")):
            if page.read_text().startswith(".so"):
                continue
            said = subprocess.run(["groff", "-man", "-ww", "-z", str(page)], capture_output=True,
                                  text=True, check=False).stderr
            if said:
                check.complain(page.name, 0, said.splitlines()[0])


def check_command():
    """The first word of each comparison is the command, others mean the same."""
    source = check.root / "src/command/krait.c"
    text = source.read_text()
    known = {term.split()[0] for term, _ in command.entries_of(command.usage_of(text))}
    for name in re.findall(r'if \((?:argc.*)?strcmp\((?:command|argv\[1\]), "([^"]+)"', text):
        if name not in known:
            check.complain(source, 0, f"krait(1) says nothing of {name}")


paths = check.files("include/krait/*.h")
found = [public.read(path) for path in paths if path.name != "krait.h"]
whole = public.read(check.root / "include/krait/krait.h")
pages = {name for header in found for entry in header.entries for name in entry.names}
for path, header in zip((path for path in paths if path.name != "krait.h"), found):
    text = path.read_text()
    titles = [name for comment in re.findall(r"^/\*.*?\*/", text, re.M | re.S)[1:]
              for name in public.split_title(public.comment_lines(comment))[0]]
    for name in dict.fromkeys(public.declared(text) + titles):
        if name.startswith("kr_") and name not in pages and not INNER.search(name):
            check.complain(path, 0, f"the reference has no page for {name}")
    for entry in header.entries:
        if not re.search(r"[a-z]{2}", entry.purpose) or entry.purpose in entry.names:
            check.complain(path, 0, f"{entry.names[0]}: nothing says what it is for")
check_pages(found)
check_command()
check.finish()
