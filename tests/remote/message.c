/* Signed messages: what is taken, and what is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/message.h"

#include "harness/test.h"

#include <krait/krait.h>
#include <stdlib.h>

static const char key[] = "0123456789abcdef0123456789abcdef";
enum { PROGRAM = 77, PAYLOAD = 40, SIZE = KRI_MESSAGE_HEAD + PAYLOAD };

static kri_signer signer_with(const char *bytes)
{
    kri_signer signer;
    int err = kri_signer_begin(&signer, bytes, strlen(bytes));
    if (err == -ENOSYS)
        SKIP("this build knows no keyed digests");
    CHECK_EQ(err, 0);
    return signer;
}

static const kri_message sample = {.kind = KRI_MESSAGE_TASK,
                                   .function = 3,
                                   .error = -5,
                                   .program = PROGRAM,
                                   .number = UINT64_C(0x1122334455667788),
                                   .session = "fifteen letters",
                                   .items = 9,
                                   .item_arg = 10,
                                   .item_result = 11,
                                   .result_size = 12,
                                   .took = 13,
                                   .size = PAYLOAD};

static void write_sample(kri_signer *signer, unsigned char *bytes)
{
    for (int i = 0; i < PAYLOAD; i++)
        bytes[KRI_MESSAGE_HEAD + i] = (unsigned char)(3 * i);
    CHECK_EQ(kri_message_seal(signer, &sample, bytes), 0);
}

TEST(what_was_sealed_is_opened)
{
    kri_signer signer = signer_with(key);
    unsigned char bytes[SIZE];
    for (int i = 0; i < 3; i++) {
        write_sample(&signer, bytes);
        kri_message m = {0};
        CHECK_EQ(kri_message_open(&signer, PROGRAM, bytes, SIZE, &m), 0);
        CHECK_EQ(m.kind, sample.kind);
        CHECK_EQ(m.function, sample.function);
        CHECK_EQ(m.error, sample.error);
        CHECK_EQ(m.number, sample.number);
        CHECK_EQ(memcmp(m.session, sample.session, sizeof m.session), 0);
        CHECK_EQ(m.items, sample.items);
        CHECK_EQ(m.item_arg, sample.item_arg);
        CHECK_EQ(m.item_result, sample.item_result);
        CHECK_EQ(m.result_size, sample.result_size);
        CHECK_EQ(m.took, sample.took);
        CHECK_EQ(m.size, PAYLOAD);
    }
    kri_signer_end(&signer);
}

TEST(empty_payload)
{
    kri_signer signer = signer_with(key);
    unsigned char bytes[KRI_MESSAGE_HEAD];
    kri_message m = {.kind = KRI_MESSAGE_BYE, .program = PROGRAM};
    CHECK_EQ(kri_message_seal(&signer, &m, bytes), 0);
    CHECK_EQ(kri_message_open(&signer, PROGRAM, bytes, sizeof bytes, &m), 0);
    kri_signer_end(&signer);
}

/* No bit of it can be changed. */
TEST(changed_messages_are_refused)
{
    kri_signer signer = signer_with(key);
    unsigned char bytes[SIZE];
    kri_message m;
    write_sample(&signer, bytes);
    for (int bit = 0; bit < SIZE * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        int err = kri_message_open(&signer, PROGRAM, bytes, SIZE, &m);
        bool framing = bit / 8 < 4 || (bit / 8 >= 88 && bit / 8 < 96);
        CHECK_EQ(err, framing ? -EBADMSG : KR_EAUTH);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK_EQ(kri_message_open(&signer, PROGRAM, bytes, SIZE, &m), 0);
    kri_signer_end(&signer);
}

TEST(cut_messages_are_refused)
{
    kri_signer signer = signer_with(key);
    unsigned char bytes[SIZE + 1] = {0};
    kri_message m;
    write_sample(&signer, bytes);
    for (size_t size = 0; size < SIZE; size++)
        CHECK_EQ(kri_message_open(&signer, PROGRAM, bytes, size, &m), -EBADMSG);
    CHECK_EQ(kri_message_open(&signer, PROGRAM, bytes, SIZE + 1, &m), -EBADMSG);
    kri_signer_end(&signer);
}

TEST(another_key_is_refused)
{
    kri_signer signer = signer_with(key), other = signer_with("0123456789abcdef0123456789abcdeg");
    unsigned char bytes[SIZE];
    kri_message m;
    write_sample(&signer, bytes);
    CHECK_EQ(kri_message_open(&other, PROGRAM, bytes, SIZE, &m), KR_EAUTH);
    kri_signer_end(&signer);
    kri_signer_end(&other);
}

/* Only of one that is signed is it said that its program is another. */
TEST(another_program_is_refused)
{
    kri_signer signer = signer_with(key);
    unsigned char bytes[SIZE];
    kri_message m;
    write_sample(&signer, bytes);
    CHECK_EQ(kri_message_open(&signer, PROGRAM + 1, bytes, SIZE, &m), KR_ETASK);
    bytes[KRI_MESSAGE_HEAD] ^= 1;
    CHECK_EQ(kri_message_open(&signer, PROGRAM + 1, bytes, SIZE, &m), KR_EAUTH);
    kri_signer_end(&signer);
}

TEST(keys)
{
    kri_signer signer;
    CHECK_EQ(unsetenv("KRAIT_KEY"), 0);
    CHECK_EQ(kri_signer_begin(&signer, NULL, 0), -ENOKEY);
    CHECK_EQ(setenv("KRAIT_KEY", "", 1), 0);
    CHECK_EQ(kri_signer_begin(&signer, NULL, 0), -ENOKEY);
    CHECK_EQ(setenv("KRAIT_KEY", "fifteen letters", 1), 0);
    CHECK_EQ(kri_signer_begin(&signer, NULL, 0), -EKEYREJECTED);
    CHECK_EQ(kri_signer_begin(&signer, key, KR_KEY_LEAST - 1), -EKEYREJECTED);
    kri_signer_end(&signer);
    CHECK_EQ(setenv("KRAIT_KEY", key, 1), 0);
    kri_signer named = signer_with(key);
    CHECK_EQ(kri_signer_begin(&signer, NULL, 0), 0);
    unsigned char bytes[SIZE];
    kri_message m;
    write_sample(&signer, bytes);
    CHECK_EQ(kri_message_open(&named, PROGRAM, bytes, SIZE, &m), 0);
    kri_signer_end(&signer);
    kri_signer_end(&named);
}
