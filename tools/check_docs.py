#!/usr/bin/env python3
"""Do the documents' programs and commands work, and say what stands there?  Do their links lead
somewhere, do the names exist, are numbers those that were measured?  Do the headers stand alone, do
their examples compile, and does krait.h include them all?  Do the tests in C++ work?

    check_docs.py ROOT BUILD [FILE]     of that file only, named from ROOT

What is expected of code in documents stands in tools/docs/code.py, of commands in shell.py beside
it, of tables in numbers.py, of names in names.py.  Each tests/**/*.cc is compiled, linked and run;
one that speaks of KRI_MUST_NOT_COMPILE does not compile with that defined.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import sys
import tempfile
from lintlib import Check

sys.path[1:1] = [str(pathlib.Path(__file__).parent / folder) for folder in ("docs", "reference")]
import code_blocks  # noqa: E402
import headers as public  # noqa: E402
import markdown  # noqa: E402
import names  # noqa: E402
import numbers_of  # noqa: E402
import shell  # noqa: E402

check = Check()
build = check.root / sys.argv[2]
only = check.root / sys.argv[3] if len(sys.argv) > 3 else None
code = code_blocks.Code(check, build)
commands = shell.Shell(check, build)
known = names.known_names(check)
measured = numbers_of.measured((check.root / "docs/benchmarks.md").read_text())
pages = {}


def check_page(path):
    page = pages.setdefault(path, markdown.Page(path))
    names.check_names(check, path, page.text, known)
    numbers_of.check_numbers(check, page, measured)
    markdown.check_links(check, page, pages)
    commands.check_prose(page)
    for block in page.blocks:
        if block.language == "sh":
            commands.check_block(path, shell.programs(page) | {block.options.get("program")},
                                 block.line + 1, block.text)
    for line, text in page.indented():
        if code_blocks.looks_like_c(text):
            check.complain(path, line, "code is put between ```c and ```")
    code.check_page(page)


COMPILERS = [("cc", "c11", "c"), ("c++", "c++17", "c++")]
COMPILERS += [(compiler, standard, language)
              for compiler, standard, language in (("clang", "c11", "c"),
                                                   ("clang++", "c++17", "c++"))
              if shutil.which(compiler)]


def check_cpp(path):
    for compiler, standard, language in COMPILERS:
        if language == "c++":
            check_cpp_with(path, compiler, standard)


def check_cpp_with(path, compiler, standard):
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/program"
        command = (compiler, f"-std={standard}", *code_blocks.STRICT, code.include, str(path), "-o",
                   program, *code.library)
        error = code_blocks.fails(*command) or code_blocks.fails(program)
        if error:
            check.complain(path, 0, f"does not work with {compiler}: {error}")
        elif "KRI_MUST_NOT_COMPILE" in path.read_text() and \
                not code_blocks.fails(*command, "-DKRI_MUST_NOT_COMPILE"):
            check.complain(path, 0, f"{compiler} takes what must not compile")


whole = check.root / "include/krait/krait.h"


def check_header(path):
    if path.name not in ("krait.h", "explore.h") and \
            f"<krait/{path.name}>" not in whole.read_text():
        check.complain(whole, 0, f"does not include {path.name}")
    for compiler, standard, language in COMPILERS:
        error = code_blocks.fails(
            compiler, f"-std={standard}", *code_blocks.STRICT, "-fsyntax-only", code.include, "-x",
            language, "-include", str(path), "/dev/null")
        if error:
            check.complain(path, 0, f"does not compile alone as {standard} with {compiler}: "
                           f"{error}")
    if path.name != "krait.h":
        check_examples(path)


def check_examples(path):
    """The code in a header's comments, as it is in the reference, and the names there."""
    text = path.read_text()
    names.check_names(check, path, text, known)
    header = public.read(path)
    found = {}
    for parts in [header.parts] + [entry.parts for entry in header.entries]:
        for _, blocks in parts:
            found.update((content, None) for kind, content in blocks if kind == "code")
    for content in found:
        first = re.search(r"^ \* +" + re.escape(content.split("\n")[0]) + "$", text, re.M)
        line = text.count("\n", 0, first.start()) + 1
        parts = content.split("\n\n")
        for at, part in enumerate(parts):
            if shell.LOOK_LIKE_SHELL.match(part):
                before = content[:content.index(part)].count("\n")
                commands.check_block(path, {"program"}, line + before, part)
                parts[at] = re.sub(r".*", "", part)
        if code_blocks.looks_like_c("\n\n".join(parts)):
            code.check_fragment(path, line, "\n\n".join(parts))


# From what takes longest: programs that run.
WORK = [(check_page, ("README.md", "docs/**/*.md", "*.md", "examples/*/*.md", "bench/*.md")),
        (check_cpp, ("tests/**/*.cc",)), (check_header, ("include/krait/*.h",))]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    jobs = [pool.submit(function, path) for function, patterns in WORK
            for path in check.files(*patterns)
            if only in (None, path) or (only == whole and function is check_header)]
    for job in jobs:
        job.result()
check.complaints.sort()
check.finish()
