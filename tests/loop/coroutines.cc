/* Coroutines from C++: the macros of their headers, exceptions inside one, and objects that end
 * with their block where a wait is cut short.
 *
 * tools/check_docs.py compiles it as C++17 with each compiler that is there, and runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <sys/socket.h>

static void expect(bool right, const char *what, int line)
{
    if (!right) {
        std::fprintf(stderr, "error: %s:%d: %s is false\n", __FILE__, line, what);
        std::exit(1);
    }
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)

static int alive;

struct counted {
    counted()
    {
        alive++;
    }
    ~counted()
    {
        alive--;
    }
};

/* Each throws through a frame of its own, after the others have run. */
static int throw_and_catch(const void *arg, void *result)
{
    int number = *static_cast<const int *>(arg);
    try {
        counted object;
        EXPECT(kr_yield() == 0);
        throw std::runtime_error("thrown");
    } catch (const std::runtime_error &) {
        number *= 2;
    }
    EXPECT(kr_yield() == 0);
    *static_cast<int *>(result) = number;
    return 0;
}

static void throw_in_many()
{
    enum { MANY = 10 };
    kr_future *futures[MANY];
    for (int i = 0; i < MANY; i++)
        EXPECT(kr_spawn(&futures[i], throw_and_catch, &i, sizeof i, sizeof i, nullptr) == 0);
    EXPECT(kr_gather(futures, MANY, nullptr, nullptr, kr_sec(30)) == 0);
    for (int i = 0; i < MANY; i++) {
        int twice = -1;
        EXPECT(kr_future_result(futures[i], &twice, sizeof twice, nullptr, KR_NOWAIT) == 0);
        EXPECT(twice == 2 * i);
        kr_future_release(futures[i]);
    }
    EXPECT(alive == 0);
}

static void leave_timeouts()
{
    kr_timeout limit;
    int caught = 0;
    kr_timeout_scope (&limit, kr_ms(1)) {
        counted object;
        EXPECT(kr_sleep(kr_sec(30)) == -ECANCELED);
    }
    EXPECT(limit.result == -ETIMEDOUT && alive == 0);
    try {
        kr_timeout_scope (&limit, kr_sec(30))
            throw 9;
    } catch (int number) {
        caught = number;
    }
    EXPECT(caught == 9 && limit.result == 0);
    EXPECT(kr_sleep(kr_ms(1)) == 0);
}

static const kr_context_var number = KR_CONTEXT_VAR_INIT(sizeof(int), nullptr, nullptr);

static int get_number(const void *, void *result)
{
    return kr_context_var_get(&number, result);
}

static void hand_down()
{
    int seven = 7, got = 0;
    KR_AUTO(kr_future) *future = nullptr;
    EXPECT(kr_context_var_set(&number, &seven, nullptr) == 0);
    EXPECT(kr_spawn(&future, get_number, nullptr, 0, sizeof got, nullptr) == 0);
    EXPECT(kr_wait_for(future, &got, sizeof got, nullptr, kr_sec(30)) == 0 && got == 7);
}

static void talk()
{
    int ends[2];
    const char *line;
    size_t length;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    KR_AUTO(kr_stream) *ours = nullptr, *theirs = nullptr;
    EXPECT(kr_stream_open(&ours, ends[0], nullptr) == 0);
    EXPECT(kr_stream_open(&theirs, ends[1], nullptr) == 0);
    EXPECT(kr_stream_write(ours, "line\n", 5, nullptr, kr_sec(30)) == 0);
    EXPECT(kr_stream_read_line(theirs, &line, &length, kr_sec(30)) == 0 && length == 5);
}

static void run_another()
{
    const char *const argv[] = {"echo", "there", nullptr};
    kr_subprocess_data data = {};
    int code = -1;
    EXPECT(kr_subprocess_run(argv, nullptr, &data, &code, kr_sec(30)) == 0);
    EXPECT(code == 0 && data.output_size == 6);
    std::free(data.output);
    std::free(data.error_output);
}

static int program(void *)
{
    throw_in_many();
    leave_timeouts();
    hand_down();
    talk();
    run_another();
    return 5;
}

int main()
{
    EXPECT(kr_run(program, nullptr) == 5);
    return 0;
}
