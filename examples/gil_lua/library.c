/* What Lua gets beside threads: print, sleep, now, read_line, queue, lock.
 *
 * Each wait of krait gives the interpreter lock away and takes it back by itself; around what
 * blocks otherwise stands kr_allow_threads.  In such a region nothing of Lua may be touched, and
 * Lua's errors, which are longjmps, must not leave it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define QUEUE "krait.queue"
#define LOCK  "krait.lock"

void must(lua_State *L, int64_t result, const char *what)
{
    if (result < 0)
        luaL_error(L, "%s: %s", what, kr_strerror((int)result));
}

void new_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    if (collect) {
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}

/* The text is made under the lock, and written without it. */
static int print(lua_State *L)
{
    int count = lua_gettop(L);
    luaL_Buffer line;
    size_t size;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    const char *text = lua_tolstring(L, -1, &size);
    int err = 0;
    kr_allow_threads (runner_current()->gil) {
        err = kr_write_all(STDOUT_FILENO, text, size, NULL, KR_FOREVER);
    }
    must(L, err, "print");
    return 0;
}

static int nap(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "no such time");
    must(L, kr_sleep((kr_time)(seconds * 1e9)), "sleep");
    return 0;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (double)kr_now() / 1e9);
    return 1;
}

/* From now on the calling thread runs on the n-th processor, where there are so many. */
static int bind_to(lua_State *L)
{
    lua_Integer number = luaL_checkinteger(L, 1);
    kr_cpu_set usable = {.words = {0}}, set = {.words = {0}};
    must(L, kr_thread_get_affinity(kr_thread_main(), &usable), "bind");
    for (int cpu = 0; cpu < KR_CPU_MAX; cpu++) {
        if (!kr_cpu_set_has(&usable, cpu) || --number != 0)
            continue;
        must(L, kr_cpu_set_add(&set, cpu), "bind");
        must(L, kr_thread_set_affinity(kr_thread_current(), &set), "bind");
    }
    return 0;
}

/* A line of standard input without its end, of at most 255 bytes; nil: there is no more. */
static int read_line(lua_State *L)
{
    char text[256], byte;
    size_t used = 0;
    int64_t got;
    while ((got = kr_read(STDIN_FILENO, &byte, 1, KR_FOREVER)) > 0 && byte != '\n') {
        if (used < sizeof text)
            text[used++] = byte;
    }
    must(L, got, "read_line");
    if (got == 0 && used == 0)
        return 0;
    lua_pushlstring(L, text, used);
    return 1;
}

/* Queues: the values stay in the state, what travels is a reference to each. */

static int new_queue(lua_State *L)
{
    lua_Integer most = luaL_optinteger(L, 1, 0);
    luaL_argcheck(L, most >= 0, 1, "no such size");
    kr_queue **queue = lua_newuserdatauv(L, sizeof *queue, 0);
    *queue = NULL;
    luaL_setmetatable(L, QUEUE);
    must(L, kr_queue_create(queue, sizeof(int), (size_t)most, NULL), "queue");
    return 1;
}

static int put(lua_State *L)
{
    kr_queue **queue = luaL_checkudata(L, 1, QUEUE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    int reference = luaL_ref(L, LUA_REGISTRYINDEX);
    int err = kr_queue_put(*queue, &reference, KR_FOREVER);
    if (err)
        luaL_unref(L, LUA_REGISTRYINDEX, reference);
    must(L, err, "put");
    return 0;
}

static int get(lua_State *L)
{
    kr_queue **queue = luaL_checkudata(L, 1, QUEUE);
    int reference = LUA_NOREF;
    must(L, kr_queue_get(*queue, &reference, KR_FOREVER), "get");
    lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
    luaL_unref(L, LUA_REGISTRYINDEX, reference);
    return 1;
}

static int collect_queue(lua_State *L)
{
    kr_queue **queue = luaL_checkudata(L, 1, QUEUE);
    kr_queue_release(*queue);
    return 0;
}

/* Locks: what is held over several instructions, which the interpreter lock is not. */

static int new_lock(lua_State *L)
{
    kr_lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    luaL_setmetatable(L, LOCK);
    must(L, kr_lock_init(lock, KR_PRIVATE), "lock");
    return 1;
}

static int acquire(lua_State *L)
{
    must(L, kr_lock_acquire(luaL_checkudata(L, 1, LOCK), KR_FOREVER), "acquire");
    return 0;
}

static int release(lua_State *L)
{
    must(L, kr_lock_release(luaL_checkudata(L, 1, LOCK)), "release");
    return 0;
}

void open_library(lua_State *L)
{
    static const luaL_Reg queue_methods[] = {{"put", put}, {"get", get}, {NULL, NULL}};
    static const luaL_Reg lock_methods[] = {
        {"acquire", acquire}, {"release", release}, {NULL, NULL}};
    new_type(L, QUEUE, queue_methods, collect_queue);
    new_type(L, LOCK, lock_methods, NULL);
    lua_register(L, "print", print);
    lua_register(L, "sleep", nap);
    lua_register(L, "now", now);
    lua_register(L, "bind", bind_to);
    lua_register(L, "read_line", read_line);
    lua_register(L, "queue", new_queue);
    lua_register(L, "lock", new_lock);
}
