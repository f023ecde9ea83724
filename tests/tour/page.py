#!/usr/bin/env python3
"""Is the tour's page whole?  Well-formed, every section there, nothing from elsewhere, no number
that is none, all inside its picture, and what is drawn is there as a table too.

    page.py FILE SECTION...

SPDX-License-Identifier: MIT
"""
import html.parser
import re
import sys
import xml.etree.ElementTree as tree

path, sections = sys.argv[1], sys.argv[2:]
text = open(path, encoding="utf-8").read()
faults = []


def complain(what):
    faults.append(what)


class Reader(html.parser.HTMLParser):
    """As a browser reads it: what is opened is closed, and ids stand once."""
    empty = {"meta", "rect", "line", "circle", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.tags = [], [], {}

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.open.append(tag)
        self.look(attrs)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.look(attrs)

    def look(self, attrs):
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            complain(f"an attribute twice: {attrs}")
        self.ids += [value for name, value in attrs if name == "id"]
        for name, value in attrs:
            if name in ("src", "srcset", "data", "xlink:href") or \
                    name == "href" and not value.startswith("#"):
                complain(f"needs something else: {name}={value}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            complain(f"</{tag}> closes something else")


reader = Reader()
reader.feed(text)
reader.close()
if reader.open:
    complain(f"never closed: {reader.open}")
if len(set(reader.ids)) != len(reader.ids):
    complain("an id stands twice")
if "script" in reader.tags:
    complain("there is a script")

page = tree.fromstring(text)
style = page.find("head/style").text
for url in re.findall(r"url\(([^)]*)\)|@import", style):
    if url != "#hatch":
        complain(f"the style needs {url}")
if "prefers-color-scheme: dark" not in style or "max-width" not in style:
    complain("the style knows no dark, or no narrow screens")
if page.find("head/meta[@name='viewport']") is None:
    complain("phones are not told of their width")

for element in page.iter():
    if element.tag == "style":
        continue
    words = [element.text or "", element.tail or ""] + list(element.attrib.values())
    for word in words:
        if re.search(r"(?<![a-z])-?(nan|inf)(?![a-z])", word, re.I):
            complain(f"no number in <{element.tag}>: {word}")
    for name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx"):
        value = element.attrib.get(name)
        if value is None:
            continue
        if not re.fullmatch(r"\d+(\.\d+)?%?", value):
            complain(f"<{element.tag} {name}='{value}'>")
        elif value.endswith("%") and float(value[:-1]) > 100.1:
            complain(f"<{element.tag} {name}='{value}'> is outside")

found = {section.attrib["id"]: section for section in page.iter("section")}
links = [link.attrib["href"][1:] for link in page.iter("a")]
for name in sections + links:
    if name not in found:
        complain(f"no section {name}")
for name, section in found.items():
    if section.find("h2") is None:
        complain(f"{name} has no title")

for figure in page.iter("figure"):
    caption = "".join(figure.find("figcaption").itertext())
    if figure.find(".//svg") is None:
        complain(f"{caption}: no picture")
    if figure.attrib["class"] != "timeline":
        continue
    lanes = len(figure.findall(".//li"))
    rows = len(figure.findall(".//tbody/tr"))
    picture = figure.find(".//svg")
    if lanes == 0 or rows != lanes:
        complain(f"{caption}: {lanes} lanes, {rows} rows of the table")
    if "aria-label" not in picture.attrib:
        complain(f"{caption}: said to nobody who cannot see it")
    bars = [rect for rect in picture.iter("rect")]
    if not bars:
        complain(f"{caption}: nothing was drawn")
    for bar in bars:
        width = bar.attrib["width"]
        if float(bar.attrib["x"][:-1]) + float(width[:-1] if width[-1] == "%" else 0) > 100.2:
            complain(f"{caption}: a bar leaves the picture: {bar.attrib}")
    ran = [row[1].text for row in figure.findall(".//tbody/tr")]
    if all(one.startswith("0.00") for one in ran):
        complain(f"{caption}: nobody ran")

drawn = sum(figure.attrib["class"] == "timeline" for figure in page.iter("figure"))
print(f"{len(found)} sections, {drawn} timelines, {reader.tags.get('rect', 0)} bars")
for fault in faults[:20]:
    print(fault, file=sys.stderr)
sys.exit(1 if faults else 0)
