/* The lessons without a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <stdlib.h>
#include <string.h>

enum { LOST_TIMES = 10000, COMPUTE_ROUNDS = 20000, THREADS_MOST = 64 };

/* The numbers that a script gets are passed as text. */
struct numbers {
    char texts[4][32];
    const char *arguments[5];
    int count;
};

static void add_number(struct numbers *numbers, double number)
{
    char *text = numbers->texts[numbers->count];
    snprintf(text, sizeof numbers->texts[0], "%.15g", number);
    numbers->arguments[numbers->count++] = text;
}

int run_script(const struct setup *setup, const struct script *script,
               const char *const arguments[], double *result)
{
    struct host host;
    int err = host_open(&host, setup);
    if (err) {
        complain("no Lua state: %s", kr_strerror(err));
        return err;
    }
    err = host_run(&host, script->text, script->size, script->name, arguments, result);
    host_close(&host);
    return err;
}

static int run_with(const struct setup *setup, const struct script *script, int threads,
                    double number, double *result)
{
    struct numbers numbers = {.count = 0};
    add_number(&numbers, threads);
    add_number(&numbers, number);
    return run_script(setup, script, numbers.arguments, result);
}

/* The lost update */

static int count_with(struct setup setup, int check, bool turns, int threads)
{
    double counter = 0, all = (double)threads * LOST_TIMES;
    setup.check = check;
    setup.turns = turns;
    setup.gil.switch_interval = kr_us(20);
    setup.gil.min_slice = kr_us(1);
    int err = run_with(&setup, &script_lost, threads, LOST_TIMES, &counter);
    if (!err)
        printf("%-22s %-16s %10.0f %10.0f\n",
               check == CHECK_LOOPS ? "at the ends of loops" : "between instructions",
               turns ? "at each of them" : "when asked for", counter, all - counter);
    return err;
}

static int show_bytecode(const struct options *options)
{
    struct numbers numbers = {.count = 0};
    add_number(&numbers, 0);
    add_number(&numbers, LOST_TIMES);
    numbers.arguments[numbers.count++] = "show";
    printf("%d threads: for i = 1, %d do counter = counter + 1 end\n\n", options->threads,
           LOST_TIMES);
    fflush(stdout);
    return run_script(&options->setup, &script_lost, numbers.arguments, NULL);
}

int lesson_lost(const struct options *options)
{
    int threads = options->threads;
    int err = show_bytecode(options);
    printf(
        "The update is lost where another thread gets the lock between GETTABUP and SETTABUP.\n\n"
        "%-22s %-16s %10s %10s\n",
        "check points", "lock given away", "counted", "lost");
    if (!err)
        err = count_with(options->setup, CHECK_LOOPS, true, threads);
    if (!err)
        err = count_with(options->setup, CHECK_EVERY, true, threads);
    if (!err)
        err = count_with(options->setup, CHECK_LOOPS, false, threads);
    if (!err)
        err = count_with(options->setup, CHECK_EVERY, false, threads);
    return err;
}

/* Those that compute take turns, those that sleep do not */

static int doubling(const struct options *options, const struct script *script, double amount)
{
    double first = 0, seconds = 0;
    printf("%8s %10s %10s\n", "threads", "seconds", "of one");
    for (int threads = 1; threads <= options->threads; threads *= 2) {
        int err = run_with(&options->setup, script, threads, amount, &seconds);
        if (err)
            return err;
        if (threads == 1)
            first = seconds;
        printf("%8d %10.3f %10.2f\n", threads, seconds, first > 0 ? seconds / first : 0);
        fflush(stdout);
    }
    return 0;
}

static double compute_rounds(const struct options *options)
{
    return COMPUTE_ROUNDS * ((double)options->time / 1e9);
}

int lesson_compute(const struct options *options)
{
    printf("Each thread computes the same amount, all in one state:\n\n");
    return doubling(options, &script_compute, compute_rounds(options));
}

int lesson_sleep(const struct options *options)
{
    printf("Each thread sleeps for the same time, all in one state:\n\n");
    return doubling(options, &script_sleep, (double)options->time / 1e9);
}

/* A state for each needs no lock */

static int compute_alone(void *arg)
{
    double *rounds = arg;
    lua_State *L = luaL_newstate();
    if (!L)
        return -ENOMEM;
    luaL_openlibs(L);
    int status = luaL_loadbuffer(L, script_alone.text, script_alone.size, script_alone.name);
    lua_pushnumber(L, *rounds);
    if (status == LUA_OK)
        status = lua_pcall(L, 1, 1, 0);
    lua_close(L);
    return status == LUA_OK ? 0 : -EINVAL;
}
KR_TASK(compute_alone);

