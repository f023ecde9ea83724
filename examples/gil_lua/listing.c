/* listing(f): the bytecode of a Lua function as text, an instruction a line.
 *
 * Lua has no call for that, but string.dump gives a function as luac would write it to a file:
 * a header, a few numbers, the code, the constants.  Numbers are written seven bits a byte, the
 * highest first, and the last byte has its highest bit set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <string.h>

enum { VERSION = 0x54, HEADER_BYTES = 31, CONSTANTS_MOST = 64 };

static const char *const names[] = {
    "MOVE",     "LOADI",    "LOADF",    "LOADK",    "LOADKX",     "LOADFALSE", "LFALSESKIP",
    "LOADTRUE", "LOADNIL",  "GETUPVAL", "SETUPVAL", "GETTABUP",   "GETTABLE",  "GETI",
    "GETFIELD", "SETTABUP", "SETTABLE", "SETI",     "SETFIELD",   "NEWTABLE",  "SELF",
    "ADDI",     "ADDK",     "SUBK",     "MULK",     "MODK",       "POWK",      "DIVK",
    "IDIVK",    "BANDK",    "BORK",     "BXORK",    "SHRI",       "SHLI",      "ADD",
    "SUB",      "MUL",      "MOD",      "POW",      "DIV",        "IDIV",      "BAND",
    "BOR",      "BXOR",     "SHL",      "SHR",      "MMBIN",      "MMBINI",    "MMBINK",
    "UNM",      "BNOT",     "NOT",      "LEN",      "CONCAT",     "CLOSE",     "TBC",
    "JMP",      "EQ",       "LT",       "LE",       "EQK",        "EQI",       "LTI",
    "LEI",      "GTI",      "GEI",      "TEST",     "TESTSET",    "CALL",      "TAILCALL",
    "RETURN",   "RETURN0",  "RETURN1",  "FORLOOP",  "FORPREP",    "TFORPREP",  "TFORCALL",
    "TFORLOOP", "SETLIST",  "CLOSURE",  "VARARG",   "VARARGPREP", "EXTRAARG",
};

/* The instructions whose operands are told of. */
enum { LOADI = 1, GETTABUP = 11, SETTABUP = 15, ADDI = 21, FORLOOP = 73, FORPREP = 74 };

/* Kinds of constants; the others are nothing but their kind. */
enum { INTEGER = 0x03, FLOAT = 0x13, SHORT = 0x04, LONG = 0x14 };

struct reader {
    const unsigned char *at, *end;
    bool bad;
};

static const unsigned char *skip(struct reader *reader, size_t size)
{
    const unsigned char *from = reader->at;
    if (reader->bad || size > (size_t)(reader->end - reader->at)) {
        reader->bad = true;
        return NULL;
    }
    reader->at += size;
    return from;
}

static unsigned read_byte(struct reader *reader)
{
    const unsigned char *byte = skip(reader, 1);
    return byte ? *byte : 0;
}

static size_t read_number(struct reader *reader)
{
    size_t number = 0;
    unsigned byte = 0;
    while (!reader->bad && !(byte & 0x80)) {
        byte = read_byte(reader);
        number = number << 7 | (byte & 0x7f);
    }
    return number;
}

static struct text {
    const char *bytes;
    int size;
} read_text(struct reader *reader)
{
    size_t size = read_number(reader);
    if (size == 0)
        return (struct text){"", 0};
    const unsigned char *bytes = skip(reader, size - 1);
    return bytes ? (struct text){(const char *)bytes, (int)(size - 1)} : (struct text){"", 0};
}

/* Those that are texts; the others are passed over. */
static void read_constants(struct reader *reader, struct text *constants)
{
    size_t count = read_number(reader);
    for (size_t i = 0; i < count && !reader->bad; i++) {
        struct text text = {"", 0};
        unsigned kind = read_byte(reader);
        if (kind == SHORT || kind == LONG)
            text = read_text(reader);
        else if (kind == INTEGER || kind == FLOAT)
            skip(reader, 8);
        if (i < CONSTANTS_MOST)
            constants[i] = text;
    }
}

static void add_instruction(luaL_Buffer *list, int number, uint32_t code,
                            const struct text *constants)
{
    char line[128];
    unsigned operation = code & 0x7f, a = code >> 7 & 0xff, b = code >> 16 & 0xff, c = code >> 24;
    unsigned long jump = code >> 15;
    const struct text *name = operation == GETTABUP && c < CONSTANTS_MOST   ? &constants[c]
                              : operation == SETTABUP && b < CONSTANTS_MOST ? &constants[b]
                                                                            : NULL;
    const char *word = operation < sizeof names / sizeof *names ? names[operation] : "?";
    int used = snprintf(line, sizeof line, "%4d  %-11s", number, word);
    char *rest = line + used;
    size_t room = sizeof line - (size_t)used;
    if (operation == FORLOOP)
        snprintf(rest, room, "%3u        back to %ld", a, number + 1 - (long)jump);
    else if (operation == FORPREP)
        snprintf(rest, room, "%3u        or on to %ld", a, number + 2 + (long)jump);
    else if (operation == LOADI)
        snprintf(rest, room, "%3u %ld", a, (long)jump - 65535);
    else if (name)
        snprintf(rest, room, "%3u %3u %3u  %.*s", a, b, c, name->size > 60 ? 60 : name->size,
                 name->bytes);
    else if (operation == ADDI)
        snprintf(rest, room, "%3u %3u %3d", a, b, (int)c - 127);
    else
        snprintf(rest, room, "%3u %3u %3u", a, b, c);
    luaL_addstring(list, line);
    luaL_addchar(list, '\n');
}

static bool read_header(struct reader *reader)
{
    const unsigned char *header = skip(reader, HEADER_BYTES);
    if (!header || memcmp(header, LUA_SIGNATURE, 4) != 0 || header[4] != VERSION || header[5] != 0)
        return false;
    read_byte(reader);   /* upvalues */
    read_text(reader);   /* source */
    read_number(reader); /* first line */
    read_number(reader); /* last line */
    skip(reader, 3);     /* parameters, varargs, stack */
    return !reader->bad;
}

static int listing(lua_State *L)
{
    struct text constants[CONSTANTS_MOST] = {{"", 0}};
    struct reader reader;
    luaL_Buffer list;
    size_t size;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "dump");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    reader.at = (const unsigned char *)lua_tolstring(L, -1, &size);
    reader.end = reader.at + size;
    reader.bad = false;
    if (!read_header(&reader))
        luaL_error(L, "listing: this Lua writes bytecode in another way");
    size_t count = read_number(&reader);
    const unsigned char *code = skip(&reader, 4 * count);
    read_constants(&reader, constants);
    if (reader.bad)
        luaL_error(L, "listing: the bytecode ends early");
    luaL_buffinit(L, &list);
    for (size_t i = 0; i < count; i++) {
        uint32_t instruction;
        memcpy(&instruction, code + 4 * i, sizeof instruction);
        add_instruction(&list, (int)i + 1, instruction, constants);
    }
    luaL_pushresult(&list);
    return 1;
}

void open_listing(lua_State *L)
{
    lua_register(L, "listing", listing);
}
