/* Leases that are renewed while somebody of this process holds them.
 *
 * State.  A lease is in the list while it is held here.  A thread of the library's own serves the
 * list while there is something in it, and ends when it is empty.
 *
 * Fields.  All of `leases`, and of each lease, is guarded by leases_lock; `changed` is also waited
 * on.
 *
 * Protocol.
 *     renewing  The thread copies what it needs, gives up the lock for the request, and then looks
 *               whether that lease is still in the list and the same: its holder may have released
 *               it meanwhile, and freed it.
 *     lost      The server says that the key is somebody else's, or gone: the lease is not renewed
 *               any more.  Its handle remembers that until it is released, so that this does not
 *               release the lock of whoever has it now; everybody else is told by the fencing
 *               token.
 *     away      A server that cannot be reached is asked again soon.
 *     fork      A child holds nothing of its parent's: the list is empty there.
 *
 * Ordering.  `changed` is raised under the lock, sequentially consistent, as kri_wake asks
 * [wait-1].
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "manager/redis_lock.h"
#include "os/os.h"
#include "wait/stall.h"

static kri_redis_lease *leases KRI_GLOBAL;
static kri_mutex leases_lock KRI_GLOBAL;
static kr_word leases_changed KRI_GLOBAL;
static bool leases_served KRI_GLOBAL;
static uint64_t leases_kept KRI_GLOBAL; /* how many there were: the last one's serial */

/* KEYS[1] the lock, ARGV[1] the token, ARGV[2] milliseconds.  A lock of its own or a field of a
 * recursive one's. */
static const kri_redis_script renew = {"local held "
                                       "if redis.call('TYPE', KEYS[1]).ok == 'hash' then "
                                       "  held = redis.call('HGET', KEYS[1], 'owner') "
                                       "else held = redis.call('GET', KEYS[1]) end "
                                       "if held ~= ARGV[1] then return 0 end "
                                       "return redis.call('PEXPIRE', KEYS[1], ARGV[2])"};

static void forget_in_child(void)
{
    kri_store_rlx(&leases_lock, 0);
    for (kri_redis_lease *lease = leases; lease != NULL;) {
        kri_redis_lease *next = lease->next;
        lease->held = false;
        lease->next = lease->previous = NULL;
        lease = next;
    }
    leases = NULL;
    leases_served = false;
}

/* pre: the lock, as in the next three. */
static void unlink_lease(kri_redis_lease *lease)
{
    if (lease->next != NULL)
        lease->next->previous = lease->previous;
    if (lease->previous != NULL)
        lease->previous->next = lease->next;
    else
        leases = lease->next;
    lease->held = false;
    lease->next = lease->previous = NULL;
}

static kri_redis_lease *soonest(void)
{
    kri_redis_lease *first = leases;
    for (kri_redis_lease *lease = leases; lease != NULL; lease = lease->next) {
        if (lease->due < first->due)
            first = lease;
    }
    return first;
}

static kri_redis_lease *find(uint64_t serial)
{
    kri_redis_lease *lease = leases;
    while (lease != NULL && lease->serial != serial)
        lease = lease->next;
    return lease;
}

/* What the thread needs of a lease while it has not got the lock. */
typedef struct renewal {
    kri_redis_lease like;
    char name[KRI_REDIS_NAME + 1];
} renewal;

static void prepare(renewal *r, kri_redis_lease *lease)
{
    r->like = *lease;
    (void)kri_redis_retain(lease->redis);
    memcpy(r->name, lease->name, strlen(lease->name) + 1);
    r->like.name = r->name;
}

