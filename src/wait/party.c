/* Who waits: the calling thread's own party, or the one it acts for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/internal.h"

KRI_THREAD_LOCAL(kri_party, own_party)
KRI_SHARED_THREAD_LOCAL_HERE(kri_party *, kri_party_current)

static kri_word64 last_id KRI_GLOBAL;

static const kri_party_ops thread_ops = {.park = kri_thread_park, .unpark = kri_thread_unpark};

uint64_t kri_party_new_id(void)
{
    return kri_add_rlx64(&last_id, 1) + 1;
}

uint64_t kri_party_id(kri_party *self)
{
    if (self->id == 0)
        self->id = kri_party_new_id();
    return self->id;
}

kri_party *kri_party_begin_thread(void)
{
    kri_party *party = own_party();
    party->ops = &thread_ops;
    party->thread = os_thread_id();
    *kri_party_current() = party;
    kri_spin_meet();
    kri_stall_meet();
    kri_fork_watch();
    return party;
}

void kri_party_be_thread(void)
{
    for (kri_party *party = *kri_party_current(); party != NULL; party = party->outer)
        party->ops = &thread_ops;
}

void kri_block_hook_add(kri_block_hook *hook)
{
    kri_party *party = kri_party_self();
    hook->next = party->hooks;
    party->hooks = hook;
}

void kri_block_hook_remove(kri_block_hook *hook)
{
    kri_block_hook **at = &kri_party_self()->hooks;
    while (*at != hook)
        at = &(*at)->next;
    *at = hook->next;
}

static void close_bell(kri_party *party)
{
    if (party->bell != 0)
        os_close(party->bell - 1);
    party->bell = 0;
}

void kri_party_end(void)
{
    close_bell(own_party());
    kri_stall_party_ended();
}

/* The outermost first. */
static void put_right(kri_party *party)
{
    if (party->outer != NULL)
        put_right(party->outer);
    close_bell(party);
    kri_scope_forked(party->scope);
}

/* The parent still reads its own bells: a child must not ring them. */
void kri_party_forked(void)
{
    put_right(kri_party_self());
    own_party()->thread = os_thread_id();
    kri_stall_forked();
}
