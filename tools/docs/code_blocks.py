"""Do the programs of a page work as it says, and its fragments compile?

A ```c block with a main is a whole program: compiled, linked, run in a folder of its page's own;
it ends with 0, and says what the next block has, if that is ```text.  There `...` stands for any
text in a line, and on a line of its own for any lines.  Words behind ```c:

  NAME.c       the program's name in that folder, for the ```sh blocks
  explorer     linked with krait_explore, compiled for it; only compiled where that was not built
  needs=A,B    only compiled where one of these commands is missing; `explorer`: where that was
               not built

A ```c block without main, or that says `fragment`, is one: it compiles, as declarations, as
statements, or as both, behind what tools/docs/given has for its page and what the blocks before it
declare.  In a fragment `...` stands for what is left out.  A ```sh run block is run in that folder
too, with the programs that the page has named before; `needs` is as above.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

SECONDS = 60
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# What is left out of a fragment is no reason for a warning.
LOOSE = STRICT + ["-D_GNU_SOURCE"] + [f"-Wno-{what}" for what in (
    "unused", "unused-result", "unused-parameter", "return-type", "implicit-fallthrough",
    "pedantic", "empty-body", "uninitialized", "missing-field-initializers", "clobbered")]
HEADERS = """krait/krait.h krait/explore.h errno.h pthread.h signal.h stdatomic.h stdbool.h stdint.h
    stdio.h stdlib.h string.h sys/socket.h time.h unistd.h""".split()
DECLARES = re.compile(r"(?:static \w[^;=]*\)\s*\{|static [^;]*;\n*\Z|typedef |struct \w+ \{"
                      r"|enum \w* ?\{|KR_TASK\(|#|int main\(|extern )")
# In the background it is ignored, and the programs would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def ended(command, folder=None, environment=None):
    """(status, output) of a command; what it leaves running is killed.  None: it took too long."""
    with tempfile.TemporaryFile() as output, subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder,
            env=environment, start_new_session=True) as child:
        try:
            child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            pass
        status = child.returncode
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        output.seek(0)
        said = output.read().decode(errors="replace")
        return status, said if status is not None else f"took longer than {SECONDS} s"


def fails(*command, folder=None):
    """The first line that a failed command says, or None."""
    status, output = ended(command, folder)
    if status == 0:
        return None
    lines = output.splitlines()
    return next((line for line in lines if "error" in line),
                lines[0] if lines else f"status {status}")


def is_program(block):
    return block.language == "c" and "fragment" not in block.words and \
        re.search(r"\bint main\(", block.text)


def differs(wanted, output):
    """The first line of the output that is not as wanted, or None."""
    def pattern(line):
        return ".*".join(re.escape(part) for part in line.rstrip().split("..."))

    def matches(lines):
        return re.fullmatch("".join(r"(?:.*\n)*" if line.strip() == "..." else pattern(line) + r"\n"
                                    for line in lines), output[0])

    output = ["".join(line.rstrip() + "\n" for line in output.splitlines())]
    lines = wanted.splitlines()
    if matches(lines):
        return None
    count = next(count for count in range(1, len(lines) + 1)
                 if count == len(lines) or not matches(lines[:count] + ["..."]))
    return f"it does not say \"{lines[count - 1].strip()}\", but:\n" + \
        "".join(f"    {line}\n" for line in output[0].splitlines()[:40]).rstrip()


class Code:
    def __init__(self, check, build):
        self.check, self.build = check, build
        self.include = f"-I{check.root / 'include'}"
        private = re.search(r"Libs\.private:(.*)", (build / "krait.pc").read_text()).group(1)
        self.library = [str(build / "libkrait.a")] + private.split()
        explorers = [build, *sorted(build.parent.glob("*"))]
        self.explorer = next((str(folder / "libkrait_explore.a") for folder in explorers
                              if (folder / "libkrait_explore.a").exists()), None)
        self.given = self.read_given(pathlib.Path(__file__).parent / "given")
        self.environment = dict(
            os.environ, PATH=f"{build}:{os.environ['PATH']}", LD_LIBRARY_PATH=str(build),
            OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

    @staticmethod
    def read_given(path):
        parts = re.split(r"^## (\S+)\n", path.read_text(), flags=re.M)
        return dict(zip(parts[1::2], parts[2::2]))

    def check_page(self, page):
        with tempfile.TemporaryDirectory() as folder:
            for at, block in enumerate(page.blocks):
                if is_program(block):
                    self.complain(page, block, "program", self.program_error(page, at, folder))
                elif block.language == "c":
                    before = [other.text for other in page.blocks[:at] if other.language == "c"]
                    self.check_fragment(page.path, block.line + 1, block.text, before)
                elif block.language == "sh" and "run" in block.words:
                    self.complain(page, block, "block", self.run_error(
                        page, at, ["sh", "-e", "-c", block.text], folder))

    def complain(self, page, block, what, error):
        if error:
            self.check.complain(page.path, block.line, f"the {what} below does not work: {error}")

    def program_error(self, page, at, folder):
        block = page.blocks[at]
        name = block.file or f"program{at}.c"
        pathlib.Path(folder, name).write_text(block.text)
        program = f"./{name.rsplit('.', 1)[0]}"
        command = ["cc", "-std=c11", "-g", *STRICT, self.include, name, "-o", program]
        if "explorer" not in block.words:
            error = fails(*command, *self.library, folder=folder)
        else:
            for_it = ["-fsanitize=thread", "-fno-omit-frame-pointer", "-DKR_EXPLORE=1"]
            error = fails(*command[:-3], *for_it, "-c", name, "-o", "program.o", folder=folder)
            if error or not self.explorer:
                return error
            error = fails("cc", "program.o", "-o", program, self.explorer, "-pthread",
                          folder=folder)
        return error or self.run_error(page, at, ["stdbuf", "-oL", program], folder)

    def run_error(self, page, at, command, folder):
        needs = page.blocks[at].options.get("needs", "").split(",")
        if not all(self.explorer if need == "explorer" else shutil.which(need)
                   for need in needs if need):
            return None
        status, output = ended(command, folder, self.environment)
        if status is None:
            return output
        if status != 0:
            return ": ".join([f"status {status}"] + output.splitlines()[-1:])
        shown = page.blocks[at + 1:at + 2]
        return differs(shown[0].text, output) if shown and shown[0].language == "text" else None

    def check_fragment(self, path, line, text, before=()):
        given = self.given["*"] + self.given.get(
            str(path.relative_to(self.check.root)).removeprefix("include/krait/"), "")
        declarations, statements = apart(left_out(text), line)
        ways = [declarations + in_function(statements)]
        if declarations and statements:
            ways.append(in_function(f"#line {line}\n{left_out(text)}"))
        context = [left_out(re.sub(r"\bint main\(", "int main_(", other)) for other in before]
        errors = [self.syntax_error(path.name, behind + given + way)
                  for behind in [""] + ([context[-1], "\n".join(context)] if context else [])
                  for way in ways]
        if all(errors):
            self.check.complain(path, line, f"the code below does not compile: {errors[0]}")

    def syntax_error(self, name, text):
        source = "".join(f"#include <{header}>\n" for header in HEADERS) + text
        done = subprocess.run(
            ["cc", "-std=c11", *LOOSE, self.include, "-fsyntax-only", "-x", "c", "-"],
            input=source, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode == 0:
            return None
        error = next(line for line in done.stderr.splitlines() if "error" in line)
        return error.replace("<stdin>", name)


def in_function(statements):
    return f"static int fragment_(void)\n{{\n{statements}\nreturn 0;\n}}\n" if statements else ""


def left_out(text):
    """With something that compiles in place of each `...` that stands for code."""
    def part(match):
        return match.group("kept") or {"=": "= {0}", ",": ""}.get(match.group()[0], ";")

    return re.sub(r"(?P<kept>\"(?:[^\"\\\n]|\\.)*\"|//[^\n]*|/\*.*?\*/|, \.\.\.(?=\)))|= \.\.\."
                  r"|, \.\.\.(?=\s*})|\.\.\.", part, text, flags=re.S)


def apart(text, line):
    """What has to stand outside of a function, and what inside of one, each with #line."""
    parts = {True: "", False: ""}
    chunk, first, depth = "", line, 0
    for number, one in enumerate(text.split("\n") + [""], line):
        depth += one.count("{") - one.count("}")
        chunk += one + "\n"
        if depth == 0 and (not one.strip() or one.startswith(("}", "#"))):
            if chunk.strip():
                bare = re.sub(r"//[^\n]*|/\*.*?\*/", "", chunk, flags=re.S)
                parts[bool(DECLARES.match(bare.lstrip()))] += f"#line {first}\n{chunk}"
            chunk, first = "", number + 1
    return parts[True], parts[False]


def looks_like_c(text):
    lines = re.sub(r"\s*(?://.*|/\*.*)?$", "", text, flags=re.M).split("\n")
    return any(line.endswith((";", "{")) for line in lines)
