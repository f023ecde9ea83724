/* Pipes: making, handing over and closing their ends.
 *
 * One segment holds the head and a ring for each direction.  Ring 0 leads from the first end to the
 * second when both send, and from the second to the first in a one-way pipe.
 *
 * Descriptors of an end: the segment, so that the end can be handed on; one of two connected
 * sockets, for descriptors, for calls to who waits for room, and for the hang-up; and of each
 * direction one side of a pipe for calls to who waits for a message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "connection/ring.h"
#include "loop/descriptor.h"
#include "memory/segment.h"
#include "os/message.h"
#include "os/os.h"
#include "os/socket.h"
#include <stdlib.h>

#define MAGIC UINT64_C(0x657069702e6b6161)
enum { VERSION = 1, LEAST = 4096, USUAL = 65536, MOST = 1 << 30 };
/* In the flags of a packed end. */
enum { OUT_IS_SECOND = 1 << 8 };

static size_t size_of(uint32_t rings, uint64_t capacity)
{
    return sizeof(kri_pipe_head) + rings * (sizeof(kri_ring_state) + (size_t)capacity);
}

static kri_ring ring_of(void *memory, uint32_t rings, uint64_t capacity, uint32_t index)
{
    unsigned char *states = (unsigned char *)memory + sizeof(kri_pipe_head);
    unsigned char *bytes = states + rings * sizeof(kri_ring_state);
    return (kri_ring){.state = (kri_ring_state *)(void *)states + index,
                      .bytes = bytes + index * capacity,
                      .units = capacity / KRI_RING_UNIT};
}

static void close_if(int fd)
{
    if (fd >= 0)
        kri_descriptor_close(fd);
}

static void end_close(kr_connection *c)
{
    kri_pipe_end *p = kri_pipe_of(c);
    close_if(p->memory_fd);
    close_if(p->rights);
    close_if(p->hears);
    close_if(p->calls);
    if (p->base.flags & KRI_CONNECTION_READS)
        kri_add_sc(&p->in.state->calls.closes, 1);
    if (p->base.flags & KRI_CONNECTION_WRITES)
        kri_sub_sc(&p->out.state->put.holders, 1);
    kri_pipe_drop_partial(p);
    kri_memfd_unmap(p->memory, p->memory_size);
}

static void end_free(kr_connection *c)
{
    free(kri_pipe_of(c));
}

/* One process more has the end. */
static void join(kr_connection *c)
{
    kri_pipe_end *p = kri_pipe_of(c);
    if (!(p->base.flags & KRI_CONNECTION_WRITES))
        return;
    kri_add_sc(&p->out.state->put.holders, 1);
    kri_pipe_call_reader(p, true);
}

static int end_descriptor(const kr_connection *c)
{
    return kri_pipe_of(c)->hears;
}

static int end_pack(kr_connection *c, kri_packed_connection *out)
{
    const kri_pipe_end *p = kri_pipe_of(c);
    bool second =
        (c->flags & KRI_CONNECTION_WRITES) && p->out.state != p->memory &&
        (unsigned char *)p->out.state != (unsigned char *)p->memory + sizeof(kri_pipe_head);
    *out = (kri_packed_connection){.kind = KRI_CONNECTION_RING,
                                   .flags = c->flags | (second ? OUT_IS_SECOND : 0),
                                   .fds = {p->memory_fd, p->rights},
                                   .fd_count = 2};
    if (p->hears >= 0)
        out->fds[out->fd_count++] = p->hears;
    if (p->calls >= 0)
        out->fds[out->fd_count++] = p->calls;
    return 0;
}

static const kri_connection_ops ring_ops = {
    .send = kri_pipe_send,
    .recv = kri_pipe_recv,
    .ready = kri_pipe_ready,
    .descriptor = end_descriptor,
    .send_attachment = kri_pipe_send_attachment,
    .recv_attachment = kri_pipe_recv_attachment,
    .pack = end_pack,
    .close = end_close,
    .forked = join,
    .free = end_free,
};

