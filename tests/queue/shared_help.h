/* What the tests of shared queues have in common: processes, and items that can be checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_SHARED_HELP_H
#define KRI_QUEUE_SHARED_HELP_H

#include "harness/children.h"
#include "harness/test.h"
#include <krait/queue.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static inline kr_queue *shared_queue(size_t item_size, size_t maxsize, kr_queue_options o)
{
    kr_queue *q = NULL;
    o.scope = KR_SHARED;
    CHECK_EQ(kr_queue_create(&q, item_size, maxsize, &o), 0);
    return q;
}

/* An item of any length that knows who sent it, and can tell whether it is whole. */
typedef struct kri_letter {
    uint32_t sender;
    uint32_t length; /* of the whole */
    uint64_t number;
    uint64_t sum;
    unsigned char rest[];
} kri_letter;

enum { LETTER_LEAST = sizeof(kri_letter), LETTER_MOST = 3000 };

static inline uint64_t letter_sum(const kri_letter *l)
{
    uint64_t sum = l->sender * 31u + l->number * 1000003u + l->length;
    for (size_t i = 0; i < l->length - sizeof *l; i++)
        sum = (sum ^ l->rest[i]) * 1099511628211u;
    return sum;
}

static inline void write_letter(kri_letter *l, uint32_t sender, uint64_t number, size_t length)
{
    l->sender = sender;
    l->length = (uint32_t)length;
    l->number = number;
    for (size_t i = 0; i < length - sizeof *l; i++)
        l->rest[i] = (unsigned char)(number + i * 7);
    l->sum = letter_sum(l);
}

static inline void check_letter(const kri_letter *l, size_t length)
{
    CHECK_GE(length, sizeof *l);
    CHECK_EQ(l->length, length);
    CHECK_EQ(l->sum, letter_sum(l));
}

#endif
