/* The main program of every test: lists its cases, or runs one, or each in a process of its own.
 *
 *     program              run all, one line each; status 1 when one failed
 *     program --list       their names
 *     program --run NAME   one, in this process: status 0 passed, 77 skipped, else failed
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"

#include "wait/wait.h"
#include <krait/init.h>

#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef KRI_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { SKIPPED = 77, PATIENCE_SECONDS = 30 };

static kri_test_case *first_case;
static kri_test_case **last_case = &first_case;

void kri_test_register(kri_test_case *entry)
{
    *last_case = entry;
    last_case = &entry->next;
}

/* Whole lines in one write, so that those of several threads do not mix. */
__attribute__((format(printf, 2, 0))) static void print_line(const char *prefix, const char *format,
                                                             va_list values)
{
    char line[2048];
    int start = snprintf(line, sizeof line, "%s", prefix);
    vsnprintf(line + start, sizeof line - (size_t)start - 1, format, values);
    size_t length = strlen(line);
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        _exit(1);
}

void kri_test_note(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    print_line("# ", format, values);
    va_end(values);
}

void kri_test_fail(const char *file, int line, const char *format, ...)
{
    char where[512];
    snprintf(where, sizeof where, "%s:%d: ", file, line);
    va_list values;
    va_start(values, format);
    print_line(where, format, values);
    va_end(values);
    _exit(1);
}

void kri_test_skip(const char *why)
{
    kri_test_note("skipped: %s", why);
    _exit(SKIPPED);
}

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void choose_seed(void)
{
    const char *given = getenv("KR_SEED");
    if (given && *given) {
        seed = strtoull(given, NULL, 0);
    } else {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t state = (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
        seed = kri_test_random(&state);
    }
    fprintf(stderr, "seed: KR_SEED=%llu\n", (unsigned long long)seed);
}

uint64_t kri_test_seed(void)
{
    pthread_once(&seed_once, choose_seed);
    return seed;
}

/* It hides itself in /proc/self/exe, but not here. */
static bool runs_under_qemu(void)
{
    char path[512];
    ssize_t length = readlink("/proc/thread-self/exe", path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    const char *name = strrchr(path, '/');
    return name && strncmp(name, "/qemu-", 6) == 0;
}

bool kri_test_emulated(void)
{
    return getenv("KR_TRY") == NULL && runs_under_qemu();
}

bool kri_test_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

bool kri_test_no_pidfd(void)
{
    if (!kri_test_valgrind())
        return false;
    long fd = syscall(SYS_pidfd_open, getpid(), 0);
    if (fd >= 0)
        close((int)fd);
    return fd < 0;
}

void kri_test_sanitizer_option(const char *variable, const char *option)
{
    char text[1024];
    const char *before = getenv(variable);
    CHECK(snprintf(text, sizeof text, "%s:%s", before ? before : "", option) < (int)sizeof text);
    CHECK_EQ(setenv(variable, text, 1), 0);
}

long kri_test_system_call(long number)
{
    enum { FUTEX_OF_X86_64 = 202, PPOLL_OF_X86_64 = 271 };
    if (!runs_under_qemu())
        return number;
    return number == SYS_futex ? FUTEX_OF_X86_64 : number == SYS_ppoll ? PPOLL_OF_X86_64 : number;
}

uint64_t kri_test_random(uint64_t *state)
{
    /* SplitMix64: any start will do, zero too. */
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

int kri_test_budget(void)
{
    const char *given = getenv("KR_BUDGET");
    int seconds = given ? atoi(given) : 0;
    return seconds > 0 ? seconds : 1;
}

void kri_test_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

void kri_test_linger(void)
{
    for (int i = 0; i < 100; i++)
        kri_test_nap();
}

void kri_test_wait_parked(kr_word *word, int count)
{
    for (int naps = 0; kri_waiting(word) < count; naps++) {
        if (naps == PATIENCE_SECONDS * 10000)
            kri_test_fail(__FILE__, __LINE__, "%d wait on the word, not %d", kri_waiting(word),
                          count);
        kri_test_nap();
    }
}

/* What only the stacks of vanished threads pointed to is lost in a forked child, and no leak. */
static pid_t first_process;

__attribute__((constructor)) static void remember_process(void)
{
    first_process = getpid();
}

KR_API int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return getpid() != first_process;
}

static const char *case_name;

const char *kri_test_name(void)
{
    return case_name;
}

static int run_here(const kri_test_case *entry)
{
    case_name = entry->name;
#ifndef KRI_TEST_WITHOUT_PROCESSES
    kri_test_watch_forks();
#endif
    entry->run();
    return 0;
}

static int run_in_child(const kri_test_case *entry)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 1;
    }
    if (child == 0)
        exit(run_here(entry));
    int status = 0;
    if (waitpid(child, &status, 0) < 0)
        return 1;
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

static int run_all(void)
{
    int failed = 0;
    for (const kri_test_case *entry = first_case; entry; entry = entry->next) {
        int status = run_in_child(entry);
        const char *verdict = status == 0 ? "ok" : status == SKIPPED ? "skipped" : "FAILED";
        printf("%-8s %s\n", verdict, entry->name);
        failed += status != 0 && status != SKIPPED;
    }
    return failed > 0;
}

static int run_named(const char *name)
{
    for (const kri_test_case *entry = first_case; entry; entry = entry->next)
        if (strcmp(entry->name, name) == 0)
            return run_here(entry);
    fprintf(stderr, "no case is called %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
#ifndef KRI_TEST_WITHOUT_PROCESSES /* the explorer knows none */
    kr_init(argc, argv);
#endif
    /* A shell that starts us in the background has them ignored. */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (argc == 1)
        return run_all();
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const kri_test_case *entry = first_case; entry; entry = entry->next)
            puts(entry->name);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--run") == 0)
        return run_named(argv[2]);
    fprintf(stderr, "usage: %s [--list | --run NAME]\n", argv[0]);
    return 2;
}
