/* SPDX-License-Identifier: Apache-2.0 */
/* `linux.seccomp` (config-linux.md, "Seccomp"). */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "oci/names.h"
#include "oci/seccomp_names.h"
#include "oci/spec_read.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef AUDIT_ARCH_LOONGARCH64
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif
#define MIPS64N32 __AUDIT_ARCH_CONVENTION_MIPS64_N32

const struct oci_name oci_seccomp_action_names[] = {
    {"SCMP_ACT_KILL", OCI_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", OCI_ACT_KILL_PROCESS},
    {"SCMP_ACT_KILL_THREAD", OCI_ACT_KILL_THREAD},
    {"SCMP_ACT_TRAP", OCI_ACT_TRAP},
    {"SCMP_ACT_ERRNO", OCI_ACT_ERRNO},
    {"SCMP_ACT_TRACE", OCI_ACT_TRACE},
    {"SCMP_ACT_ALLOW", OCI_ACT_ALLOW},
    {"SCMP_ACT_LOG", OCI_ACT_LOG},
    {"SCMP_ACT_NOTIFY", OCI_ACT_NOTIFY},
    {NULL, 0},
};

const struct oci_name oci_seccomp_operator_names[] = {
    {"SCMP_CMP_NE", OCI_CMP_NE},
    {"SCMP_CMP_LT", OCI_CMP_LT},
    {"SCMP_CMP_LE", OCI_CMP_LE},
    {"SCMP_CMP_EQ", OCI_CMP_EQ},
    {"SCMP_CMP_GE", OCI_CMP_GE},
    {"SCMP_CMP_GT", OCI_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", OCI_CMP_MASKED_EQ},
    {NULL, 0},
};

const struct oci_name oci_seccomp_arch_names[] = {
    {"SCMP_ARCH_X86", AUDIT_ARCH_I386},
    {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64},
    {"SCMP_ARCH_X32", OCI_ARCH_X32},
    {"SCMP_ARCH_ARM", AUDIT_ARCH_ARM},
    {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64},
    {"SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", AUDIT_ARCH_MIPS64 | MIPS64N32},
    {"SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", AUDIT_ARCH_MIPSEL64 | MIPS64N32},
    {"SCMP_ARCH_PPC", AUDIT_ARCH_PPC},
    {"SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE},
    {"SCMP_ARCH_S390", AUDIT_ARCH_S390},
    {"SCMP_ARCH_S390X", AUDIT_ARCH_S390X},
    {"SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64},
    {"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64},
    {"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64},
    {NULL, 0},
};

const struct oci_name oci_seccomp_flag_names[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
    {NULL, 0},
};

static int read_word(struct spec_reader *in, const struct json *value, const struct oci_name *names,
                     const char *what, uint32_t *out)
{
    uint64_t number = 0;
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && oci_name_find(names, value->text, &number) < 0)
        result = spec_wrong(in, "\"%.60s\" is no %s that is known here", value->text, what);
    if (result == 0)
        *out = (uint32_t)number;
    return result;
}

static int read_action(struct spec_reader *in, const struct json *value, void *out)
{
    uint32_t number = 0;
    int result = read_word(in, value, oci_seccomp_action_names, "seccomp action", &number);
    *(enum oci_seccomp_action *)out = (enum oci_seccomp_action)number;
    return result;
}

static int read_operator(struct spec_reader *in, const struct json *value, void *out)
{
    uint32_t number = 0;
    int result = read_word(in, value, oci_seccomp_operator_names, "seccomp operator", &number);
    *(enum oci_seccomp_operator *)out = (enum oci_seccomp_operator)number;
    return result;
}

static int read_arch(struct spec_reader *in, const struct json *value, void *out)
{
    return read_word(in, value, oci_seccomp_arch_names, "architecture", out);
}

static int read_arches(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_seccomp *seccomp = out;
    return spec_read_list(in, value, sizeof(uint32_t), read_arch, &seccomp->arch_count,
                          &seccomp->arches);
}

static int read_flag(struct spec_reader *in, const struct json *value, void *out)
{
    return read_word(in, value, oci_seccomp_flag_names, "seccomp flag", out);
}

static int read_flags(struct spec_reader *in, const struct json *value, void *out)
{
    uint32_t *flags = NULL;
    size_t count = 0;
    int result = spec_read_list(in, value, sizeof(*flags), read_flag, &count, &flags);
    for (size_t i = 0; result == 0 && i < count; i++)
        *(unsigned int *)out |= flags[i];
    return result;
}

static int read_arg_index(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t number = 0;
    int result = spec_uint_within(in, value, 5, &number);
    *(uint32_t *)out = (uint32_t)number;
    return result;
}

static int read_arg(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("index", read_arg_index, struct oci_seccomp_arg, index),
        SPEC_REQUIRED("value", spec_read_uint64, struct oci_seccomp_arg, value),
        SPEC_FIELD("valueTwo", spec_read_uint64, struct oci_seccomp_arg, value_two),
        SPEC_REQUIRED("op", read_operator, struct oci_seccomp_arg, op),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_args(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_seccomp_rule *rule = out;
    return spec_read_list(in, value, sizeof(struct oci_seccomp_arg), read_arg, &rule->arg_count,
                          &rule->args);
}

static int read_names(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_strings *names = out;
    int result = spec_read_strings(in, value, names);
    if (result == 0 && names->count == 0)
        result = spec_wrong(in, "names no system call");
    return result;
}

/* "errnoRet" with an action that returns none must be refused. */
static int check_errno(struct spec_reader *in, enum oci_seccomp_action action,
                       const struct oci_uint *number, const char *key)
{
    if (!number->set)
        return 0;
    if (action != OCI_ACT_ERRNO && action != OCI_ACT_TRACE) {
        spec_enter(in, key);
        return spec_wrong(in, "the action returns no errno");
    }
    if (number->value > (action == OCI_ACT_ERRNO ? 4095u : 0xffffu)) {
        spec_enter(in, key);
        return spec_wrong(in, "%llu is no errno", (unsigned long long)number->value);
    }
    return 0;
}

static int read_rule(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("names", read_names, struct oci_seccomp_rule, names),
        SPEC_REQUIRED("action", read_action, struct oci_seccomp_rule, action),
        SPEC_FIELD("errnoRet", spec_read_oci_uint, struct oci_seccomp_rule, errno_ret),
        {"args", read_args, 0, false},
    };
    struct oci_seccomp_rule *rule = out;
    int result = SPEC_READ_OBJECT(in, value, fields, rule);
    return result == 0 ? check_errno(in, rule->action, &rule->errno_ret, "errnoRet") : result;
}

static int read_rules(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_seccomp *seccomp = out;
    return spec_read_list(in, value, sizeof(struct oci_seccomp_rule), read_rule,
                          &seccomp->rule_count, &seccomp->rules);
}

static int check_notify(struct spec_reader *in, const struct oci_seccomp *seccomp)
{
    bool notify = false;
    if (seccomp->default_action == OCI_ACT_NOTIFY)
        return spec_wrong(in, "SCMP_ACT_NOTIFY as the default would stop the runtime itself");
    for (size_t i = 0; i < seccomp->rule_count; i++) {
        const struct oci_seccomp_rule *rule = &seccomp->rules[i];
        if (rule->action != OCI_ACT_NOTIFY)
            continue;
        notify = true;
        for (size_t n = 0; n < rule->names.count; n++) {
            if (strcmp(rule->names.items[n], "write") == 0 ||
                strcmp(rule->names.items[n], "sendmsg") == 0)
                return spec_wrong(in, "SCMP_ACT_NOTIFY for %s, which hands the listener over",
                                  rule->names.items[n]);
        }
    }
    if (notify && (seccomp->listener_path == NULL || seccomp->listener_path[0] == '\0'))
        return spec_wrong(in, "SCMP_ACT_NOTIFY needs a listenerPath");
    if (seccomp->listener_path == NULL && seccomp->listener_metadata != NULL)
        return spec_warn(in, "listenerMetadata without listenerPath, ignored");
    return 0;
}

/*
 * The text that the compiled program depends on: who listens differs from container to container,
 * and must not make another entry of the cache.
 */
static int keep_text(struct spec_reader *in, const struct json *value, struct oci_seccomp *seccomp)
{
    seccomp->text = value->raw;
    seccomp->text_size = value->raw_size;
    if (seccomp->listener_path == NULL && seccomp->listener_metadata == NULL)
        return 0;
    static const char listener[] = "{\"listenerPath\":\"/\"";
    char *text = json_arena_alloc(&in->spec->arena, value->raw_size + sizeof(listener));
    if (text == NULL)
        return spec_no_memory(in);
    size_t used = sizeof(listener) - 1;
    memcpy(text, listener, used);
    for (const struct json *member = value->child; member != NULL; member = member->next) {
        if (strncmp(member->key, "listener", 8) == 0 || strpbrk(member->key, "\"\\") != NULL)
            continue;
        used += (size_t)sprintf(text + used, ",\"%s\":", member->key);
        memcpy(text + used, member->raw, member->raw_size);
        used += member->raw_size;
    }
    text[used++] = '}';
    seccomp->text = text;
    seccomp->text_size = used;
    return 0;
}

int spec_read_seccomp(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("defaultAction", read_action, struct oci_seccomp, default_action),
        SPEC_FIELD("defaultErrnoRet", spec_read_oci_uint, struct oci_seccomp, default_errno_ret),
        {"architectures", read_arches, 0, false},
        SPEC_FIELD("flags", read_flags, struct oci_seccomp, filter_flags),
        SPEC_FIELD("listenerPath", spec_read_text, struct oci_seccomp, listener_path),
        SPEC_FIELD("listenerMetadata", spec_read_text, struct oci_seccomp, listener_metadata),
        {"syscalls", read_rules, 0, false},
    };
    struct oci_seccomp *seccomp = json_arena_alloc(&in->spec->arena, sizeof(*seccomp));
    if (seccomp == NULL)
        return spec_no_memory(in);
    int result = SPEC_READ_OBJECT(in, value, fields, seccomp);
    if (result == 0)
        result = check_errno(in, seccomp->default_action, &seccomp->default_errno_ret,
                             "defaultErrnoRet");
    if (result == 0)
        result = check_notify(in, seccomp);
    if (result == 0)
        result = keep_text(in, value, seccomp);
    if (result == 0)
        *(struct oci_seccomp **)out = seccomp;
    return result;
}
