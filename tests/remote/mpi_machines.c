/* Pools of ranks on two machines, which are namespaces here: of the network, of processes, of names
 * and of shared memory.  So ranks 0 and 1 are on one, 2 and 3 on the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/ranks.h"

/* What the second machine is reached by, in place of ssh: AGENT HOST COMMAND... */
static const char agent[] = "#!/bin/sh\n"
                            "shift\n"
                            "exec ip netns exec other unshare -u -m -p -f --mount-proc sh -c \""
                            "hostname krait-other; mount -t tmpfs none /dev/shm; $*\"\n";

/* The first: COMMAND...  All of it is gone with the last process inside. */
static const char machines[] =
    "set -e; mkdir -p /run/netns; mount -t tmpfs none /run/netns; ip netns add other\n"
    "ip link add krait0 type veth peer name krait1 netns other\n"
    "ip addr add 10.99.0.1/24 dev krait0; ip -n other addr add 10.99.0.2/24 dev krait1\n"
    "for where in '' '-n other'; do ip $where link set lo up; done\n"
    "ip link set krait0 up; ip -n other link set krait1 up\n"
    "exec \"$@\"\n";

#define NETWORK "10.99.0.0/24"

static void write_script(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", ranks_folder, name);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(chmod(path, 0700), 0);
}

static void need_namespaces(void)
{
    if (system("exec >/dev/null 2>&1; command -v ip && "
               "unshare -n -m -p -u -f --mount-proc sh -c 'mount -t tmpfs none /dev/shm && "
               "ip link set lo up'") != 0)
        SKIP("no namespaces may be made here");
}

/* After a death on the other machine mpirun does not notice that all others have come to their end,
 * and has to be told. */
static void await_end(pid_t mpirun, bool stays)
{
    int status = 0;
    while (stays && access(rank_file("passed"), F_OK) != 0) {
        CHECK_EQ(waitpid(mpirun, &status, WNOHANG), 0);
        kri_test_nap();
    }
    if (stays)
        CHECK_EQ(kill(mpirun, SIGTERM), 0);
    CHECK_EQ(waitpid(mpirun, &status, 0), mpirun);
    CHECK(stays || status == 0);
}

static void run_on_machines(const char *name, const char *options)
{
    static char command[4096];
    char program[512];
    need_mpi();
    need_namespaces();
    make_folder();
    write_script("agent", agent);
    write_script("machines", machines);
    set_environment();
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    CHECK(length > 0);
    program[length] = '\0';
    snprintf(command, sizeof command,
             "exec unshare -n -m sh %s/machines mpirun --allow-run-as-root --oversubscribe "
             "--bind-to none --mca plm_rsh_agent %s/agent --mca btl_tcp_if_include " NETWORK
             " --mca oob_tcp_if_include " NETWORK " -x KRAIT_KEY -x KRI_RANKS_FOLDER -x "
             "ASAN_OPTIONS -x TSAN_OPTIONS -H 10.99.0.1:2,10.99.0.2:2 -n 4 %s %s --run %s "
             "</dev/null",
             ranks_folder, ranks_folder, options ? options : "", program, name);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    await_end(child, options != NULL);
    CHECK_EQ(access(rank_file("passed"), F_OK), 0);
}

#define MACHINES_TEST(name, options)                                                               \
    static void name##_in_a_rank(void);                                                            \
    TEST(name)                                                                                     \
    {                                                                                              \
        if (!in_a_rank()) {                                                                        \
            run_on_machines(#name, options);                                                       \
            return;                                                                                \
        }                                                                                          \
        name##_in_a_rank();                                                                        \
        if (rank_number() == 0)                                                                    \
            make_file("passed");                                                                   \
    }                                                                                              \
    static void name##_in_a_rank(void)

static kr_executor *begin_with_lease(kr_time lease)
{
    kr_executor *pool;
    int err = kr_mpi_serve(NULL);
    if (err == KR_SERVED)
        exit(0);
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, &(kr_remote_options){.lease = lease}), 0);
    return pool;
}

MACHINES_TEST(ranks_on_two_machines, NULL)
{
    kr_executor *pool = begin_ranks();
    CHECK_EQ(kr_executor_workers(pool), 3);
    for (long n = 0; n < 200; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    check_blob_back(pool, 5000000);
    check_blob_there(pool, 5000000);
    end(pool);
}

struct work {
    kr_time lasting;
    int on; /* the rank that is meant; the others are done at once */
};

static int compute(const void *arg, void *result)
{
    const struct work *work = arg;
    kr_time begun = kr_now();
    *(int *)result = rank_number();
    while (rank_number() == work->on && kr_now() - begun < work->lasting)
        kri_test_nap();
    return 0;
}
KR_TASK(compute);

/* A rank that nobody here can see, and that is longer in its task than silence is borne. */
MACHINES_TEST(a_long_task_elsewhere, NULL)
{
    kr_executor *pool = begin_with_lease(kr_sec(4));
    kr_remote_counts counts;
    kr_future *futures[3];
    struct work work = {.lasting = kr_sec(5), .on = 3};
    int worked = 0;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], compute, &work, sizeof work, sizeof(int)), 0);
    for (int i = 0; i < 3; i++) {
        int rank = 0;
        CHECK_EQ(kr_future_result(futures[i], &rank, sizeof rank, NULL, KR_FOREVER), 0);
        worked |= 1 << rank;
        kr_future_release(futures[i]);
    }
    CHECK_EQ(worked, 2 | 4 | 8);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.lost, 0);
    end(pool);
}

static int die_on(const void *arg, void *result)
{
    *(int *)result = rank_number();
    if (rank_number() == *(const int *)arg)
        raise(SIGKILL);
    return 0;
}
KR_TASK(die_on);

/* Nobody says so: it falls silent. */
MACHINES_TEST(a_rank_that_dies_elsewhere, "--enable-recovery")
{
    kr_executor *pool = begin_with_lease(kr_sec(2));
    kr_remote_counts counts;
    kr_future *futures[3];
    int victim = 3, died = 0;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], die_on, &victim, sizeof victim, sizeof(int)), 0);
    for (int i = 0; i < 3; i++) {
        int error = error_of(futures[i]);
        CHECK(error == 0 || error == KR_ECRASHED);
        died += error == KR_ECRASHED;
    }
    CHECK_EQ(died, 1);
    for (long n = 0; n < 20; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.lost, 1);
    CHECK_EQ(counts.workers, 2);
    end(pool);
}
