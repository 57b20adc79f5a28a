/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers laid into a root file system, the hostile ones first of all: whatever an entry is called
 * and whatever links came before it, nothing outside the root is made, changed or removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image_tar.h"

#include "image/blob.h"
#include "image/layer.h"
#include "image/path.h"
#include "image/rootfs.h"
#include "image/unpack.h"

#define MAX_BYTES UINT64_C(10000000)
#define MAX_FILES UINT64_C(1000)

static char temp_path[64];
static int temp = -1; /* holds root/ and outside/ */
static int root = -1;
static struct rootfs rootfs;
static struct layer_facts facts;
static struct err err;
static struct tar tar;

static int begin(void **state)
{
    temp = make_temp(temp_path);
    assert_int_equal(mkdirat(temp, "root", 0755), 0);
    assert_int_equal(mkdirat(temp, "outside", 0755), 0);
    int fd = openat(temp, "outside/secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "secret", 6), 6);
    close(fd);
    root = openat(temp, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rootfs_open(&rootfs, root, MAX_BYTES, MAX_FILES);
    facts = (struct layer_facts){0};
    err = (struct err){0};
    tar_open(&tar, ARCHIVE_FILTER_NONE);
    return 0;
}

/* Whatever a test did, what is outside of the root is as it was. */
static int end(void **state)
{
    struct stat status;
    assert_string_equal(text_at(temp, "outside/secret"), "secret");
    assert_int_equal(fstatat(temp, "outside/secret", &status, 0), 0);
    assert_int_equal(status.st_nlink, 1);
    assert_int_equal(status.st_mode, S_IFREG | 0600);
    assert_int_equal(unlinkat(temp, "outside/secret", 0), 0);
    assert_int_equal(unlinkat(temp, "outside", AT_REMOVEDIR), 0); /* nothing else is in it */
    rootfs_close(&rootfs);
    close(root);
    assert_int_equal(tree_remove(temp, "root"), 0);
    assert_int_equal(rmdir(temp_path), 0); /* nor beside it */
    close(temp);
    return 0;
}

static int lay_bytes(struct bytes bytes, const char *diff_id)
{
    struct unpack *unpack = calloc(1, sizeof(*unpack));
    struct blob blob = {.fd = -1};
    err.text[0] = '\0';
    int result = blob_open(&blob, bytes_fd(&bytes), true, bytes.size, &err);
    assert_int_equal(result, 0);
    result = unpack_open(unpack, &blob, &err);
    if (result == 0)
        result = layer_apply(&rootfs, unpack, &facts, &err);
    if (result == 0)
        result = unpack_verify(unpack, diff_id, "layer", &err);
    unpack_close(unpack);
    blob_close(&blob);
    free(unpack);
    free(bytes.data);
    if (result < 0)
        print_message("# %s\n", err.text);
    return result;
}

/* Lays what was put into tar so far, and begins the next layer. */
static int lay(void)
{
    int result = lay_bytes(tar_close(&tar), NULL);
    tar_open(&tar, ARCHIVE_FILTER_NONE);
    return result;
}

static void drop_tar(void)
{
    struct bytes bytes = tar_close(&tar);
    free(bytes.data);
}

static void a_layer_makes_what_it_says(void **state)
{
    struct stat status;
    struct stat other;
    char target[64] = "";
    char long_name[600] = "";
    for (int i = 0; i < 5; i++) /* 5 x 100: beyond what a ustar header holds */
        snprintf(long_name + strlen(long_name), sizeof(long_name) - strlen(long_name), "%s%0100d",
                 i == 0 ? "" : "/", i);
    tar_dir(&tar, "./");
    tar_dir(&tar, "usr/bin/");
    tar_add(&tar, "usr/bin/tool", AE_IFREG, 0751, NULL, "tool", 4);
    tar_symlink(&tar, "bin", "usr/bin");
    tar_hardlink(&tar, "usr/bin/same", "usr/bin/tool");
    tar_file(&tar, "no/parents/said", "x");
    tar_file(&tar, long_name, "long");
    tar_file(&tar, "caf\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac", "utf-8");
    tar_file(&tar, "latin\xe9", "bytes");
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "usr/bin/tool"), "tool");
    assert_int_equal(mode_at(root, "usr/bin/tool"), S_IFREG | 0751);
    assert_int_equal(fstatat(root, "usr/bin/tool", &status, 0), 0);
    assert_int_equal(fstatat(root, "usr/bin/same", &other, 0), 0);
    assert_int_equal(status.st_ino, other.st_ino);
    assert_int_equal(status.st_mtime, 1000000000);
    assert_int_equal(fstatat(root, "usr/bin", &status, 0), 0);
    assert_int_equal(status.st_mtime, 1000000000);
    assert_int_equal(readlinkat(root, "bin", target, sizeof(target)), 7);
    assert_string_equal(text_at(root, "no/parents/said"), "x");
    assert_int_equal(mode_at(root, "no/parents"), S_IFDIR | 0755);
    assert_string_equal(text_at(root, long_name), "long");
    assert_string_equal(text_at(root, "caf\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac"), "utf-8");
    assert_string_equal(text_at(root, "latin\xe9"), "bytes");
    drop_tar();
}

