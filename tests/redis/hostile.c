/* A server that answers what it likes: an error or something of no use, and nothing else happens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis/help.h"

#include <pthread.h>

/* Says what a real one would to what comes first, and then its own. */
typedef struct liar {
    _Atomic(const char *) answer;
    bool closes; /* behind that */
    int fd;
    char url[160];
    char path[128];
    pthread_t thread;
} liar;

#define DIGEST "$40\r\n0123456789012345678901234567890123456789\r\n"

static void say(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        size -= (size_t)sent;
    }
}

static bool talk(const liar *l, int fd)
{
    char request[16384];
    ssize_t got = recv(fd, request, sizeof request - 1, 0);
    if (got <= 0)
        return false;
    request[got] = '\0';
    if (strstr(request, "PING") != NULL)
        say(fd, "+PONG\r\n", 7);
    else if (strstr(request, "$4\r\nLOAD") != NULL)
        say(fd, DIGEST, sizeof DIGEST - 1);
    else if (strstr(request, "krait:names") != NULL)
        say(fd, "*2\r\n:1\r\n$0\r\n\r\n", 14);
    else {
        for (int i = strstr(request, "MULTI") != NULL ? 3 : 1; i > 0; i--)
            say(fd, l->answer, strlen(l->answer));
        return !l->closes;
    }
    return true;
}

typedef struct talker {
    const liar *l;
    int fd;
} talker;

static void *talk_on(void *arg)
{
    talker t = *(talker *)arg;
    free(arg);
    while (talk(t.l, t.fd))
        continue;
    close(t.fd);
    return NULL;
}

static void *lie(void *arg)
{
    liar *l = arg;
    int fd;
    while ((fd = accept(l->fd, NULL, NULL)) >= 0) {
        pthread_t thread;
        talker *t = malloc(sizeof *t);
        CHECK(t != NULL);
        *t = (talker){l, fd};
        CHECK_EQ(pthread_create(&thread, NULL, talk_on, t), 0);
        CHECK_EQ(pthread_detach(thread), 0);
    }
    return NULL;
}

static void begin_liar(liar *l)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    l->closes = true;
    snprintf(l->path, sizeof l->path, "%s/liar.%d", KRI_TEST_BUILD, (int)getpid());
    snprintf(l->url, sizeof l->url, "unix:%s", l->path);
    if (strlen(l->path) > 100)
        SKIP("the build's directory has too long a name for a socket");
    memcpy(address.sun_path, l->path, strlen(l->path) + 1);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(l->fd, 0);
    CHECK_EQ(bind(l->fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(listen(l->fd, 16), 0);
    CHECK_EQ(pthread_create(&l->thread, NULL, lie, l), 0);
}

static void end_liar(liar *l)
{
    CHECK_EQ(shutdown(l->fd, SHUT_RDWR), 0);
    CHECK_EQ(pthread_join(l->thread, NULL), 0);
    close(l->fd);
    unlink(l->path);
}

static void answer(liar *l, const char *text)
{
    l->answer = text;
}

/* What is no answer, or the beginning of one that does not come. */
static const char *const broken[] = {
    "\r\n",
    "?\r\n",
    "$5\r\nab",
    "*3\r\n:1\r\n",
    ":12x\r\n",
    "$-7\r\n",
    "*-7\r\n",
    "$9223372036854775807\r\n",
    "$99999999999999999999\r\n",
    "*99999999999999999999\r\n",
    "*2147483647\r\n",
    "*2147483647\r\n*2147483647\r\n*2147483647\r\n*2147483647\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
};

static int ask(kri_redis *r, kri_reply **reply)
{
    return kri_redis_do(r, KRI_WORDS(kri_word("GET"), kri_word("key")), 0, kri_redis_deadline(r),
                        reply);
}

TEST(test_no_answers)
{
    static liar l;
    begin_liar(&l);
    kri_redis *r = open_pool(l.url, NULL);
    kr_time began = kr_now();
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        kri_reply *reply;
        answer(&l, broken[i]);
        CHECK_EQ(ask(r, &reply), KR_EUNSURE);
        CHECK(reply == NULL);
    }
    kri_test_note("%lld ms", (long long)((kr_now() - began) / kr_ms(1)));
    kri_redis_release(r);
    end_liar(&l);
}

