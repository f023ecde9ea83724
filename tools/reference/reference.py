#!/usr/bin/env python3
"""The reference manual, made from the comments of the public headers, and of
the command from what it says itself.

    reference.py ROOT man|html FOLDER VERSION

SPDX-License-Identifier: MIT
"""
import pathlib
import sys

import command
import headers as public
import man
import web


def main():
    root, kind, folder, version = sys.argv[1:]
    paths = sorted((pathlib.Path(root) / "include/krait").glob("*.h"))
    headers = [public.read(path) for path in paths if path.name != "krait.h"]
    whole = public.read(pathlib.Path(root) / "include/krait/krait.h")
    write = {"man": man.write, "html": web.write}[kind]
    pages = write(headers, whole, version, pathlib.Path(folder))
    if kind == "man":
        pages += command.write(pathlib.Path(root), version, pathlib.Path(folder))
    print(pages, "pages")


main()
