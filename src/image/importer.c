/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An import as the confined child does it: find the image, read its documents, lay its layers into
 * rootfs/, tell the parent. Every document and layer is used only with the digest that was promised
 * for it: those of an OCI image come from its manifest, those of a docker archive are the diff_ids
 * of the configuration, whose own digest is the image's name there and here.
 */
#include "image/importer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/packet.h"
#include "image/digest.h"
#include "image/import_link.h"
#include "image/json_text.h"
#include "image/layer.h"
#include "image/manifest.h"
#include "image/rootfs.h"
#include "image/source.h"
#include "image/unpack.h"
#include "image/user.h"

#define INDEX_DEPTH_MAX 4
#define ETC_FILE_MAX    (1u << 20)

struct document { /* a JSON text in memory */
    char *text;
    size_t size;
};

struct importing {
    const struct importer_job *job;
    struct source source;
    struct rootfs rootfs;
    struct layer_facts facts;
    struct manifest manifest;    /* of an OCI image */
    struct docker_choice docker; /* of a docker archive */
    bool is_docker;
    struct image_config config;
    struct document manifest_text;
    struct document config_text;
    struct import_done done;
    struct unpack unpack;
};

static int open_oci_blob(struct importing *in, const struct descriptor *of, const char *what,
                         struct blob *out, struct err *err)
{
    char name[16 + IMAGE_HEX_MAX];
    snprintf(name, sizeof(name), "blobs/sha256/%s", of->hex);
    int result = in->job->archive
                     ? source_open_member(&in->source, name, out, err)
                     : source_ask_file(&in->source, IMPORT_ASK_BLOB, of->hex, out, err);
    if (result < 0)
        return err_prefix(err, "%s", what);
    if (out->size == of->size)
        return 0;
    err_set(err, EBADMSG, "%s sha256:%s has %llu bytes, %llu were promised", what, of->hex,
            (unsigned long long)out->size, (unsigned long long)of->size);
    blob_close(out);
    return -EBADMSG;
}

static int read_document(struct importing *in, const struct descriptor *of, const char *what,
                         struct document *out, struct err *err)
{
    blob_owner blob = {.fd = -1};
    int result = open_oci_blob(in, of, what, &blob, err);
    if (result < 0)
        return result;
    return blob_read_whole(&blob, MANIFEST_JSON_MAX, of->hex, what, &out->text, &out->size, err);
}

/* A document without a digest: the index or the version of a layout, a docker archive's list. */
static int read_top(struct importing *in, const char *name, uint32_t kind, struct document *out,
                    struct err *err)
{
    blob_owner blob = {.fd = -1};
    int result = in->job->archive ? source_open_member(&in->source, name, &blob, err)
                                  : source_ask_file(&in->source, kind, NULL, &blob, err);
    if (result < 0)
        return result;
    return blob_read_whole(&blob, MANIFEST_JSON_MAX, NULL, name, &out->text, &out->size, err);
}

static int check_layout(struct importing *in, struct err *err)
{
    struct document text = {0};
    int result = read_top(in, "oci-layout", IMPORT_ASK_LAYOUT, &text, err);
    if (result == -ENOENT)
        return err_set(err, ENOENT, "it is not an OCI image layout (it has no file oci-layout)");
    if (result < 0)
        return result;
    json_owner *json = json_parse(text.text, text.size, "file oci-layout", err);
    free(text.text);
    if (json == NULL)
        return -EINVAL;
    const char *version = json_text(json, "imageLayoutVersion");
    if (version == NULL || strncmp(version, "1.", 2) != 0)
        return err_set(err, EINVAL, "OCI image layout version '%.20s' is not supported",
                       version == NULL ? "" : version);
    return 0;
}

/* From index.json down to the manifest of this platform. */
static int choose_oci(struct importing *in, struct err *err)
{
    struct document index = {0};
    struct index_choice choice;
    const char *wanted = in->job->wanted;
    int result = check_layout(in, err);
    if (result == 0)
        result = read_top(in, "index.json", IMPORT_ASK_INDEX, &index, err);
    for (int depth = 0; result == 0; depth++) {
        result = index_choose(index.text, index.size, wanted, &choice, err);
        free(index.text);
        index = (struct document){0};
        if (result < 0)
            return result;
        if (choice.name[0] != '\0' && in->done.name[0] == '\0')
            memcpy(in->done.name, choice.name, sizeof(in->done.name));
        if (!choice.nested)
            break;
        if (depth == INDEX_DEPTH_MAX)
            return err_set(err, ELOOP, "its image indexes lead from one to the next without end");
        wanted = NULL; /* names stand in the outermost */
        result = read_document(in, &choice.descriptor, "image index", &index, err);
    }
    if (result == 0)
        result = read_document(in, &choice.descriptor, "image manifest", &in->manifest_text, err);
    if (result == 0)
        result = manifest_parse(in->manifest_text.text, in->manifest_text.size, &in->manifest, err);
    if (result == 0)
        result =
            read_document(in, &in->manifest.config, "image configuration", &in->config_text, err);
    if (result < 0)
        return result;
    memcpy(in->done.record.blobs[0], choice.descriptor.hex, IMAGE_HEX_MAX);
    memcpy(in->done.record.blobs[1], in->manifest.config.hex, IMAGE_HEX_MAX);
    return 0;
}