static void absolute_names_are_below_the_root(void **state)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/outside/made", temp_path);
    tar_file(&tar, name, "x");
    tar_file(&tar, "///etc//./passwd", "y");
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, name + 1), "x");
    assert_string_equal(text_at(root, "etc/passwd"), "y");
    drop_tar();
}

static void dots_within_the_root_are_resolved_as_text(void **state)
{
    tar_file(&tar, "a/b/../../c/./d", "x");
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "c/d"), "x");
    assert_int_equal(mode_at(root, "a"), 0);
    drop_tar();
}

static void dots_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../outside/made", "a/../../outside/made", "/../outside/x",
                                        ".."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        tar_file(&tar, names[i], "x");
        assert_int_equal(lay(), -EXDEV);
    }
    tar_hardlink(&tar, "link", "../outside/secret");
    assert_int_equal(lay(), -EXDEV);
    drop_tar();
}

static void writing_through_a_link_stays_below_the_root(void **state)
{
    char outside[128];
    snprintf(outside, sizeof(outside), "%s/outside", temp_path);
    tar_symlink(&tar, "absolute", outside);
    tar_file(&tar, "absolute/made", "a");
    tar_symlink(&tar, "relative", "../../../../../../outside");
    tar_file(&tar, "relative/made", "r");
    tar_symlink(&tar, "up", "..");
    tar_file(&tar, "up/outside/made", "u");
    tar_symlink(&tar, "chain", "up/up/outside");
    tar_file(&tar, "chain/more", "c");
    assert_int_equal(lay(), 0);
    assert_int_equal(mode_at(root, outside + 1), S_IFDIR | 0755);
    strcat(outside, "/made");
    assert_string_equal(text_at(root, outside + 1), "a");
    assert_string_equal(text_at(root, "outside/made"), "u"); /* of two the later */
    assert_string_equal(text_at(root, "outside/more"), "c");
    drop_tar();
}

static void a_file_replaces_the_link_at_its_name(void **state)
{
    char secret[128];
    snprintf(secret, sizeof(secret), "%s/outside/secret", temp_path);
    tar_symlink(&tar, "file", secret);
    tar_file(&tar, "file", "mine");
    tar_symlink(&tar, "dir", "../outside");
    tar_dir(&tar, "dir");
    tar_symlink(&tar, "again", "../outside/secret");
    assert_int_equal(lay(), 0);
    assert_int_equal(mode_at(root, "file"), S_IFREG | 0644);
    assert_string_equal(text_at(root, "file"), "mine");
    assert_int_equal(mode_at(root, "dir"), S_IFDIR | 0755);
    tar_file(&tar, "again", "mine too"); /* a later layer has no more rights */
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "again"), "mine too");
    drop_tar();
}

