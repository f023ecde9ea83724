/* Handles of segments, named and not.  Who holds what: name.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "memory/name.h"
#include "memory/segment.h"
#include "memory/sparse.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/shared_memory.h>
#include <string.h>

enum { MODES = 0666, OWNER_MAY = 0600, MOST_TRIES = 100 };

/* Constant once it is made. */
struct kr_shared_memory {
    void *memory;
    size_t size;
    int fd;
    char name[OS_SEGMENT_NAME + 1]; /* "": none */
};

static bool are_sound(const kr_shared_memory_options *o)
{
    return kri_reserved_is_clear(o->reserved) && (o->mode & ~(unsigned)MODES) == 0;
}

static unsigned mode_of(const kr_shared_memory_options *o)
{
    return o->mode != 0 ? o->mode : OWNER_MAY;
}

/* A file that has all it should have but its name; the descriptor, or an error. */
static int make_file(size_t size, const kr_shared_memory_options *o, bool sparse)
{
    int fd = os_segment_nameless();
    if (fd < 0)
        return fd;
    int err = os_segment_resize(fd, size);
    if (err == 0 && !sparse)
        err = os_segment_reserve(fd, size);
    if (err == 0)
        err = os_segment_mark(fd, mode_of(o), !o->keep);
    if (err == 0)
        err = os_segment_hold(fd);
    if (err != 0) {
        os_close(fd);
        return err;
    }
    return fd;
}

/* The handle owns fd from now on, and closes it also when this fails. */
static int hand_out(kr_shared_memory **m, int fd, size_t size, const char *name)
{
    kr_shared_memory *made = os_alloc(sizeof *made);
    int err = made == NULL ? -ENOMEM : os_segment_map(fd, size, &made->memory);
    if (err != 0) {
        os_free(made);
        os_close(fd);
        return err;
    }
    made->fd = fd;
    made->size = size;
    if (name != NULL)
        strcpy(made->name, name); /* was checked */
    *m = made;
    return 0;
}

/* A file that had no name when it was opened never tells it.  So open it again by its name; where
 * that fails, others cannot learn the name from the descriptor. */
static void reopen(kr_shared_memory *m)
{
    char found[OS_SEGMENT_NAME + 1];
    os_segment old, new;
    int fd = os_segment_open(m->name);
    if (fd < 0)
        return;
    bool same = os_segment_look(m->fd, &old) == 0 && os_segment_look(fd, &new) == 0 &&
                old.inode == new.inode &&old.device == new.device;
    bool better = same && os_segment_name(fd, found) > 0 && os_segment_hold(fd) == 0;
    os_close(better ? m->fd : fd);
    if (better)
        m->fd = fd;
}

/* Everything else comes first, so that nobody sees the name of one that then fails. */
typedef int (*prepare_fn)(kr_shared_memory *m, void *arg);

static int create_named(kr_shared_memory **m, const char *name, size_t size,
                        const kr_shared_memory_options *o, prepare_fn prepare, void *arg)
{
    int err = name[0] != '\0' ? kri_name_check(name) : 0;
    if (err != 0)
        return err;
    kri_name_sweep();
    int fd = make_file(size, o, prepare != NULL);
    if (fd < 0)
        return fd;
    kr_shared_memory *made = NULL;
    err = hand_out(&made, fd, size, name);
    if (err != 0)
        return err;
    err = prepare != NULL ? prepare(made, arg) : 0;
    if (err == 0)
        err = kri_name_publish(fd, made->name);
    if (err != 0) {
        made->name[0] = '\0';
        kr_shared_memory_release(made);
        return err;
    }
    reopen(made);
    *m = made;
    return 0;
}

int kr_shared_memory_create(kr_shared_memory **m, const char *name, size_t size,
                            const kr_shared_memory_options *options)
{
    static const kr_shared_memory_options defaults;
    const kr_shared_memory_options *o = options != NULL ? options : &defaults;
    if (m == NULL || size == 0 || size > PTRDIFF_MAX || !are_sound(o))
        return -EINVAL;
    if (name != NULL)
        return create_named(m, name, size, o, NULL, NULL);
    int fd = kri_memfd_create(size, o->reserve);
    return fd < 0 ? fd : hand_out(m, fd, size, NULL);
}

int kri_sparse_create(kr_shared_memory **m, const char *name, size_t size,
                      const kr_shared_memory_options *options, prepare_fn prepare, void *arg)
{
    if (!are_sound(options))
        return -EINVAL;
    if (name != NULL)
        return create_named(m, name, size, options, prepare, arg);
    kr_shared_memory *made = NULL;
    int err = kr_shared_memory_create(&made, NULL, size, options);
    if (err == 0)
        err = prepare(made, arg);
    if (err == 0)
        *m = made;
    else
        kr_shared_memory_release(made);
    return err;
}

