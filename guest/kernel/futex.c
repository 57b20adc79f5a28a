// SPDX-License-Identifier: Apache-2.0
/*
 * Futexes (futex(2)): WAIT, WAKE, their BITSET forms, REQUEUE, CMP_REQUEUE, WAKE_OP. Those with
 * priority inheritance answer ENOSYS: pthread_mutexattr_setprotocol then fails as POSIX allows.
 */
#include "futex.h"

#include <linux/futex.h>
#include <linux/time_types.h>

#include "../arch.h"
#include "../mm/space.h"
#include "call.h"
#include "thread.h"

#define COMMAND      0x7fu /* without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */
#define BUCKETS      64
#define ROBUST_LIMIT 2048

static struct list buckets[BUCKETS];

static int key_of(uint64_t addr, uint64_t *out)
{
    uint64_t pa;
    unsigned prot;
    if (addr & 3)
        return -EINVAL;
    if (!user_ok(addr, 4, false) || !arch_query(addr, &pa, &prot))
        return -EFAULT;
    *out = pa;
    return 0;
}

static struct list *bucket_of(uint64_t key)
{
    struct list *bucket = &buckets[(key >> 2) % BUCKETS];
    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

static uint32_t load(uint64_t addr)
{
    return __atomic_load_n((const uint32_t *)addr, __ATOMIC_SEQ_CST);
}

static int wake_key(uint64_t key, int count, uint32_t bits)
{
    struct list *bucket = bucket_of(key);
    int woken = 0;
    for (struct list *at = bucket->next; at != bucket && woken < count;) {
        struct thread *thread = container_of(at, struct thread, futex_link);
        at = at->next;
        if (thread->futex_key != key || !(thread->futex_bits & bits))
            continue;
        list_del(&thread->futex_link);
        thread->futex_woken = true;
        thread_ready(thread);
        woken++;
    }
    return woken;
}

int futex_wake_at(uint64_t addr, int count)
{
    uint64_t key;
    int rc = key_of(addr, &key);
    return rc < 0 ? rc : wake_key(key, count, ~0u);
}

static long futex_wait(uint64_t addr, uint32_t value, uint64_t deadline, uint32_t bits)
{
    uint64_t key;
    int rc = key_of(addr, &key);
    if (rc < 0)
        return rc;
    if (!bits)
        return -EINVAL;
    if (load(addr) != value)
        return -EAGAIN;
    current->futex_key = key;
    current->futex_bits = bits;
    current->futex_woken = false;
    list_add_tail(bucket_of(key), &current->futex_link);
    while (!current->futex_woken) {
        rc = wait_block(deadline);
        if (rc < 0)
            break;
    }
    list_del(&current->futex_link);
    if (current->futex_woken)
        return 0;
    return rc;
}

static long requeue(uint64_t from, uint64_t to, int wake, int move, const uint32_t *expect)
{
    uint64_t key, target;
    int rc = key_of(from, &key);
    if (rc == 0)
        rc = key_of(to, &target);
    if (rc < 0)
        return rc;
    if (wake < 0 || move < 0)
        return -EINVAL;
    if (expect && load(from) != *expect)
        return -EAGAIN;
    int woken = wake_key(key, wake, ~0u), moved = 0;
    struct list *bucket = bucket_of(key), *other = bucket_of(target);
    for (struct list *at = bucket->next; at != bucket && moved < move && key != target;) {
        struct thread *thread = container_of(at, struct thread, futex_link);
        at = at->next;
        if (thread->futex_key != key)
            continue;
        list_del(&thread->futex_link);
        thread->futex_key = target;
        list_add_tail(other, &thread->futex_link);
        moved++;
    }
    return expect ? woken + moved : woken;
}

static int apply_op(uint64_t addr, uint32_t encoded, bool *out_true)
{
    uint32_t op = (encoded >> 28) & 7, cmp = (encoded >> 24) & 15;
    uint32_t arg = (uint32_t)((int32_t)(encoded << 8) >> 20);
    int32_t with = (int32_t)(encoded << 20) >> 20;
    if (encoded >> 31)
        arg = 1u << (arg & 31);
    if (addr & 3)
        return -EINVAL;
    if (!user_ok(addr, 4, true))
        return -EFAULT;
    uint32_t *at = (uint32_t *)addr, old = *at;
    switch (op) {
    case FUTEX_OP_SET:
        *at = arg;
        break;
    case FUTEX_OP_ADD:
        *at = old + arg;
        break;
    case FUTEX_OP_OR:
        *at = old | arg;
        break;
    case FUTEX_OP_ANDN:
        *at = old & ~arg;
        break;
    case FUTEX_OP_XOR:
        *at = old ^ arg;
        break;
    default:
        return -ENOSYS;
    }
    int32_t was = (int32_t)old;
    switch (cmp) {
    case FUTEX_OP_CMP_EQ:
        *out_true = was == with;
        break;
    case FUTEX_OP_CMP_NE:
        *out_true = was != with;
        break;
    case FUTEX_OP_CMP_LT:
        *out_true = was < with;
        break;
    case FUTEX_OP_CMP_LE:
        *out_true = was <= with;
        break;
    case FUTEX_OP_CMP_GT:
        *out_true = was > with;
        break;
    case FUTEX_OP_CMP_GE:
        *out_true = was >= with;
        break;
    default:
        return -ENOSYS;
    }
    return 0;
}

static long wake_op(uint64_t first, uint64_t second, int count, int count2, uint32_t encoded)
{
    uint64_t key, key2;
    bool also = false;
    int rc = key_of(first, &key);
    if (rc == 0)
        rc = apply_op(second, encoded, &also);
    if (rc == 0)
        rc = key_of(second, &key2);
    if (rc < 0)
        return rc;
    int woken = wake_key(key, count, ~0u);
    return also ? woken + wake_key(key2, count2, ~0u) : woken;
}

static int deadline_of(uint64_t at, unsigned op, uint64_t *out)
{
    struct __kernel_timespec ts;
    *out = NEVER;
    if (!at)
        return 0;
    if (user_in(&ts, at, sizeof(ts)) < 0)
        return -EFAULT;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (long)NS_PER_S)
        return -EINVAL;
    uint64_t ns = call_ns(ts.tv_sec, ts.tv_nsec);
    if ((op & COMMAND) == FUTEX_WAIT)
        *out = ns > NEVER - 1 - time_mono_ns() ? NEVER : time_mono_ns() + ns;
    else if (op & FUTEX_CLOCK_REALTIME)
        *out = ns > (uint64_t)time_real_offset_ns() ? ns - (uint64_t)time_real_offset_ns() : 0;
    else
        *out = ns;
    return 0;
}

