/* A Redis server for a measurement, and bare hiredis as a peer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[] = "/tmp/krait-bench-redis.XXXXXX";
static char path[64];
static pid_t owner;

static void remove_directory(void)
{
    if (getpid() != owner)
        return;
    unlink(path);
    rmdir(directory);
}

static void become_server(void)
{
    int nowhere = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        dup2(nowhere, fd);
    execl(KRI_REDIS_PROGRAM, "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
          "--appendonly", "no", (char *)NULL);
    _exit(127);
}

static bool answers(void)
{
    redisContext *c = redisConnectUnix(path);
    bool does = c != NULL && c->err == 0;
    if (does) {
        redisReply *reply = redisCommand(c, "PING");
        does = reply != NULL && reply->type == REDIS_REPLY_STATUS;
        if (reply != NULL)
            freeReplyObject(reply);
    }
    if (c != NULL)
        redisFree(c);
    return does;
}

const char *bench_redis_start(void)
{
    if (mkdtemp(directory) == NULL)
        bench_fail("a directory for the server");
    snprintf(path, sizeof path, "%s/s", directory);
    owner = getpid();
    atexit(remove_directory);
    pid_t child = fork();
    if (child == 0)
        become_server();
    for (int i = 0; child > 0 && i < 1000; i++) {
        if (answers())
            return path;
        usleep(5000);
    }
    bench_fail("starting redis-server");
}

void bench_redis_key(char key[static 8], unsigned long i)
{
    char text[9];
    snprintf(text, sizeof text, "%08lx", i * 7919 % BENCH_REDIS_KEYS);
    memcpy(key, text, 8);
}

/* The words of an operation: "HGET dict key", "HSET dict key value". */
struct words {
    const char *list[4];
    size_t sizes[4];
    int count;
    char key[8];
};

static void write_words(struct words *w, bool set, unsigned long i)
{
    static char value[BENCH_REDIS_VALUE];
    bench_redis_key(w->key, i);
    w->list[0] = set ? "HSET" : "HGET";
    w->list[1] = "dict";
    w->list[2] = w->key;
    w->list[3] = value;
    w->sizes[0] = w->sizes[1] = 4;
    w->sizes[2] = sizeof w->key;
    w->sizes[3] = sizeof value;
    w->count = set ? 4 : 3;
}

static void check_reply(redisReply *reply, bool set)
{
    if (reply == NULL || reply->type != (set ? REDIS_REPLY_INTEGER : REDIS_REPLY_STRING))
        bench_fail("an answer of the server");
    freeReplyObject(reply);
}

static void run_single(redisContext *c, bool set, unsigned long amount)
{
    struct words w;
    for (unsigned long i = 0; i < amount; i++) {
        write_words(&w, set, i);
        check_reply(redisCommandArgv(c, w.count, w.list, w.sizes), set);
    }
}

static redisReply *next_reply(redisContext *c)
{
    void *reply = NULL;
    if (redisGetReply(c, &reply) != REDIS_OK)
        bench_fail("an answer of the server");
    return reply;
}

static void run_batch(redisContext *c, const struct bench_redis_work *work, unsigned long first)
{
    struct words w;
    if (work->atomic)
        redisAppendCommand(c, "MULTI");
    for (unsigned i = 0; i < work->batch; i++) {
        write_words(&w, work->set, first + i);
        redisAppendCommandArgv(c, w.count, w.list, w.sizes);
    }
    if (work->atomic)
        redisAppendCommand(c, "EXEC");
    for (unsigned i = 0; i < work->batch; i++) {
        if (work->atomic)
            freeReplyObject(next_reply(c));
        else
            check_reply(next_reply(c), work->set);
    }
    if (work->atomic) {
        freeReplyObject(next_reply(c));
        redisReply *all = next_reply(c);
        if (all->type != REDIS_REPLY_ARRAY || all->elements != work->batch)
            bench_fail("a transaction");
        freeReplyObject(all);
    }
}

static void run(redisContext *c, const struct bench_redis_work *work, unsigned long amount)
{
    if (work->batch == 0) {
        run_single(c, work->set, amount);
        return;
    }
    for (unsigned long i = 0; i < amount; i += work->batch)
        run_batch(c, work, i);
}

double bench_hiredis_run(const struct bench_redis_work *work, unsigned long amount)
{
    static const struct bench_redis_work fill = {.set = true, .batch = 100};
    redisContext *c = redisConnectUnix(bench_redis_start());
    if (c == NULL || c->err != 0)
        bench_fail("connecting to the server");
    run(c, &fill, BENCH_REDIS_KEYS);
    run(c, work, amount / 10);
    double began = bench_now();
    run(c, work, amount);
    double taken = bench_now() - began;
    redisFree(c);
    return taken / (double)amount;
}
