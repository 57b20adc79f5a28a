/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: another process in a container that runs.
 *
 * A step process goes into the cgroups and enters all namespaces of the container's init by one
 * setns of its pidfd, then clones the program's process as a sibling, so that it is the runtime's
 * child and in the pid namespace from its first moment. Both have forgotten the runtime's program
 * before (self.h), so nothing of it is ever to be seen from inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/affinity.h"
#include "oci/agent.h"
#include "oci/console.h"
#include "oci/exec.h"
#include "oci/exec_process.h"
#include "oci/filter_get.h"
#include "oci/foreground.h"
#include "oci/inherited.h"
#include "oci/init.h"
#include "oci/pid_file.h"
#include "oci/process.h"
#include "oci/report.h"
#include "oci/seccomp.h"
#include "oci/self.h"
#include "oci/spec.h"
#include "oci/state.h"
#include "oci/sync.h"
#include "oci/sys.h"
#include "oci/tier.h"

struct exec {
    struct oci_call *call;
    const struct oci_place *place;
    struct oci_state *state;
    struct oci_spec spec; /* of the container; process is the new one's */
    struct oci_spec own;  /* of --process */
    struct oci_filter filter;
    struct oci_cgroup_join join;
    struct oci_terminal terminal;
    int init; /* pidfd of the container's init */
    int proc;
    int sync;
    int console;      /* where the terminal is sent */
    int console_near; /* foreground: where it arrives */
    int pidfd;
    pid_t pid;
    char *state_json; /* of the container, for the agent */
    int listener;     /* connected to the seccomp agent, or -1 */
    uint32_t preserve_fds;
    bool rootless;
};

/* --- in the container --- */

static void fail(struct exec *exec, const struct err *err)
{
    sync_send(exec->sync, SYNC_FAILED, 0, err);
    _exit(1);
}

static int furnish(struct exec *exec, struct err *err)
{
    const struct oci_process *process = exec->spec.process;
    int terminal = -1;
    char name[OCI_ID_MAX + 8];
    oci_process_reset_signals();
    if (setsid() < 0)
        return err_set(err, errno, "begin a session:");
    snprintf(name, sizeof(name), "_ses.%s", exec->state->id);
    raw2(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, name);
    if (exec->spec.linux_.namespaces[OCI_NS_USER].listed) {
        raw3(SYS_setresgid, 0, 0, 0);
        raw3(SYS_setresuid, 0, 0, 0);
    }
    int result = 0;
    if (process->terminal) {
        fd_owner root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        result = oci_console_open(root, process, exec->console, false, &terminal, err);
    }
    if (result == 0)
        result = oci_process_prepare(process, &exec->spec, err);
    if (result == 0 && terminal >= 0)
        result = oci_console_take(terminal, err);
    return result;
}

static int become(struct exec *exec, char *path, struct err *err)
{
    const struct oci_process *process = exec->spec.process;
    int keep[] = {exec->sync, exec->listener};
    struct err denied = {0};
    oci_console_give_stdio(process->user.uid);
    oci_close_others(3 + exec->preserve_fds, keep, 2);
    int entered = oci_process_enter_cwd(process, &denied);
    if (entered < 0 && entered != -EACCES) {
        *err = denied;
        return entered;
    }
    bool admin = exec->filter.length > 0 && !process->no_new_privileges;
    int result = oci_process_become(process, admin, err);
    if (result == 0 && entered < 0)
        result = oci_process_enter_cwd(process, err);
    return result == 0 ? oci_process_find(process, path, err) : result;
}

static void program_main(struct exec *exec)
{
    struct err err = {0};
    char path[PATH_MAX];
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    uint32_t pid = 0;
    if (sync_recv(exec->sync, &pid, &err) != SYNC_GO)
        _exit(1);
    int result = furnish(exec, &err);
    if (result == 0)
        result = become(exec, path, &err);
    char **environment = result == 0 ? oci_process_environment(exec->spec.process) : NULL;
    if (result == 0 && environment == NULL)
        result = err_set(&err, ENOMEM, "environment:");
    char *agent = NULL;
    if (result == 0 && exec->listener >= 0) {
        agent = oci_agent_state(&exec->spec, (pid_t)pid, exec->state_json);
        if (agent == NULL)
            result = err_set(&err, ENOMEM, "the state for the seccomp agent:");
    }
    if (result == 0)
        oci_process_execute(exec->spec.process, path, environment, &exec->filter, exec->listener,
                            agent, &err);
    fail(exec, &err);
}