long sys_futex(const uint64_t a[6])
{
    uint64_t deadline = NEVER;
    unsigned op = (unsigned)a[1];
    uint32_t value = (uint32_t)a[2];
    uint32_t expect = (uint32_t)a[5];
    switch (op & COMMAND) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
        int rc = deadline_of(a[3], op, &deadline);
        if (rc < 0)
            return rc;
        return futex_wait(a[0], value, deadline, (op & COMMAND) == FUTEX_WAIT ? ~0u : expect);
    }
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET: {
        uint64_t key;
        int rc = key_of(a[0], &key);
        uint32_t bits = (op & COMMAND) == FUTEX_WAKE ? ~0u : expect;
        if (rc == 0 && !bits)
            rc = -EINVAL;
        return rc < 0 ? rc : wake_key(key, (int)value < 1 ? 1 : (int)value, bits);
    }
    case FUTEX_REQUEUE:
        return requeue(a[0], a[4], (int)value, (int)a[3], NULL);
    case FUTEX_CMP_REQUEUE:
        return requeue(a[0], a[4], (int)value, (int)a[3], &expect);
    case FUTEX_WAKE_OP:
        return wake_op(a[0], a[4], (int)value, (int)a[3], expect);
    default:
        return -ENOSYS;
    }
}

static void robust_one(uint64_t addr, int tid)
{
    if (addr & 3 || !user_ok(addr, 4, true))
        return;
    uint32_t *at = (uint32_t *)addr;
    if ((*at & FUTEX_TID_MASK) != (uint32_t)tid)
        return;
    bool waiters = *at & FUTEX_WAITERS;
    *at = (*at & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (waiters)
        futex_wake_at(addr, 1);
}

void futex_robust_exit(struct thread *thread)
{
    struct robust_list_head head;
    if (!thread->robust || user_in(&head, thread->robust, sizeof(head)) < 0)
        return;
    uint64_t offset = (uint64_t)head.futex_offset, pending = (uint64_t)head.list_op_pending;
    uint64_t at = (uint64_t)head.list.next;
    for (int i = 0; i < ROBUST_LIMIT && (at & ~1UL) != thread->robust; i++) {
        uint64_t next;
        if (user_in(&next, at & ~1UL, sizeof(next)) < 0)
            return;
        if (at != pending && !(at & 1))
            robust_one((at & ~1UL) + offset, thread->tid);
        at = next;
    }
    if (pending && !(pending & 1))
        robust_one(pending + offset, thread->tid);
}