static void links_in_a_circle_are_refused(void **state)
{
    tar_symlink(&tar, "a", "b");
    tar_symlink(&tar, "b", "a");
    tar_file(&tar, "a/file", "x");
    assert_int_equal(lay(), -ELOOP);
    drop_tar();
}

static void hard_links_reach_only_files_below_the_root(void **state)
{
    char secret[128];
    snprintf(secret, sizeof(secret), "%s/outside/secret", temp_path);
    tar_hardlink(&tar, "stolen", secret);
    assert_int_equal(lay(), -ENOENT);
    tar_symlink(&tar, "out", "../outside");
    tar_hardlink(&tar, "stolen", "out/secret");
    assert_int_equal(lay(), -ENOENT);
    tar_dir(&tar, "dir");
    tar_hardlink(&tar, "stolen", "dir");
    assert_int_equal(lay(), -EISDIR);
    tar_hardlink(&tar, "stolen", "/");
    assert_int_equal(lay(), -EISDIR);
    assert_int_equal(mode_at(root, "stolen"), 0);
    drop_tar();
}

/* The link itself is linked; a program in the image may follow it, we do not. */
static void a_hard_link_to_a_symbolic_link_follows_nothing(void **state)
{
    tar_symlink(&tar, "link", "../outside/secret");
    tar_hardlink(&tar, "second", "link");
    tar_file(&tar, "second", "mine");
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "second"), "mine");
    assert_int_equal(mode_at(root, "link") & S_IFMT, S_IFLNK);
    drop_tar();
}

static void a_file_is_never_changed_through_its_other_name(void **state)
{
    tar_file(&tar, "a", "lower");
    assert_int_equal(lay(), 0);
    tar_hardlink(&tar, "b", "a");
    tar_file(&tar, "b", "upper");
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "a"), "lower");
    assert_string_equal(text_at(root, "b"), "upper");
    drop_tar();
}

static void devices_and_fifos_are_never_made(void **state)
{
    tar_add(&tar, "dev/null", AE_IFCHR, 0666, NULL, NULL, 0);
    tar_add(&tar, "dev/sda", AE_IFBLK, 0666, NULL, NULL, 0);
    tar_add(&tar, "pipe", AE_IFIFO, 0666, NULL, NULL, 0);
    tar_file(&tar, "after", "x");
    assert_int_equal(lay(), 0);
    assert_int_equal(facts.skipped, 3);
    assert_int_equal(mode_at(root, "dev/null"), 0);
    assert_int_equal(mode_at(root, "dev/sda"), 0);
    assert_int_equal(mode_at(root, "pipe"), 0);
    assert_string_equal(text_at(root, "after"), "x");
    drop_tar();
}

static void set_id_bits_are_dropped(void **state)
{
    tar_add(&tar, "suid", AE_IFREG, 04755, NULL, "x", 1);
    tar_add(&tar, "sgid", AE_IFREG, 02755, NULL, "x", 1);
    tar_add(&tar, "dir", AE_IFDIR, 07777, NULL, NULL, 0);
    assert_int_equal(lay(), 0);
    assert_int_equal(mode_at(root, "suid"), S_IFREG | 0755);
    assert_int_equal(mode_at(root, "sgid"), S_IFREG | 0755);
    assert_int_equal(mode_at(root, "dir"), S_IFDIR | 01777);
    drop_tar();
}

