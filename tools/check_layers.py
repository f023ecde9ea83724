#!/usr/bin/env python3
"""Does every folder of src include only itself and what stands below it, as src/LAYERS has it?

Also: no `extern` in a .c file, which would go round the order (but for what the linker defines); atomics only through base/atomic.h;
the system only through os/os.h.

SPDX-License-Identifier: MIT
"""
import re
from lintlib import Check, without_comments

SYSTEM_HEADERS = re.compile(r"(pthread|unistd|fcntl|poll|sched|signal|semaphore|threads|time)\.h$"
                            r"|(sys|linux|asm)/(?!types\.h)")
check = Check()
layers = [line.strip() for line in (check.root / "src/LAYERS").read_text().splitlines()
          if line.strip() and not line.startswith("#")]

for path in check.files("src/*/**/*.[ch]", "src/*/*.[ch]"):
    folder = path.relative_to(check.root / "src").parts[0]
    if folder not in layers:
        check.complain(path, 0, f"folder {folder} does not stand in src/LAYERS")
        continue
    text = path.read_text()
    includes = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
    for number, line in enumerate(text.splitlines(), 1):
        found = includes.match(line)
        if not found:
            continue
        kind, name = found.groups()
        other = name.split("/")[0] if "/" in name else folder
        if kind == '"' and other not in layers:
            check.complain(path, number, f'"{name}" is no layer\'s; public headers are <krait/...>')
        elif kind == '"' and layers.index(other) > layers.index(folder):
            check.complain(path, number, f"{folder} stands below {other} and includes {name}")
        elif kind == "<" and folder not in ("os", "explore") and SYSTEM_HEADERS.match(name):
            check.complain(path, number, f"<{name}>: only src/os talks to the system")
        elif name in ("stdatomic.h",):
            check.complain(path, number, "atomics go through base/atomic.h")
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if path.suffix == ".c" and re.match(r"\s*extern\b(?!.*\b__(start_|stop_|executable_start\b))", line):
            check.complain(path, number, "extern in a .c file: declare it in a header")
        if re.search(r"\b__(atomic|sync)_\w+\s*\(", line) and path.name != "atomic.h" \
                and folder != "explore":
            check.complain(path, number, "atomics go through base/atomic.h")

check.finish()
