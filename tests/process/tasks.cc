/* Processes from C++: KR_TASK at file scope and in a namespace, each start method, the pool, and
 * handles that end with their block.
 *
 * tools/check_docs.py compiles it as C++17 with each compiler that is there, and runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

static void expect(bool right, const char *what, int line)
{
    if (!right) {
        std::fprintf(stderr, "error: %s:%d: %s is false\n", __FILE__, line, what);
        std::exit(1);
    }
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)

static int answer(void *arg)
{
    kr_connection *pipe = kr_process_connection(0);
    int number = *static_cast<int *>(arg) + 1;
    return kr_connection_send(pipe, &number, sizeof number, KR_FOREVER);
}
KR_TASK(answer);

namespace tasks
{
static int square(const void *arg, void *result)
{
    long number = *static_cast<const long *>(arg);
    *static_cast<long *>(result) = number * number;
    return 0;
}
KR_TASK(square);

static int crash(const void *, void *)
{
    std::abort();
}
KR_TASK(crash);
} // namespace tasks

static void ask(kr_start_method start)
{
    KR_AUTO(kr_connection) *ours = nullptr, *theirs = nullptr;
    KR_AUTO(kr_process) *p = nullptr;
    kr_process_options options = {};
    int number = 41, code = -1;
    EXPECT(kr_pipe(&ours, &theirs, nullptr) == 0);
    options.start = start;
    options.connections = &theirs;
    options.connection_count = 1;
    EXPECT(kr_process_start(&p, answer, &number, sizeof number, &options) == 0);
    EXPECT(kr_connection_recv_into(ours, &number, sizeof number, nullptr, kr_sec(30)) == 0);
    EXPECT(kr_process_join(p, &code, kr_sec(30)) == 0);
    EXPECT(number == 42 && code == 0);
}

static void use_pool(kr_start_method start)
{
    KR_AUTO(kr_executor) *pool = nullptr;
    KR_AUTO(kr_future) *future = nullptr;
    kr_pool_options options = {};
    kr_process_pool_options more = {};
    kr_crash report;
    long numbers[] = {1, 2, 3, 4}, squares[4] = {};
    options.workers = 2;
    more.start = start;
    EXPECT(kr_process_pool_with(&pool, &options, &more) == 0);
    EXPECT(kr_map(pool, tasks::square, numbers, sizeof numbers[0], 4, squares, sizeof squares[0],
                  nullptr) == 0);
    EXPECT(squares[0] == 1 && squares[3] == 16);
    EXPECT(kr_submit(pool, &future, tasks::crash, nullptr, 0, 0) == 0);
    EXPECT(kr_future_result(future, nullptr, 0, nullptr, kr_sec(30)) == KR_ECRASHED);
    EXPECT(kr_future_crash(future, &report) == 0);
    EXPECT(report.task == tasks::crash && report.reason == KR_CRASH_DIED);
}

static void share()
{
    KR_AUTO(kr_value) *value = nullptr;
    KR_AUTO(kr_shared_memory) *memory = nullptr;
    int seven = 7, got = 0;
    EXPECT(kr_value_create(&value, sizeof seven, &seven, nullptr) == 0);
    kr_with (kr_value_lock(value))
        ++*static_cast<int *>(kr_value_data(value));
    EXPECT(kr_value_get(value, &got, KR_FOREVER) == 0 && got == 8);
    EXPECT(kr_shared_memory_create(&memory, nullptr, 4096, nullptr) == 0);
    EXPECT(kr_shared_memory_size(memory) == 4096);
}

int main(int argc, char **argv)
{
    kr_init(argc, argv);
    for (kr_start_method start : {KR_FORK, KR_SPAWN, KR_FORKSERVER}) {
        ask(start);
        use_pool(start);
    }
    share();
    return 0;
}
