// SPDX-License-Identifier: Apache-2.0
/* Mappings. */
#include <setjmp.h>

#include "case.h"

#define PAGE 4096

static sigjmp_buf back;
static volatile int caught, code;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    caught = signal;
    code = info->si_code;
    siglongjmp(back, 1);
}

static void watch(void)
{
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
}

/* Prints what touching an address leads to. */
static void touch(const char *what, volatile char *at, int write)
{
    caught = 0;
    if (!sigsetjmp(back, 1)) {
        if (write)
            *at = 1;
        else
            (void)*at;
    }
    printf("%s %s: %d %d\n", write ? "write" : "read", what, caught, caught ? code : 0);
    fflush(stdout);
}

static char *map(size_t len, int prot)
{
    return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

CASE(mmap_errors)
{
    T(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    T(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    T(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? -1 : 0);
    T(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 5) == MAP_FAILED ? -1 : 0);
    T(mmap((void *)5, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
          ? -1
          : 0);
    int w = open("f", O_CREAT | O_WRONLY, 0600), r = (case_file("g", "x"), open("g", O_RDONLY));
    T(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 0) == MAP_FAILED ? -1 : 0);
    T(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, r, 0) == MAP_FAILED ? -1 : 0);
    T(mmap(NULL, 1UL << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    int p[2];
    pipe(p);
    T(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0) == MAP_FAILED ? -1 : 0);
}
CASE(mmap_anonymous)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE);
    OK(p != MAP_FAILED);
    T(p[0]);
    T(p[3 * PAGE - 1]);
    p[PAGE] = 7;
    T(munmap(p + PAGE, PAGE));
    watch();
    touch("hole", p + PAGE, 0);
    touch("before", p, 1);
    touch("after", p + 2 * PAGE, 1);
    T(munmap(p + 1, PAGE));
    T(munmap(p, 0));
    T(munmap(p, 3 * PAGE));
    touch("gone", p, 0);
    T(munmap(p, PAGE));
}
CASE(mmap_protections)
{
    watch();
    char *r = map(PAGE, PROT_READ), *n = map(PAGE, PROT_NONE), *w = map(PAGE, PROT_WRITE);
    touch("r", r, 0);
    touch("r", r, 1);
    touch("none", n, 0);
    touch("none", n, 1);
    touch("w", w, 1);
    touch("w", w, 0);
    touch("null", (char *)0, 0);
    touch("null", (char *)0, 1);
    touch("high", (char *)0x10000000000, 0);
}
CASE(mprotect_all)
{
    watch();
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    strcpy(p + PAGE, "kept");
    T(mprotect(p + PAGE, PAGE, PROT_READ));
    touch("ro", p + PAGE, 1);
    touch("ro", p + PAGE, 0);
    touch("next", p + 2 * PAGE, 1);
    T(mprotect(p + PAGE, PAGE, PROT_NONE));
    touch("none", p + PAGE, 0);
    T(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
    puts(p + PAGE);
    T(mprotect(p + 1, PAGE, PROT_READ));
    T(mprotect(p, 0, PROT_READ));
    munmap(p + 2 * PAGE, PAGE);
    T(mprotect(p, 4 * PAGE, PROT_READ));
    T(mprotect(p, PAGE, 0x1000));
}
CASE(mmap_fixed)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    memset(p, 'a', 4 * PAGE);
    OK(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
            0) == p + PAGE);
    T(p[PAGE]);
    T(p[0]);
    T(p[2 * PAGE]);
    T(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
              MAP_FAILED
          ? -1
          : 0);
    munmap(p + 3 * PAGE, PAGE);
    OK(mmap(p + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
            0) == p + 3 * PAGE);
}
CASE(mmap_hint)
{
    char *p = map(PAGE * 4, PROT_READ);
    munmap(p, PAGE * 4);
    OK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p);
    OK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != p);
}
CASE(mmap_file_private)
{
    case_file("f", "0123456789");
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    printf("%.10s\n", p);
    p[0] = 'X';
    case_cat("f");
    printf("%.10s\n", p);
    T(p[10]);
    T(p[PAGE - 1]);
    T(munmap(p, PAGE));
}
CASE(mmap_file_shared)
{
    case_file("f", "0123456789");
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
         *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    p[0] = 'X';
    case_cat("f");
    T(q[0] == 'X');
    T(pwrite(fd, "Y", 1, 1));
    T(p[1] == 'Y');
    T(msync(p, PAGE, MS_SYNC));
    T(msync(p + 1, PAGE, MS_SYNC));
    T(msync(p, PAGE, 99));
    munmap(p, PAGE);
    case_cat("f");
}
CASE(mmap_past_end)
{
    watch();
    case_file("f", "abc");
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    touch("first", p, 0);
    touch("rest", p + 100, 1);
    touch("behind", p + PAGE, 0);
    ftruncate(fd, 2 * PAGE);
    touch("grown", p + PAGE, 1);
    touch("behind", p + 2 * PAGE, 0);
}
CASE(mmap_offset)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < 3; i++) {
        char c = (char)('a' + i);
        pwrite(fd, &c, 1, i * PAGE);
    }
    ftruncate(fd, 3 * PAGE);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    T(p[0]);
    p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
    T(p[0]);
    T(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED ? -1 : 0);
}
CASE(mmap_exec)
{
    static const unsigned char code_bytes[] = {0xb8, 42, 0, 0, 0, 0xc3};
    unsigned char *p = (unsigned char *)map(PAGE, PROT_READ | PROT_WRITE);
    memcpy(p, code_bytes, sizeof(code_bytes));
    T(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    T(((int (*)(void))p)());
    T(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
    p[1] = 43;
    T(((int (*)(void))p)());
}
CASE(mmap_not_exec)
{
    watch();
    char *p = map(PAGE, PROT_READ | PROT_WRITE);
    p[0] = (char)0xc3;
    caught = 0;
    if (!sigsetjmp(back, 1))
        ((void (*)(void))p)();
    T(caught);
    T(code);
}
CASE(mremap_grow)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    strcpy(p, "start");
    strcpy(p + PAGE, "second");
    char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    OK(q != MAP_FAILED);
    puts(q);
    puts(q + PAGE);
    T(q[63 * PAGE]);
    char *s = mremap(q, 64 * PAGE, PAGE, 0);
    OK(s == q);
    watch();
    touch("cut", q + PAGE, 0);
    T(mremap(q, PAGE, 0, 0) == MAP_FAILED ? -1 : 0);
    T(mremap(q + 1, PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0);
    T(mremap(q, PAGE, PAGE, 0x80) == MAP_FAILED ? -1 : 0);
    munmap(q, PAGE);
    T(mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
}
CASE(mremap_fixed)
{
    char *p = map(PAGE, PROT_READ | PROT_WRITE), *q = map(4 * PAGE, PROT_READ | PROT_WRITE);
    strcpy(p, "moved");
    OK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE) == q + PAGE);
    puts(q + PAGE);
    watch();
    touch("old", p, 0);
    T(mremap(q, PAGE, PAGE, MREMAP_FIXED, q + 2 * PAGE) == MAP_FAILED ? -1 : 0);
}
CASE(madvise_all)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    memset(p, 'x', 4 * PAGE);
    T(madvise(p, PAGE, MADV_DONTNEED));
    T(p[0]);
    T(p[PAGE]);
    T(madvise(p + 1, PAGE, MADV_DONTNEED));
    T(madvise(p, PAGE, 9999));
    T(madvise(p, PAGE, MADV_WILLNEED));
    T(madvise(p, 2 * PAGE, MADV_HUGEPAGE));
    munmap(p + PAGE, PAGE);
    T(madvise(p, 4 * PAGE, MADV_NORMAL));
    case_file("f", "abc");
    int fd = open("f", O_RDONLY);
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    q[0] = 'Z';
    T(madvise(q, PAGE, MADV_DONTNEED));
    printf("%.3s\n", q);
}
CASE(brk_all)
{
    char *a = sbrk(0);
    OK(sbrk(10000) == a);
    a[0] = 1;
    a[9999] = 2;
    char *b = sbrk(0);
    T(b - a);
    OK(sbrk(-10000) == b);
    OK(sbrk(0) == a);
    OK(sbrk(5000) == a);
    T(a[0]);
    OK((char *)syscall(SYS_brk, 0) == sbrk(0));
}
CASE(big_malloc)
{
    size_t n = 40UL << 20;
    char *p = malloc(n);
    OK(p != NULL);
    long sum = 0;
    for (size_t i = 0; i < n; i += 4096)
        p[i] = (char)i;
    for (size_t i = 0; i < n; i += 4096)
        sum += p[i];
    T(sum);
    free(p);
    char *q[200];
    for (int i = 0; i < 200; i++) {
        q[i] = malloc(100000);
        memset(q[i], i, 100000);
    }
    int ok = 1;
    for (int i = 0; i < 200; i++) {
        ok &= q[i][0] == (char)i && q[i][99999] == (char)i;
        free(q[i]);
    }
    OK(ok);
}
CASE(reserve_none)
{
    char *p = map(1UL << 36, PROT_NONE);
    OK(p != MAP_FAILED);
    T(mprotect(p + (1UL << 30), 65536, PROT_READ | PROT_WRITE));
    p[(1UL << 30) + 5] = 3;
    T(p[(1UL << 30) + 5]);
    T(munmap(p, 1UL << 36));
}
CASE(mincore_all)
{
    unsigned char v[4];
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    p[0] = 1;
    T(mincore(p, PAGE, v));
    T(v[0] & 1);
    T(mincore(p + 1, PAGE, v));
    munmap(p, 2 * PAGE);
    T(mincore(p, PAGE, v));
}
CASE(mlock_all)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    T(mlock(p, 2 * PAGE));
    T(munlock(p, 2 * PAGE));
    munmap(p, 2 * PAGE);
    T(mlock(p, PAGE));
}
CASE(memfd_all)
{
    int fd = T(memfd_create("name", MFD_ALLOW_SEALING));
    T(write(fd, "abc", 3));
    T(ftruncate(fd, PAGE));
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("%.3s\n", p);
    munmap(p, PAGE);
    T(fcntl(fd, F_GET_SEALS));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    T(ftruncate(fd, 5));
    T(ftruncate(fd, 2 * PAGE));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    T(write(fd, "x", 1));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    T(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    T(fcntl(fd, F_GET_SEALS));
    T(memfd_create("x", 0x800));
    T(fcntl(memfd_create("n", 0), F_GET_SEALS));
    T(fcntl(0, F_GET_SEALS));
}
CASE(stack_deep)
{
    volatile char big[1 << 20];
    big[0] = 1;
    big[sizeof(big) - 1] = 2;
    T(big[0] + big[sizeof(big) - 1]);
}
CASE(shared_anonymous)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p[5] = 9;
    T(madvise(p, PAGE, MADV_DONTNEED));
    T(p[5]);
}
CASE(efault_edges)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    munmap(p + PAGE, PAGE);
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    memset(p, 'q', PAGE);
    T(write(fd, p + PAGE - 10, 20));
    T(write(fd, p + PAGE, 20));
    T(pread(fd, p + PAGE - 5, 10, 0));
    char *r = map(PAGE, PROT_READ);
    T(read(fd, r, 5));
    T(pread(fd, r, 5, 0));
    T(getcwd(r, 100) == NULL ? errno : 0);
    struct stat *s = (void *)(p + PAGE - 8);
    T(stat("f", s));
    int pp[2];
    pipe(pp);
    T(write(pp[1], p + PAGE, 1));
    T(pipe((int *)(p + PAGE)));
}
CASE(mprotect_split_merge)
{
    char *p = map(64 * PAGE, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 64; i++)
        p[i * PAGE] = (char)i;
    for (int i = 0; i < 64; i += 2)
        mprotect(p + i * PAGE, PAGE, PROT_READ);
    for (int i = 0; i < 64; i += 2)
        mprotect(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE);
    int ok = 1;
    for (int i = 0; i < 64; i++) {
        ok &= p[i * PAGE] == (char)i;
        p[i * PAGE] = 0;
    }
    OK(ok);
    T(munmap(p, 64 * PAGE));
}
CASE(mremap_errors)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(mremap(p + 1, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    T(mremap(p, 4096, 0, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    T(mremap(p, 4096, 8192, 0) == MAP_FAILED ? -1 : 0);
    T(mremap(p, 4096, 8192, 64) == MAP_FAILED ? -1 : 0);
    T(mremap(p, 4096, 8192, MREMAP_FIXED, p + 8192) == MAP_FAILED ? -1 : 0);
    OK(mremap(p, 4 * 4096, 2 * 4096, 0) == p);
    T(msync(p + 2 * 4096, 4096, MS_SYNC));
    T(munmap(p, 2 * 4096));
    T(mremap(p, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
}
CASE(mprotect_errors)
{
    char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(mprotect(p + 5, 4096, PROT_READ));
    T(mprotect(p, 0, PROT_READ));
    munmap(p + 4096, 4096);
    T(mprotect(p, 3 * 4096, PROT_READ));
    T(mprotect(p, 4096, PROT_READ | 0x40));
    T(munmap(p + 7, 4096));
    T(munmap(p, 0));
    T(munmap(p, 3 * 4096));
    T(munmap(p, 3 * 4096));
}
CASE(msync_all)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    ftruncate(fd, 8192);
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(p, "written");
    T(msync(p, 8192, MS_SYNC));
    T(msync(p, 8192, MS_ASYNC | MS_SYNC));
    T(msync(p + 1, 8192, MS_SYNC));
    T(msync(p, 8192, 64));
    case_cat("f");
    T(fallocate(fd, 3, 0, 4096));
    printf("[%s]\n", p);
}
CASE(mmap_writes_seen)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(pwrite(fd, "abcdef", 6, 0));
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    own[1] = 'Y'; /* before that, what it sees of others' writes is unspecified */
    shared[0] = 'X';
    printf("%.6s\n", own);
    shared[2] = 'Z';
    pwrite(fd, "Q", 1, 3);
    printf("%.6s %.2s %.6s\n", shared, own, (case_cat("f"), shared));
    close(fd);
    unlink("f");
    shared[5] = '!';
    printf("%.6s\n", shared);
}
CASE(mmap_rights)
{
    T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 1, 0) == MAP_FAILED ? -1 : 0);
    int fd = open("f", O_CREAT | O_WRONLY, 0600);
    T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    close(fd);
    fd = open("f", O_RDONLY);
    T(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 17) == MAP_FAILED ? -1 : 0);
    int dir = open(".", O_RDONLY);
    T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED ? -1 : 0);
}
