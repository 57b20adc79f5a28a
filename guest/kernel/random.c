// SPDX-License-Identifier: Apache-2.0
/* Random bytes: ChaCha20 (RFC 8439), fast key erasure. */
#include "random.h"

static uint32_t key[8];

static uint32_t rotate(uint32_t x, unsigned n)
{
    return (x << n) | (x >> (32 - n));
}

static void quarter(uint32_t *s, int a, int b, int c, int d)
{
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(uint32_t counter, uint32_t out[16])
{
    uint32_t s[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(s + 4, key, sizeof(key));
    s[12] = counter;
    memcpy(out, s, sizeof(s));
    for (int i = 0; i < 10; i++) {
        quarter(out, 0, 4, 8, 12), quarter(out, 1, 5, 9, 13);
        quarter(out, 2, 6, 10, 14), quarter(out, 3, 7, 11, 15);
        quarter(out, 0, 5, 10, 15), quarter(out, 1, 6, 11, 12);
        quarter(out, 2, 7, 8, 13), quarter(out, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        out[i] += s[i];
}

void random_mix(const void *from, size_t len)
{
    const uint8_t *at = from;
    uint32_t out[16];
    for (size_t done = 0; done < len; done += sizeof(key)) {
        uint32_t part[8] = {0};
        size_t n = len - done < sizeof(part) ? len - done : sizeof(part);
        memcpy(part, at + done, n);
        for (int i = 0; i < 8; i++)
            key[i] ^= part[i];
        block(0, out);
        memcpy(key, out, sizeof(key));
    }
}

void random_bytes(void *to, size_t len)
{
    uint8_t *at = to;
    uint32_t out[16], next[16];
    block(0, next);
    for (uint32_t counter = 1; len; counter++) {
        size_t part = len < sizeof(out) ? len : sizeof(out);
        block(counter, out);
        memcpy(at, out, part);
        at += part;
        len -= part;
    }
    memcpy(key, next, sizeof(key));
    memset(out, 0, sizeof(out));
}
