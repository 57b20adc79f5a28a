/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three roles of a monitor that was started before its request. What pid 1 sends is checked
 * like everything that comes from outside; what is sent to it says only what this process knows by
 * itself, or what was bounded to be possible.
 */
#include "vm/warm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/strblock.h"
#include "skerry/abi/warm.h"
#include "vm/report.h"
#include "vm/restore.h"
#include "vm/tick.h"

#define REQUEST_FDS 3
#define SET_UP_NS   (10 * NS_PER_SEC) /* for our own kernel: it takes less than a millisecond */

/* A request as it came. */
struct request {
    struct warm_request head;
    char env[WARM_ENV_MAX];
};

struct warm {
    struct machine *machine;
    enum vm_role role;
    const struct vm_options *options;
    struct vm_boot boot; /* of the next program, but for what a request brings */
    char strings[VM_STRINGS_MAX];
    struct request request;
    int fds[REQUEST_FDS];
    uint64_t mapped_ns, begun_ns, reset_ns, cpu_ns;
    struct restored *shares; /* whose memory is the snapshot's still */
};

int warm_role(enum vm_role *out, struct err *err)
{
    const char *role = getenv(WARM_VARIABLE);
    if (role == NULL)
        *out = VM_ROLE_ALONE;
    else if (strcmp(role, "pool") == 0)
        *out = VM_ROLE_POOL;
    else if (strcmp(role, "make") == 0)
        *out = VM_ROLE_MAKE;
    else if (strcmp(role, "restore") == 0)
        *out = VM_ROLE_RESTORE;
    else
        return err_set(err, EINVAL, WARM_VARIABLE " is none of pool, make, restore");
    return 0;
}

static uint64_t cpu_time_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_SEC + (uint64_t)used.tv_nsec;
}

/* One message; pid 1 that does not take it is gone. */
static int tell(const void *message, size_t size, struct err *err)
{
    ssize_t done = write(WARM_FD, message, size);
    return done == (ssize_t)size
               ? 0
               : err_set(err, done < 0 ? errno : EIO, "tell the sandbox's first process:");
}

static int tell_head(enum warm_kind kind, struct err *err)
{
    struct warm_head head = {WARM_MAGIC, kind};
    return tell(&head, sizeof(head), err);
}

/* 0 with a request, WARM_NO_REQUEST when there will be none, -errno when what came is no request.
 */
static int take_request(struct warm *warm, struct err *err)
{
    struct request *request = &warm->request;
    size_t fd_count = 0;
    ssize_t size =
        packet_recv(WARM_FD, request, sizeof(*request), warm->fds, REQUEST_FDS, &fd_count, 0);
    if (size == 0 || size == -ECONNRESET) /* what we said last was not even read */
        return WARM_NO_REQUEST;
    if (size < 0)
        return err_set(err, (int)-size, "take a request:");
    const struct warm_request *head = &request->head;
    if ((size_t)size < sizeof(*head) || head->head.magic != WARM_MAGIC ||
        head->head.kind != WARM_REQUEST || fd_count != REQUEST_FDS ||
        head->env_bytes != (size_t)size - sizeof(*head) ||
        !strblock_valid(head->env_count, head->env_bytes, request->env, sizeof(request->env)))
        return err_set(err, EPROTO, "what came from the sandbox's first process is no request");
    return 0;
}

/* Readies the machine for the request that was taken: its environment behind the strings there. */
static int begin_request(struct warm *warm, struct err *err)
{
    struct machine *machine = warm->machine;
    struct vm_boot boot = warm->boot;
    uint32_t bytes = warm->request.head.env_bytes;
    if (bytes > VM_STRINGS_MAX - boot.strings_bytes)
        return err_set(err, E2BIG, "arguments and environment are larger than %u KiB",
                       VM_STRINGS_MAX / 1024);
    memcpy(warm->strings + boot.strings_bytes, warm->request.env, bytes);
    boot.strings_bytes += bytes;
    boot.envc += warm->request.head.env_count;
    int result = machine_start(machine, &boot, warm->strings, err);
    if (result < 0)
        return result;
    machine->rings.fds[VM_STDIN] = warm->fds[0];
    machine->rings.fds[VM_STDOUT] = warm->fds[1];
    for (unsigned int i = VM_STDERR; i < VM_RING_COUNT; i++)
        machine->rings.fds[i] = warm->fds[2];
    if (warm->options->deadline_ns != 0)
        machine->deadline_ns = clock_now_ns() + warm->options->deadline_ns;
    return 0;
}

/* A stamp of the guest's, if it can be true. */
static uint64_t stage_ns(const struct warm *warm, enum vm_stage stage)
{
    uint64_t tsc = __atomic_load_n(&warm->machine->rings.shared->stages[stage], __ATOMIC_RELAXED);
    uint64_t at = tsc != 0 ? machine_ns_of(warm->machine, tsc) : 0;
    return at >= warm->begun_ns && at <= clock_now_ns() ? at : 0;
}

