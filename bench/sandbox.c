/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "jail/plan.h"
#include "measure.h"

#define WAIT_MS 60000 /* a bound for a broken machine */

static void copy_program(const char *from, const char *to)
{
    fd_owner in = open(from, O_RDONLY | O_CLOEXEC);
    fd_owner out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    struct stat status;
    if (in < 0 || out < 0 || fstat(in, &status) < 0)
        die("copy %s to %s:", from, to);
    if (sendfile(out, in, NULL, (size_t)status.st_size) != status.st_size || fchmod(out, 0755) < 0)
        die("copy %s to %s:", from, to);
}

static void wait_for(struct bench_sandbox *sandbox, enum jail_event_kind kind, uint32_t slots)
{
    struct err err = {0};
    struct jail_event event;
    do {
        if (jail_template_wait(sandbox->template, WAIT_MS, &event, &err) < 0)
            die("wait for the template: %s", err.text);
    } while (event.kind == JAIL_EVENT_SLOTS && (kind != JAIL_EVENT_SLOTS || event.slots != slots));
    if (event.kind != kind)
        die("the template failed: %s", event.why.text);
}

void bench_sandbox_slots(struct bench_sandbox *sandbox, uint32_t slots)
{
    struct err err = {0};
    if (jail_template_slots(sandbox->template, slots, &err) < 0)
        die("%s", err.text);
    wait_for(sandbox, JAIL_EVENT_SLOTS, slots);
}

void bench_sandbox_open(struct bench_sandbox *sandbox, const char *programs, const char *name,
                        uint32_t slots, uint32_t net, uint32_t flags)
{
    static struct jail_plan plan;
    static unsigned int serial;
    struct err err = {0};
    char prefix[64];
    char from[4096];
    char to[128];
    snprintf(prefix, sizeof(prefix), "skerry-bench%u", serial);
    struct jail_host_options options = {.zygote_path = ZYGOTE_PATH, .cgroup_prefix = prefix};
    *sandbox =
        (struct bench_sandbox){.next_call = 1, .null = open("/dev/null", O_RDWR | O_CLOEXEC)};
    strcpy(sandbox->root, "/tmp/skerry-bench-XXXXXX");
    if (mkdtemp(sandbox->root) == NULL || chmod(sandbox->root, 0755) < 0)
        die("make %s:", sandbox->root);
    snprintf(from, sizeof(from), "%s/%s", programs, name);
    snprintf(to, sizeof(to), "%s/program", sandbox->root);
    copy_program(from, to);
    if (jail_host_open(&options, &sandbox->host, &err) < 0)
        die("%s", err.text);
    jail_plan_init(&plan);
    snprintf(plan.name, sizeof(plan.name), "bench.%s%u", name, serial++);
    snprintf(plan.rootfs, sizeof(plan.rootfs), "%s", sandbox->root);
    plan.net = net;
    plan.flags = flags;
    plan.limits.concurrency_max = 1024;
    STRBLOCK_ADD(&plan.args, "/program");
    if (jail_template_open(sandbox->host, &plan, &sandbox->template, &err) < 0)
        die("%s", err.text);
    wait_for(sandbox, JAIL_EVENT_READY, 0);
    if (jail_template_set_epoch(sandbox->template, 1) < 0)
        die("set the epoch of the template");
    bench_sandbox_slots(sandbox, slots);
}

void bench_sandbox_close(struct bench_sandbox *sandbox)
{
    char path[128];
    jail_template_close(sandbox->template);
    jail_host_close(sandbox->host);
    fd_close(&sandbox->null);
    snprintf(path, sizeof(path), "%s/program", sandbox->root);
    unlink(path);
    rmdir(sandbox->root);
}

uint64_t bench_sandbox_start(struct bench_sandbox *sandbox, int in, int out, uint64_t *out_sent_ns)
{
    static const char env[] = "REQUEST_METHOD=POST";
    struct start_header header;
    int fds[3] = {in >= 0 ? in : sandbox->null, out >= 0 ? out : sandbox->null, sandbox->null};
    uint64_t call = sandbox->next_call++;
    *out_sent_ns = clock_now_ns();
    start_header_init(&header, call, 1, 1, sizeof(env));
    int result;
    while ((result = start_send(jail_template_start_socket(sandbox->template), &header, env,
                                fds)) == -EAGAIN)
        sleep_us(100);
    if (result < 0)
        die("send a start: %s", strerror(-result));
    return call;
}

struct exit_report bench_sandbox_await(struct bench_sandbox *sandbox)
{
    struct exit_report report;
    struct pollfd polled = {.fd = jail_template_report_socket(sandbox->template), .events = POLLIN};
    if (poll(&polled, 1, WAIT_MS) != 1 || report_recv(polled.fd, &report) != 1)
        die("no report came from the template");
    if (!(report.flags & REPORT_KILLED) && (report.kind != REPORT_EXIT || report.wait_status != 0))
        die("the program did not run: report %d, status %d, errno %d", report.kind,
            report.wait_status, report.exec_errno);
    return report;
}
