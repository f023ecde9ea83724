"""Is each command of a ```sh block one that exists?

`./run X` and `krait X` are looked up in what they say of their usage, presets of cmake in the file
that has them; a program is one of the page, of the build or of the system, or one that the reader
has, as ```sh program=importer says.

SPDX-License-Identifier: MIT
"""
import json
import re
import shlex
import shutil
import subprocess

# Debian's, which are not on every machine that lints.
TOOLS = set("""apt apt-get base64 bpftrace c++ cc clang cmake cpack curl cut docker dpkg
    dpkg-buildpackage find gcc gdb git grep head kill krait ldconfig lintian make man mpirun ninja
    perf pkg-config printf python3 readelf redis-cli redis-server sed sha256sum sort strip sudo tar
    valgrind xargs""".split())
BUILTIN = set(""". : [ break cd echo eval exit false read set shift sleep test trap true ulimit
    umask unset wait""".split())
BEFORE = set("export sudo exec env time nice nohup then do else if while until ! $ {".split())
OPERATORS = {"&&", "||", "|", ";", "&", "(", ";;", "|&"}
LOOK_LIKE_SHELL = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\$ |\./\w|krait |cmake |cc |gcc |git |mpirun "
                             r"|export |apt-get |sudo |gdb |perf |[A-Z_]+=\$\()")


class Shell:
    def __init__(self, check, build):
        self.check, self.root, self.build = check, check.root, build
        usage = (self.root / "run").read_text()
        self.run = set(re.findall(r"^  (\w+) ", usage.split("END")[1], re.M))
        self.legs = {leg for legs in re.findall(r'^(?:all|suite)_legs="(.*?)"', usage, re.M)
                     for leg in legs.split()}
        self.legs.update(re.findall(r"^    ([\w-]+)\) if built", usage, re.M))
        self.krait = self.help("--help")
        self.top = self.help("top", "--help")
        presets = json.loads((self.root / "CMakePresets.json").read_text())["configurePresets"]
        self.presets = {preset["name"] for preset in presets}
        self.built = set()

    def help(self, *arguments):
        krait = self.build / "krait"
        if not krait.exists():
            return None
        done = subprocess.run([krait, *arguments], capture_output=True, text=True, timeout=10,
                              check=False)
        return set(re.findall(r"^ +(-?-?[a-z]\w*)", done.stdout, re.M)) | \
            set(re.findall(r"(--\w+)", done.stdout))

    def is_built(self, name):
        if not self.built:
            self.built = {path.name for path in self.build.glob("examples/**/*") if path.is_file()}
            self.built.update(path.stem for path in self.check.files("examples/**/*.c"))
        return name in self.built

    def check_block(self, path, programs, line, text):
        for offset, command in joined(text):
            for words in commands(command):
                error = self.error(words, programs)
                if error:
                    self.check.complain(path, line + offset, error)

    def error(self, words, programs):
        name, arguments = words[0], words[1:]
        if name == "./run":
            return self.wrong_run(arguments)
        if name == "krait":
            return self.wrong_krait(arguments)
        if name == "cmake" and "--preset" in arguments:
            preset = arguments[arguments.index("--preset") + 1]
            return None if preset in self.presets else f"there is no preset {preset}"
        last = name.rsplit("/", 1)[-1]
        if last in programs or name in TOOLS or name in BUILTIN or self.is_built(last):
            return None
        if (self.root / name).is_file() if "/" in name else shutil.which(name):
            return None
        return f"there is no command {name}"

    def wrong_run(self, arguments):
        if arguments and re.match(r"[a-z]", arguments[0]) and arguments[0] not in self.run:
            return f"./run has no command {arguments[0]}"
        if arguments[:1] == ["test"] and arguments[1:] and re.match(r"[a-z]", arguments[1]) and \
                arguments[1] not in self.legs:
            return f"./run test has no leg {arguments[1]}"
        return None

    def wrong_krait(self, arguments):
        if self.krait is None:
            return None
        if arguments and re.match(r"[a-z-]", arguments[0]) and arguments[0] not in self.krait:
            return f"krait has no command {arguments[0]}"
        wrong = [word for word in arguments[1:] if word.startswith("--") and word not in self.top]
        return f"krait {arguments[0]} has no {wrong[0]}" if wrong else None

    def check_prose(self, page):
        """./run and krait where they are spoken of, and commands that are no ```sh block."""
        for match in re.finditer(r"\./run((?: [\w.-]+)*)", page.prose):
            error = self.wrong_run(match.group(1).split())
            if error:
                self.check.complain(page.path, page.line_in_prose(match.start()), error)
        for match in re.finditer(r"`krait (top|clean)\b([^`]*)`", page.prose):
            error = self.wrong_krait(" ".join(match.groups()).split())
            if error:
                self.check.complain(page.path, page.line_in_prose(match.start()), error)
        for line, text in page.indented():
            if LOOK_LIKE_SHELL.match(text):
                self.check.complain(page.path, line, "commands are put between ```sh and ```")


def programs(page):
    """Names of programs that a reader of the page has."""
    found = {"program", "a.out"}
    for block in page.blocks:
        if block.file:
            found.add(block.file.rsplit(".", 1)[0])
        found.update(re.findall(r"-o (?:\./)?([\w.-]+)", block.text))
    return found


def joined(text):
    """(number of its first line, command): some go on behind a backslash or inside of quotes."""
    whole, first = "", 0
    for offset, line in enumerate(text.split("\n")):
        first = first if whole else offset
        whole += line
        if whole.endswith("\\"):
            whole = whole[:-1] + " "
        elif is_open(whole):
            whole += " "
        else:
            yield first, whole
            whole = ""


def is_open(line):
    """Does a quoted text go on in the next line?"""
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return True
    return False


def commands(line):
    """The words of each command of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words = []
    try:
        tokens = list(lexer) + [";"]
    except ValueError:               # a quoted text of several lines
        return
    for token in tokens:
        if token in OPERATORS:
            if words and words[0] not in ("for", "done", "fi", "case", "esac", "}", ")"):
                yield words
            words = []
        elif words or not (token in BEFORE or re.match(r"\w+=", token)):
            words.append(token)
