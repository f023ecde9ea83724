/* Batches of a dict's operations on a server: a transaction of its own (MULTI, EXEC), sent in one
 * piece.
 *
 * The answers to the requests stand in that of the last, EXEC.  What the server refuses before
 * that, for want of memory say, ends the whole of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_dict.h"
#include "os/os.h"

static void add_operation(kri_redis_batch *batch, const kri_redis_object *o,
                          const kr_dict_operation *op)
{
    kri_digits digits;
    kri_redis_word name = kri_object_word(o);
    kri_redis_word key = kri_word_of(op->key, op->key_size);
    kri_redis_word value = kri_word_of(op->value, op->size);
    switch (op->verb) {
    case KR_DICT_GET:
        kri_redis_batch_add(batch, KRI_WORDS(kri_word("HGET"), name, key));
        break;
    case KR_DICT_SET:
        kri_redis_batch_add(batch, KRI_WORDS(kri_word("HSET"), name, key, value));
        break;
    case KR_DICT_DEFAULT:
        kri_redis_batch_add(batch, KRI_WORDS(kri_word("EVAL"), kri_word(kri_redis_set_default.text),
                                             kri_word("1"), name, key, value));
        break;
    case KR_DICT_POP:
        kri_redis_batch_add(
            batch,
            KRI_WORDS(
                kri_word("EVAL"), kri_word(kri_redis_pop_key.text), kri_word("1"), name, key,
                kri_word_integer(&digits, op->room < INT64_MAX ? (int64_t)op->room : INT64_MAX)));
        break;
    case KR_DICT_DELETE:
        kri_redis_batch_add(batch, KRI_WORDS(kri_word("HDEL"), name, key));
        break;
    case KR_DICT_CONTAINS:
        kri_redis_batch_add(batch, KRI_WORDS(kri_word("HEXISTS"), name, key));
        break;
    case KR_DICT_ADD:
        kri_redis_batch_add(batch, KRI_WORDS(kri_word("HINCRBY"), name, key,
                                             kri_word_integer(&digits, op->number)));
        break;
    }
}

static int result_of(kr_dict_operation *op, const kri_reply *reply)
{
    int err = kri_reply_error(reply);
    if (err < 0)
        return err;
    switch (op->verb) {
    case KR_DICT_GET:
    case KR_DICT_POP:
        return kri_object_copy(reply, op->found, op->room, &op->found_size);
    case KR_DICT_DEFAULT:
        err = kri_object_copy(reply, op->found, op->room, &op->found_size);
        return err == -ENOENT ? KR_DICT_NEW : err;
    case KR_DICT_SET:
        return 0;
    case KR_DICT_DELETE:
        return kri_reply_integer(reply) == 0 ? -ENOENT : 0;
    case KR_DICT_CONTAINS:
        return (int)kri_reply_integer(reply);
    case KR_DICT_ADD:
        op->number = kri_reply_integer(reply);
        return 0;
    }
    return -EINVAL;
}

/* The first error of what came before EXEC says more than its own. */
static int take_results(kr_dict_operation *operations, size_t count, kri_reply *const *replies)
{
    int err = 0;
    for (size_t i = 0; i < count + 1 && err == 0; i++)
        err = kri_reply_error(replies[i]);
    const kri_reply *all = replies[count + 1];
    if (err == 0)
        err = kri_reply_error(all);
    if (err == 0 && kri_reply_count(all) != count)
        err = KR_EREPLY;
    for (size_t i = 0; i < count && err == 0; i++)
        operations[i].result = result_of(&operations[i], kri_reply_at(all, i));
    return err;
}

int kri_redis_dict_batch(kr_dict *d, kr_dict_operation *operations, size_t count)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_redis_batch batch;
    if (count == 0)
        return 0;
    kri_reply **replies = os_alloc((count + 2) * sizeof *replies);
    if (replies == NULL)
        return -ENOMEM;
    kri_redis_batch_begin(&batch);
    kri_redis_batch_add(&batch, KRI_WORDS(kri_word("MULTI")));
    for (size_t i = 0; i < count; i++)
        add_operation(&batch, o, &operations[i]);
    kri_redis_batch_add(&batch, KRI_WORDS(kri_word("EXEC")));
    int err = kri_redis_batch_run(o->redis, &batch, 0, kri_redis_deadline(o->redis), replies);
    if (err == 0)
        err = take_results(operations, count, replies);
    for (size_t i = 0; i < count + 2; i++)
        kri_reply_free(replies[i]);
    kri_redis_batch_end(&batch);
    os_free(replies);
    return err;
}
