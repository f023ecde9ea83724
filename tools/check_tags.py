#!/usr/bin/env python3
"""Does every ordering tag, such as [wait-1], stand at both its ends and in an Ordering block?

And do the notes in docs/design have their six headings, and name tags that there are?

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check

TAG = re.compile(r"\[([a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*-[0-9]+)\]")
HEADING = re.compile(r"\s*/?\*+\s+(State|Fields|Protocol|Ordering|Why not)\b")
HEADINGS = ["Problem", "Invariants", "Why it holds", "What was tried and dropped", "Measurements",
            "Papers and sources"]
check = Check()
explained, ends, first = set(), {}, {}

for path in check.files("src/**/*.[ch]", "include/krait/*.h"):
    in_ordering = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        heading = HEADING.match(line)
        if heading:
            in_ordering = heading.group(1) == "Ordering"
        for tag in TAG.findall(line):
            first.setdefault(tag, (path, number))
            if in_ordering:
                explained.add(tag)
            else:
                ends[tag] = ends.get(tag, 0) + 1
        if "*/" in line:
            in_ordering = False

for tag, (path, number) in sorted(first.items()):
    if tag not in explained:
        check.complain(path, number, f"[{tag}] stands in no Ordering block")
    if ends.get(tag, 0) < 2:
        check.complain(path, number, f"[{tag}] stands at {ends.get(tag, 0)} place(s), not at both ends")

for path in check.files("docs/design/*.md"):
    text = path.read_text()
    headings = re.findall(r"^## (.*)$", text, re.M)
    if headings != HEADINGS:
        check.complain(path, 1, "the headings are not: " + ", ".join(HEADINGS))
    for number, line in enumerate(text.splitlines(), 1):
        for tag in TAG.findall(line):
            if tag not in explained:
                check.complain(path, number, f"[{tag}] stands in no Ordering block")

check.finish()
