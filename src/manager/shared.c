/* The back end in shared memory.
 *
 * A named manager is a segment as of kr_shared_memory, which also sees to its name and its end; one
 * without a name is a sealed memfd.  Both are as long as the address space that the limit allows
 * for, and have memory where it was asked for only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared.h"
#include "manager/heap.h"
#include "manager/pages.h"
#include "manager/space_make.h"
#include "memory/sparse.h"
#include "os/os.h"
#include "os/segment.h"
#include <string.h>

enum { OWNER_MAY = 0600, MOST_TRIES = 10 };
#define DEFAULT_LIMIT ((uint64_t)1 << 30)

static void end(kr_manager *m)
{
    kri_shared_manager *shared = kri_shared_manager_of(m);
    kr_shared_memory_release(shared->memory);
    os_free(shared);
}

static int descriptor(const kr_manager *m)
{
    return kr_shared_memory_descriptor(((const kri_shared_manager *)(const void *)m)->memory);
}

static int drop(kr_manager *m, const char *name)
{
    return kri_directory_drop(&kri_shared_manager_of(m)->space, name);
}

static int each_name(kr_manager *m, int (*each)(const char *name, kr_manager_kind kind, void *arg),
                     void *arg)
{
    return kri_directory_each(&kri_shared_manager_of(m)->space, each, arg);
}

static int statistics(kr_manager *m, kr_manager_statistics *result)
{
    kri_space *s = &kri_shared_manager_of(m)->space;
    kri_pages_picture picture;
    int err = kri_pages_look(s, &picture);
    if (err != 0)
        return err;
    *result = (kr_manager_statistics){.limit = s->limit,
                                      .taken = picture.taken,
                                      .fixed = picture.fixed,
                                      .spare = picture.spare,
                                      .used = picture.used,
                                      .objects = kri_load_rlx64(&s->state->objects),
                                      .deaths = kri_load_rlx64(&s->state->deaths),
                                      .undone = kri_load_rlx64(&s->state->undone)};
    return 0;
}

static int trim(kr_manager *m)
{
    kri_space *s = &kri_shared_manager_of(m)->space;
    int err = kri_graves_empty(s, KRI_ALL_DOMAINS);
    for (unsigned d = 0; d < KRI_DOMAINS && err == 0; d++) {
        kri_tx tx;
        err = kri_tx_begin(&tx, s, UINT64_C(1) << d);
        if (err != 0)
            break;
        kri_heap_trim(&tx, d);
        err = kri_tx_end(&tx);
    }
    return err == 0 ? kri_pages_trim(s) : err;
}

static const kri_manager_ops operations = {.end = end,
                                           .descriptor = descriptor,
                                           .drop = drop,
                                           .each = each_name,
                                           .statistics = statistics,
                                           .trim = trim,
                                           .dict = kri_shared_dict,
                                           .dict_as = kri_shared_dict_as,
                                           .containers = &kri_shared_containers};

/* Begin */

static kri_shared_manager *new_manager(const kr_manager_options *o)
{
    kri_shared_manager *made = os_alloc(sizeof *made);
    if (made == NULL)
        return NULL;
    made->face.ops = &operations;
    made->face.references = (kr_word){1};
    made->face.timeout = o->timeout != 0 ? o->timeout : KRI_MANAGER_TIMEOUT;
    return made;
}

typedef struct plan {
    kri_shared_manager *manager;
    kri_space_measures measures;
    unsigned mode;
} plan;

/* Before the segment has its name. */
static int lay_out(kr_shared_memory *memory, void *arg)
{
    const plan *p = arg;
    uint64_t seed[2];
    void *data = kr_shared_memory_data(memory);
    int fd = kr_shared_memory_descriptor(memory);
    int err = os_segment_reserve_part(fd, 0, p->measures.fixed);
    if (err != 0)
        return err == -ENOMEM ? -ENOSPC : err;
    (void)os_segment_leave_undumped(data, p->measures.size);
    os_random(seed, sizeof seed);
    return kri_space_make(&p->manager->space, data, &p->measures, p->mode, fd,
                          p->manager->face.timeout, seed);
}

static int create(kri_shared_manager *made, const char *name, const kr_manager_options *o)
{
    kr_shared_memory_options memory = {.mode = o->mode, .keep = o->keep};
    plan p = {.manager = made, .mode = o->mode != 0 ? o->mode : OWNER_MAY};
    int err = kri_space_measure(o->limit != 0 ? o->limit : DEFAULT_LIMIT, &p.measures);
    if (err != 0)
        return -EINVAL;
    err = kri_sparse_create(&made->memory, name, p.measures.size, &memory, lay_out, &p);
    /* The descriptor may be another one by now. */
    if (err == 0)
        made->space.fd = kr_shared_memory_descriptor(made->memory);
    return err;
}

/* made->memory is there. */
static int attach(kri_shared_manager *made)
{
    void *data = kr_shared_memory_data(made->memory);
    size_t size = kr_shared_memory_size(made->memory);
    (void)os_segment_leave_undumped(data, size);
    int fd = kr_shared_memory_descriptor(made->memory);
    return kri_space_attach(&made->space, data, size, fd, made->face.timeout);
}

static int attach_named(kri_shared_manager *made, const char *name, const kr_manager_options *o)
{
    kr_shared_memory_options memory = {.mode = o->mode};
    int err = kr_shared_memory_attach(&made->memory, name, &memory);
    return err == 0 ? attach(made) : err;
}

/* Whoever creates one and whoever removes it may come between the two tries. */
static int open_named(kri_shared_manager *made, const char *name, const kr_manager_options *o)
{
    int err = -ENOENT;
    for (int i = 0; i < MOST_TRIES; i++) {
        if (o->how != KR_MANAGER_CREATE)
            err = attach_named(made, name, o);
        if (o->how == KR_MANAGER_ATTACH || (err != -ENOENT && err != -EBUSY))
            return err;
        err = create(made, name, o);
        if (o->how == KR_MANAGER_CREATE || err != -EEXIST)
            return err;
    }
    return err;
}

static int finish(kr_manager **m, kri_shared_manager *made, int err)
{
    if (err == 0)
        *m = &made->face;
    else
        end(&made->face);
    return err;
}

int kri_shared_manager_open(kr_manager **m, const char *name, const kr_manager_options *o)
{
    kri_shared_manager *made = new_manager(o);
    if (made == NULL)
        return -ENOMEM;
    return finish(m, made, name != NULL ? open_named(made, name, o) : create(made, NULL, o));
}

int kri_shared_manager_attach(kr_manager **m, int fd, const kr_manager_options *o)
{
    kri_shared_manager *made = new_manager(o);
    if (made == NULL)
        return -ENOMEM;
    int err = kr_shared_memory_attach_descriptor(&made->memory, fd);
    return finish(m, made, err == 0 ? attach(made) : err);
}

int kri_shared_open(kr_manager *m, const char *name, const kri_kind *kind, const void *arg,
                    kri_object_ref *found, char made[KR_MANAGER_NAME + 1])
{
    kri_space *s = &kri_shared_manager_of(m)->space;
    if (name != NULL)
        strcpy(made, name); /* was checked */
    else
        kri_manager_name_make(made);
    int err = kri_directory_open(s, made, kind, arg, found);
    return err > 0 ? 0 : err;
}
