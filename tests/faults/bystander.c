/* A worker that ends its task while it is about to be killed for it: whoever kills is held up until
 * the worker has gone as far as it can.  What comes next must not be hit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "process_pool/help.h"

#include <sched.h>
#include <sys/wait.h>

/* Shared with the worker. */
struct race {
    kr_semaphore entered;
    kr_event open;
    kr_word begun; /* atomic: 1: the worker that was to be killed has begun something else */
    int pid;       /* its */
    unsigned char *large;
};

enum { LARGE = 64 << 20, LIMIT = 48 << 20 };

static struct race *race;

static struct race *race_new(void)
{
    struct race *r = shared_pages(sizeof *r);
    CHECK_EQ(kr_semaphore_init(&r->entered, 0, &(kr_semaphore_options){.scope = KR_SHARED}), 0);
    r->open = (kr_event)KR_EVENT_INIT_SHARED;
    return r;
}

static int takes_too_long(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    race->pid = getpid();
    volatile unsigned char sum = 0;
    for (size_t i = 0; race->large && i < LARGE; i += 4096)
        sum = (unsigned char)(sum + race->large[i]);
    (void)kr_semaphore_release(&race->entered, 1);
    return kr_event_wait(&race->open, KR_FOREVER);
}

/* Where it could be hit it stays until it is. */
static int stands_by(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    if (getpid() != race->pid)
        return 0;
    kri_store_sc(&race->begun, 1);
    for (;;)
        pause();
}

static int either(const void *arg, void *result)
{
    return *(const int *)arg == 0 ? takes_too_long(NULL, result) : stands_by(NULL, result);
}

static bool is_over(int pid)
{
    siginfo_t info = {0};
    int err = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return err < 0 || info.si_pid == pid;
}

static void let_it_go_on(void *arg)
{
    (void)arg;
    kr_event_set(&race->open);
    while (!kri_load_sc(&race->begun) && !is_over(race->pid))
        sched_yield();
}

static void check_next_one_is_spared(kr_process_pool_options more, int error)
{
    kr_executor *pool = pool_with(1, more);
    faulty_before_kill(let_it_go_on, NULL);
    kr_future *slow = submit(pool, takes_too_long), *next = submit(pool, stands_by);
    int slow_error = error_of(slow);
    CHECK_EQ(error_of(next), 0);
    CHECK_EQ(slow_error, error);
    end(pool);
}

TEST(a_time_limit_spares_the_next_task)
{
    race = race_new();
    check_next_one_is_spared((kr_process_pool_options){.task_timeout = kr_ms(500)}, -ETIMEDOUT);
}

TEST(a_memory_limit_spares_the_next_task)
{
    if (KRI_SANITIZED)
        SKIP("sanitizers map terabytes");
    race = race_new();
    race->large = shared_pages(LARGE);
    memset(race->large, 1, LARGE);
    check_next_one_is_spared((kr_process_pool_options){.memory_limit = LIMIT}, KR_ECRASHED);
}

TEST(a_time_limit_spares_the_next_item)
{
    race = race_new();
    kr_executor *pool = pool_with(1, (kr_process_pool_options){.task_timeout = kr_ms(500)});
    int args[] = {0, 1, 2}, errors[] = {1, 1, 1};
    kr_map_options options = {.chunk = 3, .errors = errors};
    faulty_before_kill(let_it_go_on, NULL);
    CHECK_EQ(kr_map(pool, either, args, sizeof *args, 3, NULL, 0, &options), -ETIMEDOUT);
    CHECK_EQ(errors[1], 0);
    CHECK_EQ(errors[2], 0);
    CHECK_EQ(errors[0], -ETIMEDOUT);
    end(pool);
}

struct canceller {
    kr_executor *pool;
    kr_cancel_scope *scope;
    kr_future *next;
};

static int cancel_inside(void *arg)
{
    struct canceller *c = *(struct canceller **)arg;
    CHECK_EQ(kr_semaphore_acquire(&race->entered, KR_FOREVER), 0);
    c->next = submit(c->pool, stands_by);
    kr_cancel(c->scope);
    return 0;
}

TEST(a_cancelled_map_spares_the_next_task)
{
    race = race_new();
    kr_cancel_scope scope = {0};
    struct canceller c = {.pool = pool_with(1, (kr_process_pool_options){0}), .scope = &scope};
    struct canceller *at = &c;
    kr_thread *thread;
    int arg = 0;
    faulty_before_kill(let_it_go_on, NULL);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_start(&thread, cancel_inside, &at, sizeof at, NULL), 0);
    int err = kr_map(c.pool, either, &arg, sizeof arg, 1, NULL, 0, NULL);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(kr_thread_join(thread, NULL, KR_FOREVER), 0);
    kr_thread_release(thread);
    CHECK_EQ(error_of(c.next), 0);
    CHECK_EQ(err, -ECANCELED);
    end(c.pool);
}
