/* The executor that pools on other machines share, on a wire that ends where it begins.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/help.h"

#include "os/os.h"
#include "process/internal.h"
#include "remote/cluster.h"

struct wire {
    kri_cluster cluster; /* first */
    kri_signer signer;
    kr_event open; /* what was taken goes on only then */
    kr_semaphore taken;
    int fails;  /* every task that is taken; 0: none */
    int breaks; /* the link itself, once it has taken one */
};

static void carry(struct wire *w, kri_errand *errand)
{
    kri_message head = {.session = "a session"}, task, result;
    size_t size;
    unsigned char *reply;
    unsigned char *bytes = kri_errand_write(errand, &w->signer, &head, &size);
    CHECK(bytes != NULL);
    CHECK_EQ(kri_message_open(&w->signer, kri_task_table_sum(), bytes, size, &task), 0);
    CHECK_EQ(
        kri_errand_run(&task, bytes + KRI_MESSAGE_HEAD, w->cluster.max_message, &reply, &result),
        0);
    os_free(bytes);
    CHECK(kri_cluster_hand_in(&w->cluster, &result, reply + KRI_MESSAGE_HEAD));
    CHECK(!kri_cluster_hand_in(&w->cluster, &result, reply + KRI_MESSAGE_HEAD));
    os_free(reply);
}

static int run_wire(kri_cluster *c)
{
    struct wire *w = (struct wire *)c;
    for (;;) {
        uint32_t seen = kri_load_acq(&c->bell);
        kri_errand *errand = kri_cluster_take(c);
        if (!errand && kri_cluster_is_over(c))
            return 0;
        if (!errand) {
            (void)kri_wait(&c->bell, seen, KRI_NEVER, KRI_UNCANCELLABLE | KRI_IDLE);
            continue;
        }
        CHECK_EQ(kr_semaphore_release(&w->taken, 1), 0);
        CHECK_EQ(kr_event_wait(&w->open, KR_FOREVER), 0);
        if (w->breaks)
            return w->breaks;
        if (w->fails)
            kri_cluster_fail(c, errand->number, w->fails);
        else
            carry(w, errand);
    }
}

static void destroy_wire(kri_cluster *c)
{
    struct wire *w = (struct wire *)c;
    kri_signer_end(&w->signer);
    kri_cluster_empty(c);
    os_free(w);
}

static const kri_link_ops wire_ops = {.run = run_wire, .destroy = destroy_wire};

static struct wire *wire_with(const kr_pool_options *options, const kr_remote_options *remote)
{
    struct wire *w = os_alloc(sizeof *w);
    CHECK(w != NULL);
    int err = kri_signer_begin(&w->signer, TEST_KEY, strlen(TEST_KEY));
    if (err == -ENOSYS)
        SKIP("this build knows no keyed digests");
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_semaphore_init(&w->taken, 0, NULL), 0);
    CHECK_EQ(kri_cluster_begin(&w->cluster, &wire_ops, options, remote, "wire"), 0);
    CHECK_EQ(kri_cluster_start(&w->cluster, 2), 0);
    return w;
}

static struct wire *wire(void)
{
    struct wire *w = wire_with(&(kr_pool_options){0}, &(kr_remote_options){0});
    kr_event_set(&w->open);
    return w;
}

static struct wire *held_wire(void)
{
    return wire_with(&(kr_pool_options){0}, &(kr_remote_options){0});
}

static kr_executor *pool_of(struct wire *w)
{
    return &w->cluster.executor;
}

static kr_future *submit_square(struct wire *w, long n)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool_of(w), &f, square, &n, sizeof n, sizeof n), 0);
    return f;
}

static void wait_taken(struct wire *w)
{
    CHECK_EQ(kr_semaphore_acquire(&w->taken, KR_FOREVER), 0);
}

TEST(test_submit)
{
    struct wire *w = wire();
    for (long n = 0; n < 100; n++)
        CHECK_EQ(square_of(pool_of(w), n), n * n);
    kr_remote_counts counts;
    CHECK_EQ(kr_remote_read_counts(pool_of(w), &counts), 0);
    CHECK_EQ(counts.sent, 100);
    CHECK_EQ(counts.done, 100);
    end(pool_of(w));
}

