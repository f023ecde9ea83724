"""Run by gdb on an object file that check_abi.py has compiled: what each public name is, a line each.

    function NAME TYPE                 struct NAME SIZE
    typedef NAME TYPE                  field STRUCT.NAME OFFSET SIZE TYPE     bits, where it has any
    constant NAME VALUE                enumerator NAME VALUE                  initial NAME BYTES

SPDX-License-Identifier: MIT
"""
import re
import gdb

COMPOUND = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)


def names_of(command, pattern):
    return sorted(set(re.findall(pattern, gdb.execute(command, to_string=True))))


def fields_of(owner, compound, begin, prefix=""):
    """Members without a name have theirs in the owner."""
    for field in compound.fields():
        at = begin + field.bitpos
        if field.type.code in COMPOUND and not field.type.name:
            fields_of(owner, field.type, at, prefix + (field.name + "." if field.name else ""))
        elif field.bitsize:
            print(f"field {owner}.{prefix}{field.name} {at // 8}:{at % 8} {field.bitsize} bits {field.type}")
        else:
            print(f"field {owner}.{prefix}{field.name} {at // 8} {field.type.sizeof} {field.type}")


def describe_type(name):
    """Of a type that programs only have pointers to, the fields are nobody's business."""
    for spelling in (name, "struct " + name, "enum " + name, "union " + name):
        try:
            found = gdb.lookup_type(spelling)
            break
        except gdb.error:
            found = None
    bare = found.strip_typedefs()
    if bare.code in COMPOUND:
        if bare.fields():
            print(f"struct {name} {bare.sizeof}")
            fields_of(name, bare, 0)
    elif bare.code == gdb.TYPE_CODE_ENUM:
        print(f"struct {name} {bare.sizeof}")
    else:
        print(f"typedef {name} {bare}")


def describe_variable(name):
    value = gdb.parse_and_eval(name)
    kind, name = re.match(r"abi_(function|constant|initial)_(\w+)", name).groups()
    if kind == "function":
        print(f"function {name} {value.type.target()}")
    elif kind == "constant":
        print(f"constant {name} {int(value)}")
    else:
        memory = gdb.selected_inferior().read_memory(value.address, value.type.sizeof)
        print(f"initial {name} {memory.tobytes().hex()}")


for public in names_of("info types ^kr_", r"\b(kr_\w+);"):
    describe_type(public)
for variable in names_of("info variables ^abi_", r"\babi_\w+"):
    describe_variable(variable)
