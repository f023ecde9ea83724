/* krait-bench-post ROW AMOUNT WORKERS - the rows remote.redis.*: prints NS 0.
 *
 * It starts a server of its own on a Unix socket, and a worker.  KR_PEER=krait is a kr_redis_pool;
 * KR_PEER=bare is hiredis: a task is added to a stream, taken by a group's consumer, its answer
 * added to another stream and it is acknowledged in one pipeline, and the answer read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AHEAD = 32, MOST = 1 << 15 };

static char directory[] = "/tmp/krait-post.XXXXXX";
static char address[128], path[64];

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "krait-bench-post: %s is wrong\n", what);
    exit(1);
}

static int work(const void *arg, void *result)
{
    *(uint64_t *)result = *(const uint64_t *)arg + 1;
    return 0;
}
KR_TASK(work);

static pid_t start(void (*body)(void))
{
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body();
        _exit(0);
    }
    return child;
}

static void be_server(void)
{
    must(freopen("/dev/null", "w", stdout) != NULL, "the output");
    execlp(KRI_REDIS_PROGRAM, "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
           "--dir", directory, (char *)NULL);
}

static redisContext *connect_to_server(void)
{
    for (int i = 0; i < 1000; i++) {
        redisContext *context = redisConnectUnix(path);
        if (context && !context->err)
            return context;
        redisFree(context);
        usleep(10000);
    }
    must(false, "the server");
    return NULL;
}

/* By hand */

static void be_bare_worker(void)
{
    redisContext *context = connect_to_server();
    for (;;) {
        redisReply *reply =
            redisCommand(context, "XREADGROUP GROUP g c COUNT 1 BLOCK 1000 STREAMS tasks >");
        must(reply != NULL, "a task");
        if (reply->type == REDIS_REPLY_ARRAY) {
            const redisReply *entry = reply->element[0]->element[1]->element[0];
            uint64_t number, answer;
            memcpy(&number, entry->element[1]->element[1]->str, sizeof number);
            (void)work(&number, &answer);
            redisAppendCommand(context, "XADD results * m %b", &answer, sizeof answer);
            redisAppendCommand(context, "XACK tasks g %s", entry->element[0]->str);
            redisAppendCommand(context, "XDEL tasks %s", entry->element[0]->str);
            for (int i = 0; i < 3; i++) {
                void *done;
                must(redisGetReply(context, &done) == REDIS_OK, "an answer");
                freeReplyObject(done);
            }
        }
        freeReplyObject(reply);
    }
}

static redisContext *line;
static char last[64] = "0-0";

static void send_bare(uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        redisAppendCommand(line, "XADD tasks * m %b", &i, sizeof i);
    for (uint64_t i = 0; i < count; i++) {
        void *reply;
        must(redisGetReply(line, &reply) == REDIS_OK, "XADD");
        freeReplyObject(reply);
    }
}

/* How many came. */
static uint64_t receive_bare(uint64_t *sum)
{
    uint64_t count = 0;
    redisReply *reply = redisCommand(line, "XREAD COUNT 64 BLOCK 1000 STREAMS results %s", last);
    must(reply != NULL, "XREAD");
    if (reply->type == REDIS_REPLY_ARRAY) {
        const redisReply *entries = reply->element[0]->element[1];
        count = entries->elements;
        for (uint64_t i = 0; i < count; i++) {
            const redisReply *entry = entries->element[i];
            uint64_t answer;
            memcpy(&answer, entry->element[1]->element[1]->str, sizeof answer);
            *sum += answer;
            snprintf(last, sizeof last, "%s", entry->element[0]->str);
        }
    }
    freeReplyObject(reply);
    return count;
}

static void run_bare(uint64_t count, uint64_t ahead)
{
    uint64_t sent = 0, come = 0, sum = 0;
    while (come < count) {
        uint64_t more = count - sent < ahead - (sent - come) ? count - sent : ahead - (sent - come);
        send_bare(sent, more);
        sent += more;
        come += receive_bare(&sum);
    }
    must(sum == count * (count + 1) / 2, "the sum of the answers");
}

/* krait */

static kr_executor *pool;

static void be_worker(void)
{
    (void)!kr_redis_serve(address, "bench", NULL);
}

static void run_krait(uint64_t count, uint64_t ahead)
{
    static kr_future *futures[MOST];
    for (uint64_t i = 0; i < count + ahead; i++) {
        if (i >= ahead) {
            uint64_t at = i - ahead, answer = 0;
            must(kr_future_result(futures[at], &answer, sizeof answer, NULL, KR_FOREVER) == 0 &&
                     answer == at + 1,
                 "an answer");
            kr_future_release(futures[at]);
        }
        if (i < count)
            must(kr_submit(pool, &futures[i], work, &i, sizeof i, sizeof i) == 0, "a submit");
    }
}

static void measure(void (*run)(uint64_t, uint64_t), const char *row, uint64_t count)
{
    uint64_t ahead = strstr(row, ".rtt") ? 1 : AHEAD;
    run(count / 10 + 1, ahead);
    kr_time begun = kr_now();
    run(count, ahead);
    printf("%f 0\n", (double)(kr_now() - begun) / (double)count);
}

static void clean_up(pid_t server)
{
    char command[80];
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    must(system(command) == 0, "rm");
}

int main(int argc, char **argv)
{
    kr_init(argc, argv);
    const char *peer = getenv("KR_PEER");
    must(argc == 4 && strtoul(argv[2], NULL, 10) <= MOST, "the arguments");
    must(mkdtemp(directory) != NULL, "the directory");
    must(setenv("KRAIT_KEY", "no secret is needed", 0) == 0, "the environment");
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(address, sizeof address, "unix:%s", path);
    pid_t server = start(be_server);
    line = connect_to_server();
    freeReplyObject(redisCommand(line, "XGROUP CREATE tasks g 0 MKSTREAM"));
    bool bare = peer && strcmp(peer, "bare") == 0;
    pid_t worker = start(bare ? be_bare_worker : be_worker);
    if (!bare)
        must(kr_redis_pool(&pool, address, "bench", NULL, NULL) == 0, "the pool");
    measure(bare ? run_bare : run_krait, argv[1], strtoul(argv[2], NULL, 10));
    kr_executor_release(pool);
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
    clean_up(server);
    return 0;
}