/* What makes an end of the memory. */
typedef struct plan {
    void *memory;
    size_t memory_size;
    uint32_t rings;
    uint64_t capacity;
    uint32_t flags;
    uint32_t out; /* which ring */
} plan;

static void end_begin(kri_pipe_end *p, const plan *how, const int *fds)
{
    bool reads = how->flags & KRI_CONNECTION_READS;
    bool writes = how->flags & KRI_CONNECTION_WRITES;
    uint32_t in = how->rings == 1 ? 0 : 1 - how->out;
    p->memory = how->memory;
    p->memory_size = how->memory_size;
    p->memory_fd = *fds++;
    p->rights = *fds++;
    p->hears = reads ? *fds++ : -1;
    p->calls = writes ? *fds++ : -1;
    if (reads)
        p->in = ring_of(how->memory, how->rings, how->capacity, in);
    if (writes)
        p->out = ring_of(how->memory, how->rings, how->capacity, how->out);
    kri_connection_begin(&p->base, &ring_ops, how->flags);
}

static int judge(const kri_pipe_head *head, size_t size, uint32_t flags, plan *how)
{
    uint32_t both = KRI_CONNECTION_READS | KRI_CONNECTION_WRITES;
    uint32_t ways = flags & both;
    how->rings = head->rings;
    how->capacity = head->capacity;
    how->flags = ways;
    how->out = flags & OUT_IS_SECOND ? 1 : 0;
    bool whole = head->magic == MAGIC && head->version == VERSION && how->capacity >= LEAST &&
                 how->capacity <= MOST && (how->capacity & (how->capacity - 1)) == 0 &&
                 (how->rings == 2 ? ways == both : how->rings == 1 && ways != 0 && ways != both) &&
                 how->out < how->rings && size >= size_of(how->rings, how->capacity);
    return whole ? 0 : KR_ECORRUPT;
}

/* Who packed it may have meant harm: the descriptors must at least be of the right kinds. */
static bool are_an_ends(const int *fds, int count)
{
    bool are = os_socket_is_stream(fds[1]) && os_socket_is_local(fds[1]);
    for (int i = 2; i < count; i++)
        are = are && os_call_is(fds[i]);
    return are;
}

int kri_ring_unpack(const kri_packed_connection *in, kr_connection **c)
{
    uint32_t ways = in->flags & (KRI_CONNECTION_READS | KRI_CONNECTION_WRITES);
    int expected = ways == (KRI_CONNECTION_READS | KRI_CONNECTION_WRITES) ? 4 : 3;
    if (in->fd_count != expected || !are_an_ends(in->fds, expected))
        return KR_ECORRUPT;
    kri_pipe_end *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    plan how = {.memory = NULL};
    int err = kri_memfd_attach(in->fds[0], sizeof(kri_pipe_head), &how.memory, &how.memory_size);
    if (err != 0) {
        free(p);
        return err;
    }
    kri_pipe_head head = *(kri_pipe_head *)how.memory;
    err = judge(&head, how.memory_size, in->flags, &how);
    if (err != 0) {
        kri_memfd_unmap(how.memory, how.memory_size);
        free(p);
        return err;
    }
    end_begin(p, &how, in->fds);
    join(&p->base);
    *c = &p->base;
    return 0;
}

/* Making one */

/* What both ends need, in the order of a packed end's descriptors. */
typedef struct parts {
    void *memory[2];
    int memory_fd[2];
    int rights[2];
    int hears[2]; /* of the ring with that index */
    int calls[2];
} parts;

static int make_descriptors(parts *made, uint32_t rings, size_t size)
{
    int err = kri_memfd_map(size, &made->memory_fd[0], &made->memory[0]);
    if (err != 0)
        return err;
    err = os_duplicate(made->memory_fd[0]);
    if (err < 0)
        return err;
    made->memory_fd[1] = err;
    err = kri_memfd_attach(made->memory_fd[1], size, &made->memory[1], NULL);
    if (err == 0)
        err = os_rights_pair(made->rights);
    for (uint32_t i = 0; i < rings && err == 0; i++)
        err = os_call_pair(&made->hears[i], &made->calls[i]);
    return err;
}

