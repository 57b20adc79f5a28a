/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 by libcrypto. The algorithm is fetched without OpenSSL's configuration file: a confined
 * child has no files, and what we compute does not depend on how the machine is configured.
 */
#include "image/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/fd.h"

#define HEX_DIGITS  64
#define HASH_BYTES  32
#define COPY_BUFFER (256u * 1024u)

int digest_open(struct digest *digest)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL)
        return -ENOMEM;
    if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        digest_close(digest);
        return -ENOMEM;
    }
    return 0;
}

void digest_close(struct digest *digest)
{
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
    /* fails only when the context was never begun, which digest_open's result tells */
    if (digest->context != NULL && size > 0)
        EVP_DigestUpdate(digest->context, data, size);
}

void digest_hex(struct digest *digest, char out_hex[IMAGE_HEX_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE] = {0};
    unsigned int size = 0;
    if (digest->context != NULL)
        EVP_DigestFinal_ex(digest->context, hash, &size);
    digest_close(digest);
    for (size_t i = 0; i < HASH_BYTES; i++) {
        out_hex[2 * i] = digits[hash[i] >> 4];
        out_hex[2 * i + 1] = digits[hash[i] & 15];
    }
    out_hex[HEX_DIGITS] = '\0';
}

int digest_of(const void *data, size_t size, char out_hex[IMAGE_HEX_MAX])
{
    digest_owner digest = {0};
    int result = digest_open(&digest);
    if (result < 0)
        return result;
    digest_add(&digest, data, size);
    digest_hex(&digest, out_hex);
    return 0;
}

int digest_of_file(int fd, char out_hex[IMAGE_HEX_MAX])
{
    digest_owner digest = {0};
    int result = digest_open(&digest);
    if (result < 0)
        return result;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    char *buffer = malloc(COPY_BUFFER);
    if (buffer == NULL)
        return -ENOMEM;
    ssize_t count;
    while ((count = fd_read_all(fd, buffer, COPY_BUFFER)) > 0)
        digest_add(&digest, buffer, (size_t)count);
    free(buffer);
    if (count < 0)
        return (int)count;
    digest_hex(&digest, out_hex);
    return 0;
}

bool digest_hex_valid(const char *text)
{
    return strlen(text) == HEX_DIGITS && strspn(text, "0123456789abcdef") == HEX_DIGITS;
}

const char *digest_parse(const char *text)
{
    static const char prefix[] = "sha256:";
    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    text += sizeof(prefix) - 1;
    return digest_hex_valid(text) ? text : NULL;
}