static void whiteouts_hide_lower_layers(void **state)
{
    tar_file(&tar, "gone", "x");
    tar_file(&tar, "dir/gone/deep/file", "x");
    tar_file(&tar, "dir/kept", "x");
    tar_file(&tar, "opaque/lower", "x");
    tar_file(&tar, "opaque/both", "lower");
    tar_file(&tar, "opaque/sub/lower", "x");
    assert_int_equal(lay(), 0);
    tar_file(&tar, ".wh.gone", "");
    tar_file(&tar, "dir/.wh.gone", "");
    tar_file(&tar, "missing/.wh.nothing", "");
    tar_file(&tar, "opaque/both", "upper"); /* before the whiteout: it stays */
    tar_file(&tar, "opaque/sub/upper", "upper");
    tar_file(&tar, "opaque/.wh..wh..opq", "");
    tar_file(&tar, "opaque/after", "upper");
    tar_file(&tar, ".wh..wh.aufs", "");
    tar_file(&tar, ".wh..wh.plnk/1.2", "");
    assert_int_equal(lay(), 0);
    assert_int_equal(mode_at(root, "gone"), 0);
    assert_int_equal(mode_at(root, "dir/gone"), 0);
    assert_string_equal(text_at(root, "dir/kept"), "x");
    assert_int_equal(mode_at(root, "missing"), 0);
    assert_int_equal(mode_at(root, "opaque/lower"), 0);
    assert_int_equal(mode_at(root, "opaque/sub/lower"), 0);
    assert_string_equal(text_at(root, "opaque/both"), "upper");
    assert_string_equal(text_at(root, "opaque/sub/upper"), "upper");
    assert_string_equal(text_at(root, "opaque/after"), "upper");
    assert_int_equal(mode_at(root, ".wh.gone"), 0);
    assert_int_equal(mode_at(root, ".wh..wh.plnk"), 0);
    drop_tar();
}

static void a_whiteout_spares_its_own_layer(void **state)
{
    tar_file(&tar, "dir/lower", "x");
    assert_int_equal(lay(), 0);
    tar_file(&tar, "dir/upper", "y");
    tar_file(&tar, ".wh.dir", "");
    tar_file(&tar, "new", "n");
    tar_file(&tar, ".wh.new", "");
    assert_int_equal(lay(), 0);
    assert_int_equal(mode_at(root, "dir/lower"), 0);
    assert_string_equal(text_at(root, "dir/upper"), "y");
    assert_string_equal(text_at(root, "new"), "n");
    drop_tar();
}

static void hostile_whiteouts_remove_nothing_outside(void **state)
{
    static const char *const refused[] = {".wh.", ".wh..", ".wh...", "d/.wh...", ".wh.x/y"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        tar_file(&tar, refused[i], "");
        assert_int_equal(lay(), -EBADMSG);
    }
    tar_file(&tar, "../.wh.outside", "");
    assert_int_equal(lay(), -EXDEV);
    tar_symlink(&tar, "up", "..");
    tar_symlink(&tar, "out", "../outside");
    tar_file(&tar, "up/.wh.outside", "");
    tar_file(&tar, "out/.wh.secret", "");
    tar_file(&tar, "out/.wh..wh..opq", "");
    tar_symlink(&tar, "link", "../outside");
    assert_int_equal(lay(), 0);
    tar_file(&tar, ".wh.link", ""); /* the link goes, not what it names */
    assert_int_equal(lay(), 0);
    assert_int_equal(mode_at(root, "link"), 0);
    drop_tar();
}

static void an_entry_may_change_its_kind(void **state)
{
    tar_file(&tar, "a/deep/file", "x");
    tar_file(&tar, "b", "x");
    tar_dir(&tar, "c");
    tar_file(&tar, "c/in", "x");
    assert_int_equal(lay(), 0);
    tar_file(&tar, "a", "now a file");
    tar_dir(&tar, "b");
    tar_file(&tar, "b/in", "now a directory");
    tar_symlink(&tar, "c", "b");
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "a"), "now a file");
    assert_string_equal(text_at(root, "b/in"), "now a directory");
    assert_int_equal(mode_at(root, "c") & S_IFMT, S_IFLNK);
    tar_file(&tar, "a/below", "x"); /* below a file there is nothing */
    assert_int_equal(lay(), -ENOTDIR);
    drop_tar();
}

