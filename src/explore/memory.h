/* The words of a run and their stores; the model is told at the top of memory.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXPLORE_MEMORY_H
#define KRI_EXPLORE_MEMORY_H

#include "explore/engine.h"

typedef struct ex_message {
    uint32_t clock[EX_THREADS];
    uint32_t count;
    uint16_t view[];
} ex_message;

typedef struct ex_store {
    uint64_t value;
    const ex_message *message; /* NULL: relaxed */
    uint8_t thread;
} ex_store;

typedef struct ex_location {
    uintptr_t address;
    ex_store *stores;
    uint16_t count;
    uint16_t capacity;
    uint16_t sc_floor;
    uint8_t size;
    uint8_t touched; /* by threads, a bit each */
    bool shared;
    uint16_t reread[EX_THREADS]; /* the oldest store not yet read as a stale one */
} ex_location;

unsigned kri_explore_location(const void *at); /* as the parking table declares it */

uint64_t kri_ex_peek(const void *at, unsigned size);
void kri_ex_poke(void *at, unsigned size, uint64_t value);

/* kri_ex_arrive - the location, with the switch point before the operation done. */
ex_location *kri_ex_arrive(const void *at, unsigned size);

/* kri_ex_choose_store - which of the stores that it may see the thread sees; those that hold
 * `except` are no choice unless they are the latest.  The latest is the ordinary way. */
unsigned kri_ex_choose_store(ex_location *l, int order, const uint64_t *except);
uint64_t kri_ex_see(ex_location *l, unsigned taken, int order);
bool kri_ex_weak_cas(void *at, unsigned size, uint64_t *expected, uint64_t desired, int order,
                     int order_of_failure, const void *site);
void kri_ex_append(ex_location *l, uint64_t value, int order, const ex_message *continued);

#endif
