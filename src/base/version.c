/* SPDX-License-Identifier: MIT */
#include <krait/base.h>

#define TEXT_OF(x)       #x
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *kr_version(void)
{
    return VERSION(KR_VERSION_MAJOR, KR_VERSION_MINOR, KR_VERSION_PATCH);
}
