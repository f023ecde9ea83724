/* A build without hiredis says which package is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include <krait/krait.h>

TEST(test_names_the_package)
{
    kr_manager *m;
    kr_manager_options hasty = {.timeout = kr_ms(10)};
    char text[200];
    int err = kr_manager_open(&m, "unix:/nowhere/at/all", &hasty);
    CHECK(m == NULL);
    CHECK_STR(kr_errname(KR_EUNSURE), "KR_EUNSURE");
    CHECK_STR(kr_errname(KR_EREPLY), "KR_EREPLY");
    if (err != -ENOSYS) {
        CHECK_EQ(err, -ENOENT);
        SKIP("hiredis is there");
    }
    CHECK(strstr(kr_redis_error_text(text, sizeof text), "libhiredis-dev") != NULL);
}

/* Text that does not fit is cut; no room is no text. */
TEST(test_error_text)
{
    kr_manager *m;
    char text[3] = "x";
    CHECK_STR(kr_redis_error_text(text, sizeof text), "no");
    (void)!kr_manager_open(&m, "redis://localhost:x", NULL);
    text[0] = '\0';
    CHECK_STR(kr_redis_error_text(text, 0), "");
}
