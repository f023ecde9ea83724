/* How the address of a server is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "redis/internal.h"

static const char *or_none(const char *text)
{
    return text != NULL ? text : "(none)";
}

static void check_read(const char *where, const char *host, const char *service, const char *user,
                       const char *password, unsigned base)
{
    kri_redis_address a;
    CHECK_EQ(kri_redis_address_read(&a, where), 0);
    CHECK_STR(or_none(a.host), host);
    CHECK_STR(or_none(a.service), service);
    CHECK_STR(or_none(a.user), user);
    CHECK_STR(or_none(a.password), password);
    CHECK_EQ(a.base, base);
    CHECK_EQ(a.local, strncmp(where, "unix:", 5) == 0);
    CHECK_EQ(a.tls, strncmp(where, "rediss:", 7) == 0);
    kri_redis_address_free(&a);
}

TEST(test_addresses)
{
    check_read("redis://localhost", "localhost", "6379", "(none)", "(none)", 0);
    check_read("redis://localhost:7000/", "localhost", "7000", "(none)", "(none)", 0);
    check_read("redis:///3", "(none)", "6379", "(none)", "(none)", 3);
    check_read("redis://a:b@example.org:1/12", "example.org", "1", "a", "b", 12);
    check_read("redis://:b@example.org", "example.org", "6379", "(none)", "b", 0);
    check_read("redis://b@example.org", "example.org", "6379", "(none)", "b", 0);
    check_read("rediss://[::1]:5/1", "::1", "5", "(none)", "(none)", 1);
    check_read("rediss://[::1]", "::1", "6379", "(none)", "(none)", 0);
    check_read("redis://us%3Aer:p%40%2f%25@h", "h", "6379", "us:er", "p@/%", 0);
    check_read("unix:/run/s", "/run/s", "(none)", "(none)", "(none)", 0);
    check_read("unix:///run/s", "/run/s", "(none)", "(none)", "(none)", 0);
    check_read("unix://u:p@/run/s?db=4", "/run/s", "(none)", "u", "p", 4);
    check_read("unix:/a%20b@c", "/a b@c", "(none)", "(none)", "(none)", 0);
}

TEST(test_refused_addresses)
{
    static const char *const bad[] = {
        "",
        "localhost",
        "http://localhost",
        "redis:localhost",
        "redis://localhost:",
        "redis://localhost:x",
        "redis://localhost:65536",
        "redis://localhost/x",
        "redis://localhost/-1",
        "redis://localhost/1/2",
        "redis://[::1",
        "redis://[::1]x",
        "redis://a%4:b@h",
        "redis://a%00:b@h",
        "redis://:%zz@h",
        "unix:",
        "unix:relative",
        "unix://relative",
        "unix:/s?db=",
        "unix:/s?db=x",
        "unix:/s?name=1",
        "unix:/s%",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kri_redis_address a;
        int err = kri_redis_address_read(&a, bad[i]);
        if (err != -EINVAL)
            kri_test_fail(__FILE__, __LINE__, "\"%s\" is read: %d", bad[i], err);
        kri_redis_address_free(&a);
    }
}

TEST(test_is_address)
{
    CHECK(kri_redis_is_address("redis://h"));
    CHECK(kri_redis_is_address("rediss:"));
    CHECK(kri_redis_is_address("unix:/s"));
    CHECK(!kri_redis_is_address("prices"));
    CHECK(!kri_redis_is_address("redis"));
    CHECK(!kri_redis_is_address(""));
}