static int judge(const os_segment *about, const kr_shared_memory_options *o)
{
    if (!about->memory)
        return KR_ECORRUPT;
    if (about->user != os_user() && !o->any_owner)
        return -EPERM;
    if ((about->mode & ~mode_of(o)) != 0)
        return -EPERM;
    return about->size == 0 || about->size > PTRDIFF_MAX ? KR_ECORRUPT : 0;
}

/* -EAGAIN: it is being removed, or was. */
static int hold_checked(int fd, const kr_shared_memory_options *o, size_t *size)
{
    os_segment about = {.size = 0};
    int err = os_segment_look(fd, &about);
    if (err == 0)
        err = judge(&about, o);
    if (err == 0)
        err = os_segment_hold(fd);
    if (err == 0)
        err = os_segment_look(fd, &about);
    if (err == 0 && !about.named)
        err = -EAGAIN;
    *size = (size_t)about.size;
    return err;
}

static void nap(void)
{
    kr_word never = {0};
    (void)kri_wait(&never, 0, kri_deadline(kr_ms(1)), KRI_UNCANCELLABLE);
}

int kr_shared_memory_attach(kr_shared_memory **m, const char *name,
                            const kr_shared_memory_options *options)
{
    static const kr_shared_memory_options defaults;
    const kr_shared_memory_options *o = options != NULL ? options : &defaults;
    if (m == NULL || name == NULL || !are_sound(o))
        return -EINVAL;
    int err = kri_name_check(name);
    if (err != 0)
        return err;
    for (int i = 0; i < MOST_TRIES; i++) {
        size_t size = 0;
        int fd = os_segment_open(name);
        if (fd < 0)
            return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? KR_ECORRUPT : fd;
        err = hold_checked(fd, o, &size);
        if (err == 0)
            return hand_out(m, fd, size, name);
        os_close(fd);
        if (err != -EAGAIN)
            return err;
        nap();
    }
    return -EBUSY;
}

/* One with a name is judged as by name; without, whoever gave us the descriptor is trusted, but its
 * length must be sure. */
static int judge_descriptor(int fd, os_segment *about, char name[OS_SEGMENT_NAME + 1])
{
    static const kr_shared_memory_options defaults;
    int err = os_segment_look(fd, about);
    if (err != 0)
        return err;
    if (about->memory && about->sealed)
        return about->size != 0 ? 0 : KR_ECORRUPT;
    if (os_segment_name(fd, name) < 0) {
        name[0] = '\0';
        return KR_ECORRUPT;
    }
    err = judge(about, &defaults);
    return err == 0 ? os_segment_hold(fd) : err;
}

int kr_shared_memory_attach_descriptor(kr_shared_memory **m, int fd)
{
    char name[OS_SEGMENT_NAME + 1] = "";
    os_segment about;
    if (m == NULL)
        return -EINVAL;
    int own = os_segment_duplicate(fd);
    if (own < 0)
        return own;
    int err = judge_descriptor(own, &about, name);
    if (err != 0) {
        os_close(own);
        return err == -EAGAIN ? -EBUSY : err;
    }
    return hand_out(m, own, (size_t)about.size, name);
}

void kr_shared_memory_release(kr_shared_memory *m)
{
    if (m == NULL)
        return;
    os_shared_unmap(m->memory, m->size);
    os_close(m->fd);
    if (m->name[0] != '\0')
        (void)kri_name_remove_unheld(m->name, NULL);
    os_free(m);
}

void kr_shared_memory_auto(kr_shared_memory **m)
{
    kr_shared_memory_release(*m);
}

void *kr_shared_memory_data(const kr_shared_memory *m)
{
    return m->memory;
}

size_t kr_shared_memory_size(const kr_shared_memory *m)
{
    return m->size;
}

const char *kr_shared_memory_name(const kr_shared_memory *m)
{
    return m->name[0] != '\0' ? m->name : NULL;
}

int kr_shared_memory_descriptor(const kr_shared_memory *m)
{
    return m->fd;
}

/* See name.c for why it holds the segment meanwhile.  What cannot be opened or held, such as a file
 * of no permissions or one whose remover was stopped, is unlinked all the same. */
int kr_shared_memory_unlink(const char *name)
{
    if (name == NULL)
        return -EINVAL;
    int err = kri_name_check(name);
    if (err != 0)
        return err;
    int fd = os_segment_open(name);
    for (int i = 0; fd >= 0 && i < MOST_TRIES && os_segment_hold(fd) == -EAGAIN; i++)
        nap();
    err = os_segment_remove(name);
    if (fd >= 0)
        os_close(fd);
    return err;
}
