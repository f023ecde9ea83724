/* One body for every back end of a manager: BACKEND_TEST(name) { ... manager_open() ... }.
 *
 * The cases are name.shared and so on.  A back end is a function that says where its manager is, by
 * a name with which any process opens it; a column more is a function, and a line in BACKEND_TEST.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_MANAGER_BACKENDS_H
#define KRI_TESTS_MANAGER_BACKENDS_H

#include "harness/children.h"
#include "harness/redis.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <krait/krait.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct backend {
    const char *name;
    const char *(*where)(void); /* the same at every call of a case, and no other case's */
    bool shared;                /* memory */
} backend;

static inline const char *backend_where_shared(void)
{
    static char name[64];
    if (name[0] == '\0')
        snprintf(name, sizeof name, "krait-test-manager-%d", (int)getpid());
    return name;
}

static const backend backend_shared = {"shared", backend_where_shared, true};

/* A server of the case's own. */
static inline const char *backend_where_redis(void)
{
    static redis_server server;
    if (server.process == 0) {
        kr_manager *m;
        redis_start(&server);
        int err = kr_manager_open(&m, redis_url(&server), NULL);
        if (err == -ENOSYS)
            SKIP("built without hiredis");
        CHECK_EQ(err, 0);
        kr_manager_release(m);
    }
    return redis_url(&server);
}

static const backend backend_redis = {"redis", backend_where_redis, false};

/* What the case runs with. */
static const backend *backend_now = &backend_shared;

#define BACKEND_CASE(name, column)                                                                 \
    static void name##_##column(void)                                                              \
    {                                                                                              \
        backend_now = &backend_##column;                                                           \
        name();                                                                                    \
    }                                                                                              \
    __attribute__((constructor)) static void name##_##column##_register(void)                      \
    {                                                                                              \
        static kri_test_case entry = {#name "." #column, name##_##column, NULL};                   \
        kri_test_register(&entry);                                                                 \
    }

#define BACKEND_TEST(name)                                                                         \
    static void name(void);                                                                        \
    BACKEND_CASE(name, shared)                                                                     \
    BACKEND_CASE(name, redis)                                                                      \
    static void name(void)

static inline kr_manager *manager_open(void)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, backend_now->where(), NULL), 0);
    return m;
}

/* Workers: a child that inherits the manager's handle, and a process that is no relation and knows
 * where it is only. */

enum { WHERE_MOST = 256 };

typedef void (*worker_body)(kr_manager *m);

typedef struct worker_call {
    char where[WHERE_MOST];
    int index; /* of the body */
} worker_call;

/* The bodies that may run elsewhere: WORKER(body) at file scope. */
static worker_body workers[32];
static int worker_count;

#define WORKER(body)                                                                               \
    __attribute__((constructor)) static void body##_worker(void)                                   \
    {                                                                                              \
        workers[worker_count++] = body;                                                            \
    }                                                                                              \
    typedef int body##_worker_semicolon

static inline int worker_main(void *arg)
{
    const worker_call *call = arg;
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, call->where, NULL), 0);
    workers[call->index](m);
    kr_manager_release(m);
    return 0;
}
KR_TASK(worker_main);

/* A case that has started others before says that it needs it at its begin. */
static inline kr_process *worker_start_elsewhere(worker_body body)
{
    NEED_PROCESSES;
    kr_process *p = NULL;
    worker_call call = {.index = 0};
    while (workers[call.index] != body)
        CHECK_LE(++call.index, worker_count - 1);
    snprintf(call.where, sizeof call.where, "%s", backend_now->where());
    CHECK_EQ(kr_process_start(&p, worker_main, &call, sizeof call,
                              &(kr_process_options){.start = KR_SPAWN}),
             0);
    return p;
}

static inline void worker_end_elsewhere(kr_process *p)
{
    int code = 12345;
    CHECK_EQ(kr_process_join(p, &code, kr_sec(60)), 0);
    CHECK_EQ(code, 0);
    kr_process_release(p);
}

static inline void run_elsewhere(worker_body body)
{
    worker_end_elsewhere(worker_start_elsewhere(body));
}

static inline pid_t worker_start_child(kr_manager *m, worker_body body)
{
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id == 0) {
        body(m);
        _exit(0);
    }
    return id;
}

static inline void run_child(kr_manager *m, worker_body body)
{
    reap(worker_start_child(m, body));
}

#endif