static void unmake(const parts *made, size_t size)
{
    for (int i = 0; i < 2; i++) {
        if (made->memory[i] != NULL)
            kri_memfd_unmap(made->memory[i], size);
        close_if(made->memory_fd[i]);
        close_if(made->rights[i]);
        close_if(made->hears[i]);
        close_if(made->calls[i]);
    }
}

static void write_head(void *memory, uint32_t rings, uint64_t capacity)
{
    for (uint32_t i = 0; i < rings; i++) {
        kri_ring_state *state = ring_of(memory, rings, capacity, i).state;
        (void)kr_lock_init(&state->put.lock, KR_SHARED);
        (void)kr_lock_init(&state->get.lock, KR_SHARED);
        kri_store_rlx(&state->put.holders, 1);
    }
    *(kri_pipe_head *)memory =
        (kri_pipe_head){.magic = MAGIC, .version = VERSION, .rings = rings, .capacity = capacity};
}

static void begin_both(kri_pipe_end *ends[2], const parts *made, plan how)
{
    uint32_t both = KRI_CONNECTION_READS | KRI_CONNECTION_WRITES;
    for (uint32_t i = 0; i < 2; i++) {
        how.memory = made->memory[i];
        if (how.rings == 2) {
            how.flags = both;
            how.out = i;
        } else {
            how.flags = i == 0 ? KRI_CONNECTION_READS : KRI_CONNECTION_WRITES;
        }
        int fds[KRI_PACKED_DESCRIPTORS] = {made->memory_fd[i], made->rights[i]};
        int count = 2;
        if (how.flags & KRI_CONNECTION_READS)
            fds[count++] = made->hears[how.rings == 1 ? 0 : 1 - how.out];
        if (how.flags & KRI_CONNECTION_WRITES)
            fds[count] = made->calls[how.out];
        end_begin(ends[i], &how, fds);
    }
}

static int pipe_make(kri_pipe_end *ends[2], bool one_way, uint64_t capacity)
{
    plan how = {.rings = one_way ? 1 : 2, .capacity = capacity};
    parts made = {.memory_fd = {-1, -1}, .rights = {-1, -1}, .hears = {-1, -1}, .calls = {-1, -1}};
    how.memory_size = size_of(how.rings, capacity);
    int err = make_descriptors(&made, how.rings, how.memory_size);
    if (err != 0) {
        unmake(&made, how.memory_size);
        return err;
    }
    write_head(made.memory[0], how.rings, capacity);
    begin_both(ends, &made, how);
    return 0;
}

static int read_options(const kr_pipe_options *options, bool *one_way, uint64_t *capacity)
{
    *one_way = false;
    *capacity = USUAL;
    if (options == NULL)
        return 0;
    if (!kri_reserved_is_clear(options->reserved) || options->capacity > MOST)
        return -EINVAL;
    *one_way = options->one_way;
    if (options->capacity > 0) {
        for (*capacity = LEAST; *capacity < options->capacity;)
            *capacity *= 2;
    }
    return 0;
}

int kr_pipe(kr_connection **a, kr_connection **b, const kr_pipe_options *options)
{
    bool one_way;
    uint64_t capacity;
    if (a == NULL || b == NULL)
        return -EINVAL;
    *a = *b = NULL;
    int err = read_options(options, &one_way, &capacity);
    if (err != 0)
        return err;
    kri_pipe_end *ends[2] = {calloc(1, sizeof *ends[0]), calloc(1, sizeof *ends[1])};
    err = ends[0] != NULL && ends[1] != NULL ? pipe_make(ends, one_way, capacity) : -ENOMEM;
    if (err != 0) {
        free(ends[0]);
        free(ends[1]);
        return err;
    }
    *a = &ends[0]->base;
    *b = &ends[1]->base;
    return 0;
}
