/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json: what is refused, by which words, and what comes out of what is accepted. A row of
 * `refused` is a good configuration with one value replaced; the error must name that value's path.
 */
#include <errno.h>
#include <linux/mount.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oci/spec.h"

/* A configuration into which one part is put: members of the top level, of process, of linux, or of
 * resources. */
enum part { TOP, PROCESS, LINUX, RESOURCES, MOUNTS, SECCOMP, WHOLE };

static char *configuration(enum part part, const char *text)
{
    static const char *const none = "";
    char *out = NULL;
    int length;
    if (part == WHOLE)
        return strdup(text);
    length = asprintf(
        &out,
        "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"
        "%s%s,\"mounts\":[%s],"
        "\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}%s%s},"
        "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"uts\"},"
        "{\"type\":\"ipc\"}]%s%s,\"resources\":{%s},"
        "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"%s%s}}}",
        part == TOP ? "," : none, part == TOP ? text : none, part == MOUNTS ? text : none,
        part == PROCESS ? "," : none, part == PROCESS ? text : none, part == LINUX ? "," : none,
        part == LINUX ? text : none, part == RESOURCES ? text : none, part == SECCOMP ? "," : none,
        part == SECCOMP ? text : none);
    assert_true(length > 0);
    return out;
}

static const struct refusal {
    enum part part;
    const char *text;
    const char *says;
} refused[] = {
    /* not JSON */
    {WHOLE, "", "line 1, column 1"},
    {WHOLE, "{", "a key in quotes"},
    {WHOLE, "{\"a\":1,}", "a key in quotes"},
    {WHOLE, "[1,]", "neither a value"},
    {WHOLE, "{} {}", "something follows"},
    {WHOLE, "{\"a\":NaN}", "neither a value"},
    {WHOLE, "{\"a\":Infinity}", "neither a value"},
    {WHOLE, "{\"a\":01}", "begins with 0"},
    {WHOLE, "{\"a\":1.}", "behind its point"},
    {WHOLE, "{\"a\":1e}", "exponent"},
    {WHOLE, "{\"a\":-}", "neither a value"},
    {WHOLE, "{\"a\":+1}", "neither a value"},
    {WHOLE, "{\"a\":\"\x01\"}", "control character"},
    {WHOLE, "{\"a\":\"\\q\"}", "unknown escape"},
    {WHOLE, "{\"a\":\"\\u12\"}", "four hexadecimal"},
    {WHOLE, "{\"a\":\"\\u0000\"}", "NUL"},
    {WHOLE, "{\"a\":\"\\ud800\"}", "high surrogate"},
    {WHOLE, "{\"a\":\"\\udc00\"}", "low surrogate"},
    {WHOLE, "{\"a\":\"\\ud800\\u0041\"}", "high surrogate"},
    {WHOLE, "{\"a\":\"\xff\"}", "UTF-8"},
    {WHOLE, "{\"a\":\"\xc0\x80\"}", "UTF-8"},
    {WHOLE, "{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
    {WHOLE, "{\"a\":\"\xf5\x80\x80\x80\"}", "UTF-8"},
    {WHOLE, "{\"a\":\"\xe2\x82\"}", "UTF-8"},
    {WHOLE, "{\"a\":\"b", "within a string"},
    {WHOLE, "{\"a\":1,\"a\":2}", "\"a\" stands twice"},
    {WHOLE, "{\"a\":tru}", "neither a value"},
    {WHOLE, "// comment\n{}", "neither a value"},
    {WHOLE, "{'a':1}", "a key in quotes"},
    /* the top */
    {WHOLE, "[]", "is a list; an object is expected"},
    {WHOLE, "{}", "ociVersion: is required"},
    {WHOLE, "{\"ociVersion\":1}", "ociVersion: is a number; a string is expected"},
    {WHOLE, "{\"ociVersion\":\"1\"}", "ociVersion: \"1\" is no version"},
    {WHOLE, "{\"ociVersion\":\"1.0\"}", "ociVersion:"},
    {WHOLE, "{\"ociVersion\":\"01.0.0\"}", "ociVersion:"},
    {WHOLE, "{\"ociVersion\":\"1.0.0-\"}", "ociVersion:"},
    {WHOLE, "{\"ociVersion\":\"2.0.0\"}", "ociVersion: \"2.0.0\" is not supported"},
    {WHOLE, "{\"ociVersion\":\"0.9.0\"}", "ociVersion: \"0.9.0\" is not supported"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\"}", "root: is required"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{}}", "root.path: is required"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", "root.path: is empty"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"}}", "root.path: the container's"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"//.//\"}}",
     "root.path: the container's"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/../..\"}}",
     "root.path: the container's"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":null}", "root: is required"},
    {TOP, "\"hostname\":7", "hostname: is a number"},
    {TOP, "\"windows\":{}", "windows: is for another platform"},
    {TOP, "\"vm\":{}", "vm: is for another platform"},
    {TOP, "\"solaris\":{}", "solaris: is for another platform"},
    {PROCESS, "\"commandLine\":\"x\"", "process.commandLine: is for another"},
    {TOP, "\"annotations\":{\"\":\"x\"}", "annotations."},
    {TOP, "\"annotations\":{\"a\":1}", "annotations.a: is a number; a string is expected"},
    {TOP, "\"annotations\":[]", "annotations: is a list"},
    {TOP, "\"hooks\":{\"prestart\":{}}", "hooks.prestart: is an object; a list is expected"},
    {TOP, "\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}",
     "hooks.poststop[0].path: \"x\" is not an absolute"},
    {TOP, "\"hooks\":{\"poststop\":[{}]}", "hooks.poststop[0].path: is required"},
    {TOP, "\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}", "timeout: must be above 0"},
    {TOP, "\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":-1}]}",
     "timeout: must be above 0"},
    {TOP, "\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":1.5}]}",
     "1.5 is not a whole number"},
    {TOP, "\"hooks\":{\"poststop\":[null]}", "hooks.poststop[0]: is null"},
    /* process */
    {PROCESS, "\"args\":[]", "stands twice"},
    {PROCESS, "\"terminal\":\"yes\"", "process.terminal: is a string; true or false"},
    {PROCESS, "\"env\":[\"A\"]", "process.env[0]: \"A\" is not NAME=value"},
    {PROCESS, "\"env\":[\"=A\"]", "process.env[0]"},
    {PROCESS, "\"env\":[1]", "process.env[0]: is a number"},
    {PROCESS, "\"consoleSize\":{\"height\":1}", "process.consoleSize.width: is required"},
    {PROCESS, "\"consoleSize\":{\"height\":-1,\"width\":1}", "process.consoleSize.height: -1"},
    {PROCESS, "\"consoleSize\":{\"height\":65536,\"width\":1}",
     "process.consoleSize.height: 65536"},
    {PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]",
     "process.rlimits[0].type"},
    {PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1}]",
     "process.rlimits[0].soft: is required"},
    {PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]",
     "soft 2 is above hard 1"},
    {PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-1,\"hard\":1}]",
     "rlimits[0].soft: -1 is out of range"},
    {PROCESS,
     "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
     "{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]",
     "process.rlimits[1]: the type RLIMIT_CPU"},
    {PROCESS, "\"oomScoreAdj\":1001", "process.oomScoreAdj: 1001 is out of range"},
    {PROCESS, "\"oomScoreAdj\":99999999999999999999", "process.oomScoreAdj"},
    {PROCESS, "\"scheduler\":{}", "process.scheduler.policy: is required"},
    {PROCESS, "\"scheduler\":{\"policy\":\"SCHED_ISO\"}",
     "process.scheduler.policy: \"SCHED_ISO\""},
    {PROCESS, "\"scheduler\":{\"policy\":\"SCHED_RR\",\"flags\":[\"X\"]}",
     "process.scheduler.flags[0]"},
    {PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}",
     "process.scheduler.nice: 20"},
    {PROCESS, "\"ioPriority\":{\"class\":\"X\",\"priority\":1}", "process.ioPriority.class"},
    {PROCESS, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}",
     "process.ioPriority.priority: 8"},
    {PROCESS, "\"execCPUAffinity\":{\"initial\":\"1-\"}", "process.execCPUAffinity.initial"},
    {PROCESS, "\"capabilities\":[]", "process.capabilities: is a list"},
    {PROCESS, "\"capabilities\":{\"bounding\":[1]}",
     "process.capabilities.bounding[0]: is a number"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[],\"cwd\":\"/\"}}",
     "process.args: holds no program"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"]}}",
     "process.cwd: is required"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":"
     "\"x\"}}",
     "process.cwd: \"x\" is not an absolute path"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/"
     "\","
     "\"user\":{\"uid\":-1}}}",
     "process.user.uid: -1 is out of range"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/"
     "\","
     "\"user\":{\"uid\":4294967296}}}",
     "process.user.uid: 4294967296 is out of range"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/"
     "\","
     "\"user\":{\"umask\":512}}}",
     "process.user.umask: 512 is out of range"},
    /* mounts */
    {MOUNTS, "{}", "mounts[0].destination: is required"},
    {MOUNTS, "{\"destination\":\"/a\"}", "mounts[0]: neither a type nor"},
    {MOUNTS, "{\"destination\":\"\",\"type\":\"tmpfs\"}", "mounts[0].destination: is empty"},
    {MOUNTS, "{\"destination\":\"/a\",\"type\":\"bind\"}",
     "mounts[0]: a bind mount without a source"},
    {MOUNTS, "{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"\"]}",
     "mounts[0].options[0]: is empty"},
    {MOUNTS, "{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[7]}",
     "mounts[0].options[0]: is a number"},
    {MOUNTS, "{\"destination\":\"/a\",\"type\":\"proc\",\"options\":[\"tmpcopyup\"]}", "tmpcopyup"},
    {MOUNTS, "{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"idmap\"]}",
     "bind mounts only"},
    {MOUNTS, "{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",\"idmap\"]}",
     "neither mappings nor"},
    {MOUNTS,
     "{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\"],"
     "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}",
     "uidMappings and gidMappings"},
    /* linux */
    {LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]",
     "linux.uidMappings: ids are mapped"},
    {LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":0}]",
     "linux.uidMappings[0]: an id mapping of size 0"},
    {LINUX, "\"uidMappings\":[{\"containerID\":2,\"hostID\":0,\"size\":4294967295}]",
     "linux.uidMappings[0]: "},
    {LINUX, "\"sysctl\":{\"kernel.panic\":\"1\"}",
     "linux.sysctl.kernel.panic: belongs to no namespace"},
    {LINUX, "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}", "needs a network namespace"},
    {LINUX, "\"sysctl\":{\"net/../kernel/panic\":\"1\"}", "is no name of a sysctl"},
    {LINUX, "\"sysctl\":{\"net..ipv4\":\"1\"}", "is no name of a sysctl"},
    {LINUX, "\"sysctl\":{\"kernel.sem\":1}", "linux.sysctl.kernel.sem: is a number"},
    {LINUX, "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\"}]",
     "linux.devices[0]: major and minor"},
    {LINUX, "\"devices\":[{\"type\":\"x\",\"path\":\"/dev/x\"}]", "linux.devices[0].type"},
    {LINUX, "\"devices\":[{\"type\":\"p\",\"path\":\"dev/x\"}]", "linux.devices[0].path"},
    {LINUX, "\"rootfsPropagation\":\"x\"", "linux.rootfsPropagation: \"x\""},
    {LINUX, "\"maskedPaths\":[\"proc\"]", "linux.maskedPaths[0]: \"proc\" is not an absolute"},
    {LINUX, "\"readonlyPaths\":\"/x\"", "linux.readonlyPaths: is a string"},
    {LINUX, "\"personality\":{\"domain\":\"BSD\"}", "linux.personality.domain"},
    {LINUX, "\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}", "linux.personality.flags"},
    {LINUX, "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}",
     "linux.timeOffsets: needs a new time namespace"},
    {LINUX, "\"timeOffsets\":{\"monotonic\":{\"nanosecs\":1000000000}}",
     "linux.timeOffsets.monotonic.nanosecs"},
    {LINUX, "\"intelRdt\":{\"closID\":\"../x\"}", "linux.intelRdt.closID"},
    {LINUX, "\"cgroupsPath\":[]", "linux.cgroupsPath: is a list"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":"
     "\"x\"}]}}",
     "linux.namespaces[0].type: \"x\""},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":"
     "[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
     "linux.namespaces[1]: the type \"pid\" stands twice"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":"
     "[{\"type\":\"pid\",\"path\":\"proc/1/ns/pid\"}]}}",
     "linux.namespaces[0].path"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":"
     "\"user\"}]}}",
     "linux.uidMappings: a new user namespace"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"hostname\":\"x\"}",
     "hostname: needs a uts"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"maskedPaths\":[\"/x\"]}}",
     "linux.maskedPaths: needs a new mount namespace"},
    {WHOLE, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\",\"readonly\":true}}",
     "root.readonly: needs a new mount namespace"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"rootfsPropagation\":"
     "\"slave\"}}",
     "linux.rootfsPropagation: needs a new mount namespace"},
    {WHOLE,
     "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"readonlyPaths\":[\"/x\"],"
     "\"namespaces\":[{\"type\":\"mount\",\"path\":\"/proc/1/ns/mnt\"}]}}",
     "linux.readonlyPaths: needs a new mount namespace"},
    /* resources */
    {RESOURCES, "\"memory\":{\"limit\":\"1G\"}", "linux.resources.memory.limit: is a string"},
    {RESOURCES, "\"memory\":{\"limit\":-2}", "linux.resources.memory.limit: -2 is out of range"},
    {RESOURCES, "\"memory\":{\"limit\":1e9}",
     "linux.resources.memory.limit: 1e9 is not a whole number"},
    {RESOURCES, "\"memory\":{\"limit\":9223372036854775808}", "linux.resources.memory.limit"},
    {RESOURCES, "\"memory\":{\"swappiness\":101}", "linux.resources.memory.swappiness"},
    {RESOURCES, "\"memory\":[]", "linux.resources.memory: is a list"},
    {RESOURCES, "\"cpu\":{\"cpus\":\"a\"}", "linux.resources.cpu.cpus"},
    {RESOURCES, "\"cpu\":{\"cpus\":\"0,,1\"}", "linux.resources.cpu.cpus"},
    {RESOURCES, "\"cpu\":{\"shares\":-1}", "linux.resources.cpu.shares"},
    {RESOURCES, "\"cpu\":{\"idle\":2}", "linux.resources.cpu.idle"},
    {RESOURCES, "\"pids\":{\"limit\":true}", "linux.resources.pids.limit: is true or false"},
    {RESOURCES, "\"blockIO\":{\"weight\":9}", "linux.resources.blockIO.weight"},
    {RESOURCES, "\"blockIO\":{\"weight\":1001}", "linux.resources.blockIO.weight"},
    {RESOURCES, "\"blockIO\":{\"weightDevice\":[{\"major\":1,\"minor\":1}]}",
     "weightDevice[0]: neither"},
    {RESOURCES, "\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":1}]}",
     "[0].rate: is required"},
    {RESOURCES, "\"hugepageLimits\":[{\"pageSize\":\"2M\",\"limit\":1}]",
     "hugepageLimits[0].pageSize"},
    {RESOURCES, "\"hugepageLimits\":[{\"pageSize\":\"../x\",\"limit\":1}]",
     "hugepageLimits[0].pageSize"},
    {RESOURCES,
     "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1},{\"pageSize\":\"2MB\",\"limit\":1}]",
     "hugepageLimits[1]: the page size 2MB"},
    {RESOURCES, "\"unified\":{\"../x.y\":\"1\"}", "linux.resources.unified.../x.y"},
    {RESOURCES, "\"unified\":{\"memory.max\":1}",
     "linux.resources.unified.memory.max: is a number"},
    {RESOURCES, "\"devices\":[{\"access\":\"rwm\"}]",
     "linux.resources.devices[0].allow: is required"},
    {RESOURCES, "\"devices\":[{\"allow\":true,\"type\":\"p\"}]", "linux.resources.devices[0].type"},
    {RESOURCES, "\"devices\":[{\"allow\":true,\"access\":\"x\"}]",
     "linux.resources.devices[0].access"},
    {RESOURCES, "\"devices\":[{\"allow\":true,\"major\":-2}]", "linux.resources.devices[0].major"},
    {RESOURCES, "\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}",
     "priorities[0]"},
    {RESOURCES, "\"rdma\":{\"mlx\":{}}", "linux.resources.rdma.mlx"},
    /* seccomp */
    {SECCOMP, "\"architectures\":[\"SCMP_ARCH_VAX\"]", "linux.seccomp.architectures[0]"},
    {SECCOMP, "\"flags\":[\"X\"]", "linux.seccomp.flags[0]"},
    {SECCOMP, "\"defaultErrnoRet\":1",
     "linux.seccomp.defaultErrnoRet: the action returns no errno"},
    {SECCOMP, "\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_ERRNO\"}]",
     "syscalls[0].names: names no"},
    {SECCOMP, "\"syscalls\":[{\"names\":[\"x\"],\"action\":\"KILL\"}]",
     "syscalls[0].action: \"KILL\""},
    {SECCOMP, "\"syscalls\":[{\"names\":[\"x\"]}]", "syscalls[0].action: is required"},
    {SECCOMP, "\"syscalls\":[{\"names\":[\"x\"],\"action\":\"SCMP_ACT_LOG\",\"errnoRet\":1}]",
     "errnoRet"},
    {SECCOMP, "\"syscalls\":[{\"names\":[\"x\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4096}]",
     "errnoRet: 4096"},
    {SECCOMP, "\"syscalls\":[{\"names\":[\"x\"],\"action\":\"SCMP_ACT_NOTIFY\"}]",
     "needs a listenerPath"},
    {SECCOMP,
     "\"syscalls\":[{\"names\":[\"x\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,"
     "\"value\":1,"
     "\"op\":\"SCMP_CMP_EQ\"}]}]",
     "syscalls[0].args[0].index: 6"},
    {SECCOMP,
     "\"syscalls\":[{\"names\":[\"x\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,"
     "\"value\":1,"
     "\"op\":\"==\"}]}]",
     "syscalls[0].args[0].op: \"==\""},
    {SECCOMP,
     "\"listenerPath\":\"/"
     "x\",\"syscalls\":[{\"names\":[\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}]",
     "SCMP_ACT_NOTIFY for write"},
};