static int32_t wait_status_of(const struct verdict *verdict)
{
    if (verdict->kind == VERDICT_STATUS)
        return (int32_t)((verdict->value & 0xff) << 8);
    return verdict->kind == VERDICT_SIGNAL ? (int32_t)(verdict->value & 0x7f) : SIGKILL;
}

static int tell_done(struct warm *warm, const struct verdict *verdict, struct err *err)
{
    struct warm_done done = {.head = {WARM_MAGIC, WARM_DONE},
                             .wait_status = wait_status_of(verdict),
                             .oom = verdict->kind == VERDICT_OOM,
                             .reset_ns = warm->reset_ns};
    done.stages_ns[WARM_STAGE_MAPPED] = warm->mapped_ns;
    done.stages_ns[WARM_STAGE_ENTERED] = stage_ns(warm, VM_STAGE_KERNEL);
    done.stages_ns[WARM_STAGE_PROGRAM] = stage_ns(warm, VM_STAGE_PROGRAM);
    done.stages_ns[WARM_STAGE_FIRST_BYTE] = stage_ns(warm, VM_STAGE_FIRST_BYTE);
    done.stages_ns[WARM_STAGE_END] = stage_ns(warm, VM_STAGE_EXIT);
    /* the guest's and ours; which is which would cost a system call more */
    uint64_t used = cpu_time_ns();
    done.user_us = (used - warm->cpu_ns) / NS_PER_US;
    warm->cpu_ns = used;
    return tell(&done, sizeof(done), err);
}

/* Whoever reads the program's output waits for its end. A pooled monitor ends itself. */
static void close_request(struct warm *warm)
{
    for (unsigned int i = 0; i < REQUEST_FDS; i++)
        fd_close(&warm->fds[i]);
}

/* Runs one request from READY to DONE. 0, WARM_NO_REQUEST, or -errno. */
static int serve(struct warm *warm, struct verdict *out, struct err *err)
{
    int result = tell_head(WARM_READY, err);
    if (result == -EPIPE) /* a sandbox that ended meanwhile */
        return WARM_NO_REQUEST;
    if (result == 0)
        result = take_request(warm, err);
    if (result != 0)
        return result;
    warm->begun_ns = clock_now_ns();
    if (warm->shares != NULL)
        restore_own(warm->machine, warm->shares);
    warm->shares = NULL;
    result = begin_request(warm, err);
    if (result < 0)
        return result;
    *out = machine_run(warm->machine);
    tick_stop();
    machine_report(warm->machine, out, warm->options->args[0]);
    if (warm->role == VM_ROLE_RESTORE)
        close_request(warm);
    return tell_done(warm, out, err);
}

/* The last step before READY: from here on there is nothing to open with. */
static int install(const struct warm *warm, struct vm_files *files, const struct dirty *dirty,
                   struct err *err)
{
    vm_files_close(files);
    struct vm_filter filter = {.role = warm->role,
                               .vcpu = warm->machine->cpu.fd,
                               .pagemap = dirty != NULL ? dirty->pagemap : -1,
                               .scans = dirty != NULL && dirty->scans};
    return vm_filter_install(&filter, err);
}

/* Runs a machine that has no program yet up to where it needs one. 0 or -errno. */
static int set_up(struct warm *warm, struct err *err)
{
    struct machine *machine = warm->machine;
    struct vm_boot boot = warm->boot;
    int result = machine_start(machine, &boot, warm->strings, err);
    if (result < 0)
        return result;
    machine->pause_bell = VM_BELL_POOLED;
    machine->deadline_ns = clock_now_ns() + SET_UP_NS;
    struct verdict verdict = machine_run(machine);
    tick_stop();
    machine->deadline_ns = 0;
    return verdict.kind == VERDICT_PAUSED
               ? 0
               : err_set(err, EPROTO, "the guest did not come up: %s", verdict.text);
}

static int run_pool(struct warm *warm, struct vm_files *files, struct verdict *out, struct err *err)
{
    struct machine_options wanted = {
        .ram_bytes = warm->options->ram_bytes, .kvm = files->kvm, .image = files->image};
    warm->boot.flags |= VM_FLAG_POOL;
    int result = machine_open(warm->machine, &wanted, err);
    if (result == 0)
        result = machine_boot(warm->machine, &warm->boot, files->program, err);
    if (result == 0)
        result = tick_open(warm->machine, err);
    warm->mapped_ns = clock_now_ns();
    if (result == 0)
        result = install(warm, files, NULL, err);
    if (result == 0)
        result = set_up(warm, err);
    return result == 0 ? serve(warm, out, err) : result;
}

