/* The hash of keys: a multiplication of 64 by 64 bits for each 16 bytes, folded, as in the family
 * of wyhash, with a random number of each manager's that nobody outside sees.
 *
 * It is for tables, and no signature: who cannot read the memory cannot choose keys that all fall
 * into one bucket.  SipHash, which is proven further, takes three times as long for a short key,
 * and a third of what a whole get takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_HASH_H
#define KRI_MANAGER_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t kri_hash_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The bytes as two numbers; at most 16. */
static inline void kri_hash_read(const unsigned char *at, size_t size, uint64_t pair[2])
{
    pair[0] = pair[1] = 0;
    if (size >= 8) {
        memcpy(&pair[0], at, 8);
        memcpy(&pair[1], at + size - 8, 8);
    } else if (size >= 4) {
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + size - 4, 4);
        pair[0] = low | (uint64_t)high << 32;
    } else {
        for (size_t i = 0; i < size; i++)
            pair[0] |= (uint64_t)at[i] << 8 * i;
    }
}

static inline uint64_t kri_hash(const uint64_t seed[2], const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t pair[2], state = seed[0] ^ size * UINT64_C(0x9e3779b97f4a7c15);
    for (; size > 16; size -= 16, at += 16) {
        memcpy(pair, at, 16);
        state = kri_hash_fold(pair[0] ^ state, pair[1] ^ seed[1]);
    }
    kri_hash_read(at, size, pair);
    state = kri_hash_fold(pair[0] ^ state, pair[1] ^ seed[1]);
    return kri_hash_fold(state ^ UINT64_C(0xa0761d6478bd642f),
                         seed[1] ^ UINT64_C(0xe7037ed1a0b428db));
}

#endif
