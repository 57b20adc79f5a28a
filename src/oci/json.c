/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: recursive descent over one text, depth bounded. Text after text is copied into the
 * arena only where it must be terminated. Duplicate keys are looked for in each object once it has
 * been read: pairwise in small ones, by sorting in large ones, so that an object of a million keys
 * costs no minutes.
 */
#include "oci/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct json_arena *arena;
    const char *begin;
    const char *at;
    const char *end;
    unsigned int depth;
    struct err *err;
};

static int read_value(struct reader *in, struct json *value);

/* "LINE:COLUMN" of a place in the text, only when something is wrong there. */
static int wrong_at(const struct reader *in, const char *place, const char *what)
{
    unsigned int line = 1;
    const char *line_begin = in->begin;
    for (const char *p = in->begin; p < place; p++) {
        if (*p == '\n') {
            line++;
            line_begin = p + 1;
        }
    }
    return err_set(in->err, EINVAL, "not valid JSON at line %u, column %zu: %s", line,
                   (size_t)(place - line_begin) + 1, what);
}

static int wrong(const struct reader *in, const char *what)
{
    return wrong_at(in, in->at, what);
}

static void skip_space(struct reader *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' || *in->at == '\r'))
        in->at++;
}

/* --- strings --- */

/* The length of the UTF-8 sequence at `at`, 0 when it is none (overlong, surrogate, cut off, too
 * large). */