/* Why no snapshot may be made of a machine that stopped so; NULL: it may. */
static const char *refusal_of(const struct machine *machine, const struct verdict *verdict)
{
    const struct vm_shared *shared = machine->rings.shared;
    switch (verdict->kind) {
    case VERDICT_PAUSED:
        break;
    case VERDICT_STATUS:
    case VERDICT_SIGNAL:
        return "it ended before it read its input";
    default:
        return verdict->text;
    }
    if (shared->rings[VM_STDOUT].head != 0 || shared->rings[VM_STDERR].head != 0)
        return "it wrote to its output before it read its input";
    if (shared->snapshot_threads != 1)
        return "it has more than one thread";
    return shared->snapshot_timers != 0 ? "one of its timers runs" : NULL;
}

static int refuse(const char *reason, struct err *err)
{
    struct warm_refusal refusal = {.head = {WARM_MAGIC, WARM_REFUSED}};
    memcpy(refusal.reason, reason, strnlen(reason, sizeof(refusal.reason) - 1));
    return tell(&refusal, sizeof(refusal), err);
}

static int run_make(struct warm *warm, struct vm_files *files, struct verdict *out, struct err *err)
{
    struct machine *machine = warm->machine;
    struct machine_options wanted = {
        .ram_bytes = warm->options->ram_bytes, .kvm = files->kvm, .image = files->image};
    struct dirty dirty;
    warm->boot.flags |= VM_FLAG_SNAPSHOT;
    int result = machine_open(machine, &wanted, err);
    if (result == 0)
        result = machine_boot(machine, &warm->boot, files->program, err);
    if (result == 0)
        result = tick_open(machine, err);
    if (result == 0)
        result = machine_start(machine, &warm->boot, warm->strings, err);
    dirty_open(&dirty, NULL); /* without it all of memory is looked at */
    if (result == 0)
        result = install(warm, files, &dirty, err);
    if (result < 0)
        return result;
    if (warm->options->deadline_ns != 0)
        machine->deadline_ns = clock_now_ns() + warm->options->deadline_ns;
    machine->pause_bell = VM_BELL_SNAPSHOT;
    *out = machine_run(machine);
    tick_stop();
    const char *reason = refusal_of(machine, out);
    struct err why = {0};
    if (reason == NULL &&
        (cpu_settle(&machine->cpu, machine->run) < 0 ||
         snapshot_write(machine, &dirty, &warm->boot, WARM_SNAPSHOT_FD, &why) < 0))
        reason = why.text[0] != '\0' ? why.text : "its CPU does not come to rest";
    return reason != NULL ? refuse(reason, err) : tell_head(WARM_MADE, err);
}

/* A program that ended by itself, in a machine that kept the rules. */
static bool may_reset(const struct verdict *verdict)
{
    return verdict->kind == VERDICT_STATUS || verdict->kind == VERDICT_SIGNAL;
}

static int run_restore(struct warm *warm, struct vm_files *files, struct verdict *out,
                       struct err *err)
{
    static struct restored restored;
    struct machine_options wanted = {.kvm = files->kvm, .image = files->image};
    int result = restore_open(warm->machine, &restored, &wanted, WARM_SNAPSHOT_FD, err);
    if (result == 0)
        result = tick_open(warm->machine, err);
    close(WARM_SNAPSHOT_FD);
    warm->mapped_ns = clock_now_ns();
    warm->shares = restored.dirty.scans ? &restored : NULL;
    warm->boot = (struct vm_boot){.flags = warm->boot.flags};
    if (result == 0)
        result = install(warm, files, &restored.dirty, err);
    while (result == 0) {
        result = serve(warm, out, err);
        if (result != 0 || !may_reset(out))
            break;
        uint64_t begun = clock_now_ns();
        struct err why = {0};
        if (restore_reset(warm->machine, &restored, &why) < 0) {
            report_line(STDERR_FILENO, why.text);
            break; /* another monitor takes over */
        }
        warm->reset_ns = clock_now_ns() - begun;
    }
    return result;
}

int warm_run(struct machine *machine, enum vm_role role, const struct vm_options *options,
             struct vm_files *files, struct verdict *out_verdict, struct err *err)
{
    static struct warm warm;
    warm.machine = machine;
    warm.role = role;
    warm.options = options;
    *out_verdict = (struct verdict){.kind = VERDICT_PAUSED};
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is the guest's business */
    int result = options_describe_boot(options, &warm.boot, warm.strings, err);
    if (result < 0)
        return result;
    switch (role) {
    case VM_ROLE_POOL:
        return run_pool(&warm, files, out_verdict, err);
    case VM_ROLE_MAKE:
        return run_make(&warm, files, out_verdict, err);
    default:
        return run_restore(&warm, files, out_verdict, err);
    }
}
