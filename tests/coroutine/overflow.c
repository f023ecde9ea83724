/* A coroutine that runs over its stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/context.h"
#include "coroutine/slab.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static kri_context outer, inner;
static kri_stack stack;
static const char *deepest;

/* Small frames, so that the canary is not stepped over, each with something written. */
__attribute__((noinline)) static int recurse(int depth)
{
    volatile int here[8];
    for (int i = 0; i < 8; i++)
        here[i] = depth + i + 1;
    return (const char *)here < deepest ? here[3] : recurse(depth + 1) + here[depth % 8];
}

static void run_over(void *arg)
{
    (void)arg;
    recurse(0);
    for (;;)
        kri_context_switch(&inner, &outer);
}

static const char *name(void)
{
    return "digger";
}

/* Down to so many bytes below the stack. */
static void dig(size_t below)
{
    kri_stack_ask_name(name);
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    CHECK_EQ(kri_stack_take(&stack, 32 * 1024), 0);
    deepest = stack.low - below;
    kri_context_of_thread(&outer);
    CHECK_EQ(kri_context_make(&inner, &stack, stack.low + stack.size, run_over, NULL), 0);
    kri_context_switch(&outer, &inner);
    if (!kri_stack_intact(&stack))
        kri_stack_abort(&stack, name());
}

typedef struct outcome {
    int status;
    char text[4096];
} outcome;

static outcome in_child(void (*body)(void))
{
    int ends[2];
    outcome result = {.status = 0};
    size_t length = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; length < sizeof result.text - 1; length += (size_t)got) {
        got = read(ends[0], result.text + length, sizeof result.text - 1 - length);
        if (got <= 0)
            break;
    }
    close(ends[0]);
    CHECK_EQ(waitpid(child, &result.status, 0), child);
    return result;
}

#define SENTENCE                                                                                   \
    "krait: the coroutine digger has run over its stack of 32768 bytes; give it a larger"

/* Sanitizers end the process in their own way, after the sentence. */
static void check_ended(const outcome *result, int signo)
{
    if (strstr(result->text, SENTENCE) == NULL)
        kri_test_fail(__FILE__, __LINE__, "it said \"%s\"", result->text);
    if (!KRI_SANITIZED) {
        CHECK(WIFSIGNALED(result->status));
        CHECK_EQ(WTERMSIG(result->status), signo);
    }
    CHECK(result->status != 0);
}

static void dig_for_ever(void)
{
    dig(1 << 24);
}

TEST(test_overflow_of_a_lightweight_guard)
{
    if (strcmp(kri_stack_guard(), "lightweight guards") != 0)
        SKIP("the system has none");
    outcome result = in_child(dig_for_ever);
    check_ended(&result, SIGSEGV);
}

TEST(test_overflow_of_a_guard_page)
{
    kri_stack_allow_guard(KRI_GUARD_MAPPED);
    outcome result = in_child(dig_for_ever);
    check_ended(&result, SIGSEGV);
}

static void dig_a_little(void)
{
    dig(1000);
}

TEST(test_overflow_into_a_canary)
{
    kri_stack_allow_guard(KRI_GUARD_CANARY);
    outcome result = in_child(dig_a_little);
    check_ended(&result, SIGABRT);
}

/* In a loop */

static int run_over_as_a_task(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    char here;
    deepest = &here - (1 << 24);
    CHECK_EQ(kr_task_set_name("digger"), 0);
    return recurse(0);
}

static int spawn_digger(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_spawn(NULL, run_over_as_a_task, NULL, 0, 0, NULL), 0);
    return kr_sleep(kr_sec(100));
}

static void dig_in_a_loop(void)
{
    kr_run_options options = {.stack_size = 32 * 1024};
    CHECK_EQ(kr_run_with(spawn_digger, NULL, &options), 0);
}

TEST(test_overflow_in_a_loop)
{
    outcome result = in_child(dig_in_a_loop);
    check_ended(&result, SIGSEGV);
}

/* The program's own handlers */

static void *volatile seen;
static void *forbidden;

static void own_handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    seen = info->si_addr;
    static const char text[] = "own handler\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(42);
}

static void install_own(void)
{
    struct sigaction own = {.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK_EQ(sigaction(SIGSEGV, &own, NULL), 0);
}

static void dig_with_own_handler(void)
{
    install_own();
    dig_for_ever();
}

TEST(test_own_handler_comes_after_the_sentence)
{
    outcome result = in_child(dig_with_own_handler);
    CHECK(strstr(result.text, SENTENCE) != NULL);
    CHECK(strstr(result.text, "own handler") != NULL);
    CHECK(WIFEXITED(result.status));
    CHECK_EQ(WEXITSTATUS(result.status), 42);
}

static void touch_forbidden(void)
{
    install_own();
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    *(volatile char *)forbidden = 1;
}

TEST(test_other_faults_are_not_ours)
{
    forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(forbidden != MAP_FAILED);
    outcome result = in_child(touch_forbidden);
    CHECK_STR(result.text, "own handler\n");
    CHECK_EQ(WEXITSTATUS(result.status), 42);
}

static void send_fault(void)
{
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    raise(SIGSEGV);
    raise(SIGSEGV);
}

TEST(test_a_sent_signal_has_its_default)
{
    outcome result = in_child(send_fault);
    CHECK(strstr(result.text, "krait") == NULL || KRI_SANITIZED);
    CHECK(result.status != 0);
}

TEST(test_handlers_are_as_before_in_the_end)
{
    struct sigaction before, after;
    CHECK_EQ(sigaction(SIGSEGV, NULL, &before), 0);
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    kri_stack_unwatch_overflow();
    CHECK_EQ(sigaction(SIGSEGV, NULL, &after), 0);
    CHECK(after.sa_sigaction != before.sa_sigaction);
    kri_stack_unwatch_overflow();
    CHECK_EQ(sigaction(SIGSEGV, NULL, &after), 0);
    CHECK(after.sa_sigaction == before.sa_sigaction);
}