static void of_duplicates_the_last_counts(void **state)
{
    tar_file(&tar, "twice", "first");
    tar_add(&tar, "dir", AE_IFDIR, 0700, NULL, NULL, 0);
    tar_file(&tar, "dir/kept", "x");
    tar_file(&tar, "twice", "second");
    tar_add(&tar, "dir", AE_IFDIR, 0711, NULL, NULL, 0);
    assert_int_equal(lay(), 0);
    assert_string_equal(text_at(root, "twice"), "second");
    assert_string_equal(text_at(root, "dir/kept"), "x");
    assert_int_equal(mode_at(root, "dir"), S_IFDIR | 0711);
    drop_tar();
}

static void limits_hold(void **state)
{
    char *big = calloc(1, 6000000);
    tar_add(&tar, "one", AE_IFREG, 0644, NULL, big, 6000000);
    tar_add(&tar, "two", AE_IFREG, 0644, NULL, big, 6000000);
    assert_int_equal(lay(), -EFBIG);
    free(big);
    rootfs_close(&rootfs);
    rootfs_open(&rootfs, root, MAX_BYTES, 10);
    for (int i = 0; i < 11; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d", i);
        tar_file(&tar, name, "");
    }
    assert_int_equal(lay(), -EFBIG);
    drop_tar();
}

static void deep_and_long_names_are_refused(void **state)
{
    char deep[2 * (IMAGE_DEPTH_MAX + 2)] = "";
    for (int i = 0; i <= IMAGE_DEPTH_MAX; i++)
        strcat(deep, "d/");
    tar_file(&tar, deep, "");
    assert_int_equal(lay(), -ELOOP);
    char name[IMAGE_NAME_BYTES + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    tar_file(&tar, name, "");
    assert_int_equal(lay(), -ENAMETOOLONG);
    char *path = malloc(2 * IMAGE_PATH_MAX);
    path[0] = '\0';
    for (int i = 0; i < 30; i++)
        sprintf(path + strlen(path), "%0200d/", i);
    tar_file(&tar, path, "");
    assert_int_equal(lay(), -ENAMETOOLONG);
    free(path);
    drop_tar();
}

static void a_tree_deepened_through_links_is_refused_and_removed(void **state)
{
    char path[2 * IMAGE_DEPTH_MAX + 16];
    char link[16];
    for (int i = 0; i < 5; i++) { /* each link leads 100 directories further down */
        snprintf(path, sizeof(path), "link%d", i);
        if (i == 0)
            tar_dir(&tar, path);
        for (int depth = 0; depth < 100; depth++) {
            strcat(path, "/d");
            tar_dir(&tar, path);
        }
        snprintf(link, sizeof(link), "link%d", i + 1);
        tar_symlink(&tar, link, path);
    }
    assert_int_equal(lay(), 0);
    struct tree_facts found;
    assert_int_equal(tree_check(root, &found, &err), -EPERM);
    tar_file(&tar, ".wh.link0", ""); /* a whiteout does not recurse without end */
    assert_int_equal(lay(), -ELOOP);
    tar_file(&tar, "link5/implied/parents", ""); /* nor is a parent made that deep */
    assert_int_equal(lay(), -ELOOP);
    drop_tar(); /* and end() removes it all */
}

static void sparse_files_keep_their_size(void **state)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    struct bytes bytes = {0};
    char *data = calloc(1, 1000000);
    memcpy(data + 500000, "here", 4);
    drop_tar();
    archive_write_set_format_pax(archive);
    archive_write_open(archive, &bytes, NULL, tar_grow, NULL);
    archive_entry_set_pathname(entry, "sparse");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, 1000000);
    archive_entry_sparse_add_entry(entry, 499712, 4096);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    archive_write_data(archive, data, 1000000);
    archive_write_close(archive);
    archive_write_free(archive);
    archive_entry_free(entry);
    free(data);
    assert_true(bytes.size < 100000);
    assert_int_equal(lay_bytes(bytes, NULL), 0);
    struct stat status;
    assert_int_equal(fstatat(root, "sparse", &status, 0), 0);
    assert_int_equal(status.st_size, 1000000);
    char found[4];
    int fd = openat(root, "sparse", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, found, 4, 500000), 4);
    close(fd);
    assert_memory_equal(found, "here", 4);
}

