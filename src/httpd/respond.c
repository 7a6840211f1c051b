/* What is sent: whole responses, and streams that the library pulls out of a buffer.
 *
 * A stream with nothing to send is suspended inside the library's reader, and resumed by the next
 * write, by its end, or when the client is gone.
 */
#include "httpd/conn.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define STREAM_BLOCK_BYTES ((size_t)4096)

struct httpd_response *httpd_response_new(int status, struct str body, void (*release)(void *owner),
                                          void *owner) {
    struct httpd_response *r = mem_new(sizeof *r);
    r->status = status;
    r->holds = 1;
    /* The library reads it only, whatever its prototypes say. */
    union {
        const char *given;
        void *taken;
    } p = {.given = body.p};
    r->mhd = release != NULL
                 ? MHD_create_response_from_buffer_with_free_callback_cls(body.n, p.taken, release,
                                                                          owner)
                 : MHD_create_response_from_buffer(body.n, p.taken, MHD_RESPMEM_PERSISTENT);
    ASSERT(r->mhd != NULL); /* as with any malloc */
    return r;
}

void httpd_response_header(struct httpd_response *r, const char *name, const char *value) {
    ASSERT(MHD_add_response_header(r->mhd, name, value) == MHD_YES);
}

struct httpd_response *httpd_response_hold(struct httpd_response *r) {
    r->holds++;
    return r;
}

void httpd_response_free(struct httpd_response *r) {
    if (r != NULL && --r->holds == 0) {
        MHD_destroy_response(r->mhd);
        free(r);
    }
}

void httpd_respond(struct httpd_request *q, struct httpd_response *r) {
    struct conn *c = CONTAINER_OF(q, struct conn, q);
    if (c->state == CONN_GONE) {
        return; /* the client went; over() comes with the next turn */
    }
    ASSERT(c->answer == NULL && (c->state == CONN_OPEN || c->state == CONN_BODY));
    c->answer = httpd_response_hold(r);
    conn_resume(c);
}

enum MHD_Result conn_send(struct conn *c) {
    struct httpd_response *r = c->answer;
    c->state = CONN_SENT;
    enum MHD_Result sent = MHD_queue_response(c->mhd, (unsigned)r->status, r->mhd);
    c->answer = NULL;
    httpd_response_free(r);
    return sent;
}

/* Everything written is the library's: the handler may write more. */
static void stream_drained(struct conn *c) {
    const struct httpd_options *o = &c->httpd->options;
    sbuf_clear(&c->stream->data);
    c->stream_sent = 0;
    c->told = true;
    if (o->handler->drained != NULL) {
        c->in_call = true;
        o->handler->drained(o->ctx, &c->q);
        c->in_call = false;
    }
}

static ssize_t stream_read(void *cls, uint64_t at, char *buf, size_t n_max) {
    struct conn *c = cls;
    (void)at;
    if (c->stream->data.n == c->stream_sent && !c->ended && !c->told && c->state != CONN_GONE) {
        stream_drained(c);
    }
    struct str left = str_skip(sbuf_str(&c->stream->data), c->stream_sent);
    if (c->state == CONN_GONE || c->httpd->stopping) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (left.n == 0) {
        if (c->ended) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        c->suspended = true;
        MHD_suspend_connection(c->mhd);
        return 0;
    }
    size_t n = MIN(left.n, n_max);
    memcpy(buf, left.p, n);
    c->stream_sent += n;
    return (ssize_t)n;
}

struct httpd_response *httpd_stream_new(struct httpd_request *q, int status) {
    struct conn *c = CONTAINER_OF(q, struct conn, q);
    ASSERT(c->stream == NULL && c->httpd->options.stream_bytes_max > 0);
    struct httpd_response *r = mem_new(sizeof *r);
    c->stream = buffer_take(&c->httpd->streams);
    c->told = true; /* whoever makes a stream knows that it is empty */
    r->status = status;
    r->holds = 1;
    r->mhd = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, c,
                                               NULL);
    ASSERT(r->mhd != NULL);
    return r;
}

static void stream_wake(struct conn *c) {
    if (c->state == CONN_SENT) {
        conn_resume(c);
    }
}

/* Forget what is sent, once it is most of what is there. */
static void stream_compact(struct conn *c) {
    struct sbuf *b = &c->stream->data;
    size_t left = b->n - c->stream_sent;
    if (c->stream_sent > left) {
        memmove(b->p, b->p + c->stream_sent, left + 1); /* and the NUL */
        b->n = left;
        c->stream_sent = 0;
    }
}

bool httpd_write(struct httpd_request *q, struct str bytes) {
    struct conn *c = CONTAINER_OF(q, struct conn, q);
    ASSERT(c->stream != NULL && !c->ended);
    if (bytes.n > c->httpd->options.stream_bytes_max - httpd_unsent(q)) {
        return false;
    }
    stream_compact(c);
    sbuf_add(&c->stream->data, bytes);
    c->told = false;
    stream_wake(c);
    return true;
}

size_t httpd_unsent(const struct httpd_request *q) {
    const struct conn *c = conn_of(q);
    return c->stream == NULL ? 0 : c->stream->data.n - c->stream_sent;
}

void httpd_end(struct httpd_request *q) {
    struct conn *c = CONTAINER_OF(q, struct conn, q);
    ASSERT(c->stream != NULL);
    c->ended = true;
    stream_wake(c);
}
