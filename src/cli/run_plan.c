/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the options of `skerry run` to the plan of a jail. A run is a function that has no name: its
 * description is made from the options, and the plan from the description by the same code as the
 * daemon's. What is special here is where the root file system and the program come from.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/program.h"
#include "cli/run.h"
#include "cli/spec.h"
#include "control/function_plan.h"
#include "control/tier.h"
#include "image/disk.h"
#include "image/store.h"
#include "sandbox/tier.h"

/*
 * Host uids for `skerry run`: 8192 ranges of 65536 from 2^30 on, above those that the daemon gives
 * to tenants. Two runs at once share one only if their process ids are 8192 apart, and then still
 * no namespace.
 */
#define UID_BASE   UINT32_C(0x40000000)
#define UID_RANGE  UINT32_C(65536)
#define UID_RANGES 8192u

#define HOLD_TRIES 10u

#define STORE_NAME "skerry-run-" /* then the process's id, then six letters */

struct source { /* what is being put together */
    const struct settings *settings;
    struct function_spec spec;
    const struct tier_ops *tier;
    struct image_meta meta;
    bool has_meta;
    char rootfs[sizeof(((struct jail_plan *)NULL)->rootfs)];
    char monitor[STATE_PATH_MAX], disk[2 * STATE_PATH_MAX]; /* where the tier needs them */
    char *temp_store;                                       /* STATE_PATH_MAX bytes, the caller's */
    int *held; /* descriptor of the image, the caller's */
    unsigned int tries;
    int code; /* exit status if it fails now */
};

/* A program that cannot be had has exit statuses of its own. */
static int judge_program(struct source *source, int result)
{
    if (result == -EACCES || result == -ENOEXEC)
        source->code = RUN_NOT_EXECUTABLE;
    else if (result == -ENOENT || result == -ENOTDIR || result == -ELOOP)
        source->code = RUN_NOT_FOUND;
    return result;
}

static int source_usr(struct source *source, struct err *err)
{
    struct function_spec *spec = &source->spec;
    spec->flags |= FUNCTION_HOST_USR;
    int result = judge_program(source, program_on_usr(source->settings->operands[0], spec, err));
    return result == 0 ? spec_add_operands(source->settings, 1, spec, err) : result;
}

static const char *temp_dir(void)
{
    const char *named = getenv("TMPDIR");
    return named != NULL && named[0] == '/' && strlen(named) < 256 ? named : "/tmp";
}

void run_sweep_stores(void)
{
    DIR *listing = opendir(temp_dir());
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        char path[STATE_PATH_MAX];
        struct stat status;
        int pid, end = 0;
        if (sscanf(entry->d_name, STORE_NAME "%d-%n", &pid, &end) != 1 || end == 0 || pid <= 0 ||
            (kill(pid, 0) == 0 || errno != ESRCH))
            continue;
        snprintf(path, sizeof(path), "%s/%s", temp_dir(), entry->d_name);
        if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid())
            state_remove_tree(path);
    }
    if (listing != NULL)
        closedir(listing);
}

static int make_temp_store(struct source *source, struct err *err)
{
    char path[STATE_PATH_MAX];
    snprintf(path, sizeof(path), "%s/" STORE_NAME "%d-XXXXXX", temp_dir(), (int)getpid());
    if (mkdtemp(path) == NULL)
        return err_set(err, errno, "make a directory like %s:", path);
    memcpy(source->temp_store, path, sizeof(path));
    return 0;
}

/* A store of one image, in a directory that is removed when the run is over. */
static int source_closure(struct source *source, struct err *err)
{
    char program[PATH_MAX], ref[IMAGE_REF_MAX];
    struct image_store *store = NULL;
    int result = judge_program(source, program_find(source->settings->operands[0], program, err));
    if (result == 0 && source->tier->needs_disk) /* elsewhere --bind may show the modules */
        result = judge_program(source, program_stands_alone(program, err));
    if (result == 0)
        result = make_temp_store(source, err);
    if (result == 0)
        result = image_store_open(source->temp_store, 1, &store, err);
    if (result == 0)
        result = judge_program(source, image_store_add_exec(store, program, "run", ref, err));
    if (result == 0)
        result = image_store_lookup(store, ref, &source->meta, source->rootfs,
                                    sizeof(source->rootfs), err);
    image_store_close(store);
    if (result < 0)
        return result;
    source->has_meta = true;
    result = spec_add_arg(source->meta.args.data, &source->spec, err);
    return result == 0 ? spec_add_operands(source->settings, 1, &source->spec, err) : result;
}

/* An image that is removed or replaced between its lookup and its hold is looked up again. */
static int hold_image(struct source *source, struct image_store *store, struct err *err)
{
    int result;
    do {
        result = image_store_lookup(store, source->settings->image, &source->meta, source->rootfs,
                                    sizeof(source->rootfs), err);
        if (result == 0)
            result = *source->held = image_store_hold(store, source->meta.digest, err);
    } while (result == -ENOENT && source->rootfs[0] != '\0' && ++source->tries < HOLD_TRIES);
    return result < 0 ? result : 0;
}