/* Beyond what there is of an answer there is nothing. */
TEST(test_parts_that_are_not_there)
{
    static const char *const whole[] = {":7\r\n", "+OK\r\n", "$2\r\nab\r\n",
                                        "*0\r\n", "*-1\r\n", "$-1\r\n"};
    static liar l;
    begin_liar(&l);
    l.closes = false;
    kri_redis *r = open_pool(l.url, NULL);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        kri_reply *reply;
        size_t size;
        answer(&l, whole[i]);
        CHECK_EQ(ask(r, &reply), 0);
        const kri_reply *part = kri_reply_at(kri_reply_at(reply, 1), 3);
        CHECK_EQ(kri_reply_kind(part), KRI_NIL);
        CHECK_EQ(kri_reply_integer(part), 0);
        CHECK_STR(kri_reply_bytes(part, &size), "");
        CHECK_EQ(kri_reply_count(part), 0);
        kri_reply_free(reply);
    }
    kri_redis_release(r);
    end_liar(&l);
}

/* Errors as older servers word them, which run scripts. */
TEST(test_errors_in_scripts)
{
    static const struct {
        const char *text;
        int error;
    } errors[] = {
        {"-ERR Error running script (call to f_0): @user_script:1: WRONGTYPE Operation\r\n",
         -EPROTOTYPE},
        {"-ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -OOM command "
         "not allowed when used memory > 'maxmemory'.\r\n",
         -EDQUOT},
        {"-ERR Error running script (call to f_0): @user_script:1: ERR value is not an integer or "
         "out of range\r\n",
         -EBADMSG},
        {"-ERR Error running script (call to f_0): @user_script:1: x: OOMPH\r\n", KR_EREPLY},
        {"-@user_script: 1: -OOM command not allowed\r\n", -EDQUOT},
        {"-OOM command not allowed\r\n", -EDQUOT},
        {"-OOMPH\r\n", KR_EREPLY},
        {"-\r\n", KR_EREPLY},
    };
    static liar l;
    begin_liar(&l);
    l.closes = false;
    kri_redis *r = open_pool(l.url, NULL);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        kri_reply *reply;
        answer(&l, errors[i].text);
        CHECK_EQ(ask(r, &reply), errors[i].error);
    }
    kri_redis_release(r);
    end_liar(&l);
}

/* Objects of a manager.  Each call ends, and keeps to the room that it was given. */

static const char *const strange[] = {
    ":-5\r\n",
    ":9223372036854775807\r\n",
    "$3\r\nabc\r\n",
    "$20\r\n-9999999999999999999\r\n",
    "$-1\r\n",
    "+OK\r\n",
    "*0\r\n",
    "*1\r\n*1\r\n:1\r\n",
    "*2\r\n:1\r\n:1\r\n",
    "*2\r\n$1\r\nx\r\n*1\r\n$1\r\ny\r\n",
    "*4\r\n$12\r\naaaaaaaaaaaa\r\n$12\r\naaaaaaaaaaaa\r\n$12\r\naaaaaaaaaaaa\r\n$1\r\na\r\n",
    "*3\r\n:9223372036854775807\r\n:9223372036854775807\r\n:0\r\n",
    "-ERR no\r\n",
};

static int count_each(const kr_dict_item *item, void *arg)
{
    (void)item;
    return ++*(int *)arg > 100;
}

static int compare_items(const kr_bytes *a, const kr_bytes *b, void *arg)
{
    (void)arg;
    return a->size > b->size ? 1 : a->size < b->size ? -1 : memcmp(a->data, b->data, a->size);
}

typedef struct objects {
    kr_manager *m;
    kr_dict *d;
    kr_list *l;
    kr_queue *q;
    kr_managed_value *v;
    kr_managed_array *a;
    kr_managed_lock *lock;
    kr_managed_rlock *rlock;
    kr_managed_semaphore *s;
    kr_managed_event *e;
    kr_managed_barrier *b;
} objects;

/* Memory of exactly the size that is said, so that a byte behind it is noticed. */
static void *exactly(size_t size)
{
    char *bytes = malloc(size + 16);
    CHECK(bytes != NULL);
    memset(bytes, 0x5a, size + 16);
    return bytes;
}

static void check_exactly(void *bytes, size_t size)
{
    for (size_t i = 0; i < 16; i++)
        CHECK_EQ(((unsigned char *)bytes)[size + i], 0x5a);
    free(bytes);
}

