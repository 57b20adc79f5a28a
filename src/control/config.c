/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration; see config.h.
 *
 * The file is one mapping of scalars (and of one list, `listen`), so it is read into libyaml's
 * document tree, whose nodes know their lines, and walked once against a table of keys.
 */
#include "control/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/size.h"
#include "sandbox/function.h"

#define UID_BASE_DEFAULT 1000000
#define UID_BASE_LEAST   65536 /* below are the machine's own users */

static int copy_text(char *out, size_t room, const char *text, const char *what, struct err *err)
{
    size_t size = strlen(text) + 1;
    if (size > room)
        return err_set(err, EINVAL, "%s '%.40s...' is longer than %zu bytes", what, text, room - 1);
    memcpy(out, text, size);
    return 0;
}

static int set_path(char *out, size_t room, const char *path, const char *what, struct err *err)
{
    if (path[0] == '\0')
        return err_set(err, EINVAL, "%s is empty; name a path", what);
    if (path[0] == '/')
        return copy_text(out, room, path, what, err);
    char here[PATH_MAX], full[2 * PATH_MAX];
    if (getcwd(here, sizeof(here)) == NULL)
        return err_set(err, errno, "find the working directory for %s '%s':", what, path);
    snprintf(full, sizeof(full), "%s/%s", here, path);
    return copy_text(out, room, full, what, err);
}

static void set_default_state(struct config *config)
{
    const char *home = getenv("HOME");
    const char *xdg = getenv("XDG_STATE_HOME");
    if (geteuid() == 0)
        snprintf(config->state, sizeof(config->state), "/var/lib/skerry");
    else if (xdg != NULL && xdg[0] == '/')
        snprintf(config->state, sizeof(config->state), "%s/skerry", xdg);
    else if (home != NULL && home[0] == '/')
        snprintf(config->state, sizeof(config->state), "%s/.local/state/skerry", home);
}

void config_init(struct config *config)
{
    memset(config, 0, sizeof(*config));
    set_default_state(config);
    config->uid_base = UID_BASE_DEFAULT;
    config->warm_slots = 2;
    config->idle_slots = 1;
    config->idle_after_ns = 60 * NS_PER_SEC;
    config->sandboxes_max = 1024;
    config->builds_max = 16;
    config->drain_timeout_ns = 30 * NS_PER_SEC;
    config->log_bytes_max = UINT64_C(16) << 20;
}

int config_set_state(struct config *config, const char *path, struct err *err)
{
    return set_path(config->state, sizeof(config->state), path, "the state directory", err);
}

int config_set_log(struct config *config, const char *path, struct err *err)
{
    return set_path(config->log, sizeof(config->log), path, "the log file", err);
}

int config_add_listen(struct config *config, const char *text, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size;
    int rc = address_parse(text, &address, &size, err);
    if (rc < 0)
        return rc;
    if (config->listen_count == CONFIG_LISTEN_MAX)
        return err_set(err, E2BIG, "more than %d addresses to listen on", CONFIG_LISTEN_MAX);
    rc = copy_text(config->listen[config->listen_count], CONFIG_ADDRESS_MAX, text, "address", err);
    if (rc == 0)
        config->listen_count++;
    return rc;
}

static int port_parse(const char *text, in_port_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return -EINVAL;
    long port = strtol(text, NULL, 10);
    if (port > 65535)
        return -EINVAL;
    *out = htons((uint16_t)port);
    return 0;
}

int address_parse(const char *text, struct sockaddr_storage *out, socklen_t *out_size,
                  struct err *err)
{
    char host[CONFIG_ADDRESS_MAX];
    in_port_t port;
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (colon == NULL || length >= sizeof(host) || port_parse(colon + 1, &port) < 0)
        goto refuse;
    memcpy(host, text, length);
    host[length] = '\0';
    v4.sin_port = port;
    v6.sin6_port = port;
    memset(out, 0, sizeof(*out));
    if (length == 0) {
        v6.sin6_addr = in6addr_any;
    } else if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
            goto refuse;
    } else {
        if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
            goto refuse;
        memcpy(out, &v4, sizeof(v4));
        *out_size = sizeof(v4);
        return 0;
    }
    memcpy(out, &v6, sizeof(v6));
    *out_size = sizeof(v6);
    return 0;
refuse:
    return err_set(err, EINVAL,
                   "'%.60s' is not an address to listen on: write 127.0.0.1:8080, [::1]:8080 or "
                   ":8080 for every address",
                   text);
}

void address_format(const struct sockaddr_storage *address, char *out, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
        snprintf(out, room, "%s:%u", host, ntohs(v4.sin_port));
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
        snprintf(out, room, "[%s]:%u", host, ntohs(v6.sin6_port));
    }
}

enum value_kind { VALUE_LISTEN, VALUE_STATE, VALUE_LOG, VALUE_COUNT, VALUE_SIZE, VALUE_DURATION };

struct key {
    const char *name;
    enum value_kind kind;
    size_t offset;
    uint64_t least, most;
};

