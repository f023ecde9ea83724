/* kr_listener: the clients of an address, and their handshakes side by side.
 *
 * State.  A client is waiting in the system, or a candidate (accepted, in its handshake), or the
 * program's.  A listener is open, then closed.
 *
 * Fields.
 *     references  handles
 *     lock        guards the rest but what is const; nothing under it waits
 *     fd          the listening socket; -1: closed
 *     watch       a descriptor that is readable when fd, bell or a candidate is; -1: none yet
 *     bell        rung by the close, and never cleared
 *     listed      the next of all listeners of this process, guarded by listeners_lock
 *     oldest ...  the candidates in the order in which they came, so in that of their deadlines
 *
 * Protocol.
 *     accept  Under the lock take what is ready, one event after another, until a client is let in
 *             or turned away; give the lock up; return, or wait for the watch.  Several threads may
 *             be at it: whatever one leaves undone keeps the watch readable for the others.
 *     close   Under the lock drop everything but the watch, which the last release drops, since
 *             others may be waiting for it, and ring.
 *     fork    A watch belongs to the process that made it: the child would go on changing its
 *             parent's.  It makes its own at its next accept, and its copies of the parent's
 *             candidates are closed.
 *
 * Why not one handshake after another, as Python has it?  A client that connects and says nothing
 * would lock out all others until its time is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "connection/address.h"
#include "loop/descriptor.h"
#include "connection/handshake.h"
#include "connection/listener.h"
#include "connection/socket.h"
#include "os/os.h"
#include "wait/half_open.h"
#include <krait/lock.h>
#include <string.h>

enum { BACKLOG = 128, CANDIDATES = 64, TRIES = 8 };

/* Keys of the watch; the others are addresses of candidates. */
enum { LISTENING = 0, BELL = 1 };

/* Beside errors: nothing has come of it yet. */
enum { UNDECIDED = 1 };

typedef struct candidate {
    struct candidate *next; /* came later */
    struct candidate *previous;
    kr_connection *connection;
    kr_time deadline;
    os_address peer;
    kri_auth auth;
} candidate;

struct kr_listener {
    kr_word references;
    kr_listener *listed;
    kr_lock lock;
    int fd;
    int watch;
    int bell;
    candidate *oldest;
    candidate *newest;
    int candidates;
    os_address last_accepted;  /* size 0: nobody */
    uint32_t generation;       /* const: of the process that made it */
    bool has_file;             /* const, as the rest */
    os_file_identity file;     /* of the path */
    os_address bound;          /* where it listens */
    uint64_t max_message;      /* of its connections */
    kr_time handshake_timeout; /* of each client */
    kri_auth_key key;          /* bytes NULL: none */
};

static kri_mutex listeners_lock KRI_GLOBAL;
static kr_listener *listeners KRI_GLOBAL;

static void lock_surely(kr_listener *l)
{
    kr_shield {
        int err = kr_lock_acquire(&l->lock, KR_FOREVER);
        (void)err; /* nothing else can end it */
    }
}

static void unlock(kr_listener *l)
{
    int err = kr_lock_release(&l->lock);
    (void)err; /* it is held */
}

/* Candidates; with the lock. */

static void append_candidate(kr_listener *l, candidate *one)
{
    one->previous = l->newest;
    *(l->newest != NULL ? &l->newest->next : &l->oldest) = one;
    l->newest = one;
    l->candidates++;
}

static kr_connection *remove_candidate(kr_listener *l, candidate *one)
{
    kr_connection *c = one->connection;
    *(one->previous != NULL ? &one->previous->next : &l->oldest) = one->next;
    *(one->next != NULL ? &one->next->previous : &l->newest) = one->previous;
    l->candidates--;
    os_watch_remove(l->watch, kri_socket_stream(c)->fd);
    os_free(one);
    return c;
}

static int turn_away(kr_listener *l, candidate *one)
{
    kri_socket_discard(remove_candidate(l, one));
    return KR_EAUTH;
}

static int let_in(kr_listener *l, kr_connection *c, const os_address *peer, kr_connection **out)
{
    kri_socket_begin(c);
    l->last_accepted = *peer;
    *out = c;
    return 0;
}

static int go_on(kr_listener *l, candidate *one, kr_connection **out)
{
    int err = kri_handshake_step(&one->auth, kri_socket_stream(one->connection));
    if (err == -EAGAIN)
        return UNDECIDED;
    if (err < 0)
        return turn_away(l, one);
    os_address peer = one->peer;
    return let_in(l, remove_candidate(l, one), &peer, out);
}

