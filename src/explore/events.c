/* src/os/events.h for logical threads: of the descriptors, bells only.
 *
 * As the kernel has it, each ring of one is an event, told once; but for a loop's own bell, which
 * is told of as long as it is rung.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/events.h"
#include "explore/engine.h"

#include <string.h>

enum { SETS = 4, MEMBERS = 4 };

typedef struct member {
    int fd; /* 0: none */
    bool stays;
    bool due;
} member;

static struct set {
    member members[MEMBERS];
    struct ex_message *message;
    bool open;
} sets[SETS];
static int set_count;

void kri_ex_events_begin(void)
{
    memset(sets, 0, sizeof sets);
    set_count = 0;
}

static struct set *set_of(int events)
{
    int i = events - EX_EVENTS_BASE;
    if (i < 0 || i >= set_count || !sets[i].open)
        kri_ex_fail(KR_EXPLORE_CHECK, "descriptor %d holds no events", events);
    return &sets[i];
}

static bool is_due(const member *m)
{
    return m->fd != 0 && (m->stays ? kri_ex_bell_ready(m->fd) : m->due);
}

static bool some_due(const struct set *s)
{
    for (int i = 0; i < MEMBERS; i++)
        if (is_due(&s->members[i]))
            return true;
    return false;
}

static member *find(struct set *s, int fd)
{
    for (int i = 0; i < MEMBERS; i++)
        if (s->members[i].fd == fd)
            return &s->members[i];
    return NULL;
}

/* By the thread that has rung the bell. */
void kri_ex_events_rung(int bell)
{
    for (int i = 0; i < set_count; i++) {
        struct set *s = &sets[i];
        member *m = s->open ? find(s, bell) : NULL;
        if (m == NULL)
            continue;
        m->due = true;
        s->message = kri_ex_message(s->message);
        for (unsigned t = 0; t < kri_ex.thread_count; t++)
            if (kri_ex.threads[t].state == EX_POLLING &&
                kri_ex.threads[t].fds[0] == EX_EVENTS_BASE + i)
                kri_ex_ready(t, 0);
    }
}

void kri_ex_events_closed(int fd)
{
    if (fd >= EX_EVENTS_BASE && fd < EX_EVENTS_BASE + set_count)
        sets[fd - EX_EVENTS_BASE].open = false;
    for (int i = 0; i < set_count; i++) {
        member *m = find(&sets[i], fd);
        if (m != NULL)
            *m = (member){0};
    }
}

int os_events_create(void)
{
    if (kri_ex_refused() || set_count == SETS)
        return -EMFILE;
    sets[set_count].open = true;
    return EX_EVENTS_BASE + set_count++;
}

static int add(int events, int fd, bool stays)
{
    struct set *s = set_of(events);
    if (!kri_ex_bell_open(fd))
        return -EBADF;
    if (find(s, fd) != NULL)
        return -EEXIST;
    member *m = find(s, 0);
    if (m == NULL)
        return -ENOSPC;
    *m = (member){.fd = fd, .stays = stays, .due = kri_ex_bell_ready(fd)};
    if (m->due)
        s->message = kri_ex_message(s->message);
    return 0;
}

int os_events_add(int events, int fd)
{
    EX_SITE(&EX_SELF->site);
    kri_ex_point(true);
    return add(events, fd, false);
}

int os_events_add_bell(int events, int bell)
{
    return add(events, bell, true);
}

int os_events_again(int events, int fd)
{
    EX_SITE(&EX_SELF->site);
    kri_ex_point(true);
    member *m = find(set_of(events), fd);
    if (m == NULL)
        return kri_ex_bell_open(fd) ? -ENOENT : -EBADF;
    m->due = kri_ex_bell_ready(fd);
    return 0;
}

void os_events_remove(int events, int fd)
{
    member *m = find(set_of(events), fd);
    if (m != NULL)
        *m = (member){0};
}

static int collect(struct set *s, os_event *list)
{
    int count = 0;
    for (int i = 0; i < MEMBERS; i++) {
        member *m = &s->members[i];
        if (!is_due(m))
            continue;
        m->due = false;
        list[count++] = (os_event){.fd = m->fd, .ready = OS_READABLE};
    }
    if (count > 0 && s->message != NULL)
        kri_ex_receive(s->message);
    return count;
}

int os_events_wait(int events, os_event *list, kr_time deadline, kr_time now)
{
    ex_thread *self = EX_SELF;

    (void)now;

    EX_SITE(&self->site);
    kri_ex_point(true);
    struct set *s = set_of(events);
    if (!some_due(s) && deadline > kri_ex.now) {
        EX_TRACE("waits for events", NULL, (uint64_t)events, "");
        self->fds[0] = events;
        self->fds[1] = -1;
        self->deadline = deadline;
        self->state = EX_POLLING;
        kri_ex_block();
    }
    int count = collect(s, list);
    EX_TRACE("has events", NULL, (uint64_t)count, "");
    return count;
}
