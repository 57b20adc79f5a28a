/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store by its front door: whole imports through the confined child, of images made here and
 * then broken. After each failure nothing is visible and nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image_tar.h"

#include <dirent.h>
#include <elf.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "image/child.h"
#include "image/store.h"

#define OCI "application/vnd.oci.image."

static char temp_path[64];
static int temp = -1;
static char state_path[80];
static char layout_path[80];
static struct image_store *store;
static struct err err;
static char ref[IMAGE_REF_MAX];

static int begin(void **state)
{
    temp = make_temp(temp_path);
    snprintf(state_path, sizeof(state_path), "%s/state", temp_path);
    snprintf(layout_path, sizeof(layout_path), "%s/layout", temp_path);
    store = NULL;
    memset(&err, 0, sizeof(err));
    assert_int_equal(image_store_open(state_path, 1, &store, &err), 0);
    return 0;
}

static int end(void **state)
{
    image_store_close(store);
    remove_temp(temp_path, temp);
    return 0;
}

static int count_in(const char *place)
{
    char path[160];
    int count = 0;
    snprintf(path, sizeof(path), "%s/images/%s", state_path, place);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void assert_counts(int refs, int rootfs, int blobs)
{
    assert_int_equal(count_in("refs"), refs);
    assert_int_equal(count_in("rootfs"), rootfs);
    assert_int_equal(count_in("meta"), rootfs);
    assert_int_equal(count_in("blobs/sha256"), blobs);
    assert_int_equal(count_in("staging"), 0);
}

static void put_file(const char *path, const void *data, size_t size)
{
    int fd = openat(temp, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static void put_text(const char *path, const char *text)
{
    put_file(path, text, strlen(text));
}

/* Writes a blob of the layout; its digest in out. */
static void put_blob(const void *data, size_t size, char out[IMAGE_HEX_MAX])
{
    char path[128];
    assert_int_equal(digest_of(data, size, out), 0);
    snprintf(path, sizeof(path), "layout/blobs/sha256/%s", out);
    put_file(path, data, size);
}

struct layout {            /* what was made, and what to do wrong */
    const char *process;   /* "config" of the configuration */
    const char *diff_id;   /* instead of the right one */
    const char *layer_hex; /* instead of the right one */
    long layer_size_off;   /* added to the right size */
    const char *platform;  /* of the index's entry */
    const char *name;      /* ref.name of the index's entry, or NULL */
    char layer[IMAGE_HEX_MAX];
    char config[IMAGE_HEX_MAX];
    char manifest[IMAGE_HEX_MAX];
    char diff[IMAGE_HEX_MAX];
};

static void put_manifest(struct layout *layout, size_t layer_size, size_t config_size)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI
             "config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
             "\"" OCI "layer.v1.tar+gzip\",\"digest\":\"sha256:%s\",\"size\":%ld}]}",
             layout->config, config_size, layout->layer_hex ? layout->layer_hex : layout->layer,
             (long)layer_size + layout->layer_size_off);
    put_blob(text, strlen(text), layout->manifest);
    char index[2048];
    snprintf(index, sizeof(index),
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI
             "manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu%s%s%s%s}]}",
             layout->manifest, strlen(text), layout->platform ? layout->platform : "",
             layout->name ? ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" : "",
             layout->name ? layout->name : "", layout->name ? "\"}" : "");
    put_text("layout/index.json", index);
}

/* Makes an OCI layout of one gzip layer; the plain tar stream is freed. */
static void make_layout(struct layout *layout, struct bytes plain)
{
    char text[4096];
    struct bytes packed = {0};
    mkdirat(temp, "layout", 0755);
    mkdirat(temp, "layout/blobs", 0755);
    mkdirat(temp, "layout/blobs/sha256", 0755);
    put_text("layout/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    assert_int_equal(digest_of(plain.data, plain.size, layout->diff), 0);
    struct archive *gzip = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    archive_write_add_filter_gzip(gzip);
    archive_write_set_format_raw(gzip);
    archive_write_set_bytes_in_last_block(gzip, 1);
    archive_write_open(gzip, &packed, NULL, tar_grow, NULL);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(gzip, entry);
    archive_write_data(gzip, plain.data, plain.size);
    archive_write_close(gzip);
    archive_write_free(gzip);
    archive_entry_free(entry);
    put_blob(packed.data, packed.size, layout->layer);
    snprintf(text, sizeof(text),
             "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":%s,\"rootfs\":{\"type\":"
             "\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
             layout->process ? layout->process : "{\"Cmd\":[\"/bin/app\"]}",
             layout->diff_id ? layout->diff_id : layout->diff);
    put_blob(text, strlen(text), layout->config);
    put_manifest(layout, packed.size, strlen(text));
    free(packed.data);
    free(plain.data);
}

static struct bytes small_tar(const char *content)
{
    struct tar tar;
    tar_open(&tar, ARCHIVE_FILTER_NONE);
    tar_file(&tar, "bin/app", content);
    tar_file(&tar, "etc/passwd", "app:x:12:34:::\n");
    return tar_close(&tar);
}

static int import(const char *path, const char *name)
{
    struct image_import_options options = {.ref = name};
    err.text[0] = '\0';
    int result = image_store_import(store, path, &options, ref, &err);
    if (result < 0)
        print_message("# %s\n", err.text);
    return result;
}

static int lookup(const char *name, struct image_meta *meta, int *out_rootfs)
{
    char path[256];
    struct image_meta found;
    int result = image_store_lookup(store, name, &found, path, sizeof(path), &err);
    if (result == 0 && meta != NULL)
        *meta = found;
    if (result == 0 && out_rootfs != NULL)
        *out_rootfs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return result;
}

static void an_image_is_imported_found_and_removed(void **state)
{
    struct layout layout = {.process = "{\"Cmd\":[\"/bin/app\",\"x\"],\"User\":\"app\"}"};
    struct image_meta meta;
    int rootfs = -1;
    make_layout(&layout, small_tar("hello"));
    assert_int_equal(import(layout_path, "me/app:v1"), 0);
    assert_string_equal(ref, "me/app:v1");
    assert_int_equal(lookup("me/app:v1", &meta, &rootfs), 0);
    assert_string_equal(meta.digest, layout.manifest);
    assert_int_equal(meta.user_set, 1);
    assert_int_equal(meta.uid, 12);
    assert_int_equal(meta.gid, 34);
    assert_int_equal(meta.size_bytes, 5 + 15);
    assert_memory_equal(meta.args.data, "/bin/app\0x", 11);
    assert_string_equal(text_at(rootfs, "bin/app"), "hello");
    close(rootfs);
    assert_counts(1, 1, 2);
    assert_int_equal(import(layout_path, "second"), 0); /* the same content by another name */
    assert_counts(2, 1, 2);
    char digest[80];
    snprintf(digest, sizeof(digest), "sha256:%s", layout.manifest);
    assert_int_equal(lookup(digest, NULL, NULL), 0);
    assert_int_equal(image_store_remove(store, "second", &err), 0);
    assert_counts(1, 1, 2);
    assert_int_equal(image_store_remove(store, "me/app:v1", &err), 0);
    assert_counts(0, 0, 0);
    assert_int_equal(lookup("me/app:v1", NULL, NULL), -ENOENT);
    assert_non_null(strstr(err.text, "skerry image import"));
    assert_int_equal(image_store_remove(store, "me/app:v1", &err), -ENOENT);
}

static void a_name_without_tag_finds_latest(void **state)
{
    struct layout layout = {0};
    make_layout(&layout, small_tar("x"));
    assert_int_equal(import(layout_path, "app:latest"), 0);
    assert_int_equal(lookup("app", NULL, NULL), 0);
    assert_int_equal(lookup("app:v1", NULL, NULL), -ENOENT);
    assert_int_equal(lookup("../../etc/passwd", NULL, NULL), -EINVAL);
    assert_int_equal(image_store_remove(store, "app", &err), 0);
    assert_counts(0, 0, 0);
}

static void each_kind_of_lie_is_refused(void **state)
{
    static const char other[] = "0123456789012345678901234567890123456789012345678901234567890123";
    static const struct {
        struct layout layout;
        int result;
    } rows[] = {
        {{.diff_id = other}, -EBADMSG},
        {{.layer_hex = other}, -ENOENT},
        {{.layer_size_off = 1}, -EBADMSG},
        {{.layer_size_off = -1}, -EBADMSG},
        {{.process = "{\"User\":\"nobody\"}"}, -EINVAL},
        {{.process = "{\"Cmd\":7}"}, -EINVAL},
        {{.platform = ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}"}, -ENOEXEC},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct layout layout = rows[i].layout;
        make_layout(&layout, small_tar("x"));
        assert_int_equal(import(layout_path, "app"), rows[i].result);
        assert_counts(0, 0, 0);
    }
}

/* Bytes are changed behind a digest that stays: of the manifest, the configuration, the layer. */
static void changed_blobs_are_refused(void **state)
{
    for (int which = 0; which < 3; which++) {
        struct layout layout = {0};
        char path[128];
        char byte;
        make_layout(&layout, small_tar("x"));
        snprintf(path, sizeof(path), "layout/blobs/sha256/%s",
                 which == 0   ? layout.manifest
                 : which == 1 ? layout.config
                              : layout.layer);
        int fd = openat(temp, path, O_RDWR | O_CLOEXEC);
        /* the layer's last byte is gzip's own record of its size; of a document any will do */
        off_t at = lseek(fd, -1, SEEK_END);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        assert_true(import(layout_path, "app") < 0);
        assert_counts(0, 0, 0);
    }
}

static void a_layer_that_unpacks_the_same_needs_its_own_digest(void **state)
{
    struct layout layout = {0};
    char path[128];
    make_layout(&layout, small_tar("x"));
    snprintf(path, sizeof(path), "layout/blobs/sha256/%s", layout.layer);
    int fd = openat(temp, path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\xff", 1, 9), 1); /* gzip's header: the system it was made on */
    close(fd);
    assert_int_equal(import(layout_path, "app"), -EBADMSG);
    assert_non_null(strstr(err.text, "wrong digest"));
    assert_counts(0, 0, 0);
}

static void a_layout_is_not_followed_out_of_its_directory(void **state)
{
    struct layout layout = {0};
    char path[128];
    char moved[128];
    make_layout(&layout, small_tar("x"));
    snprintf(path, sizeof(path), "layout/blobs/sha256/%s", layout.layer);
    snprintf(moved, sizeof(moved), "outside-%.8s", layout.layer);
    assert_int_equal(renameat(temp, path, temp, moved), 0);
    snprintf(moved, sizeof(moved), "../../../outside-%.8s", layout.layer);
    assert_int_equal(symlinkat(moved, temp, path), 0); /* the right bytes, but by a link */
    assert_int_equal(import(layout_path, "app"), -ELOOP);
    assert_int_equal(unlinkat(temp, path, 0), 0);
    assert_int_equal(mkfifoat(temp, path, 0600), 0);
    assert_int_equal(import(layout_path, "app"), -EINVAL); /* and it does not wait for a writer */
    assert_counts(0, 0, 0);
}

static void hostile_layers_leave_nothing(void **state)
{
    for (int which = 0; which < 3; which++) {
        struct layout layout = {0};
        struct tar tar;
        tar_open(&tar, ARCHIVE_FILTER_NONE);
        tar_file(&tar, "first", "x");
        if (which == 0)
            tar_file(&tar, "../../escaped", "x");
        else if (which == 1)
            tar_hardlink(&tar, "link", "/rootfs/../spool");
        else
            tar_file(&tar, ".wh...", "x");
        make_layout(&layout, tar_close(&tar));
        assert_true(import(layout_path, "app") < 0);
        assert_counts(0, 0, 0);
    }
}

static void what_an_image_may_hold_is_bounded(void **state)
{
    struct layout layout = {0};
    struct image_import_options options = {.ref = "app", .max_bytes = 10};
    make_layout(&layout, small_tar("more than ten bytes"));
    assert_int_equal(image_store_import(store, layout_path, &options, ref, &err), -EFBIG);
    options = (struct image_import_options){.ref = "app", .max_files = 1};
    assert_int_equal(image_store_import(store, layout_path, &options, ref, &err), -EFBIG);
    assert_counts(0, 0, 0);
}

/* Packs the layout into one archive with what a docker archive has besides. */
static void make_archive(const char *name, struct layout *layout, int filter, bool oci, bool docker)
{
    struct tar tar;
    char path[128];
    char text[512];
    const char *const hexes[] = {layout->layer, layout->config, layout->manifest};
    tar_open(&tar, filter);
    tar_dir(&tar, "blobs/sha256");
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "layout/blobs/sha256/%s", hexes[i]);
        int fd = openat(temp, path, O_RDONLY | O_CLOEXEC);
        char *data = malloc(100000);
        ssize_t size = fd_read_all(fd, data, 100000);
        tar_add(&tar, path + strlen("layout/"), AE_IFREG, 0644, NULL, data, (size_t)size);
        free(data);
        close(fd);
    }
    if (oci) {
        tar_file(&tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
        tar_file(&tar, "./index.json", text_at(temp, "layout/index.json"));
    }
    if (docker) {
        tar_symlink(&tar, "old/layer.tar", "../linked.tar");
        snprintf(path, sizeof(path), "blobs/sha256/%s", layout->layer);
        tar_hardlink(&tar, "linked.tar", path);
        snprintf(text, sizeof(text),
                 "[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"docker.io/library/app:2\"],"
                 "\"Layers\":[\"old/layer.tar\"]}]",
                 layout->config);
        tar_file(&tar, "manifest.json", text);
    }
    struct bytes bytes = tar_close(&tar);
    put_file(name, bytes.data, bytes.size);
    free(bytes.data);
}

static const char *at_temp(const char *name)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/%s", temp_path, name);
    return path;
}

static void archives_are_told_by_their_content(void **state)
{
    struct layout layout = {.name = "v7"};
    struct image_meta meta;
    make_layout(&layout, small_tar("x"));
    make_archive("app.oci.tar.gz", &layout, ARCHIVE_FILTER_GZIP, true, false);
    make_archive("docker.tar", &layout, ARCHIVE_FILTER_ZSTD, false, true);
    make_archive("both.tar", &layout, ARCHIVE_FILTER_NONE, true, true);
    make_archive("neither.tar", &layout, ARCHIVE_FILTER_NONE, false, false);
    assert_int_equal(import(at_temp("app.oci.tar.gz"), NULL), 0);
    assert_string_equal(ref, "app:v7");
    assert_int_equal(lookup(ref, &meta, NULL), 0);
    assert_string_equal(meta.digest, layout.manifest);
    assert_int_equal(import(at_temp("docker.tar"), NULL), 0);
    assert_string_equal(ref, "app:2");
    assert_int_equal(lookup(ref, &meta, NULL), 0);
    assert_string_equal(meta.digest, layout.config); /* what docker calls the image's id */
    assert_int_equal(import(at_temp("both.tar"), "both"), 0);
    assert_int_equal(lookup(ref, &meta, NULL), 0);
    assert_string_equal(meta.digest, layout.manifest);
    assert_int_equal(import(at_temp("neither.tar"), NULL), -EINVAL);
    assert_int_equal(import("/dev/null", "x"), -EINVAL);
    assert_int_equal(import(at_temp("nothing.tar"), "x"), -ENOENT);
    put_text("text.tar", "this is no archive at all");
    assert_true(import(at_temp("text.tar"), "x") < 0);
    put_text("empty.tar", "");
    assert_true(import(at_temp("empty.tar"), "x") < 0);
    assert_counts(3, 2, 2); /* both images have one configuration */
}

static void an_archive_may_come_through_a_pipe(void **state)
{
    struct layout layout = {0};
    int ends[2];
    char path[32];
    make_layout(&layout, small_tar("x"));
    make_archive("a.tar", &layout, ARCHIVE_FILTER_NONE, true, false);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char data[4096];
        ssize_t count;
        int fd = openat(temp, "a.tar", O_RDONLY | O_CLOEXEC);
        close(ends[0]);
        while ((count = read(fd, data, sizeof(data))) > 0)
            fd_write_all(ends[1], data, (size_t)count);
        _exit(0);
    }
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(import(path, "piped"), 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_counts(1, 1, 2);
}

static void one_of_several_images_is_named(void **state)
{
    struct layout one = {.name = "one"};
    struct layout two = {.name = "two"};
    char index[2048];
    char path[200];
    make_layout(&one, small_tar("1"));
    make_layout(&two, small_tar("2"));
    snprintf(index, sizeof(index),
             "{\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":%zu,\"annotations\":{\"org."
             "opencontainers.image.ref.name\":\"one\"}},%s",
             one.manifest, (size_t)0, strchr(text_at(temp, "layout/index.json"), '[') + 1);
    struct stat status;
    snprintf(path, sizeof(path), "layout/blobs/sha256/%s", one.manifest);
    assert_int_equal(fstatat(temp, path, &status, 0), 0);
    char size[16];
    snprintf(size, sizeof(size), "%03d", (int)status.st_size);
    char *zero = strstr(index, "\"size\":0,") + 7;
    char rest[2048];
    snprintf(rest, sizeof(rest), "%s", zero + 1);
    snprintf(zero, sizeof(index) - (size_t)(zero - index), "%s%s", size, rest);
    put_text("layout/index.json", index);
    assert_int_equal(import(layout_path, "x"), -ENOTUNIQ);
    snprintf(path, sizeof(path), "%s:two", layout_path);
    assert_int_equal(import(path, NULL), 0);
    assert_string_equal(ref, "layout:two");
    snprintf(path, sizeof(path), "%s:three", layout_path);
    assert_int_equal(import(path, NULL), -ENOENT);
}

static void truncated_archives_leave_nothing(void **state)
{
    struct layout layout = {0};
    struct stat status;
    make_layout(&layout, small_tar("content that is long enough to be cut"));
    make_archive("a.tar", &layout, ARCHIVE_FILTER_NONE, true, false);
    int fd = openat(temp, "a.tar", O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &status), 0);
    for (off_t size = status.st_size - 1536; size > 0; size -= 700) {
        assert_int_equal(ftruncate(fd, size), 0);
        assert_true(import(at_temp("a.tar"), "app") < 0);
    }
    close(fd);
    assert_counts(0, 0, 0);
}

static void a_replaced_image_stays_while_it_is_held(void **state)
{
    struct layout layout = {0};
    struct image_meta meta;
    make_layout(&layout, small_tar("old"));
    assert_int_equal(import(layout_path, "app"), 0);
    assert_int_equal(lookup("app", &meta, NULL), 0);
    int held = image_store_hold(store, meta.digest, &err);
    assert_true(held >= 0);
    make_layout(&layout, small_tar("new"));
    assert_int_equal(import(layout_path, "app"), 0);
    image_store_close(store);
    assert_int_equal(image_store_open(state_path, 1, &store, &err), 0);
    assert_counts(1, 2, 4);
    assert_string_equal(text_at(held, "bin/app"), "old");
    close(held);
    image_store_close(store);
    assert_int_equal(image_store_open(state_path, 1, &store, &err), 0);
    assert_counts(1, 1, 2);
    assert_int_equal(image_store_hold(store, meta.digest, &err), -ENOENT);
    int rootfs = -1;
    assert_int_equal(lookup("app", NULL, &rootfs), 0);
    assert_string_equal(text_at(rootfs, "bin/app"), "new");
    close(rootfs);
}

static void a_reader_makes_nothing(void **state)
{
    char path[100];
    struct image_store *reader;
    struct image_meta meta;
    char rootfs[256];
    snprintf(path, sizeof(path), "%s/elsewhere", temp_path);
    assert_int_equal(image_store_open(path, 0, &reader, &err), 0);
    assert_int_equal(image_store_lookup(reader, "app", &meta, rootfs, sizeof(rootfs), &err),
                     -ENOENT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(image_store_remove(reader, "app", &err), -EROFS);
    struct image_import_options options = {.ref = "app"};
    assert_int_equal(image_store_import(reader, layout_path, &options, ref, &err), -EROFS);
    /* what a writer makes meanwhile it finds */
    struct image_store *writer;
    struct layout layout = {0};
    make_layout(&layout, small_tar("x"));
    assert_int_equal(image_store_open(path, 1, &writer, &err), 0);
    assert_int_equal(image_store_import(writer, layout_path, &options, ref, &err), 0);
    image_store_close(writer);
    assert_int_equal(image_store_lookup(reader, "app", &meta, rootfs, sizeof(rootfs), &err), 0);
    image_store_close(reader);
}

struct listed {
    int count;
    char refs[4][IMAGE_REF_MAX];
};

static int list_one(void *arg, const char *name, const struct image_meta *meta)
{
    struct listed *listed = arg;
    snprintf(listed->refs[listed->count++ % 4], IMAGE_REF_MAX, "%s", name);
    return meta->version == IMAGE_META_VERSION ? 0 : -1;
}

static void images_are_listed_in_order(void **state)
{
    struct layout layout = {0};
    struct listed listed = {0};
    make_layout(&layout, small_tar("x"));
    assert_int_equal(import(layout_path, "b/x:1"), 0);
    assert_int_equal(import(layout_path, "a"), 0);
    put_text("state/images/refs/damaged", "not a digest\n");
    put_text("state/images/refs/.hidden", "x");
    assert_int_equal(image_store_each(store, list_one, &listed, &err), 0);
    assert_int_equal(listed.count, 2);
    assert_string_equal(listed.refs[0], "a");
    assert_string_equal(listed.refs[1], "b/x:1");
}

/* A record on disk that somebody cut or changed is told, not used. */
static void damaged_records_are_told(void **state)
{
    struct layout layout = {0};
    char path[160];
    make_layout(&layout, small_tar("x"));
    assert_int_equal(import(layout_path, "app"), 0);
    snprintf(path, sizeof(path), "state/images/meta/%s", layout.manifest);
    int fd = openat(temp, path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, offsetof(struct image_meta, args)), 4);
    assert_int_equal(lookup("app", NULL, NULL), -EINVAL);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    assert_int_equal(lookup("app", NULL, NULL), -EINVAL);
}

struct stopped { /* an import that stops at its first progress */
    int told;    /* written to then */
};

static void stop_here(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct stopped *stopped = arg;
    assert_int_equal(write(stopped->told, "x", 1), 1);
    for (;;)
        pause();
}

static void a_killed_import_is_swept_and_a_living_one_is_not(void **state)
{
    struct layout layout = {0};
    int ends[2];
    char byte;
    make_layout(&layout, small_tar("x"));
    make_archive("a.tar", &layout, ARCHIVE_FILTER_NONE, true, false);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a failed test must not leave it */
        struct stopped stopped = {ends[1]};
        struct image_import_options options = {
            .ref = "app", .progress = stop_here, .progress_arg = &stopped};
        image_store_import(store, at_temp("a.tar"), &options, ref, &err);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    struct image_store *other;
    assert_int_equal(image_store_open(state_path, 1, &other, &err), 0);
    assert_int_equal(count_in("staging"), 1); /* it lives, so its work stays */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (wait(NULL) > 0) /* its confined child, which dies with it */
        ;
    image_store_close(other);
    assert_int_equal(image_store_open(state_path, 1, &other, &err), 0);
    image_store_close(other);
    assert_counts(0, 0, 0);
}

static int try_to_get_out(void *arg, struct err *why)
{
    const int *root = arg;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
        return err_set(why, EPERM, "ESCAPED by a path");
    if (openat(*root, "..", O_RDONLY | O_CLOEXEC) >= 0)
        return err_set(why, EPERM, "ESCAPED by a descriptor");
    if (open("/rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0)
        return err_set(why, EPERM, "its own root is missing");
    return 0;
}

static int call_what_it_may_not(void *arg, struct err *why)
{
    fork();
    return 0;
}

static void a_confined_child_has_only_its_root(void **state)
{
    struct child child;
    assert_int_equal(mkdirat(temp, "own", 0700), 0);
    assert_int_equal(mkdirat(temp, "own/rootfs", 0700), 0);
    int root = openat(temp, "own", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct confine_options options = {.profile = CONFINE_IMPORT, .root_fd = root};
    assert_int_equal(child_start(&options, NULL, 0, try_to_get_out, &root, &child, &err), 0);
    if (child_finish(&child, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(child_start(&options, NULL, 0, call_what_it_may_not, NULL, &child, &err), 0);
    assert_int_equal(child_finish(&child, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "signal 31"));
    close(root);
}

static int say_something_ugly(void *arg, struct err *why)
{
    return err_set(why, EINVAL, "a name \x1b[2J\r\n\x07 of an image");
}

static void what_a_child_says_can_be_printed(void **state)
{
    struct child child;
    struct confine_options options = {
        .profile = CONFINE_PARSE, .uid = 65534, .gid = 65534, .root_fd = -1};
    assert_int_equal(child_start(&options, NULL, 0, say_something_ugly, NULL, &child, &err), 0);
    assert_int_equal(child_finish(&child, &err), -EINVAL);
    assert_string_equal(err.text, "a name ?[2J??? of an image");
}

static void a_taken_over_importer_is_not_believed(void **state)
{
    struct tree_facts facts;
    assert_int_equal(mkdirat(temp, "tree", 0755), 0);
    int tree = openat(temp, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_text("tree/file", "12345");
    assert_int_equal(tree_check(tree, &facts, &err), 0);
    assert_int_equal(facts.bytes, 5);
    assert_int_equal(fchmodat(tree, "file", 04755, 0), 0);
    assert_int_equal(tree_check(tree, &facts, &err), -EPERM);
    assert_int_equal(fchmodat(tree, "file", 02755, 0), 0);
    assert_int_equal(tree_check(tree, &facts, &err), -EPERM);
    assert_int_equal(fchmodat(tree, "file", 0755, 0), 0);
    assert_int_equal(tree_check(tree, &facts, &err), 0);
    assert_int_equal(mkfifoat(tree, "fifo", 0600), 0);
    assert_int_equal(tree_check(tree, &facts, &err), -EPERM);
    close(tree);
}

static void a_program_becomes_an_image(void **state)
{
    struct image_meta meta;
    struct image_meta again;
    char program[64] = "";
    int rootfs = -1;
    assert_true(readlink("/proc/self/exe", program, sizeof(program)) > 0);
    assert_int_equal(image_store_add_exec(store, "/bin/ls", "ls", ref, &err), 0);
    assert_int_equal(lookup("ls", &meta, &rootfs), 0);
    assert_string_equal(meta.args.data, "/bin/ls");
    assert_int_equal(meta.args.count, 1);
    assert_int_equal(meta.uid, 1000);
    assert_int_equal(mode_at(rootfs, "lib64/ld-linux-x86-64.so.2"), S_IFREG | 0755);
    assert_non_null(strstr(text_at(rootfs, "etc/passwd"), "app:x:1000:1000:"));
    assert_int_equal(mode_at(rootfs, "etc/ld.so.cache"), S_IFREG | 0644);
    close(rootfs);
    assert_int_equal(image_store_add_exec(store, "/bin/ls", "again", ref, &err), 0);
    assert_int_equal(lookup("again", &again, NULL), 0);
    assert_string_equal(meta.digest, again.digest); /* the same files, the same image */
    assert_counts(2, 1, 1);
}

static void what_is_no_program_becomes_no_image(void **state)
{
    Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                       .e_type = ET_EXEC,
                       .e_machine = EM_AARCH64};
    put_text("script", "#!/bin/sh\necho\n");
    put_text("text", "nothing");
    put_file("arm", &head, sizeof(head));
    assert_int_equal(image_store_add_exec(store, at_temp("script"), "x", ref, &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "--host-usr"));
    assert_int_equal(image_store_add_exec(store, at_temp("text"), "x", ref, &err), -ENOEXEC);
    assert_int_equal(image_store_add_exec(store, at_temp("arm"), "x", ref, &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "arm64"));
    assert_int_equal(image_store_add_exec(store, "/dev/null", "x", ref, &err), -EINVAL);
    assert_int_equal(image_store_add_exec(store, "/tmp", "x", ref, &err), -EINVAL);
    assert_int_equal(image_store_add_exec(store, at_temp("none"), "x", ref, &err), -ENOENT);
    assert_int_equal(image_store_add_exec(store, "/bin/ls", "../x", ref, &err), -EINVAL);
    assert_counts(0, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#if defined(__SANITIZE_THREAD__)
#define HAS_HELPER_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_HELPER_THREAD 1
#endif
#endif

int main(void)
{
#ifdef HAS_HELPER_THREAD
    puts("1..0 # SKIP a process with the sanitizer's thread cannot make a user namespace");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        TEST(an_image_is_imported_found_and_removed),
        TEST(a_name_without_tag_finds_latest),
        TEST(each_kind_of_lie_is_refused),
        TEST(changed_blobs_are_refused),
        TEST(a_layer_that_unpacks_the_same_needs_its_own_digest),
        TEST(a_layout_is_not_followed_out_of_its_directory),
        TEST(hostile_layers_leave_nothing),
        TEST(what_an_image_may_hold_is_bounded),
        TEST(archives_are_told_by_their_content),
        TEST(an_archive_may_come_through_a_pipe),
        TEST(one_of_several_images_is_named),
        TEST(truncated_archives_leave_nothing),
        TEST(a_replaced_image_stays_while_it_is_held),
        TEST(a_reader_makes_nothing),
        TEST(images_are_listed_in_order),
        TEST(damaged_records_are_told),
        TEST(a_killed_import_is_swept_and_a_living_one_is_not),
        TEST(a_confined_child_has_only_its_root),
        TEST(what_a_child_says_can_be_printed),
        TEST(a_taken_over_importer_is_not_believed),
        TEST(a_program_becomes_an_image),
        TEST(what_is_no_program_becomes_no_image),
    };
    return cmocka_run_group_tests_name("image_store", tests, NULL, NULL);
}