/* Whatever the result, the connection is no longer the caller's. */
static int begin_handshake(kr_listener *l, kr_connection *c, const os_address *peer,
                           kri_half_open *half)
{
    kri_stream *stream = kri_socket_stream(c);
    candidate *one = os_alloc(sizeof *one);
    int err = one != NULL ? os_watch_add(l->watch, stream->fd, (uintptr_t)one) : -ENOMEM;
    if (err < 0) {
        os_free(one);
        kri_half_open_end(half);
        kri_socket_discard(c);
        return err;
    }
    one->connection = c;
    one->peer = *peer;
    one->deadline = kri_deadline(l->handshake_timeout);
    append_candidate(l, one);
    kri_half_open_end(half);
    if (kri_handshake_begin(&one->auth, &l->key, true, stream) < 0)
        return turn_away(l, one);
    return l->candidates > CANDIDATES ? turn_away(l, l->oldest) : UNDECIDED;
}

/* Accepting; with the lock. */

static int take_client(kr_listener *l, kr_connection **out)
{
    os_address peer;
    kr_connection *c;
    kri_half_open half;
    kri_half_open_begin();
    int fd = os_socket_accept(l->fd, &peer);
    kri_half_open_note(&half, fd);
    if (fd < 0)
        return fd == -EAGAIN ? UNDECIDED : fd;
    int err = kri_socket_create(fd, l->max_message, &c);
    if (err < 0) {
        kri_half_open_end(&half);
        os_close(fd);
        return err;
    }
    if (l->key.bytes != NULL)
        return begin_handshake(l, c, &peer, &half);
    err = let_in(l, c, &peer, out);
    kri_half_open_end(&half);
    return err;
}

static int make_watch(kr_listener *l)
{
    int bell = os_bell_create();
    if (bell < 0)
        return bell;
    int watch = os_watch_create();
    int err = watch;
    if (err >= 0)
        err = os_watch_add(watch, bell, BELL);
    if (err >= 0)
        err = os_watch_add(watch, l->fd, LISTENING);
    if (err < 0) {
        os_close(bell);
        if (watch >= 0)
            os_close(watch);
        return err;
    }
    l->bell = bell;
    l->watch = watch;
    return 0;
}

static int take_event(kr_listener *l, uint64_t key, kr_connection **out)
{
    if (key == LISTENING)
        return take_client(l, out);
    if (key == BELL)
        return KR_ESHUTDOWN;
    return go_on(l, (candidate *)(uintptr_t)key, out);
}

/* Whatever is ready, until something comes of it. */
static int take_events(kr_listener *l, kr_connection **out)
{
    if (l->fd < 0)
        return KR_ESHUTDOWN;
    int result = l->watch < 0 ? make_watch(l) : 0;
    if (result < 0)
        return result;
    if (l->oldest != NULL && l->oldest->deadline <= os_now())
        return turn_away(l, l->oldest);
    uint64_t key;
    result = UNDECIDED;
    while (result == UNDECIDED && os_watch_next(l->watch, &key))
        result = take_event(l, key, out);
    return result;
}

int kr_listener_accept(kr_listener *l, kr_connection **c, kr_time timeout)
{
    if (c == NULL)
        return -EINVAL;
    *c = NULL;
    if (timeout < 0)
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    for (;;) {
        int err = kr_lock_acquire(&l->lock, kri_left_until(deadline));
        if (err < 0)
            return err;
        int result = take_events(l, c);
        int watch = l->watch;
        kr_time until = l->oldest != NULL ? l->oldest->deadline : KRI_NEVER;
        unlock(l);
        if (result != UNDECIDED)
            return result;
        err = kri_wait_fd(watch, OS_READABLE, until < deadline ? until : deadline);
        if (err < 0 && !(err == -ETIMEDOUT && until < deadline))
            return err;
    }
}

/* Opening */

static int check(const kr_listener_options *o)
{
    if (o->backlog < 0 || o->handshake_timeout < 0 || !kri_reserved_is_clear(o->reserved))
        return -EINVAL;
    kri_auth_key key = {o->authkey, o->authkey_size, o->allow_md5};
    if (o->authkey == NULL)
        return o->authkey_size == 0 ? 0 : -EINVAL;
    return kri_auth_check_key(&key);
}

static int copy_key(kr_listener *l, const kr_listener_options *o)
{
    if (o->authkey == NULL)
        return 0;
    void *copy = os_alloc(o->authkey_size);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, o->authkey, o->authkey_size);
    l->key = (kri_auth_key){copy, o->authkey_size, o->allow_md5};
    return 0;
}

static void forget_key(kr_listener *l)
{
    void *bytes = (void *)(uintptr_t)l->key.bytes;
    if (bytes != NULL)
        explicit_bzero(bytes, l->key.size);
    os_free(bytes);
}

static int listen_at(kr_listener *l, const char *text, int backlog)
{
    os_address list[KRI_ADDRESSES];
    int err = kri_address_read(text, true, list);
    return err < 0 ? err : os_socket_listen(&list[0], backlog, false, &l->bound);
}

static int listen_anywhere(kr_listener *l, int backlog)
{
    int fd = -EADDRINUSE;
    for (int i = 0; i < TRIES && fd == -EADDRINUSE; i++) {
        os_address address;
        fd = kri_address_make_up(&address);
        if (fd == 0)
            fd = os_socket_listen(&address, backlog, true, &l->bound);
    }
    return fd;
}