TEST(more_tasks_than_can_be_sent)
{
    enum { COUNT = 3 * KRI_ERRANDS };
    static kr_future *futures[COUNT];
    struct wire *w = wire();
    for (long n = 0; n < COUNT; n++)
        futures[n] = submit_square(w, n);
    for (long n = 0; n < COUNT; n++) {
        long result = 0;
        CHECK_EQ(kr_future_result(futures[n], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(futures[n]);
    }
    end(pool_of(w));
}

TEST(errors_of_tasks)
{
    struct wire *w = wire();
    kr_future *f;
    CHECK_EQ(kr_submit(pool_of(w), &f, fail_io, NULL, 0, 100), 0);
    CHECK_EQ(error_of(f), -EIO);
    CHECK_EQ(kr_submit(pool_of(w), &f, tell_pid, NULL, 0, sizeof(int)), 0);
    CHECK_EQ(error_of(f), 0);
    end(pool_of(w));
}

static int stays_at_home(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

TEST(what_cannot_travel)
{
    struct wire *w = wire_with(&(kr_pool_options){0}, &(kr_remote_options){.max_message = 1 << 20});
    kr_executor *pool = pool_of(w);
    kr_future *f;
    long n = 1;
    static char large[(1 << 20) + 1];
    kr_event_set(&w->open);
    CHECK_EQ(kr_submit(pool, &f, stays_at_home, NULL, 0, 0), KR_ETASK);
    CHECK_EQ(kr_submit(pool, &f, square, &n, 0, sizeof n), -EINVAL);
    CHECK_EQ(kr_submit(pool, &f, square, NULL, sizeof n, sizeof n), -EINVAL);
    CHECK_EQ(kr_submit(pool, &f, check_blob, large, sizeof large, 0), -EMSGSIZE);
    CHECK_EQ(kr_submit(pool, &f, make_blob, &n, sizeof n, sizeof large), -EMSGSIZE);
    CHECK(f == NULL);
    CHECK_EQ(kr_map(pool, square, &n, 0, 3, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(square_of(pool, 5), 25);
    end(pool);
}

TEST(sizes)
{
    struct wire *w = wire();
    static const size_t sizes[] = {0, 1, 15, 16, 4096, 100000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_blob_back(pool_of(w), sizes[i]);
        check_blob_there(pool_of(w), sizes[i]);
    }
    end(pool_of(w));
}

TEST(test_cancel)
{
    struct wire *w = held_wire();
    kr_future *first = submit_square(w, 3), *second = submit_square(w, 4);
    wait_taken(w);
    CHECK(kr_future_running(first));
    CHECK(!kr_future_running(second));
    CHECK_EQ(kr_future_cancel(first), -EALREADY);
    CHECK_EQ(kr_future_cancel(second), 0);
    CHECK(kr_future_cancelled(second));
    kr_event_set(&w->open);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), -ECANCELED);
    end(pool_of(w));
}

TEST(lanes)
{
    struct wire *w = held_wire();
    kr_future *futures[4];
    kr_priority lanes[] = {KR_PRIORITY_NORMAL, KR_PRIORITY_LOW, KR_PRIORITY_NORMAL,
                           KR_PRIORITY_HIGH};
    futures[0] = submit_square(w, 0);
    wait_taken(w);
    for (long n = 1; n < 4; n++)
        CHECK_EQ(kr_submit_with(pool_of(w), &futures[n], square, &n, sizeof n, sizeof n,
                                &(kr_submit_options){.priority = lanes[n]}),
                 0);
    kr_future *done[4];
    kr_event_set(&w->open);
    CHECK_EQ(error_of(futures[0]), 0);
    CHECK_EQ(error_of(futures[1]), 0);
    done[2] = futures[2];
    done[3] = futures[3];
    CHECK(kr_future_done(done[2]) && kr_future_done(done[3]));
    kr_future_release(done[2]);
    kr_future_release(done[3]);
    end(pool_of(w));
}

TEST(test_max_queued)
{
    struct wire *w = wire_with(&(kr_pool_options){.max_queued = 1}, &(kr_remote_options){0});
    kr_future *f, *first = submit_square(w, 1);
    long n = 2;
    wait_taken(w);
    kr_future *second = submit_square(w, 2);
    CHECK_EQ(kr_submit_with(pool_of(w), &f, square, &n, sizeof n, sizeof n,
                            &(kr_submit_options){.dont_wait = true}),
             -ETIMEDOUT);
    CHECK_EQ(kr_submit_with(pool_of(w), &f, square, &n, sizeof n, sizeof n,
                            &(kr_submit_options){.timeout = kr_ms(20)}),
             -ETIMEDOUT);
    CHECK_EQ(kr_future_cancel(second), 0); /* which makes room */
    kr_future *third = submit_square(w, 3);
    kr_event_set(&w->open);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), -ECANCELED);
    CHECK_EQ(error_of(third), 0);
    end(pool_of(w));
}

TEST(test_interpreter_shutdown)
{
    static struct wire *w; /* which is no leak */
    w = wire();
    for (long n = 0; n < 10; n++)
        CHECK_EQ(kr_submit(pool_of(w), NULL, square, &n, sizeof n, sizeof n), 0);
    /* and exit finishes them */
}

TEST(test_cancel_futures)
{
    struct wire *w = held_wire();
    kr_future *first = submit_square(w, 3), *second = submit_square(w, 4);
    kr_shutdown_options drop = {.cancel_pending = true};
    long n = 1;
    wait_taken(w);
    CHECK_EQ(kr_executor_shutdown(pool_of(w), &drop, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_submit(pool_of(w), NULL, square, &n, sizeof n, sizeof n), KR_ESHUTDOWN);
    CHECK_EQ(error_of(second), -ECANCELED);
    kr_event_set(&w->open);
    CHECK_EQ(kr_executor_shutdown(pool_of(w), &drop, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(pool_of(w), NULL, square, &n, sizeof n, sizeof n), KR_ESHUTDOWN);
    CHECK_EQ(error_of(first), 0);
    kr_executor_release(pool_of(w));
}

TEST(futures_outlive_the_pool)
{
    struct wire *w = wire();
    kr_future *f = submit_square(w, 12);
    long result = 0;
    end(pool_of(w));
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_NOWAIT), 0);
    CHECK_EQ(result, 144);
    kr_future_release(f);
}

TEST(a_lost_worker_fails_its_task)
{
    struct wire *w = held_wire();
    kr_future *f = submit_square(w, 3);
    w->fails = KR_ECRASHED;
    kr_event_set(&w->open);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    f = submit_square(w, 3);
    CHECK_EQ(kr_future_crash(f, &(kr_crash){0}), -ENODATA);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    end(pool_of(w));
}

TEST(a_broken_link_breaks_the_pool)
{
    struct wire *w = held_wire();
    kr_future *first = submit_square(w, 3), *second = submit_square(w, 4);
    long n = 1;
    wait_taken(w);
    w->breaks = -EIO;
    kr_event_set(&w->open);
    CHECK_EQ(error_of(first), KR_EBROKEN);
    CHECK_EQ(error_of(second), KR_EBROKEN);
    CHECK_EQ(kr_submit(pool_of(w), NULL, square, &n, sizeof n, sizeof n), KR_EBROKEN);
    end(pool_of(w));
}

/* A callback may wait for another task of the same pool. */
static int wait_for_another(kr_future *f, void *arg)
{
    kr_event *done = arg;
    (void)f;
    kr_future *other = *(kr_future **)(done + 1);
    CHECK_EQ(kr_future_exception(other, NULL, KR_FOREVER), 0);
    kr_event_set(done);
    return 0;
}

TEST(callbacks_may_wait)
{
    struct {
        kr_event done;
        kr_future *other;
    } context = {.done = {{0}}};
    struct wire *w = held_wire();
    kr_future *first = submit_square(w, 3);
    context.other = submit_square(w, 4);
    CHECK_EQ(kr_future_add_done_callback(first, wait_for_another, &context), 0);
    kr_event_set(&w->open);
    CHECK_EQ(kr_event_wait(&context.done, KR_FOREVER), 0);
    kr_future_release(first);
    kr_future_release(context.other);
    end(pool_of(w));
}

enum { ITEMS = 1000 };
static long args[ITEMS], results[ITEMS];
static int errors[ITEMS];

static void fill_args(void)
{
    for (long i = 0; i < ITEMS; i++) {
        args[i] = i;
        results[i] = -1;
    }
}

TEST(test_map)
{
    struct wire *w = wire();
    static const size_t chunks[] = {0, 1, 7, ITEMS, 3 * ITEMS};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        fill_args();
        CHECK_EQ(kr_map(pool_of(w), square, args, sizeof *args, ITEMS, results, sizeof *results,
                        &(kr_map_options){.chunk = chunks[i]}),
                 0);
        for (long n = 0; n < ITEMS; n++)
            CHECK_EQ(results[n], n * n);
    }
    end(pool_of(w));
}

