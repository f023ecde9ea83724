/* Integers as decimal digits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/number.h"

size_t kri_number_write(int64_t number, char text[KRI_NUMBER])
{
    char digits[KRI_NUMBER];
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    size_t count = 0, size = 0;
    do
        digits[count++] = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (number < 0)
        text[size++] = '-';
    while (count > 0)
        text[size++] = digits[--count];
    return size;
}

int kri_number_read(const char *text, size_t size, int64_t *number)
{
    bool negative = size > 0 && text[0] == '-', too_large = false;
    size_t at = negative;
    uint64_t sum = 0, most = (uint64_t)INT64_MAX + negative;
    if (at == size)
        return -EBADMSG;
    for (; at < size; at++) {
        unsigned digit = (unsigned)text[at] - '0';
        if (digit > 9)
            return -EBADMSG;
        too_large = too_large || sum > (most - digit) / 10;
        if (!too_large)
            sum = sum * 10 + digit;
    }
    if (too_large)
        return -EOVERFLOW;
    *number = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return 0;
}