static int in_threads(int count, double rounds)
{
    kr_thread *threads[THREADS_MOST];
    int started = 0, err = 0;
    for (; started < count && !err; started += !err)
        err = kr_thread_start(&threads[started], compute_alone, &rounds, sizeof rounds, NULL);
    while (started > 0) {
        int result = 0;
        kr_thread_join(threads[--started], &result, KR_FOREVER);
        kr_thread_release(threads[started]);
        err = err ? err : result;
    }
    return err;
}

static int in_processes(int count, double rounds)
{
    kr_process *processes[THREADS_MOST];
    int started = 0, err = 0;
    for (; started < count && !err; started += !err)
        err = kr_process_start(&processes[started], compute_alone, &rounds, sizeof rounds, NULL);
    while (started > 0) {
        int code = 0;
        kr_process_join(processes[--started], &code, KR_FOREVER);
        kr_process_release(processes[started]);
        err = err ? err : code ? KR_ECRASHED : 0;
    }
    return err;
}

static int report(const char *what, int err, kr_time begun)
{
    if (err)
        complain("%s: %s", what, kr_strerror(err));
    else
        printf("%-40s %10.3f\n", what, (double)(kr_now() - begun) / 1e9);
    fflush(stdout);
    return err;
}

int lesson_parallel(const struct options *options)
{
    double rounds = compute_rounds(options), seconds = 0;
    int count = options->threads > THREADS_MOST ? THREADS_MOST : options->threads;
    printf("The same work %d times, on %d processors:\n\n%-40s %10s\n", count, kr_cpu_count(), "",
           "seconds");
    kr_time begun = kr_now();
    int err = report("threads in one state, under the lock",
                     run_with(&options->setup, &script_compute, count, rounds, &seconds), begun);
    begun = kr_now();
    for (int i = 0; i < count && !err; i++)
        err = compute_alone(&rounds);
    err = report("a state each, one after the other", err, begun);
    begun = kr_now();
    if (!err)
        err = report("a state each, in threads", in_threads(count, rounds), begun);
    begun = kr_now();
    if (!err)
        err = report("a state each, in processes", in_processes(count, rounds), begun);
    if (!err)
        printf("\nA state that one thread is in needs neither lock nor check points.\n");
    return err;
}

int run_server(const struct options *options)
{
    char threads[16];
    snprintf(threads, sizeof threads, "%d", options->threads);
    return run_script(&options->setup, &script_serve,
                      (const char *const[]){options->tcp ? "tcp" : "udp", threads,
                                            options->apart ? "apart" : NULL, NULL},
                      NULL);
}

/* Scripts of others */

/* Its bytes, to be freed. */
static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *bytes = NULL;
    size_t room = 0, got = 1;
    *size = 0;
    while (file && got > 0) {
        if (*size == room) {
            char *more = realloc(bytes, room = 2 * room + 4096);
            if (!more)
                break;
            bytes = more;
        }
        got = fread(bytes + *size, 1, room - *size, file);
        *size += got;
    }
    if (!file || ferror(file) || got > 0) {
        complain("%s: %s", path, strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    if (file)
        fclose(file);
    return bytes;
}

static int draw(const struct options *options, struct host *host, const char *path)
{
    struct panel panel;
    memset(&panel, 0, sizeof panel);
    int err = read_timeline(host->gil, &panel);
    snprintf(panel.title, sizeof panel.title, "%.40s", path);
    snprintf(panel.remark, sizeof panel.remark, "%s policy",
             policy_name(options->setup.gil.policy));
    if (!err)
        err = write_svg(options->timeline, &panel, 1);
    free(panel.spans);
    if (err)
        complain("%s: %s", options->timeline, kr_strerror(err));
    return err;
}

int run_file(const struct options *options, const char *path, char *const arguments[])
{
    struct setup setup = options->setup;
    char name[256];
    size_t size;
    struct host host;
    char *text = read_whole(path, &size);
    if (!text)
        return -ENOENT;
    setup.gil.log = options->timeline ? 1 << 20 : 0;
    int err = host_open(&host, &setup);
    if (!err) {
        snprintf(name, sizeof name, "@%s", path);
        err = host_run(&host, text, size, name, (const char *const *)arguments, NULL);
        if (options->timeline) {
            int drawn = draw(options, &host, path);
            err = err ? err : drawn;
        }
        host_close(&host);
    }
    free(text);
    return err;
}