TEST(test_map_exception)
{
    struct wire *w = wire();
    fill_args();
    CHECK_EQ(kr_map(pool_of(w), fail_odd, args, sizeof *args, ITEMS, results, sizeof *results,
                    &(kr_map_options){.errors = errors}),
             -1);
    for (long n = 0; n < ITEMS; n++) {
        CHECK_EQ(errors[n], n % 2 ? -n : 0);
        CHECK_EQ(results[n], n % 2 ? -1 : n);
    }
    CHECK_EQ(kr_map(pool_of(w), fail_io, NULL, 0, 10, NULL, 0, NULL), -EIO);
    end(pool_of(w));
}

/* A batch whose worker died fails, all of it, and the others do not. */
static void lose_the_first(struct wire *w)
{
    wait_taken(w);
    w->fails = KR_ECRASHED;
    kr_event_set(&w->open);
}

static int map_all(void *arg)
{
    struct wire *w = *(struct wire **)arg;
    CHECK_EQ(kr_map(pool_of(w), square, args, sizeof *args, ITEMS, results, sizeof *results,
                    &(kr_map_options){.errors = errors, .chunk = 100}),
             KR_ECRASHED);
    return 0;
}

TEST(a_lost_worker_fails_its_batch)
{
    struct wire *w = held_wire();
    kr_thread *mapper;
    fill_args();
    CHECK_EQ(kr_thread_start(&mapper, map_all, &w, sizeof w, NULL), 0);
    lose_the_first(w);
    CHECK_EQ(kr_thread_join(mapper, NULL, KR_FOREVER), 0);
    for (long n = 0; n < ITEMS; n++)
        CHECK_EQ(errors[n], KR_ECRASHED);
    kr_thread_release(mapper);
    end(pool_of(w));
}

