"""Are the numbers that a page takes from docs/benchmarks.md those that stand there?

A table behind `<!-- numbers -->` has a row of docs/benchmarks.md in each line, by its name, and a
peer in each column, by its name; `krait` is krait's own, `krait inside` what stands behind that
word there.  A cell has the median as it stands there, or nothing where that peer has none.

    python3 tools/docs/numbers_of.py docs/benchmarks.md PAGE...    puts the right ones in

SPDX-License-Identifier: MIT
"""
import re
import sys

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


def right_line(first, name, peers, rows):
    return f"| {' | '.join([first] + [rows[name].get(peer, '') for peer in peers])} |"


def right_lines(lines, rows):
    """(its number in the table, the line, as it should be or None) of each row of a table."""
    peers = [peer.strip("`") for peer in cells(lines[0])[1:]]
    for number, line in enumerate(lines[2:], 2):
        first = cells(line)[0]
        name = re.search(r"`([^`]+)`", first)
        known = name and name.group(1) in rows
        yield number, line, right_line(first, name.group(1), peers, rows) if known else None


def check_numbers(check, page, rows):
    for table in TABLE.finditer(page.text):
        lines = table.group(1).splitlines()
        first = page.line(table.start(1))
        for number, line, right in right_lines(lines, rows):
            if right is None:
                check.complain(page.path, first + number,
                               f"docs/benchmarks.md has no row {cells(line)[0]}")
            elif cells(line) != cells(right):
                check.complain(page.path, first + number, f"docs/benchmarks.md says {right}")
        for peer in cells(lines[0])[1:]:
            if not any(peer.strip("`") in row for row in rows.values()):
                check.complain(page.path, first, f"docs/benchmarks.md has no peer {peer}")


def corrected(text, rows):
    def table(match):
        lines = match.group(1).splitlines()
        for number, line, right in right_lines(lines, rows):
            lines[number] = right or line
        return "<!-- numbers -->\n" + "\n".join(lines) + "\n"

    return TABLE.sub(table, text)


def main(source, *pages):
    with open(source, encoding="utf-8") as file:
        rows = measured(file.read())
    for page in pages:
        with open(page, encoding="utf-8") as file:
            text = file.read()
        with open(page, "w", encoding="utf-8") as file:
            file.write(corrected(text, rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
