/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer laid into a directory: whatever the archive says, a file beside the root stays as it was
 * and the tree below it passes the check that an import makes. The input is the layer, compressed
 * or not.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/blob.h"
#include "image/layer.h"
#include "image/rootfs.h"
#include "image/tree.h"
#include "image/unpack.h"

#define MAX_BYTES (1u << 20)
#define MAX_FILES 200

static int temp = -1;
static char temp_path[64] = "/tmp/skerry-fuzz-archive-XXXXXX";

static void remove_temp(void)
{
    tree_remove(AT_FDCWD, temp_path);
}

static void make_temp(void)
{
    if (mkdtemp(temp_path) == NULL)
        abort();
    atexit(remove_temp);
    temp = open(temp_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(temp, "witness", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "here", 4) != 4)
        abort();
    close(fd);
}

static void check_witness(void)
{
    struct stat status;
    if (fstatat(temp, "witness", &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
        status.st_size != 4 || status.st_nlink != 1 || (status.st_mode & 07777) != 0600)
        abort();
    DIR *dir = opendir(temp_path);
    int count = 0;
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir == NULL || count != 4) /* ".", "..", "witness", "root" */
        abort();
    closedir(dir);
}

static int open_input(const uint8_t *data, size_t size)
{
    int fd = memfd_create("layer", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct unpack unpack;
    struct rootfs rootfs;
    struct blob blob;
    struct err err;
    struct layer_facts facts = {0};
    struct tree_facts found;
    if (temp < 0)
        make_temp();
    if (mkdirat(temp, "root", 0755) < 0)
        abort();
    int root = openat(temp, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rootfs_open(&rootfs, root, MAX_BYTES, MAX_FILES);
    if (blob_open(&blob, open_input(data, size), true, size, &err) < 0)
        abort();
    int result = unpack_open(&unpack, &blob, &err);
    if (result == 0)
        result = layer_apply(&rootfs, &unpack, &facts, &err);
    if (result == 0)
        unpack_verify(&unpack, NULL, "layer", &err);
    unpack_close(&unpack);
    blob_close(&blob);
    if (tree_check(root, &found, &err) < 0 && strstr(err.text, "deep") == NULL)
        abort(); /* through links a layer can make a tree too deep; nothing else that is refused */
    rootfs_close(&rootfs);
    close(root);
    check_witness();
    if (tree_remove(temp, "root") < 0)
        abort();
    return 0;
}