static void remove_file(const kr_listener *l)
{
    if (l->has_file && !kri_forked_since(l->generation))
        os_socket_remove_file(&l->bound, &l->file);
}

static void drop_watch(kr_listener *l)
{
    if (l->watch >= 0) {
        kri_descriptor_close(l->watch);
        os_close(l->bell);
    }
    l->watch = l->bell = -1;
}

/* All listeners of this process.  A fork may find another thread in the midst of a change, each of
 * which is one store. */

static void forget_parents_clients(kr_listener *l)
{
    kr_lock_reinit(&l->lock);
    for (candidate *c = l->oldest; c != NULL; c = l->oldest) {
        l->oldest = c->next;
        kri_socket_discard(c->connection);
        os_free(c);
    }
    l->newest = NULL;
    l->candidates = 0;
    drop_watch(l);
}

static void in_forked_child(void)
{
    kri_store_rlx(&listeners_lock, 0);
    for (kr_listener *l = listeners; l != NULL; l = l->listed)
        forget_parents_clients(l);
}

static void enlist(kr_listener *l)
{
    (void)kri_at_fork_child(in_forked_child); /* its table has room for every folder */
    kri_mutex_lock(&listeners_lock);
    l->listed = listeners;
    listeners = l;
    kri_mutex_unlock(&listeners_lock);
}

static void strike_off(kr_listener *l)
{
    kri_mutex_lock(&listeners_lock);
    kr_listener **at = &listeners;
    while (*at != l)
        at = &(*at)->listed;
    *at = l->listed;
    kri_mutex_unlock(&listeners_lock);
}

void kri_listeners_close_all(void)
{
    for (kr_listener *l = listeners; l != NULL; l = l->listed)
        kr_listener_close(l);
}

static int open_listener(kr_listener *l, const char *address, const kr_listener_options *o)
{
    int backlog = o->backlog > 0 ? o->backlog : BACKLOG;
    int err = copy_key(l, o);
    if (err < 0)
        return err;
    bool made_up = address == NULL || address[0] == '\0';
    int fd = made_up ? listen_anywhere(l, backlog) : listen_at(l, address, backlog);
    if (fd < 0)
        return fd;
    l->fd = fd;
    l->has_file = os_socket_file(&l->bound, &l->file) == 0;
    err = make_watch(l);
    if (err < 0) {
        remove_file(l);
        os_close(fd);
        return err;
    }
    enlist(l);
    return 0;
}

int kr_listener_create(kr_listener **l, const char *address, const kr_listener_options *options)
{
    static const kr_listener_options defaults;
    const kr_listener_options *o = options != NULL ? options : &defaults;
    if (l == NULL)
        return -EINVAL;
    *l = NULL;
    int err = check(o);
    if (err < 0)
        return err;
    kr_listener *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    kri_store_rlx(&made->references, 1);
    made->fd = made->watch = made->bell = -1;
    made->generation = kri_fork_generation();
    made->max_message = o->max_message != 0 ? o->max_message : KRI_MAX_MESSAGE;
    made->handshake_timeout =
        o->handshake_timeout > 0 ? o->handshake_timeout : KRI_HANDSHAKE_TIMEOUT;
    err = open_listener(made, address, o);
    if (err < 0) {
        forget_key(made);
        os_free(made);
        return err;
    }
    *l = made;
    return 0;
}

/* Closing */

void kr_listener_close(kr_listener *l)
{
    lock_surely(l);
    if (l->fd >= 0) {
        while (l->oldest != NULL)
            turn_away(l, l->oldest);
        if (l->watch >= 0) {
            os_watch_remove(l->watch, l->fd);
            os_bell_ring(l->bell);
        }
        remove_file(l);
        kri_descriptor_close(l->fd);
        l->fd = -1;
    }
    unlock(l);
}

kr_listener *kr_listener_retain(kr_listener *l)
{
    kri_add_rlx(&l->references, 1);
    return l;
}

void kr_listener_release(kr_listener *l)
{
    if (l == NULL || kri_sub_acq_rel(&l->references, 1) != 1)
        return;
    kr_listener_close(l);
    strike_off(l);
    drop_watch(l);
    forget_key(l);
    os_free(l);
}

void kr_listener_auto(kr_listener **l)
{
    kr_listener_release(*l);
}

/* Asking */

size_t kr_listener_address(kr_listener *l, char *text, size_t size)
{
    return os_address_text(&l->bound, text, size);
}

size_t kr_listener_last_accepted(kr_listener *l, char *text, size_t size)
{
    lock_surely(l);
    os_address last = l->last_accepted;
    unlock(l);
    if (last.size == 0)
        last.family = OS_UNIX; /* nobody yet: as one without a name */
    return os_address_text(&last, text, size);
}

int kr_listener_descriptor(kr_listener *l)
{
    lock_surely(l);
    int err = l->fd < 0 ? -EBADF : l->watch < 0 ? make_watch(l) : 0;
    int watch = l->watch;
    unlock(l);
    return err < 0 ? err : watch;
}
