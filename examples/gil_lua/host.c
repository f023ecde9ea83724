/* A Lua state with its lock, and check points in it.
 *
 * Lua calls a hook before each n-th instruction, or where a line begins; between the hook's call
 * and its return nothing in the state is half-done, so that another thread may run in it, with a
 * stack of its own (lua_newthread).  The same holds for the time in a C function that Lua calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <stdlib.h>
#include <string.h>

/* Who answers comes back twice, from receiving and from sending, and waits for so long each time.
 */
enum { MIN_SLICE_US = 38 };

static _Thread_local struct runner *current;

struct runner *runner_current(void)
{
    return current;
}

/* Turns: the lock is given away at each check point, whether or not somebody asks.  So what may
 * happen at any of them happens at all of them, each time alike. */

void take_turns(struct runner *runner)
{
    struct host *host = runner->host;
    if (host->ring) {
        runner->next = host->ring->next;
        host->ring->next = runner;
    } else {
        runner->next = runner;
    }
    host->ring = runner; /* the last */
}

void give_turn(struct runner *runner)
{
    if (runner->next == runner)
        return;
    kr_semaphore_release(&runner->next->turn, 1);
    /* The lock is given away while it waits, as in every wait of krait. */
    while (kr_semaphore_acquire(&runner->turn, KR_FOREVER) != 0)
        continue;
}

static void leave_ring(struct runner *runner)
{
    struct host *host = runner->host;
    struct runner *before = runner;
    while (before->next != runner)
        before = before->next;
    before->next = runner->next;
    if (host->ring == runner)
        host->ring = before == runner ? NULL : before;
    if (before != runner)
        kr_semaphore_release(&runner->next->turn, 1);
}

/* Check points */

/* A line that is not beyond the last one begins: Lua has jumped back, or called a function. */
static bool loop_ends(struct runner *runner, lua_Debug *event)
{
    bool back = event->currentline <= runner->line;
    runner->line = event->currentline;
    return back;
}

static void check_point(lua_State *L, lua_Debug *event)
{
    struct runner *runner = current;
    if (event->event == LUA_HOOKLINE && !loop_ends(runner, event))
        return;
    if (runner->next) {
        give_turn(runner);
        return;
    }
    must(L, kr_gil_check(runner->gil), "check point");
}

static void set_check_points(struct runner *runner)
{
    int check = runner->host->setup.check;
    if (check == CHECK_LOOPS)
        lua_sethook(runner->L, check_point, LUA_MASKLINE, 0);
    else
        lua_sethook(runner->L, check_point, LUA_MASKCOUNT, check);
}

/* Runners */

int runner_begin(struct runner *runner)
{
    int err = kr_gil_attach(runner->host->gil, &runner->gil);
    if (err)
        return err;
    current = runner;
    if (runner->next) {
        while (kr_semaphore_acquire(&runner->turn, KR_FOREVER) != 0)
            continue;
    }
    set_check_points(runner);
    return 0;
}

void runner_end(struct runner *runner)
{
    kr_gil_thread *gil = runner->gil;
    if (runner->next)
        leave_ring(runner);
    current = NULL;
    kr_gil_detach(gil); /* from here on its memory may be collected */
}

/* The state */

static void open_functions(lua_State *L)
{
    luaL_openlibs(L);
    open_threads(L);
    open_library(L);
    open_sockets(L);
    open_listing(L);
}

/* The ticks policy counts check points, CPython counted instructions: a hundred. */
static uint32_t ticks_of(const struct setup *setup)
{
    return setup->check > 1 && setup->check < 100 ? 100 / (uint32_t)setup->check
           : setup->check >= 100                  ? 1
                                                  : 100;
}

int host_open(struct host *host, const struct setup *setup)
{
    memset(host, 0, sizeof *host);
    host->setup = *setup;
    host->setup.gil.check_interval = ticks_of(setup);
    if (host->setup.gil.min_slice == 0)
        host->setup.gil.min_slice = kr_us(MIN_SLICE_US);
    int err = kr_gil_create(&host->gil, &host->setup.gil);
    if (err)
        return err;
    host->L = luaL_newstate();
    if (!host->L) {
        kr_gil_destroy(host->gil);
        return -ENOMEM;
    }
    open_functions(host->L);
    return 0;
}

void host_close(struct host *host)
{
    lua_close(host->L);
    kr_gil_destroy(host->gil);
}

const char *error_text(lua_State *L)
{
    return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is no text";
}

static int call(struct host *host, const char *chunk, size_t size, const char *name,
                const char *const arguments[], double *result)
{
    lua_State *L = host->L;
    int count = 0;
    int status = luaL_loadbuffer(L, chunk, size, name);
    if (status == LUA_OK) {
        for (; arguments[count]; count++) {
            luaL_checkstack(L, 1, "arguments");
            lua_pushstring(L, arguments[count]);
        }
        status = lua_pcall(L, count, 1, 0);
    }
    if (status != LUA_OK)
        complain("%s", error_text(L));
    else if (result)
        *result = lua_tonumber(L, -1);
    lua_settop(L, 0);
    return status == LUA_OK ? 0 : -ECANCELED;
}

int host_run(struct host *host, const char *chunk, size_t size, const char *name,
             const char *const arguments[], double *result)
{
    struct runner runner = {.host = host, .L = host->L, .thread = kr_thread_current()};
    int err = runner_begin(&runner);
    if (err) {
        complain("cannot hold the lock: %s", kr_strerror(err));
        return err;
    }
    err = call(host, chunk, size, name, arguments, result);
    await_threads(host);
    if (host->failed && !err)
        err = -ECANCELED;
    runner_end(&runner);
    return err;
}
