/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a CGI function writes headers that would end its response early and begin a second
 *   one, for whoever uses the connection next: two lengths, chunks, line ends within values,
 *   an upgrade, a status that is none.
 * Stopped by: the gateway frames the response by itself; what it cannot take over as a header
 *   is an error of the function.
 * Lives in: src/gateway/cgi.c.
 *
 * Kind: splitting
 * Control: none (the gateway is what is tested)
 * Runs: daemon
 */
#include "../harness/attack.h"

static const char second[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Second: yes\r\n\r\nESCAPED";

void attack(void)
{
    static const char *const heads[] = {
        "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Status: 200 OK\r\nX-A: b\rX-Second: yes\r\n\r\n",
        "Status: 200 OK\r\nX-A: b\nConnection: close\nContent-Length: 0\n\n",
        "Status: 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        "Status: 204 No Content\r\n\r\n",
        "Status: 304 Not Modified\r\n\r\n",
        "Status: 100 Continue\r\n\r\n",
        "Status: 200 OK\r\nX-Call-Id: forged\r\nX-Duration-Seconds: 0\r\n\r\n",
        "Location: /x\r\n\r\n",
    };
    const char *query = getenv("QUERY_STRING");
    size_t which = query ? (size_t)atoi(query) : 0;
    if (which < COUNT(heads)) {
        fputs(heads[which], stdout);
        fputs(second, stdout);
    }
    fflush(stdout);
    _exit(which < COUNT(heads) ? 0 : 3);
}
