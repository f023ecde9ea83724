/* What all kinds of parties have in common; see party.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party_kinds.h"

#include <unistd.h>

static const party_kind *kind_now;
static party_bunch *bunches; /* not joined; of the process `home` */
static pid_t home;
static pthread_t home_thread;

const party_kind *party_kind_now(void)
{
    CHECK(kind_now != NULL);
    return kind_now;
}

void party_be(const party_kind *kind)
{
    kind_now = kind;
    home = getpid();
    home_thread = pthread_self();
}

void *party_world(size_t size)
{
    return party_kind_now()->world(size);
}

void party_world_free(void *world, size_t size)
{
    party_kind_now()->world_free(world, size);
}

static const party_kind *kind_of(const party_member *member)
{
    const party_kind *kind = member->bunch->kind;
    if (kind->even == NULL)
        return kind;
    return member->index % 2 == 0 ? kind->even : &party_threads;
}

party_bunch *party_start(int count, party_body body, void *world)
{
    if (party_kind_now()->skipped != NULL)
        SKIP(party_kind_now()->skipped);
    party_bunch *bunch = party_world(sizeof *bunch);
    CHECK_LE(count, PARTY_MAX);
    bunch->kind = party_kind_now();
    bunch->body = body;
    bunch->world = world;
    bunch->count = count;
    bunch->next = bunches;
    bunches = bunch;
    for (int i = 0; i < count; i++) {
        bunch->members[i].bunch = bunch;
        bunch->members[i].index = i;
        kind_of(&bunch->members[i])->start(&bunch->members[i]);
    }
    return bunch;
}

void party_run(party_member *member)
{
    party_bunch *bunch = member->bunch;
    kri_store_rel(&member->id, (uint32_t)gettid());
    bunch->body(bunch->world, member->index);
    kri_add_acq_rel(&bunch->finished, 1);
}

void party_join(party_bunch *bunch)
{
    for (int i = 0; i < bunch->count; i++)
        if (!bunch->members[i].killed)
            kind_of(&bunch->members[i])->join(&bunch->members[i]);
    for (party_bunch **link = &bunches; *link; link = &(*link)->next)
        if (*link == bunch) {
            *link = bunch->next;
            break;
        }
    bunch->kind->world_free(bunch, sizeof *bunch);
}

int party_finished(party_bunch *bunch)
{
    return (int)kri_load_acq(&bunch->finished);
}

void party_interrupt(party_bunch *bunch, int index, int signo)
{
    kind_of(&bunch->members[index])->interrupt(&bunch->members[index], signo);
}

void party_kill(party_bunch *bunch, int index)
{
    CHECK(bunch->kind->kill != NULL);
    bunch->members[index].killed = true;
    bunch->kind->kill(&bunch->members[index]);
}

void party_restart(party_bunch *bunch, int index)
{
    party_member *member = &bunch->members[index];
    CHECK(member->killed);
    kri_store_rel(&member->id, 0);
    member->killed = member->gone = false;
    kind_of(member)->start(member);
}

/* Only whoever starts parties can see them end. */
void party_nap(void)
{
    static unsigned naps;
    if (kr_running_loop() != NULL) {
        (void)kr_sleep(kr_us(100)); /* the others of its loop go on */
        return;
    }
    kri_test_nap();
    if (getpid() != home || !pthread_equal(pthread_self(), home_thread) || ++naps % 64 != 0)
        return;
    for (party_bunch *bunch = bunches; bunch; bunch = bunch->next)
        for (int i = 0; i < bunch->count && bunch->kind->check; i++)
            bunch->kind->check(&bunch->members[i]);
}

void party_await_finished(party_bunch *bunch, int count)
{
    while (party_finished(bunch) < count)
        party_nap();
}

void party_await_count(kr_word *counter, int count)
{
    while ((int)kri_load_acq(counter) < count)
        party_nap();
}

int party_parked(const void *object, size_t size)
{
    return party_kind_now()->parked(object, size);
}

void party_await_parked(const void *object, size_t size, int count)
{
    while (party_parked(object, size) != count)
        party_nap();
}

/* For the kinds that have to look at each: the members of all bunches, one after the other. */
party_member *party_next_member(party_member *last)
{
    party_bunch *bunch = last ? last->bunch : bunches;
    int index = last ? last->index + 1 : 0;
    for (; bunch; bunch = bunch->next, index = 0)
        if (index < bunch->count)
            return &bunch->members[index];
    return NULL;
}
