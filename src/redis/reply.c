/* hiredis: the form of requests and answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "redis/internal.h"
#include <stdio.h>

kri_redis_word kri_word_integer(kri_digits *room, int64_t number)
{
    int length = snprintf(room->text, sizeof room->text, "%lld", (long long)number);
    return kri_word_of(room->text, (size_t)length);
}

#ifdef KRI_HAVE_HIREDIS

#include <hiredis/hiredis.h>

bool kri_reader_is_there(void)
{
    return true;
}

/* A few bytes may promise billions of parts, for which hiredis would ask for memory at once. */
enum { MOST_PARTS = 1 << 26 };

#if HIREDIS_MAJOR > 0
typedef size_t part_count;
#else
typedef int part_count;
#endif

static void *create_array(const redisReadTask *task, part_count count)
{
    const redisReplyObjectFunctions *theirs = task->privdata;
    return count <= MOST_PARTS ? theirs->createArray(task, count) : NULL;
}

/* The reader's own functions, and hiredis' behind them. */
void *kri_reader_create(void)
{
    redisReplyObjectFunctions *functions = os_alloc(2 * sizeof *functions);
    redisReader *reader = functions != NULL ? redisReaderCreate() : NULL;
    if (reader == NULL) {
        os_free(functions);
        return NULL;
    }
    functions[0] = functions[1] = *reader->fn;
    functions[0].createArray = create_array;
    reader->fn = &functions[0];
    reader->privdata = &functions[1];
    return reader;
}

void kri_reader_free(void *reader)
{
    redisReplyObjectFunctions *functions = ((redisReader *)reader)->fn;
    redisReaderFree(reader);
    os_free(functions);
}

static int error_of(const redisReader *reader)
{
    return reader->err == REDIS_ERR_OOM ? -ENOMEM : -EPROTO;
}

int kri_reader_feed(void *reader, const char *bytes, size_t size)
{
    return redisReaderFeed(reader, bytes, size) == REDIS_OK ? 0 : error_of(reader);
}

int kri_reader_next(void *reader, kri_reply **reply)
{
    void *next = NULL;
    int err = redisReaderGetReply(reader, &next) == REDIS_OK ? 0 : error_of(reader);
    *reply = next;
    return err < 0 ? err : next != NULL;
}

/* Requests of more words than these have their lists in memory of their own. */
enum { FEW_WORDS = 32 };

int64_t kri_format(char **bytes, const kri_redis_word *words, int count)
{
    const char *few[FEW_WORDS] = {NULL};
    size_t few_sizes[FEW_WORDS] = {0};
    const char **list = few;
    size_t *sizes = few_sizes;
    if (count > FEW_WORDS) {
        list = os_alloc((size_t)count * (sizeof *list + sizeof *sizes));
        if (list == NULL)
            return -ENOMEM;
        sizes = (size_t *)(void *)(list + count);
    }
    for (int i = 0; i < count; i++) {
        list[i] = words[i].size > 0 ? words[i].bytes : "";
        sizes[i] = words[i].size;
    }
    *bytes = NULL;
    long long size = redisFormatCommandArgv(bytes, count, list, sizes);
    if (list != few)
        os_free(list);
    return size < 0 ? -ENOMEM : size;
}

void kri_format_free(char *bytes)
{
    redisFreeCommand(bytes);
}

enum kri_reply_kind kri_reply_kind(const kri_reply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        return KRI_INTEGER;
    case REDIS_REPLY_STRING:
        return KRI_STRING;
    case REDIS_REPLY_STATUS:
        return KRI_STATUS;
    case REDIS_REPLY_ARRAY:
        return KRI_ARRAY;
    case REDIS_REPLY_ERROR:
        return KRI_ERROR;
    default:
        return KRI_NIL;
    }
}

int64_t kri_reply_integer(const kri_reply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}

const char *kri_reply_bytes(const kri_reply *reply, size_t *size)
{
    bool has = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
               reply->type == REDIS_REPLY_ERROR;
    *size = has ? (size_t)reply->len : 0;
    return has ? reply->str : "";
}

