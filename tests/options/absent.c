/* What a build answers for the libraries that it has, and for those that it goes without: which are
 * those, the build has told this file, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include <krait/krait.h>
#include <krait/msgpack.h>
#include <stdlib.h>

#ifdef KRI_HAVE_OPENSSL
enum { HAVE_OPENSSL = 1 };
#else
enum { HAVE_OPENSSL = 0 };
#endif
#ifdef KRI_HAVE_SSL
enum { HAVE_TLS = 1 };
#else
enum { HAVE_TLS = 0 };
#endif
#ifdef KRI_HAVE_HIREDIS
enum { HAVE_HIREDIS = 1 };
#else
enum { HAVE_HIREDIS = 0 };
#endif
#ifdef KRI_HAVE_MPI
enum { HAVE_MPI = 1 };
#else
enum { HAVE_MPI = 0 };
#endif

TEST(connections_with_a_key)
{
    kr_listener *l;
    int err =
        kr_listener_create(&l, NULL, &(kr_listener_options){.authkey = "k", .authkey_size = 1});
    CHECK_EQ(err, HAVE_OPENSSL ? 0 : -ENOSYS);
    CHECK_EQ(l != NULL, HAVE_OPENSSL);
    kr_listener_release(l);
    CHECK_EQ(kr_listener_create(&l, NULL, NULL), 0); /* they do without */
    kr_listener_release(l);
}

TEST(tls)
{
    kr_tls_context *context;
    char text[100];
    CHECK_EQ(kr_tls_context_create(&context, NULL), HAVE_TLS ? 0 : -ENOSYS);
    CHECK_EQ(context != NULL, HAVE_TLS);
    if (HAVE_TLS)
        kr_tls_context_release(context);
    else
        CHECK(strstr(kr_tls_error_text(text, sizeof text), "libssl-dev") != NULL);
}

TEST(servers)
{
    kr_manager *m;
    kr_manager_options hasty = {.timeout = kr_ms(10)};
    char text[200];
    CHECK_EQ(kr_manager_open(&m, "unix:/nowhere/at/all", &hasty), HAVE_HIREDIS ? -ENOENT : -ENOSYS);
    CHECK(m == NULL);
    if (!HAVE_HIREDIS)
        CHECK(strstr(kr_redis_error_text(text, sizeof text), "libhiredis-dev") != NULL);
}

/* One that has MPI may still lack what loads it. */
TEST(mpi)
{
    const char *missing = kr_mpi_missing();
    if (!HAVE_MPI)
        CHECK(missing != NULL && strstr(missing, "libopenmpi-dev") != NULL);
    else
        CHECK(missing == NULL || strstr(missing, "libkrait-mpi.so") != NULL);
}

/* A decoder that has no msgpack-c touches nothing of what is its. */
TEST(msgpack)
{
    static const unsigned char broken[1] = {0xc1}; /* the format's only byte that means nothing */
    char object[256] = {0};
#ifdef KRI_HAVE_MSGPACK
    CHECK_EQ(kr_msgpack_decode(broken, sizeof broken, (void *)object), -EBADMSG);
#else
    void *bytes;
    size_t size;
    CHECK_EQ(kr_msgpack_decode(broken, sizeof broken, (void *)object), -ENOSYS);
    CHECK_EQ(kr_msgpack_encode((void *)object, &bytes, &size), -ENOSYS);
#endif
}
