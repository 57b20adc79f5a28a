/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initial stack, as the System V ABI has it, with room for what comes with a request: ENV_SLOTS
 * pointers at the end of the environment, which point to an empty string until then, and the bytes
 * for their strings behind the environment's own, so that /proc/self/environ can show both. Empty
 * strings, because libc looks for the auxiliary vector behind the first NULL.
 */
#include <elf.h>

#include "skerry/abi/warm.h"
#include "warm/layout.h"
#include "warm/load.h"
#include "warm/plain.h"
#include "warm/self.h"

static uint64_t text_bytes(const char *const *texts, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += strlen(texts[i]) + 1;
    return bytes;
}

static uint64_t put(uint64_t *at, const void *from, uint64_t bytes)
{
    *at -= bytes;
    memcpy((void *)*at, from, bytes);
    return *at;
}

/* Copies strings to *text on, and pointers to them to *slot on. */
static void put_texts(const char *const *texts, uint32_t count, uint64_t *text, uint64_t **slot)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes = strlen(texts[i]) + 1;
        memcpy((void *)*text, texts[i], bytes);
        *(*slot)++ = *text;
        *text += bytes;
    }
}

static void fill_auxv(const struct start *start, const struct loaded *loaded, uint64_t name,
                      uint64_t random, uint64_t platform, uint64_t *out)
{
    for (uint32_t i = 0; i < start->auxv_count; i++) {
        uint64_t type = start->auxv[2 * i], value = start->auxv[2 * i + 1];
        switch (type) {
        case AT_PHDR:
            value = loaded->headers;
            break;
        case AT_PHNUM:
            value = loaded->header_count;
            break;
        case AT_BASE:
            value = loaded->base;
            break;
        case AT_ENTRY:
            value = loaded->program_entry;
            break;
        case AT_RANDOM:
            value = random;
            break;
        case AT_EXECFN:
            value = name;
            break;
        case AT_PLATFORM:
            value = platform;
            break;
        default:
            break;
        }
        *out++ = type;
        *out++ = value;
    }
}

void stack_build(const struct start *start, const struct loaded *loaded, uint64_t top,
                 struct stack_places *out)
{
    uint64_t at = top, nothing = 0;
    unsigned char seed[16];
    random_fill(seed, sizeof(seed));
    put(&at, &nothing, sizeof(nothing));
    uint64_t name = put(&at, start->path, strlen(start->path) + 1);
    uint64_t platform = put(&at, "x86_64", sizeof("x86_64"));
    uint64_t random = put(&at, seed, sizeof(seed));
    out->unset = put(&at, &nothing, 1);
    uint64_t args_bytes = text_bytes(start->args, start->arg_count);
    uint64_t env_bytes = text_bytes(start->env, start->env_count);
    out->env_text_bytes = WARM_ENV_MAX;
    out->env_text = at - WARM_ENV_MAX;
    at = out->env_text - env_bytes - args_bytes;
    out->mm.arg_start = at;
    out->mm.arg_end = out->mm.env_start = at + args_bytes;
    out->mm.env_end = out->env_text;
    uint64_t text = at;
    uint64_t words = 1 + start->arg_count + 1 + start->env_count + ENV_SLOTS + 1;
    words += 2 * (uint64_t)start->auxv_count;
    at = (at & ~UINT64_C(15)) - ((words + 1) & ~UINT64_C(1)) * sizeof(uint64_t);
    out->stack = out->mm.start_stack = at;
    uint64_t *slot = (uint64_t *)at;
    *slot++ = start->arg_count;
    put_texts(start->args, start->arg_count, &text, &slot);
    *slot++ = 0;
    put_texts(start->env, start->env_count, &text, &slot);
    out->env_slots = (uint64_t)slot;
    for (uint32_t i = 0; i < ENV_SLOTS; i++)
        *slot++ = out->unset;
    *slot++ = 0;
    out->mm.auxv = (uint64_t)slot;
    out->mm.auxv_bytes = start->auxv_count * 2 * (uint32_t)sizeof(uint64_t);
    fill_auxv(start, loaded, name, random, platform, slot);
}