/* The digest that the name of a configuration promises: "HEX.json" or "blobs/sha256/HEX"; or "". */
static void promised_hex(const char *name, char out[IMAGE_HEX_MAX])
{
    const char *slash = strrchr(name, '/');
    const char *base = slash == NULL ? name : slash + 1;
    size_t length = strcspn(base, ".");
    out[0] = '\0';
    if (length != IMAGE_HEX_MAX - 1)
        return;
    memcpy(out, base, length);
    out[length] = '\0';
    if (!digest_hex_valid(out))
        out[0] = '\0';
}

static int choose_docker(struct importing *in, struct err *err)
{
    struct document list = {0};
    char promised[IMAGE_HEX_MAX];
    blob_owner blob = {.fd = -1};
    int result = read_top(in, "manifest.json", 0, &list, err);
    if (result < 0)
        return result;
    result = docker_choose(list.text, list.size, in->job->wanted, &in->docker, err);
    free(list.text);
    if (result == 0)
        result = source_open_member(&in->source, in->docker.config, &blob, err);
    if (result < 0)
        return result;
    promised_hex(in->docker.config, promised);
    result =
        blob_read_whole(&blob, MANIFEST_JSON_MAX, promised[0] == '\0' ? NULL : promised,
                        "image configuration", &in->config_text.text, &in->config_text.size, err);
    if (result == 0 && digest_of(in->config_text.text, in->config_text.size, promised) < 0)
        result = err_set(err, ENOMEM, "read the image configuration:");
    if (result < 0)
        return result;
    memcpy(in->done.name, in->docker.name, sizeof(in->done.name));
    memcpy(in->done.record.blobs[0], promised, IMAGE_HEX_MAX);
    return 0;
}

/* Spools the archive and tells by its members what it is. */
static int read_archive(struct importing *in, struct err *err)
{
    blob_owner archive = {.fd = -1};
    int result = source_ask_file(&in->source, IMPORT_ASK_ARCHIVE, NULL, &archive, err);
    if (result < 0)
        return result;
    source_expect(&in->source, true, archive.size);
    archive.meter = &in->source.meter;
    result = source_spool(&in->source, &archive, in->job->max_bytes, err);
    if (result < 0)
        return result;
    if (source_has(&in->source, "index.json") && source_has(&in->source, "oci-layout"))
        return 0;
    in->is_docker = source_has(&in->source, "manifest.json");
    if (!in->is_docker)
        return err_set(err, EINVAL,
                       "it is neither an OCI archive (oci-layout, index.json) nor a docker archive "
                       "(manifest.json): make one with skopeo copy or docker save");
    return 0;
}

static int apply_layer(struct importing *in, struct blob *blob, const char *hex,
                       const char *diff_id, struct err *err)
{
    char what[32 + IMAGE_HEX_MAX];
    snprintf(what, sizeof(what), "layer sha256:%s", hex == NULL ? diff_id : hex);
    blob->meter = &in->source.meter;
    int result = unpack_open(&in->unpack, blob, err);
    if (result == 0)
        result = layer_apply(&in->rootfs, &in->unpack, &in->facts, err);
    if (result < 0)
        err_prefix(err, "layer %.12s", hex == NULL ? diff_id : hex);
    if (result == 0)
        result = unpack_verify(&in->unpack, diff_id, what, err);
    if (result == 0 && hex != NULL)
        result = blob_verify(blob, hex, what, err);
    unpack_close(&in->unpack);
    return result;
}

static int check_layer_count(const struct importing *in, uint32_t count, struct err *err)
{
    if (count != in->config.diff_id_count)
        return err_set(err, EBADMSG, "the image has %u layers, its configuration lists %u", count,
                       in->config.diff_id_count);
    return 0;
}

static int apply_oci_layers(struct importing *in, struct err *err)
{
    uint64_t total = 0;
    int result = check_layer_count(in, in->manifest.layer_count, err);
    for (uint32_t i = 0; i < in->manifest.layer_count; i++)
        total += in->manifest.layers[i].size;
    source_expect(&in->source, false, total);
    for (uint32_t i = 0; result == 0 && i < in->manifest.layer_count; i++) {
        blob_owner blob = {.fd = -1};
        const struct descriptor *layer = &in->manifest.layers[i];
        result = open_oci_blob(in, layer, "layer", &blob, err);
        if (result == 0)
            result = apply_layer(in, &blob, layer->hex, in->config.diff_ids[i], err);
    }
    return result;
}

