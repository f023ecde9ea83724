"""Are the numbers that a page takes from docs/benchmarks.md those that stand there?

A table behind `<!-- numbers -->` has a row of docs/benchmarks.md in each line, by its name, and a
peer in each column, by its name; `krait` is krait's own, `krait inside` what stands behind that
word there.  A cell has the median as it stands there, or nothing where that peer has none.

SPDX-License-Identifier: MIT
"""
import re

NUMBER = r"\d[\d ,.]*\d|\d"
TABLE = re.compile(r"<!-- numbers -->\n+((?:\|.*\n)+)")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def measured(text):
    """By the name of a row, by the name of a peer: the median, as it stands."""
    rows = {}
    for line in text.splitlines():
        row = cells(line)
        if not line.startswith("| `") or len(row) != 4 or not re.search(r"\d \(|\d\)", row[1]):
            continue
        found = rows.setdefault(row[0].strip("`"), {})
        for part in row[1].split("; "):
            match = re.match(rf"([a-z-]* ?)({NUMBER}) ?\(", part.strip())
            if match:
                found[f"krait {match.group(1)}".strip()] = match.group(2)
        for part in "; ".join(row[2:]).split("; "):
            match = re.match(rf"([\w.-]+) ({NUMBER})(?=$|,| max)", part.strip())
            if match:
                found[match.group(1)] = match.group(2)
    return rows


def check_numbers(check, page, rows):
    for table in TABLE.finditer(page.text):
        lines = table.group(1).splitlines()
        first = page.line(table.start(1))
        peers = [peer.strip("`") for peer in cells(lines[0])[1:]]
        for number, line in enumerate(lines[2:], first + 2):
            row = cells(line)
            name = re.search(r"`([^`]+)`", row[0])
            if not name or name.group(1) not in rows:
                check.complain(page.path, number, f"docs/benchmarks.md has no row {row[0]}")
                continue
            right = [rows[name.group(1)].get(peer, "") for peer in peers]
            if row[1:] != right:
                check.complain(page.path, number, "docs/benchmarks.md says "
                               f"| {' | '.join([row[0]] + right)} |")
        for peer in peers:
            if not any(peer in row for row in rows.values()):
                check.complain(page.path, first, f"docs/benchmarks.md has no peer {peer}")
