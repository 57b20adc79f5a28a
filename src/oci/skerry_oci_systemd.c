/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-oci-systemd: asks systemd for a container's scope unit.
 *
 *   start UNIT slice=SLICE pid=PID [user=UID] [PROPERTY=VALUE ...]
 *   set UNIT [user=UID] PROPERTY=VALUE ...
 *   stop UNIT [user=UID]
 *
 * libsystemd is opened when it runs and by name: neither building nor starting skerry needs it.
 * start and stop return when systemd's job has ended.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE   "org.freedesktop.systemd1"
#define OBJECT    "/org/freedesktop/systemd1"
#define MANAGER   "org.freedesktop.systemd1.Manager"
#define WAIT_USEC 30000000u

/* What of sd-bus.h is used here; stable since systemd 221. */
typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;
typedef struct sd_bus_slot sd_bus_slot;
typedef struct {
    const char *name;
    const char *message;
    int need_free;
} sd_bus_error;
typedef int (*message_handler)(sd_bus_message *, void *, sd_bus_error *);

static int (*bus_open_system)(sd_bus **);
static int (*bus_open_user)(sd_bus **);
static int (*bus_new_call)(sd_bus *, sd_bus_message **, const char *, const char *, const char *,
                           const char *);
static int (*bus_append)(sd_bus_message *, const char *, ...);
static int (*bus_append_array)(sd_bus_message *, char, const void *, size_t);
static int (*bus_open_container)(sd_bus_message *, char, const char *);
static int (*bus_close_container)(sd_bus_message *);
static int (*bus_call)(sd_bus *, sd_bus_message *, uint64_t, sd_bus_error *, sd_bus_message **);
static int (*bus_read)(sd_bus_message *, const char *, ...);
static int (*bus_match)(sd_bus *, sd_bus_slot **, const char *, const char *, const char *,
                        const char *, message_handler, void *);
static int (*bus_process)(sd_bus *, sd_bus_message **);
static int (*bus_wait)(sd_bus *, uint64_t);

static int load_library(void)
{
    static const struct {
        void *function;
        const char *name;
    } functions[] = {
        {&bus_open_system, "sd_bus_open_system"},
        {&bus_open_user, "sd_bus_open_user"},
        {&bus_new_call, "sd_bus_message_new_method_call"},
        {&bus_append, "sd_bus_message_append"},
        {&bus_append_array, "sd_bus_message_append_array"},
        {&bus_open_container, "sd_bus_message_open_container"},
        {&bus_close_container, "sd_bus_message_close_container"},
        {&bus_call, "sd_bus_call"},
        {&bus_read, "sd_bus_message_read"},
        {&bus_match, "sd_bus_match_signal"},
        {&bus_process, "sd_bus_process"},
        {&bus_wait, "sd_bus_wait"},
    };
    void *library = dlopen("libsystemd.so.0", RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "the systemd cgroup driver needs libsystemd: %s\n", dlerror());
        return -ENOENT;
    }
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *symbol = dlsym(library, functions[i].name);
        if (symbol == NULL) {
            fprintf(stderr, "libsystemd has no %s\n", functions[i].name);
            return -ENOENT;
        }
        memcpy(functions[i].function, &symbol, sizeof(symbol));
    }
    return 0;
}

static int failed(const char *what, int result, const sd_bus_error *error)
{
    fprintf(stderr, "%s: %s\n", what,
            error != NULL && error->message != NULL ? error->message : strerror(-result));
    return result;
}

/* --- the end of a job --- */

struct job {
    const char *unit;
    bool ended;
    char result[32];
};

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
    struct job *job = data;
    uint32_t id;
    const char *path;
    const char *unit;
    const char *result;
    (void)error;
    if (bus_read(message, "uoss", &id, &path, &unit, &result) >= 0 &&
        strcmp(unit, job->unit) == 0) {
        job->ended = true;
        snprintf(job->result, sizeof(job->result), "%s", result);
    }
    return 0;
}

