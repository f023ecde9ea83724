/* Descriptors: who waits for which, and what is known of them.
 *
 * State.  Each loop has a record for each number that its coroutines have used.  In it are, for
 * each direction,
 *     ready      an event has come, and nobody has taken it since
 *     drained    somebody has found that there is nothing more, and no event has come since
 * A waiter takes `ready` away and tries; where it is not set he stands in the record's list, and
 * the loop wakes all who stand there for that direction when an event comes.
 * A record is registered with the system once, as long as its generation stays the same: kr_close
 * begins a new one before close(2), and another one after it.
 *
 * Fields.
 *     generation, heard      atomic; by anybody, while the loop is in the list of all.  heard: the
 *                            descriptor of this generation is registered, so that the loop is to be
 *                            told of its end
 *     told                   atomic; 1: it stands in the poller's list of those who were closed
 *     next_told              who has set `told` to 1, then the loop's thread, until `told` is 0
 *     seen                   the generation of which the rest is true
 *     special                one read may not be all that an event was for: drained is not to be
 *                            believed
 *     was_short              it has been found drained once, and is not registered yet
 *     the rest               the loop's thread
 *     the table of chunks    changed by the loop's thread under the lock of that list, which others
 *                            hold while they look
 *     poller.told            atomic
 *
 * Protocol.
 *     Events are edge-triggered and for both directions, so there is one system call for each
 *     descriptor, not for each wait.  As it is registered the system tells what is ready.
 *     Who waits is woken by his own loop only, which knows him by a pointer (wait/direct.c): by an
 *     event, or because the descriptor is closed.  Who closes it in another thread begins the new
 *     generation, puts the record into a list, and has the loop run a function, which wakes all
 *     whose generation is over: with -EBADF.  A wait that begins thereafter may be for what is
 *     about to be closed, which the system drops with no event, or for the next descriptor of that
 *     number: it is woken after close(2), as if there were an event, and tries.
 *     Somebody may have closed a descriptor by close(2), of which a loop hears nothing, and a new
 *     one have its number: its record would look registered.  So a wait that has lasted for a
 *     moment asks the system once whether it is (late.c); once only, and none that is shorter.
 *
 * Ordering.
 *     [poller-1]  who closes adds to the generation, and then takes `heard` away; the loop sets
 *                 `heard` as it registers the descriptor, and then looks at the generation: all
 *                 sequentially consistent.  So the loop sees the new generation before it sleeps,
 *                 or the closer sees that somebody may wait.  Of later waits `heard` is still set,
 *                 unless the generation was changed before.  A closer that is slow may take it away
 *                 from the generation that it has begun: so the function that it has the loop run
 *                 sets it again, and then looks
 *     [poller-2]  the record is put into the list again by those who find it taken out: the loop
 *                 sets `told` back before it looks at the generations, and a closer changes that
 *                 before `told`
 *     [poller-3]  next_told is written before the record is in the list, and read after it was
 *                 taken from there: by compare-and-swap and swap, releasing and acquiring
 *
 * Why not a table for the whole process?  Several loops may wait for one descriptor, such as a
 * listening socket; each would have to be told by the one loop whose table it is.
 *
 * Why not words in the parking table, which anybody could wake?  Only closing needs that, and each
 * message that a server waits for would pay for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/poller.h"
#include "base/atomic.h"
#include "loop/fetch.h"
#include "os/events.h"
#include "os/message.h"
#include "os/os.h"

#include <string.h>

/* A line each: their memory begins somewhere before, where the word before them says. */
static kri_descriptor *alloc_records(void)
{
    enum { LINE = sizeof(kri_descriptor) };
    char *memory = os_alloc((KRI_CHUNK + 1) * LINE);
    if (memory == NULL)
        return NULL;
    void **records = (void **)(((uintptr_t)memory + LINE) / LINE * LINE);
    records[-1] = memory;
    return (kri_descriptor *)records;
}

static void free_records(kri_descriptor *records)
{
    if (records != NULL)
        os_free(((void **)records)[-1]);
}

/* Under the lock of the list: others look for it there. */
static void show(kri_loop *loop, void *made)
{
    if (loop == ((kri_poller *)made)->loop)
        loop->poller = made;
}