/* Sizes that libarchive would not write: the header is changed by hand, its checksum made good. */
static void set_raw_size(struct bytes *bytes, const void *field)
{
    unsigned int sum = 0;
    char text[8];
    memcpy(bytes->data + 124, field, 12);
    memset(bytes->data + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)bytes->data[i];
    snprintf(text, sizeof(text), "%06o", sum);
    memcpy(bytes->data + 148, text, 7);
}

static void huge_and_negative_sizes_are_refused(void **state)
{
    static const unsigned char fields[][12] = {
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, /* -1 */
        {0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},          /* 2^63 - 1 */
        {0x80, 0, 0, 0, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00},          /* 4 GiB */
        {'7', '7', '7', '7', '7', '7', '7', '7', '7', '7', '7', 0},               /* 8 GiB */
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        tar_file(&tar, "file", "x");
        struct bytes bytes = tar_close(&tar);
        set_raw_size(&bytes, fields[i]);
        assert_true(lay_bytes(bytes, NULL) < 0);
        tar_open(&tar, ARCHIVE_FILTER_NONE);
    }
    drop_tar();
}

static void truncated_streams_are_refused(void **state)
{
    static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD};
    char noise[20000];
    for (size_t i = 0; i < sizeof(noise); i++) /* not to be compressed away */
        noise[i] = (char)(i * 2654435761u >> 13);
    drop_tar();
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        tar_open(&tar, filters[i]);
        tar_add(&tar, "file", AE_IFREG, 0644, NULL, noise, sizeof(noise));
        struct bytes bytes = tar_close(&tar);
        bytes.size /= 2;
        assert_true(lay_bytes(bytes, NULL) < 0);
    }
}

static void compressed_layers_are_told_by_content(void **state)
{
    static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD};
    drop_tar();
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        char name[8];
        tar_open(&tar, filters[i]);
        snprintf(name, sizeof(name), "f%zu", i);
        tar_file(&tar, name, "content");
        assert_int_equal(lay_bytes(tar_close(&tar), NULL), 0);
        assert_string_equal(text_at(root, name), "content");
    }
}

static void an_empty_layer_is_a_layer(void **state)
{
    drop_tar();
    tar_open(&tar, ARCHIVE_FILTER_GZIP);
    assert_int_equal(lay_bytes(tar_close(&tar), NULL), 0);
    assert_int_equal(lay_bytes((struct bytes){malloc(1), 0}, NULL), 0);
}

static struct bytes compress_once(struct bytes from, int filter)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    struct bytes out = {0};
    archive_write_add_filter(archive, filter);
    archive_write_set_format_raw(archive);
    archive_write_set_bytes_in_last_block(archive, 1);
    archive_write_open(archive, &out, NULL, tar_grow, NULL);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(archive, entry);
    archive_write_data(archive, from.data, from.size);
    archive_write_close(archive);
    archive_write_free(archive);
    archive_entry_free(entry);
    free(from.data);
    return out;
}

static void a_stream_compressed_twice_is_refused(void **state)
{
    tar_file(&tar, "file", "x");
    struct bytes once = compress_once(tar_close(&tar), ARCHIVE_FILTER_GZIP);
    assert_int_equal(lay_bytes(compress_once(once, ARCHIVE_FILTER_ZSTD), NULL), -EBADMSG);
    assert_int_equal(mode_at(root, "file"), 0);
}

static void a_decompression_bomb_is_refused(void **state)
{
    size_t size = 200u << 20; /* zeros: a few kilobytes as zstd */
    struct bytes zeros = {calloc(1, size), size};
    drop_tar();
    struct bytes bomb = compress_once(zeros, ARCHIVE_FILTER_ZSTD);
    assert_true(bomb.size < 100000);
    assert_int_equal(lay_bytes(bomb, NULL), -EFBIG);
    assert_non_null(strstr(err.text, "bomb"));
}