static void what_is_wrong_is_named(void **state)
{
    unsigned int failures = 0;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *text = configuration(refused[i].part, refused[i].text);
        struct oci_spec spec;
        struct err err = {0};
        int result = oci_spec_parse(text, strlen(text), &spec, &err);
        if (result >= 0 || strstr(err.text, refused[i].says) == NULL) {
            failures++;
            print_message("row %zu: %s\n  gave %d: %s\n  expected: %s\n", i, refused[i].text,
                          result, err.text, refused[i].says);
        } else
            assert_int_equal(-result, err.code);
        assert_null(spec.arena.chunks);
        free(text);
    }
    assert_int_equal(failures, 0);
}

static void parse(enum part part, const char *text, struct oci_spec *out)
{
    struct err err = {0};
    char *whole = configuration(part, text);
    if (oci_spec_parse(whole, strlen(whole), out, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    free(whole);
}

static void unknown_properties_are_told_and_ignored(void **state)
{
    struct oci_spec spec;
    parse(TOP, "\"com.example.new\":{\"a\":[1,2]},\"com.example.other\":1", &spec);
    assert_int_equal(spec.warnings.count, 2);
    assert_non_null(strstr(spec.warnings.items[0], "com.example.new: unknown property"));
    oci_spec_free(&spec);
}

static void null_is_absent(void **state)
{
    struct oci_spec spec;
    parse(PROCESS, "\"env\":null,\"capabilities\":{\"bounding\":null},\"rlimits\":null", &spec);
    assert_int_equal(spec.process->env.count, 0);
    assert_non_null(spec.process->env.items);
    assert_int_equal(spec.process->capabilities->bounding, 0);
    oci_spec_free(&spec);
}

static void an_unknown_capability_is_a_warning(void **state)
{
    struct oci_spec spec;
    parse(PROCESS, "\"capabilities\":{\"effective\":[\"CAP_KILL\",\"CAP_FLY\"]}", &spec);
    assert_int_equal(spec.process->capabilities->effective, 1u << 5);
    assert_int_equal(spec.warnings.count, 1);
    assert_non_null(strstr(spec.warnings.items[0], "process.capabilities.effective"));
    oci_spec_free(&spec);
}

static void mount_options_are_sorted(void **state)
{
    struct oci_spec spec;
    parse(
        MOUNTS,
        "{\"destination\":\"/"
        "a\",\"type\":\"tmpfs\",\"options\":[\"nosuid\",\"ro\",\"rw\",\"mode=755\","
        "\"noatime\",\"rro\",\"rprivate\",\"sync\",\"size=1k\",\"tmpcopyup\"]},"
        "{\"destination\":\"b\",\"source\":\"/b\",\"options\":[\"rbind\",\"rnoatime\",\"rslave\"]}",
        &spec);
    const struct oci_mount *a = &spec.mounts[0];
    assert_int_equal(a->attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
    assert_int_equal(a->attr_clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME);
    assert_int_equal(a->rec_attr_set, MOUNT_ATTR_RDONLY);
    assert_int_equal(a->sb_flags, MS_SYNCHRONOUS);
    assert_int_equal(a->sb_clear, MS_RDONLY);
    assert_int_equal(a->propagation, MS_PRIVATE | MS_REC);
    assert_int_equal(a->flags, OCI_MOUNT_TMPCOPYUP);
    assert_int_equal(a->data.count, 2);
    assert_string_equal(a->data.items[1], "size=1k");
    assert_null(a->data.items[2]);
    const struct oci_mount *b = &spec.mounts[1];
    assert_string_equal(b->destination, "/b"); /* with a warning */
    assert_int_equal(spec.warnings.count, 1);
    assert_int_equal(b->flags, OCI_MOUNT_BIND | OCI_MOUNT_RBIND);
    assert_int_equal(b->rec_attr_set, MOUNT_ATTR_NOATIME);
    assert_int_equal(b->rec_attr_clear, MOUNT_ATTR__ATIME);
    assert_int_equal(b->data.count, 0);
    oci_spec_free(&spec);
}

static void numbers_keep_their_extremes(void **state)
{
    struct oci_spec spec;
    parse(RESOURCES,
          "\"memory\":{\"limit\":9223372036854775807,\"swap\":-1,\"swappiness\":"
          "18446744073709551615},"
          "\"pids\":{\"limit\":-1},\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":\"c\","
          "\"major\":4294967295,\"minor\":-1,\"access\":\"r\"}]",
          &spec);
    const struct oci_resources *resources = &spec.linux_.resources;
    assert_true(resources->memory.limit.value == INT64_MAX);
    assert_int_equal(resources->memory.swap.value, -1);
    assert_false(resources->memory.swappiness.set);
    assert_int_equal(resources->pids_limit.value, -1);
    assert_int_equal(resources->device_rules[0].type, 'a');
    assert_int_equal(resources->device_rules[0].access, 7);
    assert_true(resources->device_rules[1].major.set);
    assert_false(resources->device_rules[1].minor.set);
    oci_spec_free(&spec);
}

static void strings_are_unescaped(void **state)
{
    struct oci_spec spec;
    parse(TOP, "\"annotations\":{\"k\":\"a\\u00e9\\n\\\"\\ud83d\\ude00/\\/\"}", &spec);
    assert_string_equal(oci_pairs_get(&spec.annotations, "k"), "a\xc3\xa9\n\"\xf0\x9f\x98\x80//");
    assert_null(oci_pairs_get(&spec.annotations, "none"));
    oci_spec_free(&spec);
}

static void who_listens_is_no_part_of_the_filters_key(void **state)
{
    struct oci_spec a;
    struct oci_spec b;
    parse(SECCOMP, "\"listenerPath\":\"/a\",\"listenerMetadata\":\"1\"", &a);
    parse(SECCOMP, "\"listenerPath\":\"/b\",\"listenerMetadata\":\"2\"", &b);
    assert_int_equal(a.linux_.seccomp->text_size, b.linux_.seccomp->text_size);
    assert_memory_equal(a.linux_.seccomp->text, b.linux_.seccomp->text,
                        a.linux_.seccomp->text_size);
    struct oci_spec again;
    struct err err;
    assert_int_equal(
        oci_seccomp_parse(a.linux_.seccomp->text, a.linux_.seccomp->text_size, &again, &err), 0);
    oci_spec_free(&again);
    oci_spec_free(&a);
    oci_spec_free(&b);
}

static void depth_and_size_are_bounded(void **state)
{
    static char deep[JSON_DEPTH_MAX * 2 + 3];
    struct oci_spec spec;
    struct err err;
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(oci_spec_parse(deep, strlen(deep), &spec, &err), -EINVAL);
    assert_non_null(strstr(err.text, "nested too deep"));
    char *large = calloc(1, JSON_SIZE_MAX + 1);
    assert_int_equal(oci_spec_parse(large, JSON_SIZE_MAX + 1, &spec, &err), -EFBIG);
    free(large);
}

static void large_objects_are_searched_for_duplicates_too(void **state)
{
    char *text = malloc(1 << 16);
    size_t used = (size_t)sprintf(text, "{");
    for (int i = 0; i < 1000; i++)
        used += (size_t)sprintf(text + used, "\"k%d\":0,", i);
    sprintf(text + used, "\"k17\":1}");
    struct oci_spec spec;
    struct err err;
    assert_int_equal(oci_spec_parse(text, strlen(text), &spec, &err), -EINVAL);
    assert_non_null(strstr(err.text, "\"k17\" stands twice"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(unknown_properties_are_told_and_ignored),
        cmocka_unit_test(null_is_absent),
        cmocka_unit_test(an_unknown_capability_is_a_warning),
        cmocka_unit_test(mount_options_are_sorted),
        cmocka_unit_test(numbers_keep_their_extremes),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(who_listens_is_no_part_of_the_filters_key),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(large_objects_are_searched_for_duplicates_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