static int make(kri_loop *loop)
{
    kri_poller *p = os_alloc(sizeof *p);
    if (p == NULL || kri_timers_reserve(&loop->timers, 1) != 0) {
        os_free(p);
        return -ENOMEM;
    }
    *p = (kri_poller){
        .ask = {.fire = kri_poller_ask_late}, .loop = loop, .closed = {.run = kri_poller_closed}};
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

int kri_poller_make(kri_loop *loop)
{
    return loop->poller != NULL ? 0 : make(loop);
}

/* The loop is in no list any more. */
void kri_poller_end(kri_loop *loop)
{
    kri_poller *p = loop->poller;
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->chunk_count; i++)
        free_records(p->chunks[i]);
    os_free(p->chunks);
    os_close(p->events);
    os_free(p);
    loop->poller = NULL;
}

/* The system's set of events is the parent's, who goes on with it; so is the bell. */
void kri_poller_forked(kri_loop *loop)
{
    kri_poller *p = loop->poller;
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

struct growth {
    kri_poller *poller;
    kri_descriptor **chunks;
    size_t count;
};

/* Under the lock of the list. */
static void exchange_table(kri_loop *loop, void *arg)
{
    struct growth *growth = arg;
    if (loop->poller != growth->poller)
        return;
    kri_descriptor **old = growth->poller->chunks;
    growth->poller->chunks = growth->chunks;
    growth->poller->chunk_count = growth->count;
    growth->chunks = old;
}

static kri_descriptor *make_record(kri_poller *p, int fd)
{
    size_t chunk = (size_t)fd / KRI_CHUNK;
    struct growth growth = {p, NULL, p->chunk_count > chunk ? p->chunk_count : chunk + 1};
    growth.chunks = os_alloc(growth.count * sizeof *growth.chunks);
    kri_descriptor *records = alloc_records();
    if (growth.chunks == NULL || records == NULL) {
        os_free(growth.chunks);
        free_records(records);
        return NULL;
    }
    for (size_t i = 0; i < KRI_CHUNK; i++)
        kri_circle_begin(&records[i].waits);
    if (p->chunk_count != 0)
        memcpy(growth.chunks, p->chunks, p->chunk_count * sizeof *growth.chunks);
    growth.chunks[chunk] = records;
    kri_loops_each(exchange_table, &growth);
    os_free(growth.chunks);
    return kri_poller_look_up(p, fd);
}

void kri_poller_refresh(kri_descriptor *known)
{
    known->seen = kri_load_rlx64(&known->generation);
    known->ready = known->drained = known->kind = 0;
    known->registered = known->special = known->was_short = false;
}

kri_descriptor *kri_poller_descriptor(kri_poller *p, int fd)
{
    kri_descriptor *known = kri_poller_look_up(p, fd);
    if (known == NULL)
        known = make_record(p, fd);
    if (known != NULL && !kri_descriptor_is_same(known))
        kri_poller_refresh(known);
    return known;
}

int kri_poller_register(const kri_poller *p, kri_descriptor *known, int fd)
{
    int err = os_events_add(p->events, fd);
    if (err == -EEXIST)
        err = os_events_again(p->events, fd);
    if (err != 0)
        return err;
    known->registered = true;
    kri_store_sc(&known->heard, 1);                   /* [poller-1] */
    uint64_t now = kri_load_sc64(&known->generation); /* [poller-1] */
    if (now == known->seen)
        return 0;
    return kri_closing_since(now, known->seen) ? -EBADF : -EAGAIN;
}

/* Waiting. */

/* Which of the events have come; they are taken. */
static unsigned take(kri_descriptor *known, unsigned events)
{
    unsigned ready = known->ready & events;
    known->ready &= (uint8_t)~events;
    return ready;
}

void kri_poller_enter(kri_poller *p, kri_descriptor_wait *w)
{
    w->generation = w->known->seen;
    w->epoch = p->epoch;
    w->asked = false;
    kri_circle_put(&w->known->waits, &w->at_descriptor);
    p->waiting++;
    kri_poller_note_young(p, w->known);
}

void kri_poller_leave(kri_poller *p, kri_descriptor_wait *w)
{
    kri_circle_take(&w->at_descriptor);
    p->waiting--;
}

static int wait_on(kri_poller *p, kri_descriptor *known, int fd, unsigned events, kr_time deadline)
{
    int err = known->registered ? 0 : kri_poller_register(p, known, fd);
    if (err != 0)
        return err == -EPERM || err == -EAGAIN ? (int)events : err;
    unsigned ready = take(known, events);
    if (ready != 0)
        return (int)ready;
    struct kri_waiter *sleeper = NULL;
    kri_descriptor_wait w;
    w.known = known;
    w.sleeper = &sleeper;
    w.fd = fd;
    w.events = (uint8_t)events;
    kri_poller_enter(p, &w);
    err = kri_wait_direct(&sleeper, deadline);
    kri_poller_leave(p, &w);
    if (kri_closing_since(kri_load_rlx64(&known->generation), w.generation))
        return -EBADF;
    if (err != 0)
        return err;
    ready = take(known, events);
    return ready != 0 ? (int)ready
                      : (int)events; /* another waiter has taken it; try all the same */
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
    if (fd < 0)
        return -EBADF;
    kri_loop *loop = kri_loop_here();
    int err = kri_poller_make(loop);
    if (err != 0)
        return err;
    kri_descriptor *known = kri_poller_descriptor(loop->poller, fd);
    return known != NULL ? kri_descriptor_await_known(known, fd, events, deadline) : -ENOMEM;
}

int kri_descriptor_await_known(kri_descriptor *known, int fd, unsigned events, kr_time deadline)
{
    if (!kri_descriptor_is_same(known))
        kri_poller_refresh(known);
    return wait_on(kri_loop_here()->poller, known, fd, events, deadline);
}

/* Events. */

static void wake_for(kri_descriptor *known, unsigned events)
{
    for (kri_circle *at = known->waits.next; at != &known->waits; at = at->next) {
        kri_descriptor_wait *w = (kri_descriptor_wait *)at;
        if (w->events & events)
            (void)kri_wake_direct(*w->sleeper);
    }
}

void kri_poller_begin_anew(kri_descriptor *known)
{
    (void)kri_add_sc64(&known->generation, KRI_A_CLOSING);
    kri_store_rlx(&known->heard, 0);
    wake_for(known, OS_READABLE | OS_WRITABLE);
}

static void tell(kri_descriptor *known, const os_event *event)
{
    if (event->special) {
        if (!kri_descriptor_is_same(known))
            kri_poller_refresh(known);
        known->special = true;
    }
    known->drained &= (uint8_t)~event->ready;
    known->ready |= (uint8_t)event->ready;
    wake_for(known, event->ready);
}

/* Of many descriptors none has been looked at for a while, nor has its coroutine's stack: they come
 * into the cache together, and not one after the other.  Inline: a function that does nothing else
 * has no effect that compilers know of, and they leave the call out. */
static inline __attribute__((always_inline)) void fetch(kri_descriptor *const *known, int count)
{
    enum { BELOW_IT = 3 * 64 }; /* where its waiter lies */
    for (int i = 0; i < count; i++)
        if (known[i] != NULL)
            kri_fetch((const char *)known[i]->waits.next - BELOW_IT, 1 + BELOW_IT / 64);
}

void kri_poller_look(kri_loop *loop, kr_time deadline, kr_time now)
{
    enum { MANY = 8 };
    os_event list[OS_EVENTS_AT_ONCE];
    kri_descriptor *known[OS_EVENTS_AT_ONCE];
    const kri_poller *p = loop->poller;
    int count = os_events_wait(p->events, list, deadline, now);
    for (int i = 0; i < count; i++) {
        known[i] = kri_poller_look_up(p, list[i].fd);
        kri_fetch(known[i], 1);
    }
    if (count >= MANY)
        fetch(known, count);
    for (int i = 0; i < count; i++) {
        if (known[i] != NULL && list[i].fd != loop->inbox.bell)
            tell(known[i], &list[i]);
        else if (list[i].fd == loop->inbox.bell)
            kri_inbox_bell_rang(&loop->inbox);
    }
}
