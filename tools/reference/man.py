"""Man pages of what the headers say: one in section 3 for each entry, krait(7) over all.

SPDX-License-Identifier: MIT
"""
import re

import headers as public

TITLES = {"": "DESCRIPTION", "Returns": "RETURN VALUE", "Blocks": "BLOCKING", "Scope": "SCOPE",
          "Errors": "ERRORS", "Memory": "MEMORY", "Order": "MEMORY ORDER"}


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def prose(text):
    """Names in bold, `arguments` in italics."""
    text = escape(text)
    text = re.sub(r"`([^`]+)`", r"\\fI\1\\fR", text)
    return re.sub(r"\b((?:kr|KR)_\w+)", r"\\fB\1\\fR", text)


def blocks_of(blocks):
    out = []
    for kind, content in blocks:
        if kind == "text":
            out += [".PP", prose(content)]
        elif kind == "code":
            out += [".PP", ".in +4n", ".EX", escape(content), ".EE", ".in"]
        else:
            for term, text in content:
                out += [".TP", prose(term), prose(text) or "\\&"]
    return out


def sections(parts):
    out = []
    last = None
    for name, blocks in parts:
        if TITLES[name] != last:
            out.append(f".SH {TITLES[name]}")
            last = TITLES[name]
        body = blocks_of(blocks)
        out += body[1:] if body and body[0] == ".PP" else body
    return out


def notes(header):
    """What all of the header have in common: nobody who looks one call up has read the header."""
    out = [".SH NOTES", prose(f"<krait/{header.name}>: {header.purpose}")]
    for name, blocks in header.common():
        out += ([f".SS {name}"] if name else []) + blocks_of(blocks)
    return out


def page(name, section, version, body):
    """Names are looked for and copied, so none is hyphenated: each heading sets what HY says."""
    head = [".nr HY 0", f'.TH {name.upper()} {section} "" "krait {version}" "krait"', ".ad l"]
    return "\n".join(head + body) + "\n"


def near(entries, entry, count):
    """Names of others: the first, which is mostly the type, and those that stand nearest."""
    places = {other.names[0]: place for place, other in enumerate(entries)}
    at = places.pop(entry.names[0])
    nearest = sorted(places, key=lambda name: places[name] and abs(places[name] - at))[:count]
    return sorted(nearest, key=places.get)


def entry_page(header, entry, version):
    others = near(header.entries, entry, 12)
    body = [".SH NAME",
            f"{', '.join(escape(name) for name in entry.names)} \\- {escape(entry.purpose)}",
            ".SH SYNOPSIS", ".nf", f".B #include <krait/{header.name}>", ".PP",
            escape(public.plain(entry.code)), ".fi"]
    body += sections(entry.parts)
    if entry.parts != header.parts:
        body += notes(header)
    body += [".SH SEE ALSO", ".BR krait (7)" + "".join(f",\n.BR {escape(name)} (3)"
                                                      for name in others)]
    return page(entry.names[0], 3, version, body)


def overview(headers, whole, version):
    body = [".SH NAME", "krait \\- Python's concurrency system, for C programs", ".SH SYNOPSIS",
            ".nf", ".B #include <krait/krait.h>", ".PP", "cc program.c $(pkg\\-config \\-\\-cflags "
            "\\-\\-libs krait)", ".fi", ".SH DESCRIPTION",
            "Threads, processes and coroutines; locks and queues that serve all three, in shared "
            "memory processes too; futures and pools; an event loop; an interpreter lock."]
    body += blocks_of([block for _, blocks in whole.parts for block in blocks])
    body += [".SH HEADERS", "Each is one concept."]
    for header in headers:
        body += [f".SS {header.name}", prose(header.purpose)]
        for _, blocks in header.common()[:1]:
            body += blocks_of(blocks)
        body += [".PP"] + [",\n".join(f".BR {escape(entry.names[0])} (3)"
                                     for entry in header.entries)]
    return page("krait", 7, version, body)


def write(headers, whole, version, folder):
    """Files by name; a name that shares a page gets one that leads there."""
    pages = {"man7/krait.7": overview(headers, whole, version)}
    for header in headers:
        for entry in header.entries:
            pages[f"man3/{entry.names[0]}.3"] = entry_page(header, entry, version)
    for header in headers:
        for entry in header.entries:
            for name in entry.names[1:]:
                pages.setdefault(f"man3/{name}.3", f".so man3/{entry.names[0]}.3\n")
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return len(pages)