static int source_image(struct source *source, struct err *err)
{
    char state[STATE_PATH_MAX];
    struct image_store *store = NULL;
    int result = state_dir(source->settings, state, err);
    if (result == 0)
        result = image_store_open(state, 0, &store, err);
    if (result == 0)
        result = hold_image(source, store, err);
    image_store_close(store);
    source->has_meta = result == 0;
    return result == 0 ? spec_add_operands(source->settings, 0, &source->spec, err) : result;
}

static int source_rootfs(struct source *source, struct err *err)
{
    const char *named = source->settings->rootfs;
    struct stat status;
    char real[PATH_MAX];
    if (realpath(named, real) == NULL || stat(real, &status) < 0)
        return err_set(err, errno, "find the root file system %s:", named);
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ENOTDIR, "the root file system %s is no directory", real);
    if (strlen(real) >= sizeof(source->rootfs))
        return err_set(err, ENAMETOOLONG, "use %.200s as a root file system:", real);
    strcpy(source->rootfs, real);
    return spec_add_operands(source->settings, 0, &source->spec, err);
}

static int find_source(struct source *source, struct err *err)
{
    const struct settings *settings = source->settings;
    int ways = (settings->rootfs != NULL) + (settings->image != NULL) + settings->closure +
               settings->host_usr;
    if (ways > 1)
        return err_set(err, EINVAL,
                       "--rootfs, --image, --closure and --host-usr exclude each other");
    if (settings->operand_count == 0 && settings->image == NULL)
        return err_set(err, EINVAL, "no PROGRAM was named; only an image may bring its own");
    source->tier = tier_find(source->spec.tier);
    if (source->tier == NULL)
        return tier_check(&source->spec, err);
    source->code = RUN_SETUP;
    if (settings->rootfs != NULL)
        return source_rootfs(source, err);
    if (settings->image != NULL)
        return source_image(source, err);
    if (source->tier->needs_disk && settings->host_usr)
        return source_usr(source, err); /* function_check says why it cannot be */
    return settings->closure || source->tier->needs_disk ? source_closure(source, err)
                                                         : source_usr(source, err);
}

/* Only what --timeout says ends a run: the day below is the longest that a plan may hold. */
static int describe_run(struct source *source, struct err *err)
{
    int result = spec_of_settings(source->settings, &source->spec, err);
    if (result < 0)
        return result;
    struct function_spec *spec = &source->spec;
    snprintf(spec->name, sizeof(spec->name), "run-%d", (int)getpid());
    if (source->settings->timeout_ns == 0)
        spec->limits.timeout_ns = 24 * 3600 * NS_PER_SEC;
    spec->limits.concurrency_max = 1;
    return 0;
}

/* What a tier needs that shows no directory: the monitor, and the root as one file. */
static int find_disk(struct source *source, struct err *err)
{
    source->code = RUN_SETUP;
    int result = state_program("skerry-vmm", "vm", source->monitor, err);
    if (result < 0)
        return result;
    if (source->settings->rootfs == NULL)
        return image_disk_of(source->rootfs, source->disk, sizeof(source->disk), err);
    result = make_temp_store(source, err);
    snprintf(source->disk, sizeof(source->disk), "%s/disk", source->temp_store);
    return result == 0 ? image_disk_make(source->rootfs, source->disk, err) : result;
}

static int plan_source(struct source *source, bool rootless, struct jail_plan *out, struct err *err)
{
    struct function_spec *spec = &source->spec;
    source->code = RUN_USAGE;
    if (source->rootfs[0] != '\0' && spec->image[0] == '\0')
        strcpy(spec->image, "rootfs"); /* function_check wants one of image and /usr */
    int result = function_check(spec, err);
    if (result == 0 && source->settings->trace && !source->tier->needs_disk)
        result = err_set(err, EINVAL, "--trace is offered by the vm tier; elsewhere use strace");
    if (result == 0 && source->tier->needs_disk)
        result = find_disk(source, err);
    if (result < 0)
        return result;
    source->code = RUN_USAGE;
    const struct function_place place = {
        .monitor = source->tier->needs_disk ? source->monitor : NULL,
        .disk = source->tier->needs_disk ? source->disk : NULL,
        .trace = source->settings->trace,
        .stages = source->settings->stages,
        .meta = source->has_meta ? &source->meta : NULL,
        .rootfs = source->rootfs[0] != '\0' ? source->rootfs : NULL,
        .uid_base =
            rootless ? (uint32_t)geteuid() : UID_BASE + (uint32_t)getpid() % UID_RANGES * UID_RANGE,
        .rootless = rootless,
    };
    result = plan_of_function(spec, &place, out, err);
    if (result < 0)
        return result;
    snprintf(out->hostname, sizeof(out->hostname), "skerry");
    return jail_plan_check(out, err);
}

int run_plan(const struct settings *settings, bool rootless, struct jail_plan *out,
             char temp_store[STATE_PATH_MAX], int *out_held, int *out_code, struct err *err)
{
    temp_store[0] = '\0';
    *out_held = -1;
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        *out_code = RUN_SETUP;
        return err_set(err, ENOMEM, "make room for a plan:");
    }
    source->settings = settings;
    source->temp_store = temp_store;
    source->held = out_held;
    source->code = RUN_USAGE;
    int result = describe_run(source, err);
    if (result == 0)
        result = find_source(source, err);
    if (result == 0)
        result = plan_source(source, rootless, out, err);
    *out_code = source->code;
    free(source);
    return result;
}