static size_t utf8_length(const char *at, const char *end)
{
    const unsigned char *s = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    size_t length = s[0] < 0x80   ? 1
                    : s[0] < 0xc2 ? 0
                    : s[0] < 0xe0 ? 2
                    : s[0] < 0xf0 ? 3
                    : s[0] < 0xf5 ? 4
                                  : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

static int hex4(struct reader *in, uint32_t *out)
{
    uint32_t value = 0;
    if (in->end - in->at < 4)
        return wrong(in, "a \\u needs four hexadecimal digits");
    for (int i = 0; i < 4; i++, in->at++) {
        char c = *in->at;
        uint32_t digit = 0;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A') + 10;
        else
            return wrong(in, "a \\u needs four hexadecimal digits");
        value = value << 4 | digit;
    }
    *out = value;
    return 0;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* After "\u". */
static int read_unicode(struct reader *in, char **out)
{
    uint32_t code = 0;
    uint32_t low = 0;
    int result = hex4(in, &code);
    if (result < 0)
        return result;
    if (code == 0)
        return wrong(in, "a string holds a NUL");
    if (code >= 0xdc00 && code <= 0xdfff)
        return wrong(in, "a low surrogate stands alone");
    if (code >= 0xd800 && code <= 0xdbff) {
        if (in->end - in->at < 2 || in->at[0] != '\\' || in->at[1] != 'u')
            return wrong(in, "a high surrogate stands alone");
        in->at += 2;
        if ((result = hex4(in, &low)) < 0)
            return result;
        if (low < 0xdc00 || low > 0xdfff)
            return wrong(in, "a high surrogate stands alone");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = put_utf8(*out, code);
    return 0;
}

static int read_escape(struct reader *in, char **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (in->at == in->end)
        return wrong(in, "the text ends within a string");
    char c = *in->at++;
    if (c == 'u')
        return read_unicode(in, out);
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    if (found == NULL)
        return wrong(in, "an unknown escape in a string");
    *(*out)++ = to[found - from];
    return 0;
}

/* The reader stands behind the opening quote. Never longer unescaped than written. */
static int read_string(struct reader *in, const char **out)
{
    const char *close = in->at;
    while (close < in->end && *close != '"')
        close += *close == '\\' && close + 1 < in->end ? 2 : 1;
    if (close >= in->end)
        return wrong_at(in, in->end, "the text ends within a string");
    char *text = json_arena_alloc(in->arena, (size_t)(close - in->at) + 1);
    if (text == NULL)
        return err_set(in->err, ENOMEM, "read JSON:");
    char *put = text;
    while (in->at < close) {
        unsigned char c = (unsigned char)*in->at;
        if (c == '\\') {
            in->at++;
            int result = read_escape(in, &put);
            if (result < 0)
                return result;
        } else if (c >= 0x20 && c < 0x80) {
            *put++ = *in->at++;
        } else if (c < 0x20) {
            return wrong(in, "a control character in a string");
        } else {
            size_t length = utf8_length(in->at, close);
            if (length == 0)
                return wrong(in, "a string is not valid UTF-8");
            memcpy(put, in->at, length);
            put += length;
            in->at += length;
        }
    }
    in->at = close + 1;
    *put = '\0';
    *out = text;
    return 0;
}

/* --- numbers and words --- */

static bool digits(struct reader *in)
{
    const char *begin = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > begin;
}

static int read_number(struct reader *in, struct json *value)
{
    const char *begin = in->at;
    if (*in->at == '-')
        in->at++;
    const char *whole = in->at;
    if (!digits(in))
        return wrong(in, "neither a value nor a number");
    if (*whole == '0' && in->at - whole > 1)
        return wrong_at(in, whole, "a number begins with 0");
    if (in->at < in->end && *in->at == '.') {
        in->at++;
        if (!digits(in))
            return wrong(in, "a number without digits behind its point");
    }
    if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-'))
            in->at++;
        if (!digits(in))
            return wrong(in, "a number without digits in its exponent");
    }
    value->type = JSON_TYPE_NUMBER;
    value->text = json_arena_copy(in->arena, begin, (size_t)(in->at - begin));
    return value->text != NULL ? 0 : err_set(in->err, ENOMEM, "read JSON:");
}

static bool take_word(struct reader *in, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* --- lists and objects --- */

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

static int duplicate(const struct reader *in, const char *key)
{
    return err_set(in->err, EINVAL, "not valid JSON: the key \"%.100s\" stands twice in one object",
                   key);
}

static int check_keys(struct reader *in, const struct json *object)
{
    enum { FEW = 32 };
    if (object->count <= FEW) {
        for (const struct json *a = object->child; a != NULL; a = a->next) {
            for (const struct json *b = a->next; b != NULL; b = b->next) {
                if (a->key[0] == b->key[0] && strcmp(a->key, b->key) == 0)
                    return duplicate(in, a->key);
            }
        }
        return 0;
    }
    const struct json **sorted = calloc(object->count, sizeof(void *));
    if (sorted == NULL)
        return err_set(in->err, ENOMEM, "read JSON:");
    size_t count = 0;
    for (const struct json *a = object->child; a != NULL; a = a->next)
        sorted[count++] = a;
    qsort(sorted, count, sizeof(void *), by_key);
    int result = 0;
    for (size_t i = 1; result == 0 && i < count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            result = duplicate(in, sorted[i]->key);
    }
    free(sorted);
    return result;
}

static int read_member_key(struct reader *in, struct json *member)
{
    if (in->at == in->end || *in->at != '"')
        return wrong(in, "a key in quotes is expected");
    in->at++;
    int result = read_string(in, &member->key);
    if (result < 0)
        return result;
    skip_space(in);
    if (in->at == in->end || *in->at != ':')
        return wrong(in, "':' is expected");
    in->at++;
    skip_space(in);
    return 0;
}

/* The reader stands behind the bracket. */
static int read_children(struct reader *in, struct json *value)
{
    bool object = value->type == JSON_TYPE_OBJECT;
    char close = object ? '}' : ']';
    const struct json **link = &value->child;
    if (++in->depth > JSON_DEPTH_MAX)
        return wrong(in, "nested too deep");
    skip_space(in);
    bool more = in->at == in->end || *in->at != close;
    while (more) {
        struct json *child = json_arena_alloc(in->arena, sizeof(*child));
        if (child == NULL)
            return err_set(in->err, ENOMEM, "read JSON:");
        int result = object ? read_member_key(in, child) : 0;
        if (result == 0)
            result = read_value(in, child);
        if (result < 0)
            return result;
        *link = child;
        link = &child->next;
        value->count++;
        skip_space(in);
        more = in->at < in->end && *in->at == ',';
        if (more) {
            in->at++;
            skip_space(in);
        }
    }
    if (in->at == in->end || *in->at != close)
        return wrong(in, object ? "',' or '}' is expected" : "',' or ']' is expected");
    in->at++;
    in->depth--;
    return object ? check_keys(in, value) : 0;
}

static int read_value(struct reader *in, struct json *value)
{
    int result = 0;
    if (in->at == in->end)
        return wrong(in, "the text ends where a value is expected");
    value->raw = in->at;
    if (*in->at == '{' || *in->at == '[') {
        value->type = *in->at++ == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
        result = read_children(in, value);
    } else if (*in->at == '"') {
        in->at++;
        value->type = JSON_TYPE_STRING;
        result = read_string(in, &value->text);
    } else if (take_word(in, "true")) {
        value->type = JSON_TYPE_BOOL;
        value->truth = true;
    } else if (take_word(in, "false")) {
        value->type = JSON_TYPE_BOOL;
    } else if (take_word(in, "null")) {
        value->type = JSON_TYPE_NULL;
    } else {
        result = read_number(in, value);
    }
    value->raw_size = (size_t)(in->at - value->raw);
    return result;
}

int json_parse(struct json_arena *arena, const char *text, size_t size, const struct json **out,
               struct err *err)
{
    struct reader in = {arena, text, text, text + size, 0, err};
    if (size > JSON_SIZE_MAX)
        return err_set(err, EFBIG, "the JSON document is larger than %u bytes", JSON_SIZE_MAX);
    struct json *value = json_arena_alloc(arena, sizeof(*value));
    if (value == NULL)
        return err_set(err, ENOMEM, "read JSON:");
    skip_space(&in);
    int result = read_value(&in, value);
    if (result < 0)
        return result;
    skip_space(&in);
    if (in.at != in.end)
        return wrong(&in, "something follows the value");
    *out = value;
    return 0;
}

/* --- what others ask a tree --- */

const struct json *json_get(const struct json *object, const char *key)
{
    if (object == NULL || object->type != JSON_TYPE_OBJECT)
        return NULL;
    for (const struct json *child = object->child; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0)
            return child->type != JSON_TYPE_NULL ? child : NULL;
    }
    return NULL;
}

const char *json_get_text(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    return value != NULL && value->type == JSON_TYPE_STRING ? value->text : NULL;
}

/* The magnitude of a number without point and exponent. */
static int magnitude(const struct json *value, bool *negative, uint64_t *out)
{
    if (value == NULL || value->type != JSON_TYPE_NUMBER)
        return -EINVAL;
    const char *at = value->text;
    uint64_t sum = 0;
    *negative = *at == '-';
    for (at += *negative; *at != '\0'; at++) {
        if (*at < '0' || *at > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*at - '0'), &sum))
            return -ERANGE;
    }
    *out = sum;
    return 0;
}

int json_int(const struct json *value, int64_t *out)
{
    bool negative;
    uint64_t size;
    int result = magnitude(value, &negative, &size);
    if (result < 0)
        return result;
    if (size > (uint64_t)INT64_MAX + negative)
        return -ERANGE;
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return 0;
}

int json_uint(const struct json *value, uint64_t *out)
{
    bool negative;
    uint64_t size;
    int result = magnitude(value, &negative, &size);
    if (result < 0)
        return result;
    if (negative && size != 0)
        return -ERANGE;
    *out = size;
    return 0;
}

const char *json_type_name(const struct json *value)
{
    static const char *const names[] = {
        [JSON_TYPE_NULL] = "null",       [JSON_TYPE_BOOL] = "true or false",
        [JSON_TYPE_NUMBER] = "a number", [JSON_TYPE_STRING] = "a string",
        [JSON_TYPE_ARRAY] = "a list",    [JSON_TYPE_OBJECT] = "an object",
    };
    return names[value->type];
}