TEST(test_map_timeout)
{
    struct wire *w = held_wire();
    fill_args();
    CHECK_EQ(kr_map(pool_of(w), square, args, sizeof *args, ITEMS, results, sizeof *results,
                    &(kr_map_options){.errors = errors, .timeout = kr_ms(20)}),
             -ETIMEDOUT);
    for (long n = 0; n < ITEMS; n++)
        CHECK_EQ(errors[n], -ECANCELED);
    kr_event_set(&w->open);
    end(pool_of(w));
}

TEST(what_needs_our_memory_is_refused)
{
    struct wire *w = wire();
    CHECK_EQ(kr_parallel_for(pool_of(w), 0, 10, NULL, NULL, NULL), -EINVAL);
    kr_executor *thread_pool;
    CHECK_EQ(kr_thread_pool(&thread_pool, NULL), 0);
    kr_remote_counts counts;
    CHECK_EQ(kr_remote_read_counts(thread_pool, &counts), -EINVAL);
    CHECK_EQ(kr_remote_read_counts(pool_of(w), NULL), -EINVAL);
    CHECK_EQ(kr_remote_read_counts(NULL, &counts), -EINVAL);
    CHECK_EQ(kr_executor_kill_workers(pool_of(w)), -EINVAL);
    kr_executor_release(thread_pool);
    end(pool_of(w));
}

static int dropped[4];

static void note_drop(const kr_task_report *report)
{
    CHECK_STR(report->where, "message");
    dropped[0] += report->error == KR_EAUTH;
    dropped[1] += report->error == -EALREADY;
    dropped[2] += report->error == KR_ETASK;
    dropped[3] += report->error == -EMSGSIZE;
}

TEST(drops_are_counted_and_told_once)
{
    struct wire *w = wire();
    kr_remote_counts counts;
    kr_set_task_hook(note_drop);
    for (int i = 0; i < 3; i++) {
        kri_cluster_drop(&w->cluster, kri_drop_for(KR_EAUTH));
        kri_cluster_drop(&w->cluster, kri_drop_for(KR_ETASK));
        kri_cluster_drop(&w->cluster, kri_drop_for(-EBADMSG));
        kri_cluster_drop(&w->cluster, KRI_REPLAYED);
        kri_cluster_drop(&w->cluster, KRI_OVERSIZED);
    }
    CHECK_EQ(kr_remote_read_counts(pool_of(w), &counts), 0);
    CHECK_EQ(counts.forged, 3);
    CHECK_EQ(counts.foreign, 6);
    CHECK_EQ(counts.replayed, 3);
    CHECK_EQ(counts.oversized, 3);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(dropped[i], 1);
    end(pool_of(w));
}
