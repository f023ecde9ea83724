#!/usr/bin/env python3
"""Has every public function a page of the reference manual that says what it is for, and, where it
gives a number, what that is?  Is each comment read as it stands: a list as a list, a section as a
whole?  Does groff take the pages without a word, and leave names whole?  Does krait(1) know every command?  Has every result of
krait's own a name and a text?  Is KR_NODISCARD where CONTRIBUTING.md wants it, and is an argument
that is copied const?

    check_reference.py ROOT BUILD

SPDX-License-Identifier: MIT
"""
import re
import shutil
import subprocess
import sys
import tempfile
import pathlib
from lintlib import Check

check = Check()
sys.path.insert(0, str(check.root / "tools/reference"))
import command  # noqa: E402
import headers as public  # noqa: E402
import man  # noqa: E402

# What macros call and KR_AUTO uses; the page of the macro or type is theirs.
INNER = re.compile(r"_(?:auto|next|end|guard|with_kind)$")


# Errors that only a mistake of the caller's meets.
MISTAKES = {"-EINVAL", "-EPERM", "-EDEADLK", "-EBADF", "-ESRCH", "-EBUSY", "-EALREADY", "-ENOENT",
            "-EXDEV", "-EOVERFLOW", "-ENOTRECOVERABLE", "KR_EFORKED", "KR_ECORRUPT"}
# What may be dropped though it has others: an end or a giving back, after which there is nothing
# left to do; a pause, after which the caller looks again; what tells its error again later; an aid.
MAY_BE_DROPPED = re.compile(
    r"kr_(?:\w+_(?:release|join|close|scope_exit|task_done|reclaim|trim|unlink|clean)|subprocess_wait|"
    r"manager_delete|server_serve_forever|future_set_(?:result|error)|"
    r"sleep|yield|(?:managed_)?condition_wait|"
    r"group_(?:start|submit)\w*|"
    r"debug_locks|explore_spawn\w*)")
MUST_NOT_BE_DROPPED = {"kr_group_close", "kr_queue_join"}  # they tell of others' errors


def check_nodiscard(path, entry):
    said = [content for section, content in entry.parts if section == "Returns"]
    text = " ".join(str(content) for content in said)
    errors = set(re.findall(r"-E[A-Z0-9]+|KR_E[A-Z]+|KR_OWNER_DIED", text))
    elsewhere = re.search(r"\bas (?:kr_|of|open|the|in)|\bsee\b|error", text)
    for marked, name in re.findall(r"^KR_API (KR_NODISCARD )?(?:int|int64_t) (kr_\w+)\(",
                                   entry.code, re.M):
        free = MAY_BE_DROPPED.fullmatch(name) and name not in MUST_NOT_BE_DROPPED
        if not marked and errors - MISTAKES and not free:
            check.complain(path, 0, f"{name} lacks KR_NODISCARD: it may return "
                                    f"{sorted(errors - MISTAKES)[0]}")
        if marked and (free or errors and errors <= {"-EINVAL", "-EPERM"} and not elsewhere):
            check.complain(path, 0, f"{name} has KR_NODISCARD and may be dropped")


def check_const(path, entry):
    """What is copied is const; what a function gets as it is, is so as the function says."""
    for name, arguments in re.findall(r"^KR_API[^;{]*?\b(kr_\w+)(\([^;]*);", entry.code, re.M):
        if re.search(r"[(,]\s*void \*arg,\s*size_t arg_size", arguments):
            check.complain(path, 0, f"{name}: arg is copied, and so const")


# What stands in columns and was taken for prose.
COLUMNS = re.compile(r"(?<![.:?!)])  +\S|   +\S|\.\.\.  +[a-z]")


def check_layout(path, name, parts):
    sections = [section for section, _ in parts]
    if any(section and not after for section, after in zip(sections, sections[1:])):
        check.complain(path, 0, f"{name}: a section's further lines begin with a blank")
    for _, blocks in parts:
        for kind, content in blocks:
            texts = [text for _, text in content] if kind == "list" else [content]
            lost = next(filter(COLUMNS.search, texts), None) if kind != "code" else None
            if lost:
                check.complain(path, 0, f"{name}: read as prose, but is a list: {lost[:60]}")


def check_returns(path, entry):
    if "Returns" in (section for section, _ in entry.parts):
        return
    for name in re.findall(r"^KR_(?:API|NODISCARD)[^;{]*? (?:int|int64_t) (kr_\w+)\(", entry.code,
                           re.M):
        check.complain(path, 0, f"{name}: nothing says what it returns")


def check_pages(found):
    with tempfile.TemporaryDirectory() as folder:
        man.write(found, whole, "0", pathlib.Path(folder))
        command.write(check.root, "0", pathlib.Path(folder))
        if not shutil.which("groff"):
            return
        pages = [str(page) for page in sorted(pathlib.Path(folder).glob("man*/*"))
                 if not page.read_text().startswith(".so")]
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", *pages], capture_output=True,
                              text=True, check=False)
        for said in done.stderr.splitlines()[:10]:
            check.complain(re.sub(r".*/(man\d/)", r"\1", said), 0, "groff says so")
        for broken in re.findall(r"\S+\u2010$", done.stdout, re.M)[:10]:
            check.complain("the reference", 0, f"a word is broken: {broken}")


def check_command():
    """The first word of each comparison is the command, others mean the same."""
    source = check.root / "src/command/krait.c"
    text = source.read_text()
    known = {term.split()[0] for term, _ in command.entries_of(command.usage_of(text))}
    for name in re.findall(r'if \((?:argc.*)?strcmp\((?:command|argv\[1\]), "([^"]+)"', text):
        if name not in known:
            check.complain(source, 0, f"krait(1) says nothing of {name}")


def check_results(paths):
    source = check.root / "src/base/error.c"
    known = dict(re.findall(r'\{(KR_\w+), "(\w+)", "[^"]{4,}"\}', source.read_text()))
    for path in paths:
        for name in re.findall(r"\b(KR_(?:E[A-Z]+|OWNER_DIED)) = -?\d+", path.read_text()):
            if known.get(name) != name:
                check.complain(path, 0, f"kr_errname and kr_strerror do not know {name}")


paths = check.files("include/krait/*.h")
found = [public.read(path) for path in paths if path.name != "krait.h"]
whole = public.read(check.root / "include/krait/krait.h")
pages = {name for header in found for entry in header.entries for name in entry.names}
for path, header in zip((path for path in paths if path.name != "krait.h"), found):
    text = path.read_text()
    titles = [name for comment in re.findall(r"^/\*.*?\*/", text, re.M | re.S)[1:]
              for name in public.split_title(public.comment_lines(comment))[0]]
    for name in dict.fromkeys(public.declared(text) + titles):
        if name.startswith("kr_") and name not in pages and not INNER.search(name):
            check.complain(path, 0, f"the reference has no page for {name}")
    check_layout(path, header.name, header.parts)
    for entry in header.entries:
        check_layout(path, entry.names[0], entry.parts)
        check_returns(path, entry)
        if not re.search(r"[a-z]{2}", entry.purpose) or entry.purpose in entry.names:
            check.complain(path, 0, f"{entry.names[0]}: nothing says what it is for")
        if entry.purpose.startswith("the same"):
            check.complain(path, 0, f"{entry.names[0]}: the same as what? its page stands alone")
        check_nodiscard(path, entry)
        check_const(path, entry)
check_pages(found)
check_command()
check_results(paths)
check.finish()
