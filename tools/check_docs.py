#!/usr/bin/env python3
"""Do the documents' programs compile and run, their links lead somewhere, the headers stand alone,
and does krait.h include them all?  Do the tests in C++ work?

    check_docs.py ROOT BUILD

A block marked ```c with a main is a whole program: it is compiled, linked and run.  So is each
tests/**/*.cc; one that speaks of KRI_MUST_NOT_COMPILE does not compile with that defined.

SPDX-License-Identifier: MIT
"""
import re
import shutil
import subprocess
import sys
import tempfile
from lintlib import Check

SECONDS = 60
check = Check()
build = check.root / sys.argv[2]
include = f"-I{check.root / 'include'}"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LIBRARY = [str(build / "libkrait.a")]
LIBRARY += re.search(r"Libs\.private:(.*)", (build / "krait.pc").read_text()).group(1).split()


def fails(*command):
    """The first line that a failed command says, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"took longer than {SECONDS} s"
    if done.returncode == 0:
        return None
    lines = (done.stderr or done.stdout).splitlines()
    return next((line for line in lines if "error" in line), lines[0] if lines
                else f"status {done.returncode}")


def check_program(path, number, text):
    with tempfile.TemporaryDirectory() as folder:
        source, program = f"{folder}/program.c", f"{folder}/program"
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        error = fails("cc", "-std=c11", *STRICT, include, source, "-o", program,
                      *LIBRARY) or fails(program)
        if error:
            check.complain(path, number, f"the program below does not work: {error}")


for path in check.files("*.md", "docs/**/*.md", "examples/*/*.md", "bench/*.md"):
    text = path.read_text()
    for block in re.finditer(r"^```c\n(.*?)^```", text, re.M | re.S):
        if re.search(r"\bint main\(", block.group(1)):
            check_program(path, text.count("\n", 0, block.start()) + 1, block.group(1))
    prose = re.sub(r"^```.*?^```", lambda block: "\n" * block.group(0).count("\n"), text,
                   flags=re.M | re.S)
    for link in re.finditer(r"\]\(([^)\s#]+)[^)]*\)", prose):
        target = link.group(1)
        if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
            check.complain(path, prose.count("\n", 0, link.start()) + 1, f"{target} does not exist")

COMPILERS = [("cc", "c11", "c"), ("c++", "c++17", "c++")]
COMPILERS += [(compiler, standard, language)
              for compiler, standard, language in (("clang", "c11", "c"), ("clang++", "c++17", "c++"))
              if shutil.which(compiler)]


def check_cpp(path, compiler, standard):
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/program"
        command = (compiler, f"-std={standard}", *STRICT, include, str(path), "-o", program,
                   *LIBRARY)
        error = fails(*command) or fails(program)
        if error:
            check.complain(path, 0, f"does not work with {compiler}: {error}")
        elif "KRI_MUST_NOT_COMPILE" in path.read_text() and \
                not fails(*command, "-DKRI_MUST_NOT_COMPILE"):
            check.complain(path, 0, f"{compiler} takes what must not compile")


whole = check.root / "include/krait/krait.h"
for path in check.files("include/krait/*.h"):
    if path.name not in ("krait.h", "explore.h") and f"<krait/{path.name}>" not in whole.read_text():
        check.complain(whole, 0, f"does not include {path.name}")
    for compiler, standard, language in COMPILERS:
        error = fails(compiler, f"-std={standard}", *STRICT, "-fsyntax-only", include, "-x",
                      language, "-include", str(path), "/dev/null")
        if error:
            check.complain(path, 0, f"does not compile alone as {standard} with {compiler}: "
                           f"{error}")
for compiler, standard, language in COMPILERS:
    if language == "c++":
        for path in check.files("tests/**/*.cc"):
            check_cpp(path, compiler, standard)

check.finish()
