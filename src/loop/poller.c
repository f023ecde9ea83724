/* Descriptors: who waits for which, and what is known of them.
 *
 * State.  Each loop has a record for each number that its coroutines have waited for.  A direction
 * of it is a word:
 *     NOTHING   no event since somebody last took one
 *     READY     an event has come; or the descriptor was closed
 * A waiter takes READY away and tries; where it is NOTHING it waits on the word.
 * A record is registered with the system once, as long as its generation stays the same: kr_close
 * begins a new one.
 *
 * Fields.
 *     readable, writable, generation   atomic; by anybody, while the loop is in the list of all
 *     the rest                         the loop's thread
 *     the table of chunks              changed by the loop's thread under the lock of that list,
 *                                      which others hold while they look
 *
 * Protocol.
 *     Events are edge-triggered and for both directions, so there is one system call for each
 *     descriptor, not for each wait.  As it is registered the system tells what is ready.
 *     Somebody may have closed a descriptor by close(2), of which a loop hears nothing, and a new
 *     one have its number: its record would look registered.  So a wait that has lasted for a
 *     moment (LATE) asks the system once whether it is; once only, and none that is shorter.
 *
 * Ordering.
 *     [poller-1]  who closes adds to the generation before it changes the words, and a waiter that
 *                 sees a changed word looks at the generation after it: sequentially consistent,
 *                 as are all changes of the words, for kri_wake
 *
 * Why not a table for the whole process?  Several loops may wait for one descriptor, such as a
 * listening socket; each would have to be told by the one loop whose table it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "loop/descriptor.h"
#include "loop/loop.h"
#include "os/events.h"
#include "os/message.h"
#include "os/os.h"

#include <string.h>

enum { NOTHING = 0, READY = 1 };
enum { CHUNK = 256 };

static const kr_time late = 50 * 1000000; /* nanoseconds */

typedef struct record {
    kr_word readable;
    kr_word writable;
    kr_word generation;
    uint32_t registered; /* generation + 1 in which it was; 0: never */
    uint32_t known;      /* generation + 1 in which the following was noted */
    uint8_t drained;
    uint8_t kind;
    bool special; /* one read may not be all that an event was for: drained is not to be believed */
} record;

/* A wait, until it was asked about. */
typedef struct wait {
    struct wait *next;
    struct wait *previous;
    record *record;
    int fd;
    uint32_t epoch;
} wait;

typedef struct kri_poller {
    int events;
    uint32_t epoch;
    size_t waiting;
    record **chunks;
    size_t chunk_count;
    wait *oldest; /* of those that nobody has asked about */
    wait *newest;
    kri_timer ask;
    kri_loop *loop;
} poller;

static void ask_about_late(kri_timer *timer);

/* Under the lock of the list: others look for it there. */
static void show(kri_loop *loop, void *made)
{
    if (loop == ((poller *)made)->loop)
        loop->poller = made;
}

static int make(kri_loop *loop)
{
    poller *p = os_alloc(sizeof *p);
    if (p == NULL || kri_timers_reserve(&loop->timers, 1) != 0) {
        os_free(p);
        return -ENOMEM;
    }
    *p = (poller){.ask = {.fire = ask_about_late}, .loop = loop};
    int bell = os_bell_create();
    p->events = bell < 0 ? bell : os_events_create();
    int err = p->events < 0 ? p->events : os_events_add_bell(p->events, bell);
    if (err == 0) {
        loop->inbox.bell = bell;
        kri_loops_each(show, p);
        return 0;
    }
    if (p->events >= 0)
        os_close(p->events);
    if (bell >= 0)
        os_close(bell);
    kri_timers_unreserve(&loop->timers, 1);
    os_free(p);
    return err;
}

int kri_poller_events(kri_loop *loop)
{
    int err = loop->poller != NULL ? 0 : make(loop);
    return err != 0 ? err : loop->poller->events;
}

/* The loop is in no list any more. */
void kri_poller_end(kri_loop *loop)
{
    poller *p = loop->poller;
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->chunk_count; i++)
        os_free(p->chunks[i]);
    os_free(p->chunks);
    os_close(p->events);
    os_free(p);
    loop->poller = NULL;
}

/* The system's set of events is the parent's, who goes on with it; so is the bell. */
void kri_poller_forked(kri_loop *loop)
{
    poller *p = loop->poller;
    if (p == NULL)
        return;
    os_close(p->events);
    os_close(loop->inbox.bell);
    p->events = loop->inbox.bell = -1;
}

bool kri_poller_is_awaited(const kri_loop *loop)
{
    return loop->poller != NULL && loop->poller->waiting != 0;
}

/* Records. */

static record *look_up(const poller *p, int fd)
{
    size_t chunk = (size_t)fd / CHUNK;
    if (fd < 0 || chunk >= p->chunk_count || p->chunks[chunk] == NULL)
        return NULL;
    return &p->chunks[chunk][(size_t)fd % CHUNK];
}

struct growth {
    poller *poller;
    record **chunks;
    size_t count;
};

