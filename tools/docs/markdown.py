"""A page in Markdown: its fenced blocks, the headings that links can lead to, and the links.

SPDX-License-Identifier: MIT
"""
import dataclasses
import functools
import re

FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```[ \t]*$", re.M | re.S)


@dataclasses.dataclass
class Block:
    line: int            # of the fence
    info: str            # all that stands behind it
    text: str
    options: dict        # needs=redis-server

    @property
    def language(self):
        return self.info.split()[0] if self.info else ""

    @property
    def words(self):
        return [word for word in self.info.split()[1:] if "=" not in word]

    @property
    def file(self):
        """The name that its info gives it, as `box.c` in ```c box.c."""
        return next((word for word in self.words if "." in word), None)


def lines_of(match):
    return "\n" * match.group(0).count("\n")


class Page:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.blocks = [self.block(match) for match in FENCE.finditer(self.text)]

    def line(self, at):
        return self.text.count("\n", 0, at) + 1

    def block(self, match):
        info = match.group(1).strip()
        options = dict(word.split("=", 1) for word in info.split() if "=" in word)
        return Block(self.line(match.start()), info, match.group(2), options)

    @functools.cached_property
    def prose(self):
        """Without fenced blocks; lines stay where they are."""
        return FENCE.sub(lines_of, self.text)

    @functools.cached_property
    def anchors(self):
        """The names that GitHub makes of the headings, and those that are set by hand."""
        found = set(re.findall(r"<\w+ (?:id|name)=\"([^\"]+)\"", self.prose))
        seen = {}
        for heading in re.findall(r"^#{1,6} +(.*?) *#*$", self.prose, re.M):
            heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
            name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            count = seen.get(name, 0)
            seen[name] = count + 1
            found.add(f"{name}-{count}" if count else name)
        return found

    def links(self):
        """(line, target) of each link that is no code."""
        prose = re.sub(r"`[^`\n]*`", lambda code: "`" * len(code.group(0)), self.prose)
        for link in re.finditer(r"\]\(\s*<?([^)\s>]+)[^)]*\)|^\[[^\]]+\]: +(\S+)$", prose, re.M):
            yield prose.count("\n", 0, link.start()) + 1, link.group(1) or link.group(2)

    def indented(self):
        """(line, text) of blocks that are indented and not fenced."""
        for block in re.finditer(r"(?<=\n\n)(?: {4}.*\n(?:\n(?= {4}))*)+", self.prose):
            text = re.sub(r"^ {4}", "", block.group(0), flags=re.M)
            yield self.line_in_prose(block.start()), text

    def line_in_prose(self, at):
        return self.prose.count("\n", 0, at) + 1


def check_links(check, page, pages):
    """pages: by its path, each page that links may lead into."""
    for line, target in page.links():
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.path.parent / file).resolve() if file else page.path
        if not path.exists():
            check.complain(page.path, line, f"{file} does not exist")
        elif anchor and path.suffix == ".md":
            if path not in pages:
                pages[path] = Page(path)
            if anchor not in pages[path].anchors:
                check.complain(page.path, line, f"{file or 'this page'} has no #{anchor}")
        elif anchor:
            last = re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor)
            if not last or int(last.group(2) or last.group(1)) > path.read_text().count("\n"):
                check.complain(page.path, line, f"{file} has no #{anchor}")
