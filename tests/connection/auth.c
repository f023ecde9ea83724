/* The handshake, message by message, without any socket.
 *
 * Behaviours: section 12.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/auth.h"
#include "harness/test.h"
#include <stdio.h>

enum { RANDOM = 40, OLD = 20 };

static const kri_auth_key key = {"secret key", 10, false};
static const kri_auth_key key_md5 = {"secret key", 10, true};
static const kri_auth_key other = {"secret kez", 10, true};

static void need_digests(void)
{
    if (kri_auth_check_key(&key) == -ENOSYS)
        SKIP("built without OpenSSL");
}

static void set(kri_auth_message *m, const void *bytes, size_t size)
{
    memcpy(m->bytes, bytes, size);
    m->size = size;
}

static bool is(const kri_auth_message *m, const char *text)
{
    return m->size == strlen(text) && memcmp(m->bytes, text, m->size) == 0;
}

static bool begins(const kri_auth_message *m, const char *text)
{
    return m->size >= strlen(text) && memcmp(m->bytes, text, strlen(text)) == 0;
}

/* Lets the two talk until both have a result. */
static void talk(const kri_auth_key *listeners, const kri_auth_key *clients, int *l, int *c)
{
    kri_auth ends[2];
    kri_auth_message message, reply;
    int results[2] = {1, 1};
    kri_auth_begin(&ends[1], clients, false, &reply);
    CHECK_EQ(reply.size, 0);
    kri_auth_begin(&ends[0], listeners, true, &message);
    for (int turn = 1; message.size > 0; turn = !turn) {
        CHECK_EQ(results[turn], 1);
        results[turn] = kri_auth_take(&ends[turn], message.bytes, message.size, &reply);
        message = reply;
    }
    *l = results[0];
    *c = results[1];
}

TEST(test_challengeresponse)
{
    need_digests();
    const kri_auth_key *keys[] = {&key, &key_md5};
    for (int i = 0; i < 4; i++) {
        int l, c;
        talk(keys[i & 1], keys[i >> 1], &l, &c);
        CHECK_EQ(l, 0);
        CHECK_EQ(c, 0);
    }
}

TEST(other_keys)
{
    need_digests();
    int l, c;
    talk(&key, &other, &l, &c);
    CHECK_EQ(l, KR_EAUTH);
    CHECK_EQ(c, KR_EAUTH);
    talk(&other, &key, &l, &c);
    CHECK_EQ(l, KR_EAUTH);
    CHECK_EQ(c, KR_EAUTH);
}

TEST(the_form_of_a_challenge)
{
    need_digests();
    kri_auth auth;
    kri_auth_message first, second;
    kri_auth_begin(&auth, &key, true, &first);
    kri_auth_begin(&auth, &key, true, &second);
    CHECK(begins(&first, "#CHALLENGE#{sha256}"));
    CHECK_EQ(first.size, strlen("#CHALLENGE#{sha256}") + RANDOM);
    CHECK(memcmp(first.bytes, second.bytes, first.size) != 0);
}

TEST(test_deliver_challenge_auth_failure)
{
    need_digests();
    static const char *const answers[] = {"something bogus",
                                          "",
                                          "{sha256}",
                                          "{sha256}0123456789abcdef0123456789abcdef",
                                          "{md5}0123456789abcdef",
                                          "0123456789abcdef",
                                          "{sha1}0123456789abcdef0123",
                                          "#WELCOME#"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        kri_auth auth;
        kri_auth_message reply;
        kri_auth_begin(&auth, &key_md5, true, &reply);
        CHECK_EQ(kri_auth_take(&auth, answers[i], strlen(answers[i]), &reply), KR_EAUTH);
        CHECK(is(&reply, "#FAILURE#"));
        CHECK_EQ(kri_auth_take(&auth, "#WELCOME#", 9, &reply), KR_EAUTH);
        CHECK_EQ(reply.size, 0);
    }
}

