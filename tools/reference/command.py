"""krait(1), made from what the command says about itself.

Of each source of src/command that has a `usage` it takes that text: a line `usage: ...`, and
entries `  term  what it is`, whose other lines are indented deeper.

SPDX-License-Identifier: MIT
"""
import re

from man import escape, page

SOURCES = ("krait.c", "top.c")


def usage_of(source):
    literal = re.search(r'^static const char usage\[\] =\n((?:\s*"(?:[^"\\]|\\.)*"\n?)+);', source, re.M)
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', literal.group(1))
    return "".join(parts).replace(r"\n", "\n").replace(r"\"", '"').replace("\\\\", "\\")


def entries_of(text):
    """[(term, what it is)]."""
    found = []
    for line in text.splitlines():
        entry = re.match(r"  (\S.*?)(?:  +)(\S.*)", line)
        if entry:
            found.append([entry.group(1), entry.group(2)])
        elif line.startswith("   ") and found:
            found[-1][1] += " " + line.strip()
    return found


def synopsis_of(text):
    return re.match(r"usage: (.*)", text).group(1)


def write(root, version, folder):
    sources = [(root / "src/command" / name).read_text() for name in SOURCES]
    usages = [usage_of(source) for source in sources]
    purpose = re.match(r"/\* krait - (.*?)\.\n", sources[0], re.S).group(1)
    body = [".SH NAME", "krait \\- " + escape(re.sub(r"\n \* ", " ", purpose)), ".SH SYNOPSIS", ".nf"]
    body += [f".B {escape(synopsis_of(text))}" for text in usages] + [".fi", ".SH COMMANDS"]
    for at, text in enumerate(usages):
        if at:
            body.append(f".SS {escape(' '.join(synopsis_of(text).split()[:2]))}")
        for term, what in entries_of(text):
            body += [".TP", f".B {escape(term)}", escape(what)]
    body += [".SH EXIT STATUS", "0, or 1 where something has failed, or 2 where it was called wrongly.",
             ".SH SEE ALSO", ".BR krait (7),\n.BR kr_status_start (3),\n.BR kr_shared_memory_clean (3)"]
    path = folder / "man1/krait.1"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page("krait", 1, version, body))
    return 1
