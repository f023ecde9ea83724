"""What the public headers say: each comment with the declarations below it, taken apart.

A header's first comment is about all of it.  Every other comment that begins a line and has public
declarations below it is an entry:

    name, name - purpose.        the title; where it is missing, the first declaration names it
      argument   what it is      a list, indented by two or three columns
        code                     an example, indented by four or more
    Returns   what               a section of its own, as Blocks, Scope, Errors

SPDX-License-Identifier: MIT
"""
import dataclasses
import re

SECTIONS = ("Returns", "Blocks", "Scope", "Errors", "Memory", "Order")
NOT_PUBLIC = re.compile(r"/\* (?:Of the macro's own|For KR_AUTO)")
NAME = re.compile(r"\b(?:kr|KR)_\w+")


@dataclasses.dataclass
class Entry:
    header: str
    names: list          # the first one names the page
    purpose: str
    parts: list          # (section or "", blocks); a block is (kind, content)
    code: str            # the declarations, as they stand


@dataclasses.dataclass
class Header:
    name: str            # queue.h
    purpose: str
    parts: list
    entries: list

    def common(self):
        """What is said of all of it, but for the purpose."""
        (name, blocks), *others = self.parts or [("", [])]
        return [(name, blocks[blocks[:1] == [("text", self.purpose)]:])] + others


def comment_lines(comment):
    """The text of a comment without its stars, each line's indent kept."""
    lines = comment[2:-2].split("\n")
    lines = [re.sub(r"^ \* ?| \*$", "", line) if at else line.lstrip()
             for at, line in enumerate(lines)]
    return [line.rstrip() for line in lines if "SPDX-License-Identifier" not in line]


def split_title(lines):
    """(names, purpose, the lines that are left)."""
    count = next((at for at, line in enumerate(lines) if at and
                  (not line or line.startswith("  ") or is_section(line))), len(lines))
    match = re.match(r"((?:(?:kr|KR)_\w+(?:, (?:and )?)?)+) - (?=\S)", " ".join(lines[:count]))
    if not match:
        return [], "", lines
    names = NAME.findall(match.group(1))
    text = " ".join(lines[:count])[match.end():]
    rest = lines[count:]
    first, dot, more = re.match(r"(.*?[^.\s])(\.(?=\s|$)|$)(.*)", text).groups()
    return names, first + dot, ([more.strip(), ""] if more.strip() else []) + rest


def is_section(line):
    return bool(re.match(rf"(?:{'|'.join(SECTIONS)})(?:   *| [^a-z])\S", line))


def split_blocks(lines):
    """Paragraphs ("text", str), lists ("list", [(term, text)]), examples ("code", str)."""
    blocks = []
    for line in lines + [""]:
        indent = len(line) - len(line.lstrip())
        bullet = line.startswith("- ")
        kind = "" if not line else "list" if bullet else "text" if indent < 2 else \
            "list" if indent < 4 else "code"
        last = blocks[-1] if blocks and not blocks[-1][2] else None
        if last and indent >= 2 and (last[0] == "list" or
                                     last[0] == "code" and (indent >= 4 or last[1][-1])):
            kind = last[0]
        if kind == "code" and last and last[0] == "text" and not last[1][-1].endswith(":"):
            kind = "text"
        if not line:
            if last and last[0] != "code":
                last[2] = True
            elif last:
                last[1].append("")
        elif last and last[0] == kind:
            last[1].append(line)
        else:
            if last:
                last[2] = True
            blocks.append([kind, [line], False])
    return [finished(kind, content) for kind, content, _ in blocks]


def finished(kind, lines):
    if kind == "text":
        return kind, " ".join(line.strip() for line in lines)
    if kind == "code":
        while lines and not lines[-1]:
            lines.pop()
        least = min(len(line) - len(line.lstrip()) for line in lines if line)
        return kind, "\n".join(line[least:] for line in lines)
    items = []
    first = len(lines[0]) - len(lines[0].lstrip())
    for line in lines:
        if len(line) - len(line.lstrip()) <= first + 1 or not items:
            term, _, text = line.strip().partition(" " if line.startswith("- ") else "  ")
            items.append((term, [text.strip()]))
        else:
            items[-1][1].append(line.strip())
    return kind, [(term, " ".join(part for part in text if part)) for term, text in items]


def split_parts(lines):
    """The description and the sections: (name, lines) each."""
    parts = [("", [])]
    for line in lines:
        if is_section(line):
            name, _, text = line.partition(" ")
            parts.append((name, [text.strip()]))
        elif parts[-1][0] and line and not line.startswith(" "):
            parts.append(("", [line]))
        else:
            parts[-1][1].append(line)
    return [(name, split_errors(lines) if name == "Returns" else split_blocks(
        [line.strip() for line in lines] if name else lines))
            for name, lines in parts if any(lines)]


CODES = r"(?:-E|KR_)\w+(?:, (?:-E|KR_)\w+)*(?:,? \.{2,3})?"
COLUMNS = re.compile(r"(.{0,59}?(?:[^.\s]|(?<=[\s.])\.\.\.?))  +(\S.*)")