static void ask_dict(const objects *o)
{
    char *room = exactly(8);
    size_t size;
    int count = 0;
    kr_dict_items *items = NULL;
    kr_dict_item *item = NULL;
    kr_dict_operation ops[] = {{.verb = KR_DICT_GET, .key = "a", .key_size = 1}};
    (void)!kr_dict_get(o->d, "a", 1, room, 8, &size);
    (void)!kr_dict_setdefault(o->d, "a", 1, "b", 1, room, 8, &size);
    (void)!kr_dict_pop(o->d, "a", 1, room, 8, &size);
    if (kr_dict_popitem(o->d, &item) == 0)
        free(item);
    (void)!kr_dict_each(o->d, count_each, &count);
    if (kr_dict_snapshot(o->d, &items) == 0)
        kr_dict_items_release(items);
    (void)!kr_dict_batch(o->d, ops, 1);
    check_exactly(room, 8);
}

static void ask_list(const objects *o)
{
    char *room = exactly(8);
    size_t size;
    kr_items *items = NULL;
    (void)!kr_list_get(o->l, 0, room, 8, &size);
    (void)!kr_list_pop(o->l, room, 8, &size);
    if (kr_list_slice(o->l, 0, 5, &items) == 0)
        kr_items_release(items);
    (void)!kr_list_sort(o->l, compare_items, NULL);
    check_exactly(room, 8);
}

static void ask_queue(const objects *o)
{
    int64_t *items = exactly(16);
    (void)!kr_queue_put(o->q, items, KR_NOWAIT);
    (void)!kr_queue_get(o->q, items + 1, KR_NOWAIT);
    (void)!kr_queue_get_many(o->q, items, 2, KR_NOWAIT);
    check_exactly(items, 16);
}

static void ask_value(const objects *o)
{
    char *room = exactly(32);
    int64_t sum;
    (void)!kr_managed_value_get(o->v, room);
    (void)!kr_managed_value_add(o->v, 1, &sum);
    (void)!kr_managed_array_get(o->a, 0, 4, room);
    check_exactly(room, 32);
}

static void ask_sync(const objects *o)
{
    int err = kr_managed_lock_acquire(o->lock, KR_NOWAIT);
    if (err >= 0)
        (void)!kr_managed_lock_release(o->lock);
    err = kr_managed_rlock_acquire(o->rlock, KR_NOWAIT);
    if (err >= 0)
        (void)!kr_managed_rlock_release(o->rlock);
    (void)!kr_managed_semaphore_acquire(o->s, KR_NOWAIT);
    (void)kr_managed_semaphore_value(o->s);
    (void)!kr_managed_event_wait(o->e, KR_NOWAIT);
    (void)!kr_managed_barrier_wait(o->b, KR_NOWAIT);
    (void)kr_managed_barrier_n_waiting(o->b);
}

static void open_objects(objects *o, const char *url)
{
    kr_manager_options options = {.timeout = kr_sec(20)};
    int err = kr_manager_open(&o->m, url, &options);
    if (err == -ENOSYS)
        SKIP("built without hiredis");
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_dict_open(&o->d, o->m, "d"), 0);
    CHECK_EQ(kr_list_open(&o->l, o->m, "l"), 0);
    CHECK_EQ(kr_manager_queue(&o->q, o->m, "q", 8, 0, NULL), 0);
    CHECK_EQ(kr_managed_value_open(&o->v, o->m, "v", 8, NULL), 0);
    CHECK_EQ(kr_managed_array_open(&o->a, o->m, "a", 8, 4, NULL), 0);
    CHECK_EQ(kr_managed_lock_open(&o->lock, o->m, "lock"), 0);
    CHECK_EQ(kr_managed_rlock_open(&o->rlock, o->m, "rlock"), 0);
    CHECK_EQ(kr_managed_semaphore_open(&o->s, o->m, "s", 1, 0), 0);
    CHECK_EQ(kr_managed_event_open(&o->e, o->m, "e"), 0);
    CHECK_EQ(kr_managed_barrier_open(&o->b, o->m, "b", 2), 0);
}

static void close_objects(objects *o)
{
    kr_dict_release(o->d);
    kr_list_release(o->l);
    kr_queue_release(o->q);
    kr_managed_value_release(o->v);
    kr_managed_array_release(o->a);
    kr_managed_lock_close(o->lock);
    kr_managed_rlock_close(o->rlock);
    kr_managed_semaphore_close(o->s);
    kr_managed_event_close(o->e);
    kr_managed_barrier_close(o->b);
    kr_manager_release(o->m);
}

TEST(test_strange_answers)
{
    static liar l;
    objects o;
    begin_liar(&l);
    l.closes = false;
    answer(&l, ":1\r\n");
    open_objects(&o, l.url);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        answer(&l, strange[i]);
        ask_dict(&o);
        ask_list(&o);
        ask_queue(&o);
        ask_value(&o);
        ask_sync(&o);
    }
    close_objects(&o);
    end_liar(&l);
}
