/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the kernel's keyrings belong to a uid (user, user session, persistent) and are
 *   inherited (session): two sandboxes of one uid, or a sandbox and the host, share them. One
 *   stores a key that anybody may read, the other searches.
 * Stopped by: the filter refuses add_key, request_key and keyctl; the template has a session
 *   keyring of its own; a uid range for each tenant.
 * Lives in: src/jail/filter.c.
 *
 * Kind: pair
 * Control: user
 */
#include "../harness/attack.h"

#include <linux/keyctl.h>

static const int rings[] = {KEY_SPEC_USER_KEYRING, KEY_SPEC_USER_SESSION_KEYRING,
                            KEY_SPEC_SESSION_KEYRING};

static void serve(void)
{
    for (size_t i = 0; i < COUNT(rings); i++) {
        long key =
            syscall(SYS_add_key, "user", bait("MARK"), BAIT_TEXT, sizeof(BAIT_TEXT), rings[i]);
        if (key < 0) {
            blocked("add_key to %d: %s", rings[i], strerror(errno));
            continue;
        }
        syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3f);
        syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, 30);
    }
    puts("ready");
    fflush(stdout);
    pause_ms(3000);
}

static void call(void)
{
    for (size_t i = 0; i < COUNT(rings); i++) {
        char text[64] = "";
        long key = syscall(SYS_keyctl, KEYCTL_SEARCH, rings[i], "user", bait("MARK"), 0);
        if (key < 0) {
            blocked("search in %d: %s", rings[i], strerror(errno));
            continue;
        }
        if (syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof(text)) > 0 &&
            strncmp(text, BAIT_TEXT, sizeof(BAIT_TEXT) - 1) == 0)
            got("read the other's key from keyring %d", rings[i]);
    }
    attempt("request_key", syscall(SYS_request_key, "user", bait("MARK"), NULL, 0));
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