size_t kri_reply_count(const kri_reply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const kri_reply *kri_reply_at(const kri_reply *reply, size_t i)
{
    static const redisReply nothing = {.type = REDIS_REPLY_NIL};
    return i < kri_reply_count(reply) ? reply->element[i] : &nothing;
}

void kri_reply_free(kri_reply *reply)
{
    if (reply != NULL)
        freeReplyObject(reply);
}

#else

bool kri_reader_is_there(void)
{
    return false;
}

void *kri_reader_create(void)
{
    return NULL;
}

void kri_reader_free(void *reader)
{
    (void)reader;
}

int kri_reader_feed(void *reader, const char *bytes, size_t size)
{
    (void)reader, (void)bytes, (void)size;
    return -ENOSYS;
}

int kri_reader_next(void *reader, kri_reply **reply)
{
    (void)reader, (void)reply;
    return -ENOSYS;
}

int64_t kri_format(char **bytes, const kri_redis_word *words, int count)
{
    (void)bytes, (void)words, (void)count;
    return -ENOSYS;
}

void kri_format_free(char *bytes)
{
    (void)bytes;
}

enum kri_reply_kind kri_reply_kind(const kri_reply *reply)
{
    (void)reply;
    return KRI_NIL;
}

int64_t kri_reply_integer(const kri_reply *reply)
{
    (void)reply;
    return 0;
}

const char *kri_reply_bytes(const kri_reply *reply, size_t *size)
{
    (void)reply;
    *size = 0;
    return "";
}

size_t kri_reply_count(const kri_reply *reply)
{
    (void)reply;
    return 0;
}

const kri_reply *kri_reply_at(const kri_reply *reply, size_t i)
{
    (void)i;
    return reply;
}

void kri_reply_free(kri_reply *reply)
{
    (void)reply;
}

#endif

/* Errors: a word in capitals, and a text. */

static const struct {
    const char *word;
    int error;
} meanings[] = {
    {"NOAUTH", KR_EAUTH},
    {"WRONGPASS", KR_EAUTH},
    {"NOPERM", -EACCES},
    {"WRONGTYPE", -EPROTOTYPE},
    {"OOM", -EDQUOT},
    {"NOSCRIPT", -ENOEXEC},
    {"LOADING", -EAGAIN},
    {"BUSY", -EAGAIN},
    {"MASTERDOWN", -EAGAIN},
    {"CLUSTERDOWN", -EAGAIN},
    {"TRYAGAIN", -EAGAIN},
    {"READONLY", -EROFS},
    {"ERR max number of clients", -EAGAIN},
    {"ERR hash value is not an integer", -EBADMSG},
    {"ERR value is not an integer or out of range", -EBADMSG},
    {"ERR increment or decrement would overflow", -EOVERFLOW},
    {"ERR index out of range", -ENOENT},
    {"ERR no such key", -ENOENT},
    {"ERR invalid password", KR_EAUTH},
    {"ERR AUTH", KR_EAUTH},
    {"ERR Client sent AUTH", KR_EAUTH},
};

static bool begins(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);
    return size >= length && memcmp(text, word, length) == 0 &&
           (size == length || text[length] == ' ' || text[length] == ',');
}

static int meaning_of(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (begins(text, size, meanings[i].word))
            return meanings[i].error;
    }
    return KR_EREPLY;
}

/* Before 7.0 a server put words of its own before what a script was told, and the place:
 * "ERR Error running script (call to f_...): @user_script:1: -OOM ..." */
static int meaning_in_script(const char *text, size_t size)
{
    static const char said[] = "ERR Error running script", place[] = "@user_script:";
    const char *end = text + size;
    int error = KR_EREPLY;
    if (!(size > sizeof said && memcmp(text, said, sizeof said - 1) == 0) &&
        !(size > sizeof place && memcmp(text, place, sizeof place - 1) == 0))
        return error;
    while (error == KR_EREPLY && (text = memmem(text, (size_t)(end - text), ": ", 2)) != NULL) {
        text += text + 2 < end && text[2] == '-' ? 3 : 2;
        error = meaning_of(text, (size_t)(end - text));
    }
    return error;
}

int kri_reply_error(const kri_reply *reply)
{
    size_t size;
    if (kri_reply_kind(reply) != KRI_ERROR)
        return 0;
    const char *text = kri_reply_bytes(reply, &size);
    int error = meaning_of(text, size);
    if (error == KR_EREPLY)
        error = meaning_in_script(text, size);
    return kri_redis_note(error, "the server says: %.*s", size < 150 ? (int)size : 150, text);
}