static int apply_docker_layers(struct importing *in, struct err *err)
{
    int result = check_layer_count(in, in->docker.layers.count, err);
    uint32_t i = 0;
    source_expect(&in->source, false, in->source.meter.total);
    for (STRBLOCK_EACH(&in->docker.layers, name)) {
        blob_owner blob = {.fd = -1};
        if (result == 0)
            result = source_open_member(&in->source, name, &blob, err);
        if (result == 0)
            result = apply_layer(in, &blob, NULL, in->config.diff_ids[i++], err);
    }
    return result;
}

/* A small file of the image as text; "" when it is missing or nothing that can be read. */
static char *read_etc(int root, const char *path)
{
    struct stat status;
    char *text = calloc(1, ETC_FILE_MAX + 1);
    fd_owner fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (text != NULL && fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        fd_read_all(fd, text, ETC_FILE_MAX);
    return text;
}

static int resolve_user(struct importing *in, struct err *err)
{
    struct image_meta *meta = &in->config.meta;
    if (in->config.user[0] == '\0')
        return 0;
    char *passwd = read_etc(in->rootfs.fd, "etc/passwd");
    char *group = read_etc(in->rootfs.fd, "etc/group");
    int result = -ENOMEM;
    if (passwd == NULL || group == NULL)
        err_set(err, ENOMEM, "read the image's users:");
    else
        result = user_resolve(in->config.user, passwd, group, &meta->uid, &meta->gid, err);
    free(passwd);
    free(group);
    if (result == 0)
        meta->user_set = 1;
    return result;
}

static int keep_blob(const char *hex, const struct document *document, struct err *err)
{
    char path[16 + IMAGE_HEX_MAX];
    snprintf(path, sizeof(path), "/blobs/%s", hex);
    fd_owner fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : fd_write_all(fd, document->text, document->size);
    return result < 0 ? err_set(err, -result, "keep blob %.16s:", hex) : 0;
}

static int tell_done(struct importing *in, struct err *err)
{
    struct import_ask ask = {.kind = IMPORT_DONE};
    struct iovec parts[] = {{&ask, sizeof(ask)}, {&in->done, sizeof(in->done)}};
    in->done.skipped = in->facts.skipped;
    in->done.record.meta = in->config.meta;
    memcpy(in->done.record.meta.digest, in->done.record.blobs[0], IMAGE_HEX_MAX);
    int result = packet_send(in->job->link, parts, 2, NULL, 0, 0);
    return result < 0 ? err_set(err, -result, "tell that the image is there:") : 0;
}

static int unpack_image(struct importing *in, struct err *err)
{
    int result = in->is_docker ? apply_docker_layers(in, err) : apply_oci_layers(in, err);
    if (result == 0)
        result = resolve_user(in, err);
    if (result == 0 && !in->is_docker)
        result = keep_blob(in->done.record.blobs[0], &in->manifest_text, err);
    if (result == 0)
        result = keep_blob(in->done.record.blobs[in->is_docker ? 0 : 1], &in->config_text, err);
    return result;
}

static int import_one(struct importing *in, struct err *err)
{
    struct import_ask ask = {.kind = IMPORT_ASK_KNOWN};
    struct import_answer answer;
    int result = in->job->archive ? read_archive(in, err) : 0;
    if (result == 0)
        result = in->is_docker ? choose_docker(in, err) : choose_oci(in, err);
    if (result == 0)
        result = config_parse(in->config_text.text, in->config_text.size, &in->config, err);
    if (result < 0)
        return result;
    memcpy(ask.hex, in->done.record.blobs[0], IMAGE_HEX_MAX);
    result = source_ask(&in->source, &ask, &answer, err);
    if (result == 0 && answer.known == 0)
        result = unpack_image(in, err);
    return result < 0 ? result : tell_done(in, err);
}

int importer_run(void *arg, struct err *err)
{
    const struct importer_job *job = arg;
    struct importing *in = calloc(1, sizeof(*in));
    if (in == NULL)
        return err_set(err, ENOMEM, "begin the import:");
    umask(0);
    fd_owner rootfs = open("/rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (rootfs < 0 || mkdir("/spool", 0700) < 0)
        return err_set(err, errno, "begin the import:");
    fd_owner spool = open("/spool", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (spool < 0)
        return err_set(err, errno, "begin the import:");
    in->job = job;
    in->source = (struct source){.link = job->link, .stream = job->stream, .spool = spool};
    rootfs_open(&in->rootfs, rootfs, job->max_bytes, job->max_files);
    int result = import_one(in, err);
    rootfs_close(&in->rootfs);
    source_close(&in->source);
    free(in->manifest_text.text);
    free(in->config_text.text);
    free(in);
    return result;
}