static int enter_namespaces(const struct exec *exec, struct err *err)
{
    int flags = 0;
    for (int kind = 0; kind < OCI_NAMESPACES; kind++) {
        if (exec->spec.linux_.namespaces[kind].listed)
            flags |= exec->spec.linux_.namespaces[kind].clone_flag;
    }
    if (exec->rootless && (flags & CLONE_NEWUSER) != 0) {
        /* only as root of that namespace we may forget our program */
        if (setns(exec->init, CLONE_NEWUSER) < 0)
            return err_set(err, errno, "enter the user namespace of the container:");
        flags &= ~CLONE_NEWUSER;
        int result = oci_self_hide(err);
        if (result < 0)
            return result;
    }
    if (flags != 0 && setns(exec->init, flags) < 0)
        return err_set(err, errno, "enter the namespaces of the container:");
    return 0;
}

struct step_result {
    pid_t pid;
    struct err why;
};

static void step_main(struct exec *exec, int program_sync, int out)
{
    struct step_result result = {0};
    const struct oci_process *process = exec->spec.process;
    const struct oci_cpu_affinity *affinity = process->cpu_affinity;
    /* before anybody inside can see us: else one who waits for it attaches (CVE-2016-9962) */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    int failed = affinity != NULL ? oci_affinity_set(affinity->initial, &result.why) : 0;
    if (failed == 0)
        failed = oci_cgroup_join_self(&exec->join, &result.why);
    if (failed == 0 && affinity != NULL)
        failed = oci_affinity_set(affinity->final, &result.why);
    if (failed == 0)
        failed = oci_process_label(process, exec->proc, &result.why);
    if (failed == 0) {
        /* before anything of the container is entered: no process in its reach ever holds a
         * descriptor that leads to the host (CVE-2016-9962) */
        int keep[] = {program_sync, out, exec->console, exec->listener, exec->init};
        oci_close_others(3 + exec->preserve_fds, keep, sizeof(keep) / sizeof(keep[0]));
        failed = enter_namespaces(exec, &result.why);
    }
    if (failed == 0) {
        close(exec->init);
        long pid = sys_clone3(CLONE_PARENT, 0, NULL, -1);
        if (pid == 0) {
            close(out);
            exec->sync = program_sync;
            program_main(exec);
        }
        if (pid < 0)
            err_set(&result.why, (int)-pid, "fork in the container:");
        else
            result.pid = (pid_t)pid;
    }
    _exit(write(out, &result, sizeof(result)) < 0 ? 1 : 0);
}

/* --- in the runtime --- */