TEST(test_answer_challenge_auth_failure)
{
    need_digests();
    kri_auth auth, asks;
    kri_auth_message reply, challenge;
    kri_auth_begin(&auth, &key, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, "something bogus", 15, &reply), KR_EAUTH);
    CHECK_EQ(reply.size, 0);

    static const char *const verdicts[] = {"something bogus", "#FAILURE#", "", "#WELCOME#!"};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        kri_auth_begin(&asks, &key, true, &challenge);
        kri_auth_begin(&auth, &key, false, &reply);
        CHECK_EQ(kri_auth_take(&auth, challenge.bytes, challenge.size, &reply), 1);
        CHECK_EQ(kri_auth_take(&auth, verdicts[i], strlen(verdicts[i]), &reply), KR_EAUTH);
        CHECK_EQ(reply.size, 0);
    }
}

/* Challenges that are no such, or too short to be one. */
TEST(bad_challenges)
{
    need_digests();
    static const char *const bad[] = {"#CHALLENGE#",
                                      "#CHALLENGE#{sha256}",
                                      "#CHALLENGE#{sha256}01234567890",
                                      "#CHALLENGE#0123456789012345678901",
                                      "#CHALLENGE#{sha512}01234567890123456789012345678901234567",
                                      "#challenge#{sha256}01234567890123456789012345678901234567"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kri_auth auth;
        kri_auth_message reply;
        kri_auth_begin(&auth, &key_md5, false, &reply);
        CHECK_EQ(kri_auth_take(&auth, bad[i], strlen(bad[i]), &reply), KR_EAUTH);
        CHECK_EQ(reply.size, 0);
    }
}

/* What hmac.new(b"secret key", challenge, name) of Python says. */
TEST(known_digests)
{
    need_digests();
    static const struct {
        const char *name;
        const char *digest;
    } known[] = {
        {"{sha256}", "de660527caa52c2d8313422ff6496f5aa46b4ddfca5f20b8da5748f901d3dd5b"},
        {"{sha384}", "c8e9fe2bdeb806e0decf0717a058be72c597f25a968232be34b30566dc0a6018"
                     "b1f01212ca18eb95382dc585f89622c8"},
        {"{sha3_256}", "6990901d236ea56107ff9afdef1c41ac688674c4765c42582cf17bff62b0e618"},
        {"{sha3_384}", "f4e0a6e1ad37a3b29ada5ea078e8de668eb84324110e64866288deab3040724b"
                       "a67cfe5caf6194fbb2103bf20c16e1ce"},
        {"{md5}", "4f029a779bdd8985c1f1ad9a0f4b9135"},
        {"", "4a02c707870ff5a776b673d15ef53ada"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        kri_auth auth;
        kri_auth_message challenge, reply;
        size_t prefix = strlen(known[i].name);
        size_t random = prefix > 0 ? RANDOM : OLD;
        kri_auth_begin(&auth, &key_md5, false, &reply);
        int length = snprintf((char *)challenge.bytes, sizeof challenge.bytes, "#CHALLENGE#%s",
                              known[i].name);
        for (size_t j = 0; j < random; j++)
            challenge.bytes[(size_t)length + j] = (unsigned char)j;
        CHECK_EQ(kri_auth_take(&auth, challenge.bytes, (size_t)length + random, &reply), 1);
        CHECK(begins(&reply, known[i].name));
        CHECK_EQ(reply.size, prefix + strlen(known[i].digest) / 2);
        for (size_t j = 0; j < reply.size - prefix; j++) {
            char hex[3];
            snprintf(hex, sizeof hex, "%02x", reply.bytes[prefix + j]);
            CHECK(memcmp(hex, known[i].digest + 2 * j, 2) == 0);
        }
    }
}

/* MD5, with its name or as old Pythons have it, is used by those only who allow it. */
TEST(md5_is_refused)
{
    need_digests();
    static const char old[] = "#CHALLENGE#01234567890123456789";
    static const char named[] = "#CHALLENGE#{md5}0123456789012345678901234567890123456789";
    kri_auth auth;
    kri_auth_message reply;
    kri_auth_begin(&auth, &key, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, old, strlen(old), &reply), KR_EAUTH);
    kri_auth_begin(&auth, &key, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, named, strlen(named), &reply), KR_EAUTH);
    kri_auth_begin(&auth, &key_md5, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, old, strlen(old), &reply), 1);
    kri_auth_begin(&auth, &key_md5, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, named, strlen(named), &reply), 1);
}