def split_errors(lines):
    """Results one a line, as a list, where they stand so; what is no result, as paragraphs."""
    rows = [line for line in lines if line.strip()]
    base = min((len(line) - len(line.lstrip()) for line in rows[1:]), default=0)
    rows[0] = " " * base + rows[0].strip()
    at_base = [line.strip() for line in rows if len(line) - len(line.lstrip()) == base]
    if not any(COLUMNS.fullmatch(line) for line in at_base[1:]):
        return [("text", " ".join(line.strip() for line in rows))]
    blocks = []
    for line in rows:
        text = line.strip()
        goes_on = len(line) - len(line.lstrip()) > base
        row = COLUMNS.fullmatch(text) or re.fullmatch(rf"({CODES}|0)(?: (.*)|)", text) or \
            re.fullmatch(r"((?:-E|KR_E|-?\d)[^:;]*): (.*)", text)
        if row and not goes_on:
            if not blocks or blocks[-1][0] != "list":
                blocks.append(("list", []))
            blocks[-1][1].append((row.group(1), row.group(2) or ""))
        elif goes_on and blocks and blocks[-1][0] == "list":
            term, said = blocks[-1][1][-1]
            blocks[-1][1][-1] = term, f"{said} {text}".strip()
        elif blocks and blocks[-1][0] == "text" and \
                (blocks[-1][1].endswith(".") or not text[:1].isupper()):
            blocks[-1] = "text", f"{blocks[-1][1]} {text}"
        else:
            blocks.append(("text", text))
    return blocks


def declared(code):
    """Public names that the declarations bring, in their order."""
    found = []
    for match in re.finditer(r"^KR_API[^;{]*?\b(kr_\w+)\(|^#define (kr_\w+|KR_\w+)"
                             r"|^typedef (?:struct|enum|union) (kr_\w+)|^struct (kr_\w+) \{"
                             r"|^typedef [^;]*?\(\*(kr_\w+)\)|^typedef [^;{]*?\b(kr_\w+);"
                             r"|^KR_NODISCARD [^;{]*?\b(kr_\w+)\(",
                             code, re.M):
        found.append(next(name for name in match.groups() if name))
    bare = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    for constants in re.findall(r"\benum\b[^;{]*\{([^}]*)\}", bare):
        found += re.findall(r"(?:^|,)\s*(KR_\w+)", constants)
    return list(dict.fromkeys(found))


def declarations(text):
    code = re.split(r"^(?:KR_EXTERN_END|#endif)", text, flags=re.M)[0]
    return re.sub(r"^(?:#(?:if|ifdef|ifndef|else|include|define KRAIT_\w+_H)\b.*|KR_EXTERN_BEGIN)\n",
                  "", code, flags=re.M).strip("\n")


def plain(code):
    """The declarations without krait's macros, their further lines below the first as before, and
    of functions in a header no more than that."""
    code = re.sub(r"^(?:KR_NODISCARD )?static inline ([^{;]*?)\n\{\n.*?^\}", r"\1;", code,
                  flags=re.M | re.S)

    def without(match):
        first = re.sub(r"\bKR_(?:API|NODISCARD|CONST) ?", "", match.group(1))
        gone = len(match.group(1)) - len(first)
        return first + re.sub(rf"^ {{{gone}}}(?= )", "", match.group(2), flags=re.M)

    return re.sub(r"^(\S.*)((?:\n +\S.*)*)", without, code, flags=re.M)


def entry(header, comment, code):
    """None where nothing public is declared, or not for programs."""
    code = re.sub(r"^static inline (KR_NODISCARD [^{;]*?)\n\{\n.*?^\}", r"\1;", code,
                  flags=re.M | re.S)
    public = declared(code)
    if not public or NOT_PUBLIC.match(comment):
        return None
    names, purpose, rest = split_title(comment_lines(comment))
    if not names and rest and not rest[0].startswith(" "):
        purpose = re.split(r"(?<=[a-z)])[.:](?:\s|$)", split_blocks(rest)[0][1])[0]
    functions = re.findall(r"^KR_API[^;{]*?\b(kr_\w+)\(", code, re.M)
    order = list(dict.fromkeys([name for name in names if name in public] + functions + public))
    return Entry(header, order, purpose.rstrip(".:"), split_parts(rest), code)


def read(path):
    text = re.sub(r"^/\* clang-format o.*\n", "", path.read_text(), flags=re.M)
    comments = list(re.finditer(r"^/\*.*?\*/", text, re.M | re.S))
    _, purpose, rest = split_title(comment_lines(comments[0].group()))
    header = Header(path.name, purpose or split_blocks(rest)[0][1], split_parts(rest), [])
    ends = [match.start() for match in comments[1:]] + [len(text)]
    for match, end in zip(comments, ends):
        found = entry(path.name, match.group(), declarations(text[match.end():end]))
        if found:
            header.entries.append(found)
    return header