static int spawn(struct exec *exec, struct err *err)
{
    struct step_result result = {.pid = 0};
    int ends[2], sync[2];
    if (pipe2(ends, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0)
        return err_set(err, errno, "make a socket:");
    exec->sync = sync[0];
    long step = sys_clone3(0, SIGCHLD, NULL, exec->join.v2_dir);
    if (step == 0) {
        close(ends[0]);
        close(sync[0]);
        step_main(exec, sync[1], ends[1]);
    }
    close(ends[1]);
    close(sync[1]);
    ssize_t got = step < 0 ? 0 : fd_read_all(ends[0], &result, sizeof(result));
    close(ends[0]);
    if (step < 0)
        return err_set(err, (int)-step, "fork:");
    while (waitpid((pid_t)step, NULL, 0) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof(result))
        return err_set(err, ECHILD, "the process that enters the container died");
    if (result.pid == 0) {
        *err = result.why;
        return result.why.code > 0 ? -result.why.code : -EINVAL;
    }
    exec->pid = result.pid;
    exec->pidfd = sys_pidfd_open(result.pid);
    return exec->pidfd < 0 ? err_set(err, -exec->pidfd, "the new process died at once:") : 0;
}

static int place_in_groups(struct exec *exec, struct err *err)
{
    const struct oci_values *groups = &exec->call->set.cgroup;
    int result = 0;
    for (size_t i = 0; result == 0 && i < groups->count; i++) {
        const char *colon = strchr(groups->items[i], ':');
        result = oci_cgroup_join_pid(&exec->state->cgroup, colon ? colon + 1 : groups->items[i],
                                     exec->pid, err);
    }
    return result;
}

static int let_go(struct exec *exec, struct err *err)
{
    int result = oci_process_limit(exec->spec.process, exec->pid, exec->rootless, err);
    if (result == 0)
        result = place_in_groups(exec, err);
    if (result == 0)
        result = sync_send(exec->sync, SYNC_GO, (uint32_t)exec->pid, NULL);
    if (result < 0)
        return result;
    int kind = sync_recv(exec->sync, NULL, err);
    if (kind == SYNC_FAILED)
        return err->code > 0 ? -err->code : -EINVAL;
    return kind < 0 ? kind : 0;
}

static int connect_terminal(struct exec *exec, struct err *err)
{
    const struct oci_settings *set = &exec->call->set;
    int ends[2];
    if (!exec->spec.process->terminal)
        return 0;
    if (set->console_socket != NULL) {
        exec->console = oci_console_connect(set->console_socket, err);
        return exec->console < 0 ? exec->console : 0;
    }
    if (set->detach)
        return err_set(err, EINVAL, "a terminal and --detach need --console-socket");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set(err, errno, "socket for the terminal:");
    exec->console = ends[0];
    exec->console_near = ends[1];
    oci_console_size(exec->spec.process);
    return 0;
}

static int check_running(const struct exec *exec, struct err *err)
{
    enum oci_status status = oci_state_status(exec->place, exec->state);
    if (status == OCI_STATUS_PAUSED && !exec->call->set.ignore_paused)
        return err_set(err, EBUSY, "cannot exec in the paused container %s (--ignore-paused)",
                       exec->state->id);
    if (status == OCI_STATUS_STOPPED || status == OCI_STATUS_CREATING)
        return err_set(err, ESRCH, "cannot exec in container %s that is %s", exec->state->id,
                       oci_status_name(status));
    return 0;
}

static int prepare(struct exec *exec, struct err *err)
{
    uint64_t missing = 0;
    int result = check_running(exec, err);
    if (result == 0)
        result = oci_spec_load(exec->place->dir, &exec->spec, err);
    if (result == 0)
        result = oci_exec_process(exec->call, &exec->spec, &exec->own, err);
    if (result == 0)
        result = oci_process_check(exec->spec.process,
                                   exec->spec.linux_.namespaces[OCI_NS_USER].listed, &missing, err);
    if (result < 0)
        return result;
    exec->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    exec->init = oci_process_open(&exec->state->init);
    if (exec->init < 0 || exec->proc < 0)
        return err_set(err, ESRCH, "container %s is not running", exec->state->id);
    result = oci_filter_get(exec->spec.linux_.seccomp, &exec->filter, err);
    if (result == 0)
        result = oci_agent_connect(exec->spec.linux_.seccomp, &exec->filter, &exec->listener, err);
    if (result == 0 && exec->listener >= 0) {
        exec->state_json =
            oci_state_text(exec->state, OCI_STATUS_RUNNING, exec->state->init.pid, false);
        if (exec->state_json == NULL)
            result = err_set(err, ENOMEM, "the state for the seccomp agent:");
    }
    if (result == 0)
        result = connect_terminal(exec, err);
    if (result == 0 && !exec->state->no_cgroup)
        result = oci_cgroup_join_open(&exec->state->cgroup, &exec->join, err);
    if (result == 0 && !exec->rootless)
        result = oci_self_hide(err);
    return result;
}

static int run(struct exec *exec, struct err *err)
{
    int result = prepare(exec, err);
    if (result == 0)
        result = spawn(exec, err);
    if (result == 0)
        result = let_go(exec, err);
    if (result == 0)
        result = oci_pid_file_write(exec->call->set.pid_file, exec->pid, err);
    if (result == 0 && !exec->call->set.detach && exec->console_near >= 0)
        result = oci_terminal_take(exec->console_near, &exec->terminal, err);
    if (result < 0 && exec->pidfd >= 0) {
        sys_pidfd_kill(exec->pidfd, SIGKILL);
        while (waitpid(exec->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (result < 0 || exec->call->set.detach)
        return result;
    result = oci_foreground(exec->pid, exec->pidfd, &exec->terminal, err);
    oci_terminal_restore(&exec->terminal);
    return result;
}

int oci_exec_in(struct oci_call *call, const struct oci_place *place, struct oci_state *state,
                struct err *err)
{
    struct exec exec = {.call = call,
                        .place = place,
                        .state = state,
                        .init = -1,
                        .proc = -1,
                        .sync = -1,
                        .console = -1,
                        .console_near = -1,
                        .listener = -1,
                        .pidfd = -1,
                        .preserve_fds = call->set.preserve_fds,
                        .rootless = geteuid() != 0,
                        .terminal = {.near = -1},
                        .join = {.v2_dir = -1}};
    int result = run(&exec, err);
    int *fds[] = {&exec.init,         &exec.proc,  &exec.sync,    &exec.console,
                  &exec.console_near, &exec.pidfd, &exec.listener};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        fd_close(fds[i]);
    oci_cgroup_join_close(&exec.join);
    oci_filter_free(&exec.filter);
    oci_spec_free(&exec.own);
    oci_spec_free(&exec.spec);
    return result;
}

int oci_exec(struct oci_call *call, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    uint32_t listen_fds = 0; /* the container's first process had them */
    /* before anything is opened that could stand where one of them should be */
    int result =
        oci_inherited_count(call->set.preserve_fds, &listen_fds, &call->set.preserve_fds, err);
    if (result == 0)
        result = oci_place_open(call->root, call->argv[0], false, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0) {
        const struct oci_tier_ops *tier = oci_tier_of(state.annotations, err);
        result = tier == NULL ? -err->code : tier->exec(call, &place, &state, err);
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}
