/* Files, and names of hosts: done in place, or by threads of the library's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/localhost.h"
#include "harness/sanitizers.h"
#include "io/channels.h"
#include "io/offload.h"

#include <dirent.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int new_file(void)
{
    char path[] = "/tmp/krait-file-XXXXXX";
    int fd = mkstemp(path);
    CHECK_GE(fd, 0);
    unlink(path);
    return fd;
}

/* How many threads the library has for calls that block. */
static int threads_now(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        count += fgets(name, sizeof name, file) != NULL && strcmp(name, "krait-io\n") == 0;
        fclose(file);
    }
    closedir(tasks);
    return count;
}

IO_TEST(test_file)
{
    char bytes[32];
    int fd = new_file();
    CHECK_EQ(kr_write(fd, "hello world", 11, KR_FOREVER), 11);
    CHECK_EQ(kr_pwrite(fd, "HELLO", 5, 0, KR_FOREVER), 5);
    CHECK_EQ(kr_pwrite(fd, "!", 1, 20, kr_sec(30)), 1);
    CHECK_EQ(kr_fsync(fd, KR_FOREVER), 0);
    CHECK_EQ(kr_read(fd, bytes, sizeof bytes, KR_FOREVER), 10); /* behind the first 11 */
    CHECK_EQ(kr_read(fd, bytes, sizeof bytes, KR_FOREVER), 0);
    CHECK_EQ(kr_pread(fd, bytes, sizeof bytes, 0, KR_FOREVER), 21);
    CHECK(memcmp(bytes, "HELLO world\0\0\0\0\0\0\0\0\0!", 21) == 0);
    CHECK_EQ(kr_pread(fd, bytes, sizeof bytes, 100, KR_FOREVER), 0);
    CHECK_EQ(kr_pread(fd, bytes, 5, 6, KR_NOWAIT), 5);
    CHECK_EQ(kr_write(fd, "x", 1, KR_NOWAIT), 1);
    CHECK_EQ(kr_poll(fd, KR_READABLE, KR_FOREVER), KR_READABLE);
    CHECK_EQ(kr_poll(fd, KR_READABLE | KR_WRITABLE, KR_NOWAIT), KR_READABLE | KR_WRITABLE);
    CHECK_EQ(kr_close(fd), 0);
}