/* Under the lock of the list. */
static void exchange_table(kri_loop *loop, void *arg)
{
    struct growth *growth = arg;
    if (loop->poller != growth->poller)
        return;
    record **old = growth->poller->chunks;
    growth->poller->chunks = growth->chunks;
    growth->poller->chunk_count = growth->count;
    growth->chunks = old;
}

static record *make_record(poller *p, int fd)
{
    size_t chunk = (size_t)fd / CHUNK;
    struct growth growth = {p, NULL, p->chunk_count > chunk ? p->chunk_count : chunk + 1};
    growth.chunks = os_alloc(growth.count * sizeof *growth.chunks);
    record *records = os_alloc(CHUNK * sizeof *records);
    if (growth.chunks == NULL || records == NULL) {
        os_free(growth.chunks);
        os_free(records);
        return NULL;
    }
    if (p->chunk_count != 0)
        memcpy(growth.chunks, p->chunks, p->chunk_count * sizeof *growth.chunks);
    growth.chunks[chunk] = records;
    kri_loops_each(exchange_table, &growth);
    os_free(growth.chunks);
    return look_up(p, fd);
}

static int register_now(const poller *p, record *r, int fd)
{
    uint32_t generation = kri_load_rlx(&r->generation);
    int err = os_events_add(p->events, fd);
    if (err == -EEXIST)
        err = os_events_again(p->events, fd);
    if (err == 0)
        r->registered = generation + 1;
    return err;
}

static bool is_registered(const record *r)
{
    return r->registered == kri_load_rlx(&r->generation) + 1;
}

/* Asking about late ones. */

static void link_wait(poller *p, wait *w)
{
    w->epoch = p->epoch;
    w->next = NULL;
    w->previous = p->newest;
    *(p->newest != NULL ? &p->newest->next : &p->oldest) = w;
    p->newest = w;
    if (p->ask.place == 0)
        kri_timers_set(&p->loop->timers, &p->ask, kri_deadline(late));
}

static void unlink_wait(poller *p, wait *w)
{
    if (w->record == NULL)
        return;
    *(w->previous != NULL ? &w->previous->next : &p->oldest) = w->next;
    *(w->next != NULL ? &w->next->previous : &p->newest) = w->previous;
    w->record = NULL;
}

static void begin_anew(record *r)
{
    (void)kri_add_sc(&r->generation, 1); /* [poller-1] */
    kri_store_sc(&r->readable, READY);   /* [poller-1] */
    kri_store_sc(&r->writable, READY);   /* [poller-1] */
    kri_wake(&r->readable, KRI_ALL, 0);
    kri_wake(&r->writable, KRI_ALL, 0);
}

static void ask_about(poller *p, wait *w)
{
    record *r = w->record;
    unlink_wait(p, w);
    int err = os_events_again(p->events, w->fd);
    if (err == -ENOENT)
        err = os_events_add(p->events, w->fd);
    if (err != 0)
        begin_anew(r);
}

static void ask_about_late(kri_timer *timer)
{
    poller *p = (poller *)((char *)timer - offsetof(poller, ask));
    while (p->oldest != NULL && p->oldest->epoch != p->epoch)
        ask_about(p, p->oldest);
    p->epoch++;
    if (p->oldest != NULL)
        kri_timers_set(&p->loop->timers, &p->ask, kri_deadline(late));
}

/* Waiting. */

/* Which of the events have come; they are taken. */
static unsigned take(record *r, unsigned events)
{
    unsigned ready = 0;
    if (events & OS_READABLE && kri_load_acq(&r->readable) == READY &&
        kri_swap_sc(&r->readable, NOTHING) == READY)
        ready |= OS_READABLE;
    if (events & OS_WRITABLE && kri_load_acq(&r->writable) == READY &&
        kri_swap_sc(&r->writable, NOTHING) == READY)
        ready |= OS_WRITABLE;
    return ready;
}

static int sleep_for(record *r, unsigned events, kr_time deadline)
{
    if (events == OS_READABLE)
        return kri_wait(&r->readable, NOTHING, deadline, KRI_IDLE);
    if (events == OS_WRITABLE)
        return kri_wait(&r->writable, NOTHING, deadline, KRI_IDLE);
    kri_spot second = {.word = &r->writable, .expected = NOTHING};
    kri_spot first = {.next = &second, .word = &r->readable, .expected = NOTHING};
    kri_spot *which;
    return kri_wait_any(&first, deadline, KRI_IDLE, NULL, &which);
}

static int wait_on(poller *p, record *r, int fd, unsigned events, kr_time deadline)
{
    uint32_t generation = kri_load_sc(&r->generation); /* [poller-1] */
    int err = is_registered(r) ? 0 : register_now(p, r, fd);
    if (err != 0)
        return err == -EPERM ? (int)events : err;
    unsigned ready = take(r, events);
    if (ready != 0)
        return (int)ready;
    wait w = {.record = r, .fd = fd};
    link_wait(p, &w);
    p->waiting++;
    err = sleep_for(r, events, deadline);
    p->waiting--;
    unlink_wait(p, &w);
    if (kri_load_sc(&r->generation) != generation) /* [poller-1] */
        return -EBADF;
    if (err != 0 && err != -EAGAIN)
        return err;
    ready = take(r, events);
    return ready != 0 ? (int)ready
                      : (int)events; /* another waiter has taken it; try all the same */
}

