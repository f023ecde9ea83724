/* Durations from units, without overflow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/base.h>

static kr_time times(int64_t count, int64_t nanoseconds)
{
    kr_time product;
    if (__builtin_mul_overflow(count, nanoseconds, &product))
        return count > 0 ? KR_FOREVER : INT64_MIN;
    return product;
}

kr_time kr_us(int64_t microseconds)
{
    return times(microseconds, 1000);
}

kr_time kr_ms(int64_t milliseconds)
{
    return times(milliseconds, 1000000);
}

kr_time kr_sec(int64_t seconds)
{
    return times(seconds, 1000000000);
}
