/* guard.h - what libmicrohttpd 0.9.75 lets through and must not: request smuggling and slow input.
 *
 * Headers    names are tokens, values have no control characters but TAB; one Content-Length of
 *            digits or one Transfer-Encoding "chunked", not both; one Host (none for HTTP/1.0
 *            only).
 * Time       a deadline for each phase in which the client must act; past it the socket is shut
 *            down, which the library sees as a closed connection. CONNECTION_TIMEOUT alone would
 *            let a client that sends a byte a second live for ever.
 * Left       bare LF, folded lines and values cut at a NUL, which the library has taken apart
 *            before anybody can look.
 *
 * Threading  the thread that runs the daemon.
 */
#ifndef STUMPER_HTTPD_GUARD_H
#define STUMPER_HTTPD_GUARD_H

#include "base/str.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#define GUARD_INPUT_MS 5000 /* to send a header, and again to send a body */
#define GUARD_IDLE_MS 75000 /* to send the next request */

enum guard_phase {
    GUARD_IDLE,  /* waiting for a request */
    GUARD_INPUT, /* a request is coming in */
    GUARD_BUSY,  /* the answer is ours to give: no deadline */
    GUARD_PHASES
};

/* Part of a connection's own struct. */
struct guard_conn {
    struct guard_conn *prev, *next; /* in the list of its phase, oldest deadline first */
    int64_t deadline_ms;
    int fd;
    enum guard_phase phase;
};

struct guard {
    struct guard_conn lists[GUARD_PHASES]; /* heads of rings */
    int64_t limit_ms[GUARD_PHASES];
};

/** @input_ms, @idle_ms: how long the phases may last; 0: GUARD_INPUT_MS, GUARD_IDLE_MS. */
void guard_init(struct guard *g, int64_t input_ms, int64_t idle_ms);
void guard_add(struct guard *g, struct guard_conn *c, int fd, int64_t now_ms);
void guard_remove(struct guard_conn *c);

/** Move to another phase; its deadline runs from now on. */
void guard_enter(struct guard *g, struct guard_conn *c, enum guard_phase phase, int64_t now_ms);

/** Shut down what is past its deadline; before that @goodbye is called for one in the middle of a
 * request, and may send him a last word. Call it a few times a second. */
void guard_sweep(struct guard *g, int64_t now_ms, void (*goodbye)(struct guard_conn *c));

/* What the headers of a request tell. */
struct guard_verdict {
    int status;         /* 0: go on; otherwise refuse with this status and close */
    const char *reason; /* for the body of the refusal */
    bool has_body;
    uint64_t body_bytes; /* 0 when chunked */
};

/** Judge the headers of a request; @version as the client wrote it ("HTTP/1.1"). */
struct guard_verdict guard_headers(struct MHD_Connection *connection, const char *version,
                                   size_t bytes_max);

#endif
