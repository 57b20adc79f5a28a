/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/agent.h"
#include "oci/console.h"
#include "oci/hooks.h"
#include "oci/in_root.h"
#include "oci/process.h"
#include "oci/self.h"
#include "oci/sync.h"
#include "oci/sys.h"

#define KEYCTL_JOIN_SESSION 1
#define FIRST_EXTRA         3

/* What init holds from its preparation to its program. */
struct init {
    struct oci_container *container;
    const struct oci_spec *spec;
    const struct oci_process *process;
    char path[PATH_MAX]; /* of the program */
    char **environment;
    char *hook_state;  /* status "created" */
    char *agent_state; /* status "creating": the specification's, for a seccomp agent */
    int terminal;
};

static int namespace_is_new(const struct init *init, enum oci_namespace_kind kind)
{
    return oci_namespace_new(init->spec, kind);
}

/* The runtime has recorded us, mapped our ids, and put us into the cgroups. */
static int wait_for_go(struct init *init, struct err *err)
{
    struct oci_container *container = init->container;
    int result = oci_cgroup_join_self(&container->join, err);
    oci_cgroup_join_close(&container->join);
    if (result < 0)
        return result;
    uint32_t pid = 0;
    if (sync_recv(container->sync, &pid, err) != SYNC_GO)
        _exit(1); /* the runtime is gone; nobody would ever find us */
    container->pid = (pid_t)pid;
    umask(0); /* modes are as said; the program gets its own */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (init->spec->linux_.namespaces[OCI_NS_USER].listed) {
        /* an id that is not mapped stays: files are then opened as the overflow id */
        raw3(SYS_setresgid, 0, 0, 0);
        raw3(SYS_setresuid, 0, 0, 0);
        /* without privilege outside, only now we may forget the runtime's program */
        int hidden = container->rootless ? oci_self_hide(err) : 0;
        if (hidden < 0)
            return hidden;
    }
    if (namespace_is_new(init, OCI_NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
        return err_set(err, errno, "linux.namespaces: cgroup:");
    return 0;
}

static int bring_loopback_up(struct err *err)
{
    struct ifreq request = {.ifr_name = "lo"};
    fd_owner sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return errno == EAFNOSUPPORT ? 0 : err_set(err, errno, "bring the loopback up:");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(sock, SIOCSIFFLAGS, &request) < 0)
        return err_set(err, errno, "bring the loopback up:");
    return 0;
}

static int set_names(const struct oci_spec *spec, struct err *err)
{
    if (spec->hostname != NULL && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
        return err_set(err, errno, "hostname: set %s:", spec->hostname);
    if (spec->domainname != NULL && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
        return err_set(err, errno, "domainname: set %s:", spec->domainname);
    return 0;
}

/* Written by way of the host's procfs, which no image can have replaced; a sysctl is that of the
 * namespaces of who opens it. */
static int set_sysctls(const struct init *init, struct err *err)
{
    const struct oci_pairs *sysctl = &init->spec->linux_.sysctl;
    for (size_t i = 0; i < sysctl->count; i++) {
        char path[256] = "sys/";
        const char *key = sysctl->items[i].key;
        if (strlen(key) >= sizeof(path) - 5)
            return err_set(err, ENAMETOOLONG, "linux.sysctl.%s:", key);
        strcat(path, key);
        /* "net.ipv4.conf.eth0/1.x": where a slash stands, dots are slashes and the reverse */
        char first = path[4 + strcspn(path + 4, "./")];
        for (char *at = path + 4; *at != '\0'; at++) {
            if (first == '.' && (*at == '.' || *at == '/'))
                *at = *at == '.' ? '/' : '.';
        }
        fd_owner file = sys_openat2(init->container->proc, path, O_WRONLY, 0,
                                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        size_t length = strlen(sysctl->items[i].value);
        if (file < 0 || write(file, sysctl->items[i].value, length) != (ssize_t)length)
            return err_set(err, file < 0 ? -file : errno, "linux.sysctl.%s: write \"%s\":", key,
                           sysctl->items[i].value);
    }
    return 0;
}

static int open_terminal(struct init *init, struct err *err)
{
    struct oci_container *container = init->container;
    if (!init->process->terminal)
        return 0;
    int result = oci_console_open(container->root, init->process, container->console, true,
                                  &init->terminal, err);
    fd_close(&container->console);
    return result;
}

/* The runtime's hooks run between the making of the mounts and the change of root. */
static int call_hooks(struct init *init, struct err *err)
{
    const struct oci_spec *spec = init->spec;
    if (spec->hooks[OCI_HOOK_PRESTART].count + spec->hooks[OCI_HOOK_CREATE_RUNTIME].count > 0) {
        int result = sync_send(init->container->sync, SYNC_HOOKS, 0, NULL);
        if (result < 0 || sync_recv(init->container->sync, NULL, err) != SYNC_HOOKS_DONE)
            _exit(1); /* the runtime knows why */
    }
    return oci_hooks_run(spec, OCI_HOOK_CREATE_CONTAINER, init->hook_state, err);
}

static int furnish(struct init *init, struct err *err)
{
    struct oci_container *container = init->container;
    int result = 0;
    oci_process_reset_signals();
    if (setsid() < 0)
        return err_set(err, errno, "begin a session:");
    if (!container->set->no_new_keyring) {
        char name[OCI_ID_MAX + 8];
        snprintf(name, sizeof(name), "_ses.%s", container->state.id);
        raw2(SYS_keyctl, KEYCTL_JOIN_SESSION, name); /* kernels without keys have none to hide */
    }
    if (namespace_is_new(init, OCI_NS_NETWORK))
        result = bring_loopback_up(err);
    if (result == 0)
        result = set_names(init->spec, err);
    bool own_root = !oci_namespace_joined(init->spec, OCI_NS_MOUNT);
    if (result == 0 && own_root)
        result = oci_rootfs_build(container, err);
    if (result == 0)
        result = open_terminal(init, err);
    if (result == 0)
        result = call_hooks(init, err);
    if (result == 0)
        result = set_sysctls(init, err);
    if (result == 0 && own_root)
        result = oci_rootfs_enter(container, err);
    return result;
}

void oci_close_others(unsigned int first, int *keep, unsigned int count)
{
    for (unsigned int i = 1; i < count; i++) { /* a handful: insertion sort */
        for (unsigned int j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
            int swapped = keep[j];
            keep[j] = keep[j - 1];
            keep[j - 1] = swapped;
        }
    }
    for (unsigned int i = 0; i < count; i++) {
        if (keep[i] < 0 || (unsigned int)keep[i] < first)
            continue;
        if ((unsigned int)keep[i] > first)
            sys_close_range(first, (unsigned int)keep[i] - 1, 0);
        first = (unsigned int)keep[i] + 1;
    }
    sys_close_range(first, ~0u, 0);
}

/* Nothing of the runtime stays open but what the program gets and what the start needs. */
static void close_runtime(struct oci_container *container)
{
    unsigned int first = FIRST_EXTRA + container->preserve_fds;
    int keep[] = {container->sync, container->start, container->listener};
    oci_close_others(first, keep, sizeof(keep) / sizeof(keep[0]));
}

/* Socket activation: the variables name the process that is to take the descriptors. */
static int add_listen_variables(struct init *init, struct err *err)
{
    struct oci_container *container = init->container;
    struct oci_strings *env = &container->spec.process->env;
    if (container->listen_fds == 0)
        return 0;
    char **items = json_arena_alloc(&container->spec.arena, (env->count + 3) * sizeof(*items));
    if (items == NULL)
        return err_set(err, ENOMEM, "environment:");
    if (env->count > 0)
        memcpy(items, env->items, env->count * sizeof(*items));
    items[env->count] =
        json_arena_printf(&container->spec.arena, "LISTEN_FDS=%u", container->listen_fds);
    items[env->count + 1] =
        json_arena_printf(&container->spec.arena, "LISTEN_PID=%ld", raw0(SYS_getpid));
    if (items[env->count] == NULL || items[env->count + 1] == NULL)
        return err_set(err, ENOMEM, "environment:");
    env->items = items;
    env->count += 2;
    return 0;
}

static bool filter_needs_admin(const struct init *init)
{
    return init->container->filter.length > 0 && !init->process->no_new_privileges;
}

static int become(struct init *init, struct err *err)
{
    const struct oci_process *process = init->process;
    struct err denied = {0};
    int result = oci_process_prepare(process, init->spec, err);
    if (result == 0)
        result = oci_process_label(process, init->container->proc, err);
    if (result == 0 && init->terminal >= 0)
        result = oci_console_take(init->terminal, err);
    if (result < 0)
        return result;
    oci_console_give_stdio(process->user.uid);
    close_runtime(init->container);
    /* some directories only root may enter, some only the user */
    int entered = oci_process_enter_cwd(process, &denied);
    if (entered < 0 && entered != -EACCES)
        *err = denied;
    if (entered < 0 && entered != -EACCES)
        return entered;
    result = oci_process_become(process, filter_needs_admin(init), err);
    if (result == 0 && entered < 0)
        result = oci_process_enter_cwd(process, err);
    if (result < 0 || process->args.count == 0)
        return result;
    result = add_listen_variables(init, err);
    if (result < 0)
        return result;
    init->environment = oci_process_environment(process);
    if (init->environment == NULL)
        return err_set(err, ENOMEM, "environment:");
    return oci_process_find(process, init->path, err);
}

static int execute(struct init *init, struct err *err)
{
    struct oci_container *container = init->container;
    char *agent = NULL;
    if (init->process->args.count == 0)
        return err_set(err, EINVAL, "the configuration has no process: nothing can be started");
    int result = oci_hooks_run(init->spec, OCI_HOOK_START_CONTAINER, init->hook_state, err);
    if (result == 0 && container->filter.notifies && container->listener >= 0) {
        agent = oci_agent_state(init->spec, container->pid, init->agent_state);
        if (agent == NULL)
            result = err_set(err, ENOMEM, "the state for the seccomp agent:");
    }
    if (result < 0)
        return result;
    return oci_process_execute(init->process, init->path, init->environment, &container->filter,
                               container->listener, agent, err);
}

/* Waits for `start`, whose end of a pipe learns why the program could not be executed. */
static void run_at_start(struct init *init)
{
    struct err err = {0};
    int answer = oci_receive_descriptor(init->container->start);
    if (answer < 0)
        _exit(1);
    execute(init, &err);
    if (write(answer, &err, sizeof(err)) < 0)
        _exit(1);
    _exit(1);
}

void oci_init_main(struct oci_container *container)
{
    struct err err = {0};
    struct init init = {.container = container,
                        .spec = &container->spec,
                        .process = container->spec.process,
                        .terminal = -1};
    oci_place_close(&container->place);    /* the lock is the runtime's */
    if (!oci_maps_from_outside(container)) /* else see wait_for_go */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    int result = wait_for_go(&init, &err);
    init.hook_state = oci_state_text(&container->state, OCI_STATUS_CREATED, container->pid, false);
    init.agent_state =
        oci_state_text(&container->state, OCI_STATUS_CREATING, container->pid, false);
    if (result == 0 && (init.hook_state == NULL || init.agent_state == NULL))
        result = err_set(&err, ENOMEM, "the state for hooks:");
    if (result == 0)
        result = furnish(&init, &err);
    if (result == 0)
        result = become(&init, &err);
    if (result == 0 && container->immediate)
        result = execute(&init, &err);
    if (result < 0) {
        sync_send(container->sync, SYNC_FAILED, 0, &err);
        _exit(1);
    }
    sync_send(container->sync, SYNC_READY, 0, NULL);
    fd_close(&container->sync);
    run_at_start(&init);
    _exit(1);
}
