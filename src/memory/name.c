/* The names of segments, and when they go.
 *
 * State.  A segment with a name is marked (krait's, to go when nobody holds it) or not; held by any
 * number who share it, or seized by one who is about to remove it, or neither.  The kernel keeps
 * who holds it, per open file, and forgets those who die.
 *
 * Protocol.  A creator marks and holds the segment before it has the name: so a marked one that
 * nobody holds has been abandoned, at any instant.  Who removes it seizes it first, which fails
 * while anybody holds it, and then looks whether the name still leads there.  Who attaches holds
 * it, and then looks whether it still has a name.  So nobody attaches to a segment that loses its
 * name for want of holders.  Who takes a name away on purpose (kr_shared_memory_unlink) holds the
 * segment meanwhile: the name cannot be removed, and given anew, between another's look and
 * removal.  Programs that are not krait's can do that, as with any file.
 *
 * Who gives its handle up cannot ask its own descriptor whether it was the last: forked children
 * have the same open file, and would lose their hold with it.  It closes the descriptor, and tries
 * as any other then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/name.h"
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include <krait/shared_memory.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TRIES = 100 };

static kr_word swept KRI_GLOBAL;

int kri_name_check(const char *name)
{
    size_t length = strnlen(name, OS_SEGMENT_NAME + 1);
    if (length > OS_SEGMENT_NAME)
        return -ENAMETOOLONG;
    if (length == 0 || strchr(name, '/') != NULL)
        return -EINVAL;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? -EINVAL : 0;
}

static bool leads_there(int fd, const char *name)
{
    char found[OS_SEGMENT_NAME + 1];
    return os_segment_name(fd, found) > 0 && strcmp(found, name) == 0;
}

static bool is_abandoned(int fd, const char *name, uint64_t *size)
{
    os_segment about;
    if (os_segment_look(fd, &about) != 0 || !about.memory || !about.marked)
        return false;
    if (about.user != os_user() && os_user() != 0)
        return false;
    if (size != NULL)
        *size = about.size;
    return os_segment_seize(fd) == 0 && leads_there(fd, name);
}

bool kri_name_remove_unheld(const char *name, uint64_t *size)
{
    int fd = os_segment_open(name);
    if (fd < 0)
        return false;
    bool done = is_abandoned(fd, name, size) && os_segment_remove(name) == 0;
    os_close(fd);
    return done;
}

static void make_up(char name[OS_SEGMENT_NAME + 1])
{
    uint64_t number;
    os_random(&number, sizeof number);
    snprintf(name, OS_SEGMENT_NAME + 1, "krait-%016jx", (uintmax_t)number);
}

int kri_name_publish(int fd, char name[OS_SEGMENT_NAME + 1])
{
    bool made_up = name[0] == '\0';
    int err = -EEXIST;
    for (int i = 0; err == -EEXIST && i < MOST_TRIES; i++) {
        if (made_up)
            make_up(name);
        err = os_segment_publish(fd, name);
        if (err == -EEXIST && !made_up && !kri_name_remove_unheld(name, NULL))
            break;
    }
    return err;
}

typedef struct sweep {
    void (*removed)(const char *name, size_t size, void *arg);
    void *arg;
    int count;
} sweep;

static int sweep_one(const char *name, void *arg)
{
    sweep *s = arg;
    uint64_t size = 0;
    if (kri_name_remove_unheld(name, &size)) {
        s->count++;
        if (s->removed != NULL)
            s->removed(name, (size_t)size, s->arg);
    }
    return 0;
}

int kr_shared_memory_clean(void (*removed)(const char *name, size_t size, void *arg), void *arg)
{
    sweep s = {removed, arg, 0};
    int err = os_segment_list(sweep_one, &s);
    return err != 0 ? err : s.count;
}

void kri_name_sweep(void)
{
    if (kri_load_rlx(&swept) == 0 && kri_swap_rlx(&swept, 1) == 0)
        (void)kr_shared_memory_clean(NULL, NULL);
}
