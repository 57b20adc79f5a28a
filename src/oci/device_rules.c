/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine follows security/device_cgroup.c: a rule for all devices sets the default and
 * forgets the exceptions; a rule that agrees with the default takes an equal exception away, one
 * that contradicts it adds one. With "deny" as the default one exception must cover the whole
 * access, with "allow" each one that touches it refuses.
 */
#include "oci/device_rules.h"

#include <errno.h>
#include <string.h>

#define ALL_ACCESS (OCI_ACCESS_READ | OCI_ACCESS_WRITE | OCI_ACCESS_MKNOD)
#define NODE(kind, major, minor)                                                                   \
    {                                                                                              \
        true, kind, ALL_ACCESS, {true, major},                                                     \
        {                                                                                          \
            true, minor                                                                            \
        }                                                                                          \
    }

const struct oci_device_rule device_rules_default[] = {
    {true, 'c', OCI_ACCESS_MKNOD, {false, 0}, {false, 0}}, /* making a node opens nothing */
    {true, 'b', OCI_ACCESS_MKNOD, {false, 0}, {false, 0}},
    NODE('c', 1, 3),                                  /* null */
    NODE('c', 1, 5),                                  /* zero */
    NODE('c', 1, 7),                                  /* full */
    NODE('c', 1, 8),                                  /* random */
    NODE('c', 1, 9),                                  /* urandom */
    NODE('c', 5, 0),                                  /* tty */
    NODE('c', 5, 1),                                  /* console */
    NODE('c', 5, 2),                                  /* ptmx */
    {true, 'c', ALL_ACCESS, {true, 136}, {false, 0}}, /* what lies in /dev/pts */
    {false, 0, 0, {false, 0}, {false, 0}},
};

static size_t find(const struct device_rules *rules, const struct device_exception *wanted)
{
    size_t i = 0;
    while (i < rules->count && (rules->exceptions[i].type != wanted->type ||
                                rules->exceptions[i].major != wanted->major ||
                                rules->exceptions[i].minor != wanted->minor))
        i++;
    return i;
}

static int add_one(struct device_rules *rules, bool allow, const struct device_exception *one)
{
    size_t at = find(rules, one);
    if (allow == rules->allow) {
        if (at == rules->count)
            return 0;
        rules->exceptions[at].access &= ~one->access;
        if (rules->exceptions[at].access == 0)
            rules->exceptions[at] = rules->exceptions[--rules->count];
        return 0;
    }
    if (at < rules->count) {
        rules->exceptions[at].access |= one->access;
        return 0;
    }
    if (rules->count == DEVICE_EXCEPTIONS_MAX)
        return -E2BIG;
    rules->exceptions[rules->count++] = *one;
    return 0;
}

int device_rules_add(struct device_rules *rules, const struct oci_device_rule *rule)
{
    struct device_exception one = {
        .type = rule->type,
        .major = rule->major.set ? (uint32_t)rule->major.value : DEVICE_ANY,
        .minor = rule->minor.set ? (uint32_t)rule->minor.value : DEVICE_ANY,
        .access = rule->access,
    };
    if (rule->type != 'a')
        return add_one(rules, rule->allow, &one);
    if (one.major == DEVICE_ANY && one.minor == DEVICE_ANY && one.access == ALL_ACCESS) {
        rules->allow = rule->allow;
        rules->count = 0;
        return 0;
    }
    one.type = 'b'; /* v1 knows "a" for everything only: both kinds otherwise */
    int result = add_one(rules, rule->allow, &one);
    one.type = 'c';
    return result == 0 ? add_one(rules, rule->allow, &one) : result;
}

bool device_rules_allow(const struct device_rules *rules, char type, uint32_t major, uint32_t minor,
                        uint32_t access)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct device_exception *one = &rules->exceptions[i];
        if (one->type != type || (one->major != DEVICE_ANY && one->major != major) ||
            (one->minor != DEVICE_ANY && one->minor != minor))
            continue;
        bool touches = rules->allow ? (access & one->access) != 0 : (access & ~one->access) == 0;
        if (touches)
            return !rules->allow;
    }
    return rules->allow;
}

