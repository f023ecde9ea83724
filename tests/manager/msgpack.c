/* Structured values as MessagePack, where msgpack-c is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/help.h"
#include <krait/msgpack.h>
#include <stdlib.h>

#ifdef KRI_HAVE_MSGPACK

#include <msgpack.h>

/* {"price": 7, "tags": [true, "new"]}, in the format's own bytes. */
static const unsigned char order[] = {0x82, 0xa5, 'p', 'r',  'i',  'c',  'e', 0x07, 0xa4, 't',
                                      'a',  'g',  's', 0x92, 0xc3, 0xa3, 'n', 'e',  'w'};

TEST(test_msgpack_both_ways)
{
    KR_AUTO(kr_manager) *m = manager_new();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    msgpack_unpacked unpacked, other;
    void *bytes = NULL, *found = NULL;
    size_t size = 0;
    msgpack_unpacked_init(&unpacked);
    msgpack_unpacked_init(&other);
    int err = kr_msgpack_decode(order, sizeof order, &unpacked);
    if (err == -ENOSYS)
        SKIP("built without msgpack-c");
    CHECK_EQ(err, 0);
    CHECK_EQ(unpacked.data.type, MSGPACK_OBJECT_MAP);
    CHECK_EQ(unpacked.data.via.map.size, 2);
    CHECK_EQ(unpacked.data.via.map.ptr[0].val.via.u64, 7);
    CHECK_EQ(kr_msgpack_encode(&unpacked.data, &bytes, &size), 0);
    CHECK_EQ(size, sizeof order);
    CHECK(memcmp(bytes, order, size) == 0);
    CHECK_EQ(kr_dict_set(d, "order", 5, bytes, size), 0);
    CHECK_EQ(kr_dict_get_new(d, "order", 5, &found, &size), 0);
    CHECK_EQ(kr_msgpack_decode(found, size, &other), 0);
    CHECK(msgpack_object_equal(other.data, unpacked.data));
    msgpack_unpacked_destroy(&unpacked);
    msgpack_unpacked_destroy(&other);
    free(bytes);
    free(found);
}

TEST(test_msgpack_no_object)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    int err = kr_msgpack_decode(order, sizeof order - 1, &unpacked);
    if (err == -ENOSYS)
        SKIP("built without msgpack-c");
    CHECK_EQ(err, -EBADMSG);
    CHECK_EQ(kr_msgpack_decode("\x07\x07", 2, &unpacked), -EBADMSG);
    CHECK_EQ(kr_msgpack_decode("\xc1", 1, &unpacked), -EBADMSG);
    CHECK_EQ(kr_msgpack_decode("", 0, &unpacked), -EBADMSG);
    msgpack_unpacked_destroy(&unpacked);
}

#endif

TEST(test_msgpack_arguments)
{
    void *bytes;
    size_t size;
    CHECK_EQ(kr_msgpack_encode(NULL, &bytes, &size), -EINVAL);
    CHECK_EQ(kr_msgpack_decode(NULL, 0, NULL), -EINVAL);
}
