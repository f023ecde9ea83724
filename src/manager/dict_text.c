/* Strings, integers and doubles in a dict, as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/manager.h"
#include "manager/number.h"
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOUBLE = 64 };

static int get_text(kr_dict *d, const char *key, char *text, size_t room, size_t *size)
{
    if (key == NULL || (text == NULL && room != 0))
        return -EINVAL;
    int err = kr_dict_get(d, key, strlen(key), text, room > 0 ? room - 1 : 0, size);
    if (err == 0 && room == 0)
        return -ERANGE;
    if (err == 0)
        text[*size] = '\0';
    return err;
}

int kr_dict_set_string(kr_dict *d, const char *key, const char *value)
{
    if (key == NULL || value == NULL)
        return -EINVAL;
    return kr_dict_set(d, key, strlen(key), value, strlen(value));
}

int kr_dict_get_string(kr_dict *d, const char *key, char *text, size_t room)
{
    size_t size;
    return get_text(d, key, text, room, &size);
}

int kr_dict_set_int(kr_dict *d, const char *key, int64_t value)
{
    char text[KRI_NUMBER];
    if (key == NULL)
        return -EINVAL;
    return kr_dict_set(d, key, strlen(key), text, kri_number_write(value, text));
}

int kr_dict_get_int(kr_dict *d, const char *key, int64_t *value)
{
    char text[KRI_NUMBER];
    size_t size = 0;
    if (value == NULL)
        return -EINVAL;
    int err = get_text(d, key, text, sizeof text, &size);
    if (err == -ERANGE)
        return -EBADMSG;
    return err == 0 ? kri_number_read(text, size, value) : err;
}

/* The program may have set a locale with another decimal point. */

static locale_t plain(void)
{
    return newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
}

int kr_dict_set_double(kr_dict *d, const char *key, double value)
{
    char text[DOUBLE];
    if (key == NULL)
        return -EINVAL;
    locale_t c = plain();
    if (c == (locale_t)0)
        return -ENOMEM;
    locale_t before = uselocale(c);
    int size = snprintf(text, sizeof text, "%.17g", value);
    (void)uselocale(before);
    freelocale(c);
    return kr_dict_set(d, key, strlen(key), text, (size_t)size);
}

int kr_dict_get_double(kr_dict *d, const char *key, double *value)
{
    char text[DOUBLE], *end = text;
    size_t size = 0;
    if (value == NULL)
        return -EINVAL;
    int err = get_text(d, key, text, sizeof text, &size);
    if (err != 0)
        return err == -ERANGE ? -EBADMSG : err;
    locale_t c = plain();
    if (c == (locale_t)0)
        return -ENOMEM;
    double number = strtod_l(text, &end, c);
    freelocale(c);
    if (size == 0 || end != text + size)
        return -EBADMSG;
    *value = number;
    return 0;
}