/* --- the program --- */

enum { R_RESULT = 0, R_CONTEXT, R_TYPE, R_ACCESS, R_MAJOR, R_MINOR, R_SCRATCH };

struct assembler {
    struct bpf_insn *code;
    size_t count;
};

static void put(struct assembler *out, unsigned int op, unsigned int to, unsigned int from,
                int offset, int32_t value)
{
    out->code[out->count++] = (struct bpf_insn){
        .code = (uint8_t)op,
        .dst_reg = (uint8_t)(to & 0xf),
        .src_reg = (uint8_t)(from & 0xf),
        .off = (int16_t)offset,
        .imm = value,
    };
}

/* A jump whose distance is filled in later: its index. */
static size_t put_jump(struct assembler *out, unsigned int op, unsigned int reg, uint32_t value)
{
    put(out, BPF_JMP32 | op | BPF_K, reg, 0, 0, (int32_t)value);
    return out->count - 1;
}

static void put_result(struct assembler *out, bool allow)
{
    put(out, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, allow);
    put(out, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The kernel's bits of an access are not those of our names. */
static uint32_t kernel_access(uint32_t access)
{
    return ((access & OCI_ACCESS_MKNOD) ? BPF_DEVCG_ACC_MKNOD : 0u) |
           ((access & OCI_ACCESS_READ) ? BPF_DEVCG_ACC_READ : 0u) |
           ((access & OCI_ACCESS_WRITE) ? BPF_DEVCG_ACC_WRITE : 0u);
}

static void put_exception(struct assembler *out, const struct device_rules *rules,
                          const struct device_exception *one)
{
    size_t jumps[4];
    size_t count = 0;
    uint32_t type = one->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    jumps[count++] = put_jump(out, BPF_JNE, R_TYPE, type);
    if (one->access != ALL_ACCESS) {
        uint32_t mask = kernel_access(one->access);
        put(out, BPF_ALU | BPF_MOV | BPF_X, R_SCRATCH, R_ACCESS, 0, 0);
        put(out, BPF_ALU | BPF_AND | BPF_K, R_SCRATCH, 0, 0,
            (int32_t)(rules->allow ? mask : ~mask));
        jumps[count++] = put_jump(out, rules->allow ? BPF_JEQ : BPF_JNE, R_SCRATCH, 0);
    }
    if (one->major != DEVICE_ANY)
        jumps[count++] = put_jump(out, BPF_JNE, R_MAJOR, one->major);
    if (one->minor != DEVICE_ANY)
        jumps[count++] = put_jump(out, BPF_JNE, R_MINOR, one->minor);
    put_result(out, !rules->allow);
    for (size_t i = 0; i < count; i++)
        out->code[jumps[i]].off = (int16_t)(out->count - jumps[i] - 1);
}

size_t device_rules_assemble(const struct device_rules *rules,
                             struct bpf_insn program[DEVICE_PROGRAM_MAX])
{
    enum { AT_ACCESS_TYPE = 0, AT_MAJOR = 4, AT_MINOR = 8 }; /* struct bpf_cgroup_dev_ctx */
    struct assembler out = {program, 0};
    put(&out, BPF_LDX | BPF_MEM | BPF_W, R_TYPE, R_CONTEXT, AT_ACCESS_TYPE, 0);
    put(&out, BPF_ALU | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0, 0);
    put(&out, BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
    put(&out, BPF_ALU | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
    put(&out, BPF_LDX | BPF_MEM | BPF_W, R_MAJOR, R_CONTEXT, AT_MAJOR, 0);
    put(&out, BPF_LDX | BPF_MEM | BPF_W, R_MINOR, R_CONTEXT, AT_MINOR, 0);
    for (size_t i = 0; i < rules->count; i++)
        put_exception(&out, rules, &rules->exceptions[i]);
    put_result(&out, rules->allow);
    return out.count;
}