static void run(renewal *r)
{
    enum { PARTS = 3, SOON = 4 };
    kri_digits digits;
    kri_reply *reply;
    int64_t ms = r->like.period * PARTS / kr_ms(1);
    int err = kri_redis_run(
        r->like.redis, &renew, 1,
        KRI_WORDS(kri_word(r->name), kri_word(r->like.token), kri_word_integer(&digits, ms)),
        KRI_REDIS_AGAIN, kri_deadline(r->like.period), &reply);
    bool lost = err == 0 && kri_reply_integer(reply) == 0;
    kri_reply_free(reply);
    void *memory = NULL;
    kri_mutex_lock(&leases_lock);
    kri_redis_lease *lease = find(r->like.serial);
    if (lease != NULL && lost) {
        unlink_lease(lease);
        lease->lost = true;
        memory = lease->memory;
    } else if (lease != NULL) {
        lease->due = os_now() + (err == 0 ? lease->period : lease->period / SOON);
    }
    kri_mutex_unlock(&leases_lock);
    if (memory != NULL) {
        os_free(memory);
        kri_redis_release(r->like.redis);
    }
    kri_redis_release(r->like.redis);
}

static void serve(void *unused)
{
    (void)unused;
    os_thread_set_name(os_thread_id(), "krait-leases");
    kri_stall_serve();
    for (;;) {
        renewal r;
        kri_mutex_lock(&leases_lock);
        kri_redis_lease *lease = soonest();
        leases_served = lease != NULL;
        uint32_t seen = kri_load_rlx(&leases_changed);
        kr_time due = lease != NULL ? lease->due : 0;
        bool now = lease != NULL && due <= os_now();
        if (now)
            prepare(&r, lease);
        kri_mutex_unlock(&leases_lock);
        if (lease == NULL)
            return;
        if (now)
            run(&r);
        else
            (void)kri_wait(&leases_changed, seen, due, KRI_UNCANCELLABLE | KRI_IDLE);
    }
}

/* pre: the lock. */
static int start_service(void)
{
    os_thread thread;
    if (leases_served)
        return 0;
    int err = os_thread_start(&thread, serve, NULL, true, NULL);
    if (err < 0)
        return err;
    os_thread_detach(thread);
    leases_served = true;
    return 0;
}

static void raise_changed(void)
{
    (void)kri_add_sc(&leases_changed, 1); /* [wait-1] */
    (void)kri_wake(&leases_changed, 1, 0);
}

int kri_redis_lease_keep(const kri_redis_object *o, kri_redis_lease *lease, const char *token,
                         int64_t fence, kr_time period)
{
    int err = kri_at_fork_child(forget_in_child);
    if (err < 0)
        return err;
    kri_mutex_lock(&leases_lock);
    if (lease->held)
        unlink_lease(lease);
    *lease = (kri_redis_lease){.redis = o->redis,
                               .name = o->name,
                               .serial = ++leases_kept,
                               .fence = fence,
                               .period = period,
                               .due = os_now() + period,
                               .held = true};
    memcpy(lease->token, token, KRI_REDIS_OWNER);
    lease->next = leases;
    if (leases != NULL)
        leases->previous = lease;
    leases = lease;
    err = start_service();
    if (err < 0)
        unlink_lease(lease);
    raise_changed();
    kri_mutex_unlock(&leases_lock);
    return err;
}

void kri_redis_lease_drop(kri_redis_lease *lease, const char *token)
{
    kri_mutex_lock(&leases_lock);
    bool is_that = strcmp(lease->token, token) == 0;
    if (is_that && lease->held)
        unlink_lease(lease);
    if (is_that)
        lease->lost = false;
    kri_mutex_unlock(&leases_lock);
}

void kri_redis_lease_end(kri_redis_lease *lease, void *memory)
{
    kri_mutex_lock(&leases_lock);
    bool held = lease->held;
    if (held) {
        lease->memory = memory;
        (void)kri_redis_retain(lease->redis);
    }
    kri_mutex_unlock(&leases_lock);
    if (!held)
        os_free(memory);
}

bool kri_redis_lease_look(const kri_redis_lease *lease, char token[static KRI_REDIS_OWNER],
                          int64_t *fence)
{
    kri_mutex_lock(&leases_lock);
    bool held = lease->held;
    token[0] = '\0';
    if (held || lease->lost)
        memcpy(token, lease->token, KRI_REDIS_OWNER);
    *fence = lease->fence;
    kri_mutex_unlock(&leases_lock);
    return held;
}
