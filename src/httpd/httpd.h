/* httpd.h - the HTTP/1.1 server: requests come whole, are answered now or later, at once or bit by
 * bit.
 *
 * libmicrohttpd, hardened (guard.h), driven by a loop of io/ (httpd_attach()) or by a wait of the
 * owner's own (httpd_fd(), httpd_wait_ms(), httpd_turn()). This header is the seam: nothing above
 * knows the library, nothing here knows JSON or what a path means.
 *
 *     request(q) ─► httpd_respond(q, …)        in the call, or any time until over(q)
 *                └► httpd_respond(q, stream) ─► httpd_write() … httpd_end()
 *     over(q)       always, once: q is gone after it
 *
 * Limits     connections, body and header bytes, time to send a header and a body, bytes of a
 *            stream that wait to be sent. Malformed requests are refused before anybody sees them.
 * Threading  the thread that runs the loop or the turns; nothing here may be called from another.
 * Left       bare LF, folded headers and header values cut at a NUL are not seen by libmicrohttpd
 *            0.9.75; a first line without a space, which is no HTTP, it closes without a word.
 */
#ifndef STUMPER_HTTPD_HTTPD_H
#define STUMPER_HTTPD_HTTPD_H

#include "base/err.h"
#include "base/sbuf.h"
#include "io/loop.h"

#define HTTPD_CONNECTIONS_MAX 60000
#define HTTPD_CONN_BYTES ((size_t)16 * 1024)  /* of memory for a connection's headers, both ways */
#define HTTPD_HEADER_BYTES_MAX ((size_t)8192) /* of a request; more is refused with 431 */

struct httpd;
struct httpd_response;

/* A request of which everything has come. Owned by the server; to be read only, but for the body
 * and the state. */
struct httpd_request {
    const char *method; /* as sent */
    const char *path;   /* percent-decoded, without the query */
    struct sbuf *body;  /* may be overwritten; empty if none was sent */
    int64_t started_us; /* when its headers had come (clock_mono_us) */
    void *state;        /* state_bytes of the handler's own, zeroed for each request */
};

/* What the server calls. None is called from inside an httpd function but httpd_turn() and
 * httpd_free(). Functions that are NULL are not called. */
struct httpd_handler {
    /** A whole request. */
    void (*request)(void *ctx, struct httpd_request *q);
    /** Headers have come and are fine: a look before the body is read, if there is one. Answering
     * now refuses the body, and the connection with it; request() is then not called. */
    void (*head)(void *ctx, struct httpd_request *q);
    /** A request that is malformed or past a limit (400, 413, 414, 431, 500, 501, 505): to be
     * answered with @status in the call. Method and path are empty where they could not be read,
     * and so is the body. over() follows. */
    void (*refuse)(void *ctx, struct httpd_request *q, int status, const char *reason);
    /** Everything written to a stream was handed to the socket: more may be written. */
    void (*drained)(void *ctx, struct httpd_request *q);
    /** The request is over, also one that was only begun. @whole: the answer was sent to the end.
     */
    void (*over)(void *ctx, struct httpd_request *q, bool whole);
};

/* Where to listen: @fd if ≥ 0, else @unix_path if not NULL, else @address and @port. */
struct httpd_listen {
    const char *address;   /* IPv4 or IPv6 */
    int port;              /* 0: any free one */
    const char *unix_path; /* made with mode 0600, removed at the end; one that nobody listens on is
                              replaced */
    int fd;                /* a listening socket that was inherited, which becomes the server's */
};

struct httpd_options {
    struct httpd_listen listen;
    const char *tls_cert, *tls_key; /* PEM texts, both or none */
    const struct httpd_handler *handler;
    void *ctx;
    size_t state_bytes;
    size_t body_bytes_max;
    size_t stream_bytes_max;   /* that wait in one stream; 0: no streams */
    unsigned connections_max;  /* 0: as many as files may be open, up to HTTPD_CONNECTIONS_MAX */
    unsigned stall_s;          /* a client that does not read is dropped after so long; 0: never */
    int64_t input_ms, idle_ms; /* deadlines of guard.h; 0: the usual ones */
    const char *timeout_reply; /* raw bytes sent to one too slow with its request, or NULL */
};

/**
 * Listen. Free with httpd_free().
 *
 * @options  copied; what it points to must outlive the server
 * @return   ERR_USAGE (address, path), ERR_BUSY (in use), ERR_INVALID (certificate or key), ERR_IO
 */
NODISCARD enum err httpd_new(const struct httpd_options *options, struct httpd **ret,
                             struct errinfo *reterr);

/** Drop every connection (over() is called for each request under way) and free. */
void httpd_free(struct httpd *h);

/** The TCP port it listens on; 0 for a unix socket. */
int httpd_port(const struct httpd *h);

/** Connections that are open. */
unsigned httpd_connections(const struct httpd *h);

/** Be driven by @l until httpd_free(). */
void httpd_attach(struct httpd *h, struct loop *l);

/* Driven by the owner instead: wait until httpd_fd() is readable or httpd_wait_ms() have passed,
 * then call httpd_turn(); also after answers given outside of a callback. */
int httpd_fd(const struct httpd *h);
int64_t httpd_wait_ms(const struct httpd *h);
void httpd_turn(struct httpd *h);

/** A header's value (any case; the first of that name) / an argument of the query, decoded; p is
 * NULL if there is none. Borrowed until over(). */
struct str httpd_header(const struct httpd_request *q, const char *name);
struct str httpd_query(const struct httpd_request *q, const char *name);

/** Call @fn for each argument of the query until it returns false; a value may be empty. */
void httpd_query_each(const struct httpd_request *q,
                      bool (*fn)(void *ctx, struct str name, struct str value), void *ctx);

/**
 * A response that may be given to any number of requests. Free with httpd_response_free().
 *
 * @body     borrowed until @release(@owner) is called; @release NULL: it outlives the server
 */
struct httpd_response *httpd_response_new(int status, struct str body, void (*release)(void *owner),
                                          void *owner);

/** A response to @q alone whose body is written bit by bit. */
struct httpd_response *httpd_stream_new(struct httpd_request *q, int status);

/** Add a header; name and value are copied and must have no control characters (asserted). */
void httpd_response_header(struct httpd_response *r, const char *name, const char *value);

/** Hold it once more; gives @r. */
struct httpd_response *httpd_response_hold(struct httpd_response *r);

/** Drop one's own hold on it; NULL is harmless. It lives while it is being sent. */
void httpd_response_free(struct httpd_response *r);

/** Answer @q, once. The response stays the caller's. */
void httpd_respond(struct httpd_request *q, struct httpd_response *r);

/** Append to @q's stream. False, and nothing appended, if stream_bytes_max would be passed. */
NODISCARD bool httpd_write(struct httpd_request *q, struct str bytes);

/** Bytes of @q's stream that wait to be sent. */
size_t httpd_unsent(const struct httpd_request *q);

/** The stream is complete. Nothing may be written after it. */
void httpd_end(struct httpd_request *q);

/** Instead of answering, or in the middle of a stream: reset the connection. */
void httpd_reset(struct httpd_request *q);

/** Notice when the client goes while @q waits for its answer or for more of its stream: over() is
 * called. A client that shuts down its sending side counts as gone. */
void httpd_watch(struct httpd_request *q);

#endif
