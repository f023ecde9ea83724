/* gil_lua - threads in one Lua state, under an interpreter lock.
 *
 *     main.c      the command line
 *     lessons.c   one function for each lesson; its Lua is in the .lua file of the same name
 *     convoy.c    the lesson with a server, whose client is outside of Lua
 *     host.c      a Lua state with its lock: check points, who runs in it
 *     threads.c   spawn and join
 *     library.c   print, sleep, queue, lock ... for Lua, which all give the lock away
 *     sockets.c   udp, tcp
 *     listing.c   the bytecode of a function
 *     timeline.c  from the lock's log to who was what from when to when
 *     svg.c       the picture of it
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GIL_LUA_H
#define GIL_LUA_H

#include <krait/krait.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

/* Where check points stand: at the end of each round of a loop, or before each n-th instruction. */
enum { CHECK_LOOPS = 0, CHECK_EVERY = 1, CHECK_USUAL = 1000 };

struct setup {
    kr_gil_options gil;
    int check;
    bool turns; /* for lessons: each check point gives the lock to the next thread, asked or not */
};

/* One Lua state.  All of it is guarded by its lock. */
struct host {
    struct setup setup;
    kr_gil *gil;
    lua_State *L; /* the first thread's */
    struct runner *ring;
    int failed;          /* how many threads ended by an error */
    kr_thread **threads; /* that may not have ended yet */
    int count, room;
};

/* A thread that runs in it, with a Lua stack of its own. */
struct runner {
    struct host *host;
    lua_State *L;
    kr_gil_thread *gil;
    kr_thread *thread;
    int line;            /* of the last check point, see CHECK_LOOPS */
    struct runner *next; /* of the ring, who has the next turn; NULL: takes no turns */
    kr_semaphore turn;   /* a permit: it has the turn */
    int anchor;          /* keeps it from being collected while it runs */
    bool done, good;     /* has ended; without an error */
};

int host_open(struct host *host, const struct setup *setup);

/* Run a chunk in the calling thread, and wait for the threads that it starts.  Its first result
 * goes to *result, unless NULL.  What fails is printed; then, and after an error in a thread:
 * -ECANCELED.
 */
int host_run(struct host *host, const char *chunk, size_t size, const char *name,
             const char *const arguments[], double *result);
void host_close(struct host *host);

/* The calling thread begins to run in it, holding the lock, and ends. */
int runner_begin(struct runner *runner);
void runner_end(struct runner *runner);
struct runner *runner_current(void);
void await_threads(struct host *host); /* all but the caller, which runs in it */

/* What stands on top of a stack after an error. */
const char *error_text(lua_State *L);

void take_turns(struct runner *runner); /* before it begins: as the last of the ring */
void give_turn(struct runner *runner);

/* What Lua gets; each adds functions to the globals of L. */
void open_threads(lua_State *L);
void open_library(lua_State *L);
void open_sockets(lua_State *L);
void open_listing(lua_State *L);

/* Raise krait's error, if it is one, as Lua's. */
void must(lua_State *L, int64_t result, const char *what);

/* Register the functions as methods of a type, with __index and, if not NULL, __gc. */
void new_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect);

/* A .lua file of this folder. */
struct script {
    const char *name, *text;
    size_t size;
};
extern const struct script script_lost, script_compute, script_alone, script_sleep, script_convoy,
    script_serve;

struct options {
    struct setup setup;
    bool one_policy; /* it was named */
    int threads;
    kr_time time;
    bool tcp, apart;
    const char *timeline;
};

int lesson_lost(const struct options *options);
int lesson_compute(const struct options *options);
int lesson_sleep(const struct options *options);
int lesson_parallel(const struct options *options);
int lesson_convoy(const struct options *options);
int run_server(const struct options *options);
int run_file(const struct options *options, const char *path, char *const arguments[]);
int draw_convoy(const struct options *options);

/* In a state of its own, which is gone afterwards. */
int run_script(const struct setup *setup, const struct script *script,
               const char *const arguments[], double *result);

const char *policy_name(kr_gil_policy policy);

/* What a thread is, from one event of the log to the next. */
enum state { RUNNING, WAITING, BLOCKED };

struct span {
    int row;
    enum state state;
    kr_time from, to;
};

enum { ROWS_MOST = 12 };

/* One picture of a lock: a row for each thread. */
struct panel {
    char title[64], remark[160];
    int rows;
    char names[ROWS_MOST][16];
    struct span *spans;
    size_t count;
    kr_time from, to; /* what is shown of them */
};

/* Make spans of the events that the lock has kept; panel->spans is to be freed. */
int read_timeline(kr_gil *gil, struct panel *panel);

/* Draw the panels one below the other.  0 or -errno. */
int write_svg(const char *path, const struct panel *panels, int count);

__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

#endif
