/* The plug-in that speaks MPI: finding it, and the end.
 *
 * Why a plug-in?  A program that does not use MPI must not need it, and the library that speaks it
 * must be built against one MPI.  A second library for programs to link with would have to reach
 * into krait's inside, which the shared one hides, and a program without it would not link, where
 * it shall be told what is missing.  To load MPI itself here would mean to know its binary
 * interface.
 *
 * The end.  MPI_Finalize waits for every rank, and spins.  So each one first comes to a barrier
 * that is looked at now and then, and calls it when all are there.  A rank that is dead never
 * comes: then the others end without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/mpi.h"

#include <string.h>

#include "base/global.h"
#include "os/child.h"
#include "os/library.h"
#include "os/os.h"

static KRI_GLOBAL kri_mutex mpi_lock; /* guards all below */
static KRI_GLOBAL const kri_mpi_calls *mpi_calls;
static KRI_GLOBAL kri_cluster *mpi_pool; /* the one that there is */
static KRI_GLOBAL bool mpi_begun;
static KRI_GLOBAL bool mpi_abandoned;
static KRI_GLOBAL uint32_t mpi_generation;
static KRI_GLOBAL int *mpi_watched; /* pidfds */
static KRI_GLOBAL int mpi_watched_count;
static KRI_GLOBAL kr_word mpi_end; /* never woken */

/* Where what is waited for comes soon, of late, it is polled for: a nap of any length takes longer
 * than ten round trips, since the processor goes to sleep with us, and who is busy anyway may be
 * busy polling.  A nap is an eighth of what has been waited, so that it makes nothing much later.
 */
enum { POLLING = 1000 * 1000, POLLING_LEAST = 50 * 1000, LEAST_NAP = 20 * 1000 };
enum { SOON = 2 * POLLING, LONGEST = 8 * POLLING };

static kr_time polling_time(const kri_backoff *b)
{
    return b->expected < SOON ? POLLING : POLLING_LEAST;
}

kr_time kri_backoff_step(kri_backoff *b)
{
    kr_time now = os_now();
    if (b->since == 0)
        b->since = now;
    kr_time waited = now - b->since;
    if (waited < polling_time(b)) {
        os_yield();
        return 0;
    }
    kr_time nap = waited / 8;
    nap = nap < LEAST_NAP ? LEAST_NAP : nap;
    return nap < b->most ? nap : b->most;
}

void kri_backoff_over(kri_backoff *b)
{
    if (b->since == 0)
        return;
    kr_time waited = os_now() - b->since;
    waited = waited < LONGEST ? waited : LONGEST;
    b->expected += (waited - b->expected) / 4;
    b->since = 0;
}

#ifdef KRI_HAVE_MPI
/* KRI_PLUGIN_FOLDER is where the build's configuration would install it. */
#define PLUGIN "libkrait-mpi.so"

static const kri_mpi_calls *load_from(const char *path)
{
    kri_mpi_plugin_fn plugin = (kri_mpi_plugin_fn)os_library_function(path, KRI_MPI_PLUGIN);
    const kri_mpi_calls *calls = plugin ? plugin() : NULL;
    return calls && calls->version == KRI_MPI_VERSION ? calls : NULL;
}

static const kri_mpi_calls *load_from_beside(void)
{
    static const char below[] = "krait/" PLUGIN;
    char path[4096];
    if (!os_library_folder(path, sizeof path - sizeof below))
        return NULL;
    memcpy(path + strlen(path), below, sizeof below);
    return load_from(path);
}

/* First where this library lies, so that an installed tree may be moved.  What somebody has told
 * the loader comes before what is installed: a program of the build uses the plug-in of the build.
 */
static const kri_mpi_calls *load(void)
{
    const kri_mpi_calls *calls = load_from_beside();
    if (!calls)
        calls = load_from(PLUGIN);
    return calls ? calls : load_from(KRI_PLUGIN_FOLDER "/" PLUGIN);
}

static const char missing[] =
    PLUGIN " or the MPI that it needs cannot be loaded: install libkrait-mpi, openmpi-bin and "
           "libopenmpi3, and see that " PLUGIN " is in the folder krait beside libkrait.so";
#else
static const kri_mpi_calls *load(void)
{
    return NULL;
}

static const char missing[] =
    "krait was built without MPI: install libopenmpi-dev and openmpi-bin, and build it again";
#endif

static const kri_mpi_calls *get_calls(void)
{
    kri_mutex_lock(&mpi_lock);
    if (!mpi_calls)
        mpi_calls = load();
    const kri_mpi_calls *calls = mpi_calls;
    kri_mutex_unlock(&mpi_lock);
    return calls;
}