static record *record_of(kri_loop *loop, int fd)
{
    if (loop->poller == NULL && make(loop) != 0)
        return NULL;
    record *r = look_up(loop->poller, fd);
    return r != NULL ? r : make_record(loop->poller, fd);
}

/* Somebody may have taken the event, and left what it was about: so the system is asked first. */
int kri_poller_wait(int fd, unsigned events, kr_time deadline)
{
    int ready = os_poll(fd, events, -1, 0);
    if (deadline == 0 || (ready != -ETIMEDOUT && ready != -EINTR))
        return ready;
    return kri_descriptor_await(fd, events, deadline);
}

int kri_descriptor_await(int fd, unsigned events, kr_time deadline)
{
    kri_loop *loop = kri_loop_here();
    if (fd < 0)
        return -EBADF;
    int err = loop->poller == NULL ? make(loop) : 0;
    if (err != 0)
        return err;
    record *r = record_of(loop, fd);
    return r != NULL ? wait_on(loop->poller, r, fd, events, deadline) : -ENOMEM;
}

kr_word *kri_poller_word(int fd)
{
    kri_loop *loop = kri_loop_here();
    record *r = fd >= 0 ? record_of(loop, fd) : NULL;
    if (r == NULL || (!is_registered(r) && register_now(loop->poller, r, fd) != 0))
        return NULL;
    return &r->readable;
}

void kri_poller_await(int change)
{
    kri_loop_here()->poller->waiting += (size_t)change;
}

/* Events. */

/* What is known is forgotten once the number is another's. */
static void refresh(record *r)
{
    uint32_t now = kri_load_rlx(&r->generation) + 1;
    if (r->known == now)
        return;
    r->known = now;
    r->drained = 0;
    r->kind = 0;
    r->special = false;
}

static void set_ready(record *r, kr_word *word, unsigned direction)
{
    r->drained &= (uint8_t)~direction;
    if (kri_swap_sc(word, READY) == NOTHING)
        kri_wake(word, KRI_ALL, 0);
}

void kri_poller_look(kri_loop *loop, kr_time deadline)
{
    os_event list[OS_EVENTS_AT_ONCE];
    poller *p = loop->poller;
    int count = os_events_wait(p->events, list, deadline);
    for (int i = 0; i < count; i++) {
        if (list[i].fd == loop->inbox.bell) {
            kri_inbox_bell_rang(&loop->inbox);
            continue;
        }
        record *r = look_up(p, list[i].fd);
        if (r == NULL)
            continue;
        if (list[i].special) {
            refresh(r);
            r->special = true;
        }
        if (list[i].ready & OS_READABLE)
            set_ready(r, &r->readable, OS_READABLE);
        if (list[i].ready & OS_WRITABLE)
            set_ready(r, &r->writable, OS_WRITABLE);
    }
}

/* For the layer above. */

static record *known(int fd)
{
    const kri_loop *loop = kri_loop_here();
    return loop != NULL && loop->running != NULL && loop->poller != NULL ? look_up(loop->poller, fd)
                                                                         : NULL;
}

bool kri_descriptor_drained(int fd, unsigned events, unsigned kind)
{
    record *r = known(fd);
    if (r == NULL || r->kind != kind || r->known != kri_load_rlx(&r->generation) + 1)
        return false;
    if (r->special || !is_registered(r))
        return true;
    r->drained |= (uint8_t)events;
    (void)take(r, events);
    return true;
}

bool kri_descriptor_is_drained(int fd, unsigned events)
{
    const record *r = known(fd);
    return r != NULL && (r->drained & events) == events && is_registered(r) &&
           r->known == r->registered;
}

unsigned kri_descriptor_kind(int fd)
{
    const record *r = known(fd);
    return r != NULL && r->known == kri_load_rlx(&r->generation) + 1 ? r->kind : 0;
}

void kri_descriptor_set_kind(int fd, unsigned kind)
{
    kri_loop *loop = kri_loop_here();
    record *r = fd >= 0 && kri_in_coroutine() ? record_of(loop, fd) : NULL;
    if (r == NULL)
        return;
    refresh(r);
    r->kind = (uint8_t)kind;
}

static void forget(kri_loop *loop, void *arg)
{
    const int *fd = arg;
    record *r = loop->poller != NULL ? look_up(loop->poller, *fd) : NULL;
    if (r != NULL)
        begin_anew(r);
}

void kri_descriptor_closing(int fd)
{
    if (fd >= 0)
        kri_loops_each(forget, &fd);
}

void kri_descriptor_fresh(int fd)
{
    const record *r = known(fd);
    if (r != NULL && (r->registered != 0 || r->known != 0))
        kri_descriptor_closing(fd);
}