static int wait_job(sd_bus *bus, struct job *job)
{
    while (!job->ended) {
        int result = bus_process(bus, NULL);
        if (result == 0)
            result = bus_wait(bus, WAIT_USEC);
        if (result < 0)
            return failed("wait for systemd's job", result, NULL);
        if (result == 0 && !job->ended)
            return failed("wait for systemd's job", -ETIMEDOUT, NULL);
    }
    if (strcmp(job->result, "done") == 0)
        return 0;
    fprintf(stderr, "systemd's job for %s ended with \"%s\"\n", job->unit, job->result);
    return -EIO;
}

/* --- properties --- */

/* "0-3,7" as the bytes of a CPU mask. */
static int append_mask(sd_bus_message *message, const char *name, const char *list)
{
    enum { CPUS_MAX = 8192 };
    static uint8_t mask[CPUS_MAX / 8];
    size_t used = 0;
    memset(mask, 0, sizeof(mask));
    while (*list != '\0') {
        char *end;
        unsigned long first = strtoul(list, &end, 10);
        unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        if (last >= CPUS_MAX || first > last || (*end != ',' && *end != '\0'))
            return -EINVAL;
        for (unsigned long i = first; i <= last; i++)
            mask[i / 8] = (uint8_t)(mask[i / 8] | 1u << i % 8);
        used = last / 8 + 1 > used ? last / 8 + 1 : used;
        list = *end == ',' ? end + 1 : end;
    }
    int result = bus_open_container(message, 'r', "sv");
    if (result >= 0)
        result = bus_append(message, "s", name);
    if (result >= 0)
        result = bus_open_container(message, 'v', "ay");
    if (result >= 0)
        result = bus_append_array(message, 'y', mask, used);
    if (result >= 0)
        result = bus_close_container(message);
    return result >= 0 ? bus_close_container(message) : result;
}

static int append_property(sd_bus_message *message, const char *argument)
{
    char name[64];
    size_t length = strcspn(argument, "=");
    if (argument[length] != '=' || length >= sizeof(name))
        return -EINVAL;
    memcpy(name, argument, length);
    name[length] = '\0';
    const char *value = argument + length + 1;
    if (strncmp(name, "Allowed", 7) == 0)
        return append_mask(message, name, value);
    return bus_append(message, "(sv)", name, "t", (uint64_t)strtoull(value, NULL, 10));
}

/* Small letters are ours, properties begin with a capital. */
static const char *own_value(char **arguments, const char *key)
{
    size_t length = strlen(key);
    for (; *arguments != NULL; arguments++) {
        if (strncmp(*arguments, key, length) == 0 && (*arguments)[length] == '=')
            return *arguments + length + 1;
    }
    return NULL;
}

static int append_all(sd_bus_message *message, char **arguments)
{
    int result = 0;
    for (; result >= 0 && *arguments != NULL; arguments++) {
        if (**arguments >= 'A' && **arguments <= 'Z')
            result = append_property(message, *arguments);
    }
    return result;
}

/* What makes the scope ours: the controllers are accounted, what lies below is left to us. */
static int append_scope(sd_bus_message *message, char **arguments)
{
    static const char *const on[] = {"Delegate", "CPUAccounting", "MemoryAccounting",
                                     "TasksAccounting"};
    const char *slice = own_value(arguments, "slice");
    const char *pid = own_value(arguments, "pid");
    if (slice == NULL || pid == NULL)
        return -EINVAL;
    int result = bus_append(message, "(sv)", "Description", "s", "a container of skerry-oci");
    if (result >= 0)
        result = bus_append(message, "(sv)", "Slice", "s", slice);
    if (result >= 0)
        result = bus_append(message, "(sv)", "PIDs", "au", 1, (uint32_t)strtoul(pid, NULL, 10));
    if (result >= 0)
        result = bus_append(message, "(sv)", "DefaultDependencies", "b", 0);
    if (result >= 0)
        result = bus_append(message, "(sv)", "CollectMode", "s", "inactive-or-failed");
    for (size_t i = 0; result >= 0 && i < sizeof(on) / sizeof(on[0]); i++)
        result = bus_append(message, "(sv)", on[i], "b", 1);
    return result;
}