/* In memory of the kind that cannot be read without blocking, and in a folder of the system. */
IO_TEST(test_open)
{
    char bytes[64];
    int fd = kr_open("/dev/shm/krait-io-test", O_RDWR | O_CREAT | O_TRUNC, 0600, KR_FOREVER);
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kr_write(fd, "hello", 5, KR_FOREVER), 5);
    CHECK_EQ(kr_pread(fd, bytes, sizeof bytes, 1, KR_FOREVER), 4);
    CHECK_EQ(kr_close(fd), 0);
    CHECK_EQ(unlink("/dev/shm/krait-io-test"), 0);
    CHECK_EQ(kr_open("/nowhere/at/all", O_RDONLY, 0, KR_FOREVER), -ENOENT);
    CHECK_EQ(kr_open("/dev/shm/krait-io-test", O_RDONLY, 0, kr_sec(30)), -ENOENT);
    fd = kr_open("/tmp", O_RDONLY | O_DIRECTORY, 0, KR_FOREVER);
    CHECK_EQ(kr_read(fd, bytes, sizeof bytes, KR_FOREVER), -EISDIR);
    CHECK_EQ(kr_fsync(-1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_write(fd, bytes, 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_close(fd), 0);
}

/* A cancelled scope: what is in memory can be had, nothing else is begun. */
static int write_cancelled(void *arg)
{
    int fd = *(int *)arg;
    char byte;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_cancel(&scope);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_write(fd, "x", 1, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_fsync(fd, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_open("/tmp", O_RDONLY, 0, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_pread(fd, &byte, 1, 0, KR_NOWAIT), 0);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(kr_pread(fd, &byte, 1, 0, KR_FOREVER), 0);
    return 0;
}

TEST(test_files_in_a_cancelled_scope)
{
    int fd = new_file();
    CHECK_EQ(kr_run(write_cancelled, &fd), 0);
}

/* A call that blocks for long, one of many, holds up no coroutine. */
typedef struct blocking {
    kri_offloaded call;
    kr_event begun;
    kr_event go;
    kr_time timeout;
    kr_cancel_scope scope;
    int result;
} blocking;

static void wait_for_go(kri_offloaded *call)
{
    blocking *b = (blocking *)(void *)call;
    kr_event_set(&b->begun);
    CHECK_EQ(kr_event_wait(&b->go, KR_FOREVER), 0);
}

static void make_blocking(blocking *b)
{
    *b = (blocking){.call.run = wait_for_go, .timeout = KR_FOREVER};
}

static void call_and_block(void *arg)
{
    blocking *b = arg;
    CHECK_EQ(kr_cancel_scope_enter(&b->scope, KR_FOREVER), 0);
    b->result = kri_offload(KRI_OFFLOAD_FILES, &b->call, kri_deadline(b->timeout));
    (void)kr_cancel_scope_exit(&b->scope);
}

enum { POOL = 16, MORE = 4 };

static int block_the_pool(void *arg)
{
    (void)arg;
    blocking all[POOL + MORE];
    io_other others[POOL + MORE];
    for (int i = 0; i < POOL + MORE; i++) {
        make_blocking(&all[i]);
        if (i == POOL)
            all[i].timeout = kr_ms(20);
        io_start(&others[i], call_and_block, &all[i]);
    }
    for (int i = 0; i < 8; i++)
        CHECK_EQ(kr_yield(), 0);
    kr_cancel(&all[POOL + 1].scope);
    io_join(&others[POOL]);
    io_join(&others[POOL + 1]);
    CHECK_EQ(all[POOL].result, -ETIMEDOUT);     /* it had to queue */
    CHECK_EQ(all[POOL + 1].result, -ECANCELED); /* so had this */
    CHECK_EQ(kr_event_wait(&all[0].begun, kr_sec(60)), 0);
    kr_cancel(&all[0].scope); /* under way: it goes on */
    for (int i = 0; i < POOL + MORE; i++) {
        if (i == POOL || i == POOL + 1)
            continue;
        kr_event_set(&all[i].go);
        io_join(&others[i]);
        CHECK_EQ(all[i].result, 0);
    }
    return 0;
}

TEST(test_many_calls_that_block)
{
    CHECK_EQ(kr_run(block_the_pool, NULL), 0);
    CHECK_LE(threads_now(), POOL);
}

static int write_some(void *arg)
{
    return kr_write(*(int *)arg, "x", 1, KR_FOREVER) == 1 ? 0 : 1;
}

/* The child of a fork has threads of its own, and its exit waits for none. */
TEST(test_files_in_a_forked_child)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_SANITIZED)
        SKIP("sanitizers know no threads in a child, or do not free their locks there");
    int fd = new_file();
    CHECK_EQ(kr_run(write_some, &fd), 0);
    CHECK_EQ(threads_now(), 1);
    pid_t child = fork();
    if (child == 0) {
        bool good = threads_now() == 0 && kr_run(write_some, &fd) == 0 && threads_now() == 1;
        exit(good ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 2);
}

/* A call that never ends holds up no exit: here that of a child whose loop is left in it. */
static int block_for_ever(void *arg)
{
    io_other other;
    io_start(&other, call_and_block, arg);
    io_join(&other);
    return 0;
}

static void *run_blocked(void *arg)
{
    (void)!kr_run(block_for_ever, arg);
    return NULL;
}

TEST(test_exit_with_a_call_under_way)
{
    blocking b;
    make_blocking(&b);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, run_blocked, &b), 0);
        while (threads_now() == 0)
            kri_test_nap();
        exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* Where no thread can be had the calls are made in place. */
static int write_without_threads(void *arg)
{
    unsigned long pages = 0;
    struct rlimit before, none;
    FILE *sizes = fopen("/proc/self/statm", "re");
    CHECK_EQ(fscanf(sizes, "%lu", &pages), 1);
    fclose(sizes);
    CHECK_EQ(getrlimit(RLIMIT_AS, &before), 0);
    none = (struct rlimit){pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 20), before.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_AS, &none), 0);
    int64_t written = kr_write(*(int *)arg, "x", 1, KR_FOREVER);
    CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
    CHECK_EQ(threads_now(), 0);
    CHECK_EQ(written, 1);
    CHECK_EQ(kr_write(*(int *)arg, "x", 1, KR_FOREVER), 1);
    CHECK_EQ(threads_now(), 1);
    return 0;
}

TEST(test_files_without_threads)
{
    if (KRI_QEMU)
        SKIP("qemu sets no limit to memory");
    if (KRI_SANITIZED)
        SKIP("sanitizers need more address space than can be limited");
    int fd = new_file();
    /* Without the thread for signals: one that begins has much of the address space for a moment.
     */
    const kr_run_options alone = {.keep_interrupt = true};
    CHECK_EQ(kr_run_with(write_without_threads, &fd, &alone), 0);
}