static void a_wrong_diff_id_is_told(void **state)
{
    tar_file(&tar, "file", "x");
    struct bytes bytes = tar_close(&tar);
    char hex[IMAGE_HEX_MAX];
    assert_int_equal(digest_of(bytes.data, bytes.size, hex), 0);
    struct bytes copy = {malloc(bytes.size), bytes.size};
    memcpy(copy.data, bytes.data, bytes.size);
    assert_int_equal(lay_bytes(copy, hex), 0);
    hex[0] = hex[0] == '0' ? '1' : '0';
    assert_int_equal(lay_bytes(bytes, hex), -EBADMSG);
    assert_non_null(strstr(err.text, hex));
}

static void trash_is_no_layer(void **state)
{
    drop_tar();
    char *trash = malloc(4096);
    for (size_t i = 0; i < 4096; i++)
        trash[i] = (char)(i * 2654435761u >> 7);
    assert_true(lay_bytes((struct bytes){trash, 4096}, NULL) < 0);
}

static void owners_are_kept_by_root_and_bounded(void **state)
{
    if (geteuid() != 0) {
        drop_tar();
        skip();
    }
    static const struct {
        la_int64_t said, kept;
    } rows[] = {
        {0, 0}, {1000, 1000}, {65535, 65535}, {65536, 65534}, {(INT64_C(1) << 32) + 5, 65534}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct archive_entry *entry = archive_entry_new();
        char name[8];
        snprintf(name, sizeof(name), "f%zu", i);
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 04711);
        archive_entry_set_size(entry, 0);
        archive_entry_set_uid(entry, rows[i].said);
        archive_entry_set_gid(entry, rows[i].said);
        assert_int_equal(archive_write_header(tar.archive, entry), ARCHIVE_OK);
        archive_entry_free(entry);
    }
    assert_int_equal(lay(), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stat status;
        char name[8];
        snprintf(name, sizeof(name), "f%zu", i);
        assert_int_equal(fstatat(root, name, &status, 0), 0);
        assert_int_equal(status.st_uid, rows[i].kept);
        assert_int_equal(status.st_gid, rows[i].kept);
        assert_int_equal(status.st_mode, S_IFREG | 0711);
    }
    drop_tar();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_layer_makes_what_it_says),
        TEST(absolute_names_are_below_the_root),
        TEST(dots_within_the_root_are_resolved_as_text),
        TEST(dots_that_lead_out_are_refused),
        TEST(writing_through_a_link_stays_below_the_root),
        TEST(a_file_replaces_the_link_at_its_name),
        TEST(links_in_a_circle_are_refused),
        TEST(hard_links_reach_only_files_below_the_root),
        TEST(a_hard_link_to_a_symbolic_link_follows_nothing),
        TEST(a_file_is_never_changed_through_its_other_name),
        TEST(devices_and_fifos_are_never_made),
        TEST(set_id_bits_are_dropped),
        TEST(whiteouts_hide_lower_layers),
        TEST(a_whiteout_spares_its_own_layer),
        TEST(hostile_whiteouts_remove_nothing_outside),
        TEST(an_entry_may_change_its_kind),
        TEST(of_duplicates_the_last_counts),
        TEST(limits_hold),
        TEST(deep_and_long_names_are_refused),
        TEST(a_tree_deepened_through_links_is_refused_and_removed),
        TEST(sparse_files_keep_their_size),
        TEST(huge_and_negative_sizes_are_refused),
        TEST(truncated_streams_are_refused),
        TEST(compressed_layers_are_told_by_content),
        TEST(an_empty_layer_is_a_layer),
        TEST(a_stream_compressed_twice_is_refused),
        TEST(a_decompression_bomb_is_refused),
        TEST(a_wrong_diff_id_is_told),
        TEST(trash_is_no_layer),
        TEST(owners_are_kept_by_root_and_bounded),
    };
    return cmocka_run_group_tests_name("image_layer", tests, NULL, NULL);
}
