#!/usr/bin/env python3
"""The reference manual, made from the comments of the public headers.

    reference.py ROOT man|html FOLDER VERSION

SPDX-License-Identifier: MIT
"""
import pathlib
import sys

import headers as public
import man
import web


def main():
    root, kind, folder, version = sys.argv[1:]
    paths = sorted((pathlib.Path(root) / "include/krait").glob("*.h"))
    headers = [public.read(path) for path in paths if path.name != "krait.h"]
    write = {"man": man.write, "html": web.write}[kind]
    print(write(headers, version, pathlib.Path(folder)), "pages")


main()
