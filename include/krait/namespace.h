/* kr_namespace - named attributes, that several processes have.
 *
 *     KR_AUTO(kr_namespace) *n = NULL;
 *     err = kr_namespace_open(&n, manager, "settings");
 *     err = kr_namespace_set_int(n, "retries", 3);
 *
 * Python's Manager().Namespace(): a dict whose keys are strings.  Steps, deaths, waits and errors
 * are those of kr_dict.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_NAMESPACE_H
#define KRAIT_NAMESPACE_H

#include <krait/manager.h>

KR_EXTERN_BEGIN

typedef struct kr_namespace kr_namespace;

/* kr_namespace_open, kr_namespace_release, kr_namespace_auto, kr_namespace_name - a handle, and its
 * end, as those of kr_dict.
 *
 * Returns   as kr_dict_open */
KR_API KR_NODISCARD int kr_namespace_open(kr_namespace **n, kr_manager *m, const char *name);
KR_API void kr_namespace_release(kr_namespace *n);
KR_API void kr_namespace_auto(kr_namespace **n);
KR_API const char *kr_namespace_name(const kr_namespace *n);

/* kr_namespace_set - give an attribute a value, any bytes.
 *
 * Returns   0, or an error
 */
KR_API KR_NODISCARD int kr_namespace_set(kr_namespace *n, const char *attribute, const void *value,
                                         size_t size);

/* kr_namespace_get - copy it out.
 *
 * Returns   0; -ENOENT: no such attribute; -ERANGE: longer than room, and *size says how long
 */
KR_API KR_NODISCARD int kr_namespace_get(kr_namespace *n, const char *attribute, void *value,
                                         size_t room, size_t *size);

/* kr_namespace_delete - Python's del.  kr_namespace_has - is there such an attribute?
 *
 * Returns   as kr_dict_delete and kr_dict_contains */
KR_API KR_NODISCARD int kr_namespace_delete(kr_namespace *n, const char *attribute);
KR_API KR_NODISCARD int kr_namespace_has(kr_namespace *n, const char *attribute);

/* Integers, doubles and strings: as those of kr_dict.
 *
 * Returns   as kr_dict_set_int, kr_dict_get_int and their kin */
KR_API KR_NODISCARD int kr_namespace_set_int(kr_namespace *n, const char *attribute, int64_t value);
KR_API KR_NODISCARD int kr_namespace_get_int(kr_namespace *n, const char *attribute,
                                             int64_t *value);
KR_API KR_NODISCARD int kr_namespace_set_double(kr_namespace *n, const char *attribute,
                                                double value);
KR_API KR_NODISCARD int kr_namespace_get_double(kr_namespace *n, const char *attribute,
                                                double *value);
KR_API KR_NODISCARD int kr_namespace_set_string(kr_namespace *n, const char *attribute,
                                                const char *value);
KR_API KR_NODISCARD int kr_namespace_get_string(kr_namespace *n, const char *attribute, char *value,
                                                size_t room);

KR_EXTERN_END

#endif