/* Many coroutines on files at once; what they write is what is there. */
typedef struct writer {
    int fd;
    int number;
} writer;

enum { WRITERS = 200, BLOCK = 512 };

static void write_block(void *arg)
{
    const writer *w = arg;
    unsigned char bytes[BLOCK], back[BLOCK];
    memset(bytes, w->number, sizeof bytes);
    int64_t at = (int64_t)w->number * BLOCK;
    CHECK_EQ(kr_pwrite(w->fd, bytes, sizeof bytes, at, KR_FOREVER), BLOCK);
    CHECK_EQ(kr_pread(w->fd, back, sizeof back, at, KR_FOREVER), BLOCK);
    CHECK(memcmp(bytes, back, BLOCK) == 0);
}

IO_TEST(test_many_writers)
{
    static io_other others[WRITERS];
    static writer writers[WRITERS];
    const int count = KRI_VALGRIND ? 40 : WRITERS;
    int fd = new_file();
    for (int i = 0; i < count; i++) {
        writers[i] = (writer){fd, i};
        io_start(&others[i], write_block, &writers[i]);
    }
    for (int i = 0; i < count; i++)
        io_join(&others[i]);
    CHECK_EQ(lseek(fd, 0, SEEK_END), count * BLOCK);
    CHECK_EQ(kr_close(fd), 0);
}

/* Names */

IO_TEST(test_addresses)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", "80", &hints, &list, KR_NOWAIT), 0);
    const struct sockaddr_in *in = (const void *)list->ai_addr;
    CHECK_EQ(in->sin_port, htons(80));
    CHECK_EQ(in->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    freeaddrinfo(list);
    hints.ai_flags = AI_PASSIVE;
    CHECK_EQ(kr_getaddrinfo(NULL, "0", &hints, &list, KR_FOREVER), 0);
    freeaddrinfo(list);
    CHECK_EQ(kr_getaddrinfo("::1", NULL, NULL, &list, KR_FOREVER), 0);
    freeaddrinfo(list);
}

IO_TEST(test_addresses_of_a_name)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    NEED_LOCALHOST();
    CHECK_EQ(kr_getaddrinfo("localhost", "80", &hints, &list, kr_sec(60)), 0);
    const struct sockaddr_in *in = (const void *)list->ai_addr;
    CHECK_EQ(in->sin_port, htons(80));
    freeaddrinfo(list);
    CHECK_EQ(kr_getaddrinfo("localhost", "65617", NULL, &list, KR_FOREVER), -EINVAL);
}

IO_TEST(test_addresses_errors)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list = &hints;
    CHECK_EQ(kr_getaddrinfo("no number", NULL, &hints, &list, KR_FOREVER), -ENOENT);
    CHECK(list == NULL);
    CHECK_EQ(kr_getaddrinfo(NULL, NULL, NULL, &list, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("localhost", NULL, NULL, NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("localhost", NULL, NULL, &list, -1), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("localhost", NULL, NULL, &list, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", "65536", NULL, &list, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_getaddrinfo(NULL, "99999999999999999999", NULL, &list, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", " 65616", NULL, &list, kr_sec(60)), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", "+65616", NULL, &list, kr_sec(60)), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", "-65456", NULL, &list, kr_sec(60)), -EINVAL);
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", "65535", NULL, &list, KR_FOREVER), 0);
    freeaddrinfo(list);
    hints.ai_family = 12345;
    CHECK_EQ(kr_getaddrinfo("127.0.0.1", NULL, &hints, &list, KR_FOREVER), -EINVAL);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_cancel(&scope);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_getaddrinfo("localhost", NULL, NULL, &list, KR_FOREVER), -ECANCELED);
    CHECK(list == NULL);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* Left while it is asked for, as early or late as may be: nothing is lost or freed twice. */
IO_TEST(test_addresses_left)
{
    uint64_t state = kri_test_seed();
    int left = 0, got = 0;
    NEED_LOCALHOST();
    for (int i = 0; i < 300; i++) {
        struct addrinfo *list;
        kr_time timeout = kr_us(1 + (int64_t)(kri_test_random(&state) % 300));
        int err = kr_getaddrinfo("localhost", NULL, NULL, &list, timeout);
        CHECK(err == 0 || err == -ETIMEDOUT);
        left += err != 0;
        got += err == 0;
        CHECK((err == 0) == (list != NULL));
        if (list != NULL)
            freeaddrinfo(list);
    }
    kri_test_note("%d left, %d got", left, got);
}
