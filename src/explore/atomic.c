/* The atomic operations: what src/base/atomic.h calls under KRI_MODEL.
 *
 * Each is: arrive (a switch point), choose what is seen, change, note it for the trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/memory.h"

#include <stdio.h>

static const char *order_name(int order)
{
    static const char *const names[] = {"rlx", "acq", "acq", "rel", "acq_rel", "sc"};

    return order >= 0 && order < 6 ? names[order] : "?";
}

static void trace(const char *what, int order, const ex_location *l, uint64_t value,
                  const char *note)
{
    char text[32];

    snprintf(text, sizeof text, "%s %s", what, order_name(order));
    kri_ex_trace(text, (const void *)l->address, value, note);
}
#define TRACE(what, order, l, value, note)                                                         \
    do {                                                                                           \
        if (__builtin_expect(kri_ex.tracing, 0))                                                   \
            trace((what), (order), (l), (value), (note));                                          \
    } while (0)

/* Outside a run, before the first or after the last, the words are plain memory. */

uint64_t kri_explore_load(const void *at, unsigned size, int order)
{
    if (!kri_ex.active)
        return kri_ex_peek(at, size);
    EX_SITE(&EX_SELF->site);
    ex_location *l = kri_ex_arrive(at, size);
    unsigned taken = kri_ex_choose_store(l, order, NULL);
    uint64_t value = kri_ex_see(l, taken, order);

    TRACE("load", order, l, value, taken + 1u < l->count ? "stale" : "");
    return value;
}

void kri_explore_store(void *at, unsigned size, uint64_t value, int order)
{
    if (!kri_ex.active) {
        kri_ex_poke(at, size, value);
        return;
    }
    EX_SITE(&EX_SELF->site);
    ex_location *l = kri_ex_arrive(at, size);

    kri_ex_append(l, size == 8 ? value : value & ((1ull << (size * 8)) - 1), order, NULL);
    TRACE("store", order, l, value, "");
}

static uint64_t changed(uint64_t old, enum kri_explore_rmw what, uint64_t operand, unsigned size)
{
    uint64_t value = operand;

    switch (what) {
    case KRI_SWAP:
        break;
    case KRI_ADD:
        value = old + operand;
        break;
    case KRI_SUB:
        value = old - operand;
        break;
    case KRI_OR:
        value = old | operand;
        break;
    case KRI_AND:
        value = old & operand;
        break;
    }
    return size == 8 ? value : value & ((1ull << (size * 8)) - 1);
}

uint64_t kri_explore_change(void *at, unsigned size, enum kri_explore_rmw what, uint64_t operand,
                            int order)
{
    static const char *const names[] = {"swap", "add", "sub", "or", "and"};

    if (!kri_ex.active) {
        uint64_t before = kri_ex_peek(at, size);

        kri_ex_poke(at, size, changed(before, what, operand, size));
        return before;
    }
    EX_SITE(&EX_SELF->site);
    ex_location *l = kri_ex_arrive(at, size);
    unsigned latest = l->count - 1u;
    uint64_t old = kri_ex_see(l, latest, order);
    uint64_t value = changed(old, what, operand, size);

    kri_ex_append(l, value, order, l->stores[latest].message);
    TRACE(names[what], order, l, value, "");
    return old;
}

/* Each place once in a thread, so that loops end.  site NULL: it fails anyway. */
static bool fails_weakly(const void *site)
{
    static const unsigned codes[2] = {EX_WEAK, EX_WEAK + 1};
    const void **at = EX_SELF->failed_weakly;
    const void **end = at + EX_WEAK_SITES;

    while (at < end && *at != NULL && *at != site)
        at++;
    bool open = site != NULL && at < end && *at == NULL;
    if (kri_ex_choose(codes, open ? 2 : 0) == 0)
        return false;
    *at = site;
    return true;
}

/* site: of a weak one, which may fail for nothing; NULL: a strong one. */
static bool cas(void *at, unsigned size, uint64_t *expected, uint64_t desired, int order,
                int order_of_failure, const void *site)
{
    if (!kri_ex.active) {
        uint64_t before = kri_ex_peek(at, size);

        if (before == *expected) {
            kri_ex_poke(at, size, desired);
            return true;
        }
        *expected = before;
        return false;
    }
    EX_SITE(&EX_SELF->site);
    ex_location *l = kri_ex_arrive(at, size);
    unsigned latest = l->count - 1u;
    unsigned taken = kri_ex_choose_store(l, order_of_failure, expected);
    bool equal = taken == latest && l->stores[latest].value == *expected;
    bool for_nothing = site != NULL && fails_weakly(equal ? site : NULL);

    if (equal && !for_nothing) {
        kri_ex_see(l, latest, order);
        kri_ex_append(l, desired, order, l->stores[latest].message);
        TRACE("cas", order, l, desired, "");
        return true;
    }
    *expected = kri_ex_see(l, taken, order_of_failure);
    TRACE("cas failed", order_of_failure, l, *expected,
          for_nothing       ? "for nothing"
          : taken != latest ? "stale"
                            : "");
    return false;
}

bool kri_explore_cas(void *at, unsigned size, uint64_t *expected, uint64_t desired, int order,
                     int order_of_failure)
{
    return cas(at, size, expected, desired, order, order_of_failure, NULL);
}

bool kri_ex_weak_cas(void *at, unsigned size, uint64_t *expected, uint64_t desired, int order,
                     int order_of_failure, const void *site)
{
    return cas(at, size, expected, desired, order, order_of_failure, site);
}