/* --- verbs --- */

static int start_unit(sd_bus_message *message, const char *unit, char **arguments)
{
    int result = bus_append(message, "ss", unit, "replace");
    if (result >= 0)
        result = bus_open_container(message, 'a', "(sv)");
    if (result >= 0)
        result = append_scope(message, arguments);
    if (result >= 0)
        result = append_all(message, arguments);
    if (result >= 0)
        result = bus_close_container(message);
    return result >= 0 ? bus_append(message, "a(sa(sv))", 0) : result;
}

static int set_unit(sd_bus_message *message, const char *unit, char **arguments)
{
    int result = bus_append(message, "sb", unit, 1); /* for this boot */
    if (result >= 0)
        result = bus_open_container(message, 'a', "(sv)");
    if (result >= 0)
        result = append_all(message, arguments);
    return result >= 0 ? bus_close_container(message) : result;
}

static int stop_unit(sd_bus_message *message, const char *unit, char **arguments)
{
    (void)arguments;
    return bus_append(message, "ss", unit, "replace");
}

static const struct verb {
    const char *name;
    const char *method;
    int (*fill)(sd_bus_message *, const char *, char **);
    bool has_job;
} verbs[] = {
    {"start", "StartTransientUnit", start_unit, true},
    {"set", "SetUnitProperties", set_unit, false},
    {"stop", "StopUnit", stop_unit, true},
};

static int call(sd_bus *bus, const struct verb *verb, const char *unit, char **arguments)
{
    struct job job = {.unit = unit};
    sd_bus_message *message = NULL;
    sd_bus_error error = {0};
    int result = bus_match(bus, NULL, SERVICE, OBJECT, MANAGER, "JobRemoved", on_job_removed, &job);
    if (result >= 0)
        result = bus_new_call(bus, &message, SERVICE, OBJECT, MANAGER, verb->method);
    if (result >= 0)
        result = verb->fill(message, unit, arguments);
    if (result < 0)
        return failed("put a request to systemd together", result, NULL);
    result = bus_call(bus, message, WAIT_USEC, &error, NULL);
    if (result < 0 && verb->fill == stop_unit && error.name != NULL &&
        strcmp(error.name, SERVICE ".NoSuchUnit") == 0)
        return 0; /* it went with its last process */
    if (result < 0)
        return failed(verb->method, result, &error);
    return verb->has_job ? wait_job(bus, &job) : 0;
}

int main(int argc, char **argv)
{
    sd_bus *bus = NULL;
    size_t i = 0;
    while (argc >= 3 && i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(verbs[i].name, argv[1]) != 0)
        i++;
    if (argc < 3 || i == sizeof(verbs) / sizeof(verbs[0])) {
        fprintf(stderr, "usage: skerry-oci-systemd start|set|stop UNIT [KEY=VALUE ...]\n");
        return 2;
    }
    if (load_library() < 0)
        return 1;
    const char *user = own_value(argv + 3, "user");
    if (user != NULL) { /* where libsystemd looks for the user's bus */
        char runtime[64];
        snprintf(runtime, sizeof(runtime), "/run/user/%.20s", user);
        setenv("XDG_RUNTIME_DIR", runtime, 1);
    }
    int result = user != NULL ? bus_open_user(&bus) : bus_open_system(&bus);
    if (result < 0) {
        failed("connect to systemd (is it the init of this machine? without --systemd-cgroup "
               "cgroups are made directly)",
               result, NULL);
        return 1;
    }
    return call(bus, &verbs[i], argv[2], argv + 3) < 0 ? 1 : 0;
}
