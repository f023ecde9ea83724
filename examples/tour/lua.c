/* The interpreter: Lua.
 *
 * Threads that share a state have a stack each in it (lua_newthread), and a hook that Lua calls
 * after every so many instructions: nothing in the state is half-done there, so another may run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

enum { CHECK = 1000 }; /* instructions between two check points */

static const char source[] = "local from, to = ...\n"
                             "local count = 0\n"
                             "for number = from, to - 1 do\n"
                             "    local divisor, prime = 2, true\n"
                             "    while divisor * divisor <= number do\n"
                             "        if number % divisor == 0 then prime = false; break end\n"
                             "        divisor = divisor + 1\n"
                             "    end\n"
                             "    if prime then count = count + 1 end\n"
                             "end\n"
                             "return count\n";

struct interpreter {
    lua_State *L;
    int function; /* where the registry has it */
};

const char interpreter_name[] = LUA_RELEASE;

static _Thread_local kr_gil_thread *own_lock; /* the calling thread's */

static void check_point(lua_State *L, lua_Debug *event)
{
    (void)event;
    if (kr_gil_check(own_lock) != 0)
        luaL_error(L, "shut down");
}

/* Without a lock there is nobody to give way to, but Ctrl-C. */
static void look_for_cancel(lua_State *L, lua_Debug *event)
{
    (void)event;
    if (kr_cancelled())
        luaL_error(L, "cancelled");
}

int interpreter_open(struct interpreter **result)
{
    struct interpreter *interpreter = malloc(sizeof *interpreter);
    if (!interpreter)
        return -ENOMEM;
    interpreter->L = luaL_newstate();
    if (!interpreter->L ||
        luaL_loadbuffer(interpreter->L, source, sizeof source - 1, "=primes") != LUA_OK) {
        interpreter_close(interpreter);
        return -ENOMEM;
    }
    interpreter->function = luaL_ref(interpreter->L, LUA_REGISTRYINDEX);
    *result = interpreter;
    return 0;
}

static int call(struct interpreter *interpreter, lua_State *L, long from, long to, long *primes)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->function);
    lua_pushinteger(L, from);
    lua_pushinteger(L, to);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK)
        return -ECANCELED;
    *primes = (long)lua_tointeger(L, -1);
    lua_settop(L, 0);
    return 0;
}

int interpreter_primes(struct interpreter *interpreter, long from, long to, kr_gil_thread *lock,
                       long *primes)
{
    lua_State *whole = interpreter->L;
    if (!lock) {
        lua_sethook(whole, look_for_cancel, LUA_MASKCOUNT, 100 * CHECK);
        return call(interpreter, whole, from, to, primes);
    }
    lua_State *own = lua_newthread(whole);
    int anchor = luaL_ref(whole, LUA_REGISTRYINDEX); /* not collected meanwhile */
    own_lock = lock;
    lua_sethook(own, check_point, LUA_MASKCOUNT, CHECK);
    int err = call(interpreter, own, from, to, primes);
    luaL_unref(whole, LUA_REGISTRYINDEX, anchor);
    return err;
}

void interpreter_close(struct interpreter *interpreter)
{
    if (interpreter->L)
        lua_close(interpreter->L);
    free(interpreter);
}
