"""Web pages of what the headers say: one for each header, and an index.

SPDX-License-Identifier: MIT
"""
import html
import re

import headers as public

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
pre, code { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--soft); padding: .7rem 1rem; overflow-x: auto; border-radius: .3rem; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
h2 { font-size: 1.1rem; overflow-wrap: anywhere; }
dt { font-family: ui-monospace, monospace; font-size: .9em; }
dd { margin: 0 0 .4rem 2rem; }
table { border-collapse: collapse; } td { padding: .2rem 1rem .2rem 0; vertical-align: top; }
"""


class Writer:
    def __init__(self, headers, version):
        self.headers, self.version = headers, version
        self.places = {name: f"{header.name.removesuffix('.h')}.html#{entry.names[0]}"
                       for header in headers for entry in header.entries for name in entry.names}

    def prose(self, text):
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
        return re.sub(r"\b(?:kr|KR)_\w+", self.link, text)

    def link(self, match):
        name = match.group()
        place = self.places.get(name)
        return f'<a href="{place}"><code>{name}</code></a>' if place else f"<code>{name}</code>"

    def blocks(self, blocks):
        out = []
        for kind, content in blocks:
            if kind == "text":
                out.append(f"<p>{self.prose(content)}</p>")
            elif kind == "code":
                out.append(f"<pre>{html.escape(content)}</pre>")
            else:
                rows = "".join(f"<dt>{self.prose(term)}</dt><dd>{self.prose(text)}</dd>"
                               for term, text in content)
                out.append(f"<dl>{rows}</dl>")
        return "\n".join(out)

    def parts(self, parts):
        return "\n".join((f"<h3>{name}</h3>\n" if name else "") + self.blocks(blocks)
                         for name, blocks in parts)

    def page(self, title, body):
        return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
                '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
                f"{body}\n<footer><p>krait {self.version}</p></footer>\n</body></html>\n")

    def header(self, header):
        body = [f'<p><a href="index.html">krait</a></p>\n<h1>{header.name}</h1>',
                f"<p>{self.prose(header.purpose)}</p>", self.parts(header.common())]
        for entry in header.entries:
            code = html.escape(public.plain(entry.code))
            said = entry.parts == header.parts  # at the top of the page
            body.append(f'<section id="{entry.names[0]}"><h2>{", ".join(entry.names)}</h2>\n'
                        f"<p>{self.prose(entry.purpose)}.</p>\n<pre>{code}</pre>\n"
                        f"{'' if said else self.parts(entry.parts)}</section>")
        return self.page(f"krait/{header.name}", "\n".join(body))

    def index(self, whole):
        rows = [f'<tr><td><a href="{header.name.removesuffix(".h")}.html">{header.name}</a></td>'
                f"<td>{self.prose(header.purpose)}</td></tr>" for header in self.headers]
        names = [f'<a href="{place}"><code>{name}</code></a>'
                 for name, place in sorted(self.places.items())]
        return self.page("krait", f"<h1>krait</h1>\n{self.parts(whole.parts)}\n<table>" +
                         "\n".join(rows) + "</table>\n"
                         "<section><h2>Every name</h2><p>" + " ·\n".join(names) + "</p></section>")


def write(headers, whole, version, folder):
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(headers, version)
    (folder / "index.html").write_text(writer.index(whole))
    for header in headers:
        name = header.name.removesuffix(".h") + ".html"
        (folder / name).write_text(writer.header(header))
    return len(headers) + 1
