/* Threads for Lua: t = spawn(name, f, ...), t:join().
 *
 * A thread is a userdatum, whose value is its Lua stack.  Until it ends the registry refers to it,
 * so that neither is collected meanwhile; then whoever has it may still ask for its results.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <stdlib.h>
#include <string.h>

#define THREAD "krait.thread"

static void finish(struct runner *runner, int status)
{
    runner->done = true;
    runner->good = status == LUA_OK;
    if (!runner->good) {
        char name[KR_THREAD_NAME_SIZE];
        kr_thread_name(kr_thread_current(), name, sizeof name);
        complain("thread %s: %s", name, error_text(runner->L));
        runner->host->failed++;
    }
    luaL_unref(runner->L, LUA_REGISTRYINDEX, runner->anchor);
}

static int run(void *arg)
{
    struct runner *runner = *(struct runner **)arg;
    int err = runner_begin(runner);
    if (!err) {
        finish(runner, lua_pcall(runner->L, lua_gettop(runner->L) - 1, LUA_MULTRET, 0));
        runner_end(runner);
    }
    return err;
}

/* For the one who waits for all; those that have ended are forgotten. */
static int remember(struct host *host, kr_thread *thread)
{
    if (host->count == host->room) {
        int kept = 0;
        for (int i = 0; i < host->count; i++) {
            if (kr_thread_alive(host->threads[i]))
                host->threads[kept++] = host->threads[i];
            else
                kr_thread_release(host->threads[i]);
        }
        host->count = kept;
        if (2 * kept >= host->room) {
            int room = 2 * host->room + 16;
            kr_thread **threads = realloc(host->threads, (size_t)room * sizeof *threads);
            if (!threads)
                return -ENOMEM;
            host->threads = threads;
            host->room = room;
        }
    }
    host->threads[host->count++] = kr_thread_retain(thread);
    return 0;
}

void await_threads(struct host *host)
{
    while (host->count > 0) {
        kr_thread *thread = host->threads[--host->count];
        kr_thread_join(thread, NULL, KR_FOREVER); /* meanwhile there may be more */
        kr_thread_release(thread);
    }
    free(host->threads);
    host->threads = NULL;
    host->room = 0;
}

/* The function and its arguments, which are above the name, go to the stack of the new thread. */
static int spawn(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct host *host = runner_current()->host;
    struct runner *runner = lua_newuserdatauv(L, sizeof *runner, 1);
    memset(runner, 0, sizeof *runner);
    luaL_setmetatable(L, THREAD);
    lua_insert(L, 2);
    runner->host = host;
    runner->L = lua_newthread(L);
    lua_setiuservalue(L, 2, 1);
    must(L, kr_semaphore_init(&runner->turn, 0, NULL), "spawn");
    if (!lua_checkstack(runner->L, lua_gettop(L)))
        luaL_error(L, "too many arguments");
    lua_xmove(L, runner->L, lua_gettop(L) - 2);
    lua_pushvalue(L, 2);
    runner->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    if (host->setup.turns)
        take_turns(runner);
    int err = kr_thread_start(&runner->thread, run, &runner, sizeof runner,
                              &(kr_thread_options){.name = name});
    if (err)
        luaL_unref(L, LUA_REGISTRYINDEX, runner->anchor);
    must(L, err, "spawn");
    must(L, remember(host, runner->thread), "spawn");
    return 1;
}

/* Begin the round of turns; for lessons, where threads take them. */
static int begin(lua_State *L)
{
    struct host *host = runner_current()->host;
    (void)L;
    if (host->ring)
        kr_semaphore_release(&host->ring->next->turn, 1);
    return 0;
}

/* true and what the function has returned, or false and the error, as pcall. */
static int join(lua_State *L)
{
    struct runner *runner = luaL_checkudata(L, 1, THREAD);
    must(L, kr_thread_join(runner->thread, NULL, KR_FOREVER), "join");
    int count = runner->done ? lua_gettop(runner->L) : 0;
    if (!lua_checkstack(L, count + 1) || !lua_checkstack(runner->L, count))
        luaL_error(L, "too many results");
    lua_pushboolean(L, runner->good);
    for (int i = 1; i <= count; i++)
        lua_pushvalue(runner->L, i);
    lua_xmove(runner->L, L, count);
    return count + 1;
}

static int collect(lua_State *L)
{
    struct runner *runner = luaL_checkudata(L, 1, THREAD);
    kr_thread_release(runner->thread);
    return 0;
}

void open_threads(lua_State *L)
{
    static const luaL_Reg methods[] = {{"join", join}, {NULL, NULL}};
    new_type(L, THREAD, methods, collect);
    lua_register(L, "spawn", spawn);
    lua_register(L, "begin", begin);
}
