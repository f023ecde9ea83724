/* Spaces begin, and are found again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/space_make.h"
#include "manager/pages.h"
#include "manager/table.h"
#include "sync/internal.h"

enum { FIRST_ALIGNMENT = 65536 % KRI_PAGE == 0 && KRI_PAGE >= 4096 ? 65536 : KRI_PAGE };
enum { TABLE_ALIGNMENT = 4096 };
#define SHAPE                                                                                      \
    ((uint64_t)KRI_PAGE << 40 | (uint64_t)KRI_CHUNK_PAGES << 24 | KRI_DOMAINS << 16 |              \
     KRI_UNDO_INSIDE)
#define MOST_CHUNKS UINT64_C(0xffffff)

static uint64_t round_up(uint64_t number, uint64_t to)
{
    return (number + to - 1) / to * to;
}

int kri_space_measure(uint64_t limit, kri_space_measures *m)
{
    uint64_t chunks = limit / KRI_CHUNK * 2 + 2; /* so that a long run is found beside short ones */
    if (limit > UINT64_C(1) << 45)
        return -EINVAL;
    chunks = chunks < MOST_CHUNKS ? chunks : MOST_CHUNKS;
    m->table = round_up(sizeof(kri_space_state), TABLE_ALIGNMENT);
    m->first = round_up(m->table + chunks * sizeof(kri_chunk), FIRST_ALIGNMENT);
    m->chunks = chunks;
    m->size = m->first + chunks * KRI_CHUNK;
    m->fixed = m->table + TABLE_ALIGNMENT;
    m->limit = limit;
    return limit < m->fixed ? -EDQUOT : 0;
}

static void view(kri_space *s, void *memory, const uint64_t *numbers, int fd, kr_time timeout)
{
    *s = (kri_space){.state = memory,
                     .base = memory,
                     .first = numbers[KRI_SPACE_FIRST],
                     .chunks = numbers[KRI_SPACE_CHUNKS],
                     .limit = numbers[KRI_SPACE_LIMIT],
                     .fd = fd,
                     .timeout = timeout};
    s->end = s->first + s->chunks * KRI_CHUNK;
    s->table = (kri_chunk *)(void *)(s->base + numbers[KRI_SPACE_TABLE]);
}

int kri_space_make(kri_space *s, void *memory, const kri_space_measures *m, unsigned mode, int fd,
                   kr_time timeout, const uint64_t seed[2])
{
    kri_space_state *state = memory;
    kri_tx tx;
    state->segment.kind = KRI_SEGMENT_SPACE;
    state->segment.size = m->size;
    state->segment.mode = mode;
    state->segment.parameters[KRI_SPACE_LIMIT] = m->limit;
    state->segment.parameters[KRI_SPACE_TABLE] = m->table;
    state->segment.parameters[KRI_SPACE_FIRST] = m->first;
    state->segment.parameters[KRI_SPACE_CHUNKS] = m->chunks;
    state->segment.parameters[KRI_SPACE_SHAPE] = SHAPE;
    state->seed[0] = seed[0];
    state->seed[1] = seed[1];
    for (int d = 0; d <= KRI_DOMAINS; d++) {
        if (kr_lock_init(&state->domains[d].lock, KR_SHARED) != 0)
            return -EINVAL;
    }
    view(s, memory, state->segment.parameters, fd, timeout);
    int err = kri_tx_begin(&tx, s, 1);
    if (err != 0)
        return err;
    kri_table_make(&tx, 0, &state->root);
    err = kri_tx_end(&tx);
    kri_segment_make(&state->segment);
    kri_segment_open(&state->segment);
    return err;
}

int kri_space_attach(kri_space *s, void *memory, uint64_t size, int fd, kr_time timeout)
{
    kri_segment copy;
    kri_space_measures m;
    int err = kri_segment_read(memory, (size_t)size, &copy);
    if (err != 0)
        return err;
    const uint64_t *numbers = copy.parameters;
    if (copy.kind != KRI_SEGMENT_SPACE || numbers[KRI_SPACE_SHAPE] != SHAPE)
        return KR_ECORRUPT;
    err = kri_space_measure(numbers[KRI_SPACE_LIMIT], &m);
    if (err != 0 || numbers[KRI_SPACE_TABLE] != m.table || numbers[KRI_SPACE_FIRST] != m.first ||
        numbers[KRI_SPACE_CHUNKS] != m.chunks || copy.size != m.size || size < m.size)
        return KR_ECORRUPT;
    view(s, memory, numbers, fd, timeout);
    return 0;
}
