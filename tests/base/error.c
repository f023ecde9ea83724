/* The names and texts of results.  That none is missing is a check of the lint.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include <krait/base.h>

static void check_result(int result, const char *name, const char *text)
{
    CHECK_STR(kr_errname(result), name);
    CHECK_STR(kr_strerror(result), text);
}

TEST(each_kind_of_result_has_its_name_and_text)
{
    check_result(-ENOENT, "ENOENT", "No such file or directory");
    check_result(0, "0", "Success");
    check_result(KR_EBROKEN, "KR_EBROKEN", "broken: a party gave up, or an initializer failed");
    check_result(KR_EREPLY, "KR_EREPLY", "the server answered with an error");
    check_result(KR_OWNER_DIED, "KR_OWNER_DIED", "held, but a process that held it has died");
}

/* From the first of krait's own on they stand without a gap. */
TEST(every_error_of_kraits_own_is_known)
{
    for (int error = KR_EBROKEN; error >= KR_EREPLY; error--) {
        CHECK_EQ(strncmp(kr_errname(error), "KR_E", 4), 0);
        CHECK(strcmp(kr_strerror(error), "unknown error") != 0);
    }
}

TEST(other_numbers_are_unknown)
{
    static const int others[] = {1, 2, ENOENT, KR_EREPLY - 1, -4095, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check_result(others[i], "?", "unknown error");
}
