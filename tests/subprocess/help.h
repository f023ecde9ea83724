/* Other programs in tests: every case leaves no child and no descriptor behind.
 *
 * RUNNER_TEST(name) { ... } is run in a thread and in a coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_SUBPROCESS_HELP_H
#define KRI_TESTS_SUBPROCESS_HELP_H

#include "harness/sanitizers.h"
#include "harness/test.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/krait.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = -3; /* "." and ".." and the folder itself */
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static inline void expect_no_child(void)
{
    siginfo_t info;
    CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    CHECK_EQ(errno, ECHILD);
}

/* The first wait in a scope takes a descriptor that the thread keeps. */
static inline void run_clean(void (*body)(void))
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int pair[2];
    CHECK_EQ(pipe(pair), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kri_wait_fd(pair[0], OS_READABLE, os_now() + 1), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    close(pair[0]);
    close(pair[1]);
    int before = count_descriptors();
    body();
    expect_no_child();
    CHECK_EQ(count_descriptors(), before);
}

static inline int run_clean_coroutine(void *arg)
{
    run_clean(*(void (**)(void))arg);
    return 0;
}

#define RUNNER_TEST(name)                                                                          \
    static void name(void);                                                                        \
    static void name##_in_thread(void)                                                             \
    {                                                                                              \
        run_clean(name);                                                                           \
    }                                                                                              \
    static void name##_in_coroutine(void)                                                          \
    {                                                                                              \
        void (*body)(void) = name;                                                                 \
        CHECK_EQ(kr_run(run_clean_coroutine, &body), 0);                                           \
    }                                                                                              \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        static kri_test_case entries[] = {{#name ".thread", name##_in_thread, NULL},               \
                                          {#name ".coroutine", name##_in_coroutine, NULL}};        \
        kri_test_register(&entries[0]);                                                            \
        kri_test_register(&entries[1]);                                                            \
    }                                                                                              \
    static void name(void)

#define ARGV(...)    ((const char *const[]){__VA_ARGS__, NULL})
#define OPTIONS(...) (&(kr_subprocess_options){__VA_ARGS__})
#define ALL_PIPES    .stdin_to = KR_TO_PIPE, .stdout_to = KR_TO_PIPE, .stderr_to = KR_TO_PIPE

static inline kr_subprocess *start(const char *const *argv, const kr_subprocess_options *options)
{
    kr_subprocess *p;
    CHECK_EQ(kr_subprocess_start(&p, argv, options), 0);
    return p;
}

static inline kr_subprocess *shell(const char *command, const kr_subprocess_options *options)
{
    kr_subprocess *p;
    CHECK_EQ(kr_subprocess_shell(&p, command, options), 0);
    return p;
}

/* One that stays. */
static inline kr_subprocess *stay(void)
{
    return start(ARGV("sleep", "1000"), NULL);
}

/* Wait, and release: its exit code. */
static inline int end(kr_subprocess *p)
{
    int code = 12345;
    CHECK_EQ(kr_subprocess_wait(p, &code, kr_sec(60)), 0);
    kr_subprocess_release(p);
    return code;
}

/* Read one of its outputs to the end, or up to a newline. */
static inline void read_text(kr_subprocess *p, int stream, char *text, size_t size, bool line)
{
    size_t length = 0;
    int fd = kr_subprocess_pipe(p, stream);
    CHECK_GE(fd, 0);
    while (length < size - 1 && (!line || length == 0 || text[length - 1] != '\n')) {
        int64_t n = kr_read(fd, text + length, line ? 1 : size - 1 - length, kr_sec(60));
        CHECK_GE(n, 0);
        if (n == 0)
            break;
        length += (size_t)n;
    }
    text[length] = '\0';
}

static inline void expect_line(kr_subprocess *p, const char *want)
{
    char text[256];
    read_text(p, 1, text, sizeof text, true);
    CHECK_STR(text, want);
}

static inline void forget(kr_subprocess_data *data)
{
    free(data->output);
    free(data->error_output);
    data->output = data->error_output = NULL;
}

#endif
