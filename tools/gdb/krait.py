"""For gdb: the coroutines of a program, with their stacks.

    (gdb) source .../krait/gdb/krait.py
    (gdb) krait coroutines          all of them
    (gdb) krait coroutines TEXT     those whose name contains TEXT

Works on a live process and on the system's cores; gdb's own (gcore) lack what lies behind a guard
of a stack.  krait's debug information has to be there.

A coroutine that does not run has left its registers on its stack (src/coroutine/arch).  gdb is told
by an unwinder that the caller of the thread's innermost frame is the coroutine's.

SPDX-License-Identifier: MIT
"""
import re

import gdb
import gdb.unwinder

# Where the switch leaves what it keeps, from kri_context.sp; the last: how far up its caller is.
LEFT_BY_SWITCH = {
    "i386:x86-64": ({"rip": 56, "rbp": 48, "rbx": 40, "r12": 32, "r13": 24, "r14": 16, "r15": 8},
                    "rsp", 64),
    "aarch64": ({"pc": 104, "x29": 96, **{f"x{19 + i}": 16 + 8 * i for i in range(10)}}, "sp", 176),
}


class Place:
    """The id of a frame."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class IntoCoroutine(gdb.unwinder.Unwinder):
    """Leads from the frame whose stack pointer is `sp` into the coroutine that has left `registers`."""

    def __init__(self):
        super().__init__("krait")
        self.registers = None
        self.sp = None
        self.below = None

    def __call__(self, frame):
        if self.registers is None or int(frame.read_register("sp")) != self.sp:
            return None
        # A caller's frame is above that of what it calls, or gdb takes the stack for broken.
        info = frame.create_unwind_info(Place(self.below, frame.read_register("pc")))
        for name, value in self.registers.items():
            info.add_saved_register(name, value)
        return info

    def stack(self, sp):
        """The backtrace of the coroutine that has left its registers at sp, as text."""
        arch = gdb.newest_frame().architecture().name()
        if arch not in LEFT_BY_SWITCH:
            return "    (the layout of its stack is not known on this processor)\n"
        offsets, stack_pointer, size = LEFT_BY_SWITCH[arch]
        word = gdb.lookup_type("unsigned long")
        memory = gdb.Value(sp).cast(word.pointer())
        self.registers = {name: memory[offset // 8] for name, offset in offsets.items()}
        self.registers[stack_pointer] = gdb.Value(sp + size).cast(word)
        self.below = gdb.Value(sp).cast(word)
        self.sp = int(gdb.newest_frame().read_register("sp"))
        gdb.invalidate_cached_frames()
        try:
            return without_innermost(backtrace())
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()


def backtrace():
    return gdb.execute("backtrace", to_string=True)


def without_innermost(text):
    """The backtrace from its first caller on, and indented."""
    lines = [line for line in text.splitlines(keepends=True)]
    callers = [i for i, line in enumerate(lines) if re.match(r"#1\s", line)]
    result = ""
    for line in lines[callers[0] if callers else len(lines):]:
        level = re.match(r"#(\d+)(\s+)", line)
        if level:
            line = f"#{int(level[1]) - 1:<3}" + line[level.end():]
        result += "    " + line
    return result


def indented(text):
    return "".join("    " + line for line in text.splitlines(keepends=True))


def linked(first, link):
    while int(first) != 0:
        yield first
        first = first[link]


def in_order(runners):
    """Those that have a task, the oldest first."""
    return sorted((r for r in runners if int(r["number"]) != 0), key=lambda r: int(r["number"]))


def name_of(runner):
    return runner["name"].string() or f"task-{int(runner['number'])}"


def state_of(loop, runner):
    if loop["running"] == runner:
        return "running"
    return "waiting" if runner["parked"] else "ready"


def stack_of_running(runner):
    """A coroutine that runs is where the thread is whose stack pointer lies in its stack."""
    low = int(runner["stack"]["low"])
    chosen = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            if low <= int(gdb.newest_frame().read_register("sp")) < low + int(runner["stack"]["size"]):
                return indented(backtrace())
        return "    (no thread is on its stack)\n"
    finally:
        chosen.switch()


unwinder = IntoCoroutine()


def show(loop, runner):
    state = state_of(loop, runner)
    print(f'coroutine "{name_of(runner)}", {state}, {runner.dynamic_type} {int(runner):#x}')
    if state == "running":
        print(stack_of_running(runner))
    else:
        print(unwinder.stack(int(runner["context"]["sp"])))


class Krait(gdb.Command):
    """What krait does in this program."""

    def __init__(self):
        super().__init__("krait", gdb.COMMAND_STACK, prefix=True)


class Coroutines(gdb.Command):
    """List all coroutines of all loops with their stacks: krait coroutines [TEXT IN THE NAME]"""

    def __init__(self):
        super().__init__("krait coroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if gdb.selected_thread() is None:
            raise gdb.GdbError("There is no process.")
        symbol = gdb.lookup_static_symbol("first_loop")
        if symbol is None:
            raise gdb.GdbError("krait's debug information is not there.")
        loops = shown = 0
        for loop in linked(symbol.value(), "next_loop"):
            loops += 1
            for runner in in_order(linked(loop["runners"], "next_of_all")):
                if argument in name_of(runner):
                    shown += 1
                    show(loop, runner)
        print(f"{shown} coroutines in {loops} loops")


gdb.unwinder.register_unwinder(None, unwinder, replace=True)
Krait()
Coroutines()
