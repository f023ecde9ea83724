/* Running a case in the ranks of an MPI job that it starts itself.
 *
 *     RANKS_TEST(name, 4, NULL)
 *     {
 *         kr_executor *pool = begin_ranks();      // the others serve, and exit
 *         ...
 *     }
 *
 * The body runs in every rank; the case itself is mpirun, and passes when all of them do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_REMOTE_RANKS_H
#define KRI_TESTS_REMOTE_RANKS_H

#include "remote/help.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char ranks_folder[] = KRI_TEST_BUILD "/ranks.XXXXXX";
static pid_t ranks_owner;

static inline bool in_a_rank(void)
{
    return getenv("KRI_RANKS_FOLDER") != NULL;
}

static inline int rank_number(void)
{
    const char *number = getenv("OMPI_COMM_WORLD_RANK");
    return number ? atoi(number) : 0;
}

/* A file of the case's own, which all its ranks know by this name. */
static inline const char *rank_file(const char *name)
{
    static _Thread_local char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("KRI_RANKS_FOLDER"), name);
    return path;
}

/* MPI leaks, and knows nothing of thread sanitizers. */
static inline void set_environment(void)
{
    CHECK_EQ(setenv("KRI_RANKS_FOLDER", ranks_folder, 1), 0);
    /* Else what killed ranks shared lies in /dev/shm for ever: Open MPI 4, and 5. */
    CHECK_EQ(setenv("OMPI_MCA_btl_vader_backing_directory", ranks_folder, 1), 0);
    CHECK_EQ(setenv("OMPI_MCA_btl_sm_backing_directory", ranks_folder, 1), 0);
    kri_test_sanitizer_option("ASAN_OPTIONS", "detect_leaks=0");
    kri_test_sanitizer_option("TSAN_OPTIONS", "ignore_noninstrumented_modules=1");
    if (!getenv("KRAIT_KEY"))
        CHECK_EQ(setenv("KRAIT_KEY", TEST_KEY, 1), 0);
}

static inline _Noreturn void be_mpirun(const char *name, int ranks, const char *options)
{
    char program[512], command[2048];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    snprintf(command, sizeof command,
             "exec mpirun --allow-run-as-root --oversubscribe --bind-to none -n %d %s '%s' --run "
             "%s </dev/null",
             ranks, options ? options : "", program, name);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static inline void remove_folder(void)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", ranks_folder);
    if (getpid() == ranks_owner && system(command) != 0)
        perror(command);
}

static inline void make_folder(void)
{
    CHECK(mkdtemp(ranks_folder) != NULL);
    ranks_owner = getpid();
    CHECK_EQ(atexit(remove_folder), 0);
}

static inline void need_mpi(void)
{
    if (kr_mpi_missing())
        SKIP(kr_mpi_missing());
    if (system("command -v mpirun >/dev/null 2>&1") != 0)
        SKIP("there is no mpirun (openmpi-bin)");
}

/* The number of the process; its ranks run the case. */
static inline pid_t start_ranks(const char *name, int ranks, const char *options)
{
    need_mpi();
    make_folder();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        set_environment();
        be_mpirun(name, ranks, options);
    }
    return child;
}

static inline int end_of_ranks(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void make_file(const char *name)
{
    int fd = open(rank_file(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);
}

/* The status of mpirun may be 0 though a rank has failed, where it lets others live. */
static inline void run_ranks(const char *name, int ranks, const char *options)
{
    CHECK_EQ(end_of_ranks(start_ranks(name, ranks, options)), 0);
    CHECK_EQ(setenv("KRI_RANKS_FOLDER", ranks_folder, 1), 0);
    CHECK_EQ(access(rank_file("passed"), F_OK), 0);
    CHECK_EQ(unsetenv("KRI_RANKS_FOLDER"), 0);
}

#define RANKS_TEST(name, ranks, options)                                                           \
    static void name##_in_a_rank(void);                                                            \
    TEST(name)                                                                                     \
    {                                                                                              \
        if (!in_a_rank()) {                                                                        \
            run_ranks(#name, ranks, options);                                                      \
            return;                                                                                \
        }                                                                                          \
        name##_in_a_rank();                                                                        \
        if (rank_number() == 0)                                                                    \
            make_file("passed");                                                                   \
    }                                                                                              \
    static void name##_in_a_rank(void)

/* Rank 0 comes back with a pool. */
static inline kr_executor *begin_ranks_with(const kr_pool_options *options)
{
    kr_executor *pool;
    int err = kr_mpi_serve(NULL);
    if (err == KR_SERVED)
        exit(0);
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_mpi_pool(&pool, options, NULL), 0);
    return pool;
}

static inline kr_executor *begin_ranks(void)
{
    return begin_ranks_with(NULL);
}

/* A task that is at work until a file is there. */
struct gate_name {
    char path[512];
};

static inline int wait_for_file(const void *arg, void *result)
{
    const struct gate_name *gate = arg;
    (void)result;
    while (access(gate->path, F_OK) != 0)
        kri_test_nap();
    return 0;
}
KR_TASK(wait_for_file);

static inline kr_future *submit_gate(kr_executor *pool, const char *name)
{
    struct gate_name gate = {{0}};
    kr_future *f;
    snprintf(gate.path, sizeof gate.path, "%s", rank_file(name));
    CHECK_EQ(kr_submit(pool, &f, wait_for_file, &gate, sizeof gate, 0), 0);
    return f;
}

static inline void wait_running(const kr_future *f)
{
    while (!kr_future_running(f))
        kri_test_nap();
}

#endif