static const struct key keys[] = {
    {"listen", VALUE_LISTEN, 0, 0, 0},
    {"state", VALUE_STATE, 0, 0, 0},
    {"log", VALUE_LOG, 0, 0, 0},
    {"uid_base", VALUE_COUNT, offsetof(struct config, uid_base), UID_BASE_LEAST, UINT32_C(1) << 31},
    {"warm_slots", VALUE_COUNT, offsetof(struct config, warm_slots), 0, 1024},
    {"idle_slots", VALUE_COUNT, offsetof(struct config, idle_slots), 0, 1024},
    {"idle_after", VALUE_DURATION, offsetof(struct config, idle_after_ns), NS_PER_SEC,
     24 * 3600 * NS_PER_SEC},
    {"sandboxes_max", VALUE_COUNT, offsetof(struct config, sandboxes_max), 1, 65536},
    {"pool_memory", VALUE_SIZE, offsetof(struct config, pool_memory_bytes), 0, UINT64_C(1) << 44},
    {"builds_max", VALUE_COUNT, offsetof(struct config, builds_max), 1, 256},
    {"drain_timeout", VALUE_DURATION, offsetof(struct config, drain_timeout_ns), 0,
     3600 * NS_PER_SEC},
    {"log_size", VALUE_SIZE, offsetof(struct config, log_bytes_max), 4096, UINT64_C(1) << 40},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static int count_parse(const char *text, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 10 || text[digits] != '\0')
        return -EINVAL;
    *out = strtoull(text, NULL, 10);
    return 0;
}

static int set_number(struct config *config, const struct key *key, const char *text,
                      struct err *err)
{
    static const char *const kinds[] = {[VALUE_COUNT] = "a whole number",
                                        [VALUE_SIZE] = "a size such as 64M",
                                        [VALUE_DURATION] = "a duration such as 30s"};
    uint64_t value = 0;
    int rc = key->kind == VALUE_COUNT  ? count_parse(text, &value)
             : key->kind == VALUE_SIZE ? size_parse(text, &value)
                                       : duration_parse(text, &value);
    if (rc < 0)
        return err_set(err, EINVAL, "%s is '%.60s', not %s", key->name, text, kinds[key->kind]);
    if (value < key->least || value > key->most)
        return err_set(err, ERANGE, "%s is '%.60s'; %" PRIu64 " to %" PRIu64 " is allowed%s",
                       key->name, text, key->least, key->most,
                       key->kind == VALUE_DURATION ? " (in ns)" : "");
    if (key->kind == VALUE_COUNT) {
        uint32_t narrow = (uint32_t)value;
        memcpy((char *)config + key->offset, &narrow, sizeof(narrow));
    } else {
        memcpy((char *)config + key->offset, &value, sizeof(value));
    }
    return 0;
}

static const struct key *key_find(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

int config_set_pool_memory(struct config *config, const char *text, struct err *err)
{
    return set_number(config, key_find("pool_memory"), text, err);
}

static const char *scalar_of(const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static int set_listen(struct config *config, yaml_document_t *document, yaml_node_t *node,
                      struct err *err)
{
    const char *text = scalar_of(node);
    if (text != NULL)
        return config_add_listen(config, text, err);
    if (node->type != YAML_SEQUENCE_NODE)
        return err_set(err, EINVAL, "listen is neither an address nor a list of addresses");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        text = scalar_of(yaml_document_get_node(document, *item));
        if (text == NULL)
            return err_set(err, EINVAL, "listen has an entry that is not an address");
        int rc = config_add_listen(config, text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int set_value(struct config *config, const struct key *key, yaml_document_t *document,
                     yaml_node_t *node, struct err *err)
{
    if (key->kind == VALUE_LISTEN)
        return set_listen(config, document, node, err);
    const char *text = scalar_of(node);
    if (text == NULL)
        return err_set(err, EINVAL, "%s must be a single value", key->name);
    if (key->kind == VALUE_STATE)
        return config_set_state(config, text, err);
    if (key->kind == VALUE_LOG)
        return config_set_log(config, text, err);
    return set_number(config, key, text, err);
}

static int walk(struct config *config, const char *name, yaml_document_t *document, struct err *err)
{
    bool seen[KEY_COUNT] = {false};
    yaml_node_t *root = yaml_document_get_root_node(document);
    if (root == NULL)
        return 0; /* an empty file is a file of defaults */
    if (root->type != YAML_MAPPING_NODE)
        return err_set(err, EINVAL, "%s:%zu: expected lines of the form 'key: value'", name,
                       root->start_mark.line + 1);
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        yaml_node_t *key_node = yaml_document_get_node(document, pair->key);
        yaml_node_t *value_node = yaml_document_get_node(document, pair->value);
        const char *text = scalar_of(key_node);
        const struct key *key = text == NULL ? NULL : key_find(text);
        size_t line = key_node->start_mark.line + 1;
        if (key == NULL)
            return err_set(err, EINVAL, "%s:%zu: unknown key '%.60s'", name, line,
                           text == NULL ? "?" : text);
        if (seen[key - keys])
            return err_set(err, EINVAL, "%s:%zu: '%s' stands here a second time", name, line, text);
        seen[key - keys] = true;
        if (set_value(config, key, document, value_node, err) < 0)
            return err_prefix(err, "%s:%zu", name, value_node->start_mark.line + 1);
    }
    return 0;
}

int config_parse(struct config *config, const char *name, const char *text, size_t size,
                 struct err *err)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, ENOMEM, "read %s:", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int rc;
    if (yaml_parser_load(&parser, &document)) {
        rc = walk(config, name, &document, err);
        yaml_document_delete(&document);
    } else {
        rc = err_set(err, EINVAL, "%s:%zu: not YAML: %s", name, parser.problem_mark.line + 1,
                     parser.problem == NULL ? "unreadable" : parser.problem);
    }
    yaml_parser_delete(&parser);
    return rc;
}

int config_load(struct config *config, const char *path, struct err *err)
{
    static char text[CONFIG_FILE_MAX];
    ssize_t size = fd_read_file_at(AT_FDCWD, path, text, sizeof(text));
    if (size == -EFBIG)
        return err_set(err, EFBIG, "the configuration %s is larger than %u bytes", path,
                       CONFIG_FILE_MAX - 1);
    if (size < 0)
        return err_set(err, (int)-size, "read the configuration %s:", path);
    return config_parse(config, path, text, (size_t)size, err);
}