const char *kr_mpi_missing(void)
{
    return get_calls() ? NULL : missing;
}

void kri_mpi_watch(int pidfd)
{
    kri_mutex_lock(&mpi_lock);
    int *watched = os_alloc(((size_t)mpi_watched_count + 1) * sizeof *watched);
    if (watched) {
        if (mpi_watched_count)
            memcpy(watched, mpi_watched, (size_t)mpi_watched_count * sizeof *watched);
        watched[mpi_watched_count++] = pidfd;
        os_free(mpi_watched);
        mpi_watched = watched;
    }
    kri_mutex_unlock(&mpi_lock);
}

void kri_mpi_abandon(void)
{
    kri_mutex_lock(&mpi_lock);
    mpi_abandoned = true;
    kri_mutex_unlock(&mpi_lock);
}

bool kri_mpi_is_abandoned(void)
{
    kri_mutex_lock(&mpi_lock);
    for (int i = 0; i < mpi_watched_count; i++)
        mpi_abandoned |= os_pidfd_over(mpi_watched[i]);
    bool abandoned = mpi_abandoned;
    kri_mutex_unlock(&mpi_lock);
    return abandoned;
}

bool kri_mpi_engage(kri_cluster *c)
{
    kri_mutex_lock(&mpi_lock);
    bool first = mpi_pool == NULL;
    if (first)
        mpi_pool = c;
    kri_mutex_unlock(&mpi_lock);
    return first;
}

void kri_mpi_disengage(void)
{
    kri_mutex_lock(&mpi_lock);
    mpi_pool = NULL;
    kri_mutex_unlock(&mpi_lock);
}

/* A pool that the program has left is finished as any other at exit, but before MPI is. */
static void finish_pool(void)
{
    kri_mutex_lock(&mpi_lock);
    kri_cluster *c = mpi_pool;
    if (c)
        kri_add_rlx(&c->references, 1);
    kri_mutex_unlock(&mpi_lock);
    if (!c)
        return;
    (void)kri_cluster_shutdown(&c->executor, false, KRI_NEVER, KRI_UNCANCELLABLE);
    kri_cluster_unref(c);
}

static void leave(void *arg)
{
    kri_backoff rest = {.most = 5 * 1000 * 1000};
    (void)arg;
    if (kri_forked_since(mpi_generation))
        return;
    finish_pool();
    while (!kri_mpi_is_abandoned()) {
        int come = mpi_calls->leave();
        if (come != 0) {
            mpi_calls->end(come < 0);
            return;
        }
        kr_time nap = kri_backoff_step(&rest);
        if (nap)
            (void)kri_wait(&mpi_end, 0, kri_deadline(nap),
                           KRI_UNCANCELLABLE | KRI_IDLE | KRI_NO_SPIN);
    }
    mpi_calls->end(true);
}

int kri_mpi_begin(const kri_mpi_calls **calls, int *rank, int *ranks)
{
    *calls = get_calls();
    if (!*calls)
        return -ENOSYS;
    int err = (*calls)->begin(rank, ranks);
    if (err)
        return err;
    kri_mutex_lock(&mpi_lock);
    bool first = !mpi_begun;
    mpi_begun = true;
    mpi_generation = kri_fork_generation();
    kri_mutex_unlock(&mpi_lock);
    return first ? kr_at_exit(leave, NULL) : 0;
}

void kri_mpi_know_self(kri_mpi_self *self)
{
    os_identity identity;
    os_identify(&identity);
    memset(self, 0, sizeof *self);
    if (!os_machine_id(self->machine))
        return;
    self->pid_namespace = identity.pid_namespace;
    self->pid = (uint64_t)os_process_id();
    self->start = os_process_start(os_process_id());
}

int kri_mpi_find(const kri_mpi_self *other, int *pidfd)
{
    kri_mpi_self self;
    *pidfd = -1;
    kri_mpi_know_self(&self);
    if (!other->pid || memcmp(self.machine, other->machine, sizeof self.machine) != 0 ||
        self.pid_namespace != other->pid_namespace)
        return 0;
    int fd = os_pidfd_open((pid_t)other->pid);
    if (fd < 0)
        return fd == -ESRCH ? KR_ECRASHED : fd;
    if (os_process_start((pid_t)other->pid) != other->start) {
        os_close(fd);
        return KR_ECRASHED;
    }
    *pidfd = fd;
    return 0;
}