/* Any byte of a right answer that is changed makes it wrong, and so does any other length. */
TEST(every_byte_of_an_answer_counts)
{
    need_digests();
    kri_auth listener, client, copy;
    kri_auth_message challenge, answer, changed, reply;
    kri_auth_begin(&listener, &key, true, &challenge);
    kri_auth_begin(&client, &key, false, &reply);
    CHECK_EQ(kri_auth_take(&client, challenge.bytes, challenge.size, &answer), 1);
    for (size_t i = 0; i < answer.size; i++) {
        copy = listener;
        set(&changed, answer.bytes, answer.size);
        changed.bytes[i] ^= (unsigned char)(1 << (i % 8));
        CHECK_EQ(kri_auth_take(&copy, changed.bytes, changed.size, &reply), KR_EAUTH);
        copy = listener;
        CHECK_EQ(kri_auth_take(&copy, answer.bytes, i, &reply), KR_EAUTH);
    }
    copy = listener;
    CHECK_EQ(kri_auth_take(&copy, answer.bytes, answer.size + 1, &reply), KR_EAUTH);
    CHECK_EQ(kri_auth_take(&listener, answer.bytes, answer.size, &reply), 1);
    CHECK(is(&reply, "#WELCOME#"));
}

TEST(long_messages)
{
    need_digests();
    kri_auth auth;
    kri_auth_message reply;
    unsigned char bytes[KRI_AUTH_MESSAGE + 1];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "#CHALLENGE#{sha256}", 19);
    kri_auth_begin(&auth, &key, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, bytes, KRI_AUTH_MESSAGE, &reply), 1);
    kri_auth_begin(&auth, &key, false, &reply);
    CHECK_EQ(kri_auth_take(&auth, bytes, KRI_AUTH_MESSAGE + 1, &reply), KR_EAUTH);
}

TEST(empty_key)
{
    CHECK_EQ(kri_auth_check_key(&(kri_auth_key){"", 0, false}), -EINVAL);
    CHECK_EQ(kri_auth_check_key(&(kri_auth_key){NULL, 3, false}), -EINVAL);
}

/* Whatever is sent, nobody without the key gets in, at either end. */
TEST(random_messages)
{
    need_digests();
    static const char *const starts[] = {
        "",          "#CHALLENGE#",  "#CHALLENGE#{sha256}", "{sha256}", "{md5}",
        "#WELCOME#", "#CHALLENGE#{", "{sha3_384}",          "#CHALL"};
    enum { STARTS = sizeof starts / sizeof starts[0], ROUNDS = 20000 };
    uint64_t state = kri_test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        kri_auth auth;
        kri_auth_message reply;
        unsigned char bytes[KRI_AUTH_MESSAGE + 8];
        kri_auth_begin(&auth, round % 2 ? &key : &key_md5, round % 4 < 2, &reply);
        int result = 1;
        for (int turn = 0; turn < 4 && result == 1; turn++) {
            const char *start = starts[kri_test_random(&state) % STARTS];
            size_t prefix = strlen(start);
            size_t size = kri_test_random(&state) % 3 ? prefix + kri_test_random(&state) % 60
                                                      : kri_test_random(&state) % sizeof bytes;
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (unsigned char)kri_test_random(&state);
            memcpy(bytes, start, prefix);
            result = kri_auth_take(&auth, bytes, size, &reply);
            CHECK_LE(reply.size, KRI_AUTH_MESSAGE);
        }
        CHECK_NE(result, 0);
    }
}
