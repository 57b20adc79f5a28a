/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: uses the kernel's keyrings: adds keys, joins sessions, reads keys by number, and
 *   asks for a key that does not exist, for which the kernel starts /sbin/request-key on the
 *   host as root.
 * Stopped by: the filter refuses add_key, request_key and keyctl.
 * Lives in: src/jail/filter.c.
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <linux/keyctl.h>

void attack(void)
{
    static const int rings[] = {KEY_SPEC_THREAD_KEYRING, KEY_SPEC_PROCESS_KEYRING,
                                KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_KEYRING,
                                KEY_SPEC_USER_SESSION_KEYRING};
    for (size_t i = 0; i < COUNT(rings); i++) {
        char what[64];
        snprintf(what, sizeof(what), "add_key to keyring %d", rings[i]);
        attempt(what, syscall(SYS_add_key, "user", "skerry", "x", 1, rings[i]));
        snprintf(what, sizeof(what), "keyctl id of keyring %d", rings[i]);
        attempt(what, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, rings[i], 1));
    }
    attempt("join a session keyring", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "skerry"));
    attempt("persistent keyring",
            syscall(SYS_keyctl, KEYCTL_GET_PERSISTENT, -1, KEY_SPEC_PROCESS_KEYRING));
    if (!is_control())
        attempt_past("request_key with an upcall",
                     syscall(SYS_request_key, "user", "skerry-none", "x", KEY_SPEC_PROCESS_KEYRING),
                     ENOKEY);
    char text[256];
    for (long serial = 1; serial < 4096; serial++)
        if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, serial, text, sizeof(text)) > 0) {
            got("described key %ld", serial);
            break;
        }
}
