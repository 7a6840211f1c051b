/* One curl handle and what its callbacks note. None of these callbacks may touch a multi handle:
 * they only write into the transfer, and http.c acts once curl has returned. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/http_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HTTP_RECEIVE_BYTES 2048L /* of curl's buffer: held by every transfer in flight */
#define HTTP_DNS_CACHE_S 600L
#define HTTP_KEEPALIVE_S 60    /* silence before the first probe, and between two */
#define HTTP_UNACKED_MS 120000 /* data or probes unanswered for so long: the peer is gone */
#define HTTP_BUFFERS_KEPT 256
#define HTTP_BUFFER_BYTES_KEPT ((size_t)64 * 1024)

static void http_transfer_begin(struct http_transfer *t) {
    t->begun = true;
    t->first_byte_us = clock_mono_us();
}

static void http_transfer_take_buffers(struct http_transfer *t) {
    struct http_client *c = t->client;
    struct http_buffers *b = SLIST_FIRST(&c->buffers);
    if (b != NULL) {
        SLIST_REMOVE_HEAD(&c->buffers, link);
        c->buffers_n--;
    } else {
        b = mem_new(sizeof *b);
        sbuf_init(&b->headers, HTTP_HEADER_BYTES_MAX);
        sbuf_init(&b->body, 0);
    }
    b->body.bytes_max = t->request->body_bytes_max;
    t->buffers = b;
}

void http_transfer_drop_buffers(struct http_transfer *t) {
    struct http_client *c = t->client;
    struct http_buffers *b = t->buffers;
    if (b == NULL) {
        return;
    }
    t->buffers = NULL;
    if (c->buffers_n >= HTTP_BUFFERS_KEPT || c->closing) {
        sbuf_release(&b->headers);
        sbuf_release(&b->body);
        free(b);
        return;
    }
    sbuf_clear(&b->headers);
    sbuf_clear(&b->body);
    if (b->body.capacity > HTTP_BUFFER_BYTES_KEPT) {
        sbuf_release(&b->body);
    }
    SLIST_INSERT_HEAD(&c->buffers, b, link);
    c->buffers_n++;
}

static size_t http_transfer_too_big(struct http_transfer *t, const char *why) {
    t->err = ERR_TOO_BIG;
    t->why = why;
    return 0; /* fewer bytes taken than offered: curl ends the transfer */
}

static size_t http_transfer_on_header(char *p, size_t size, size_t n, void *ctx) {
    struct http_transfer *t = ctx;
    struct str line = {p, size * n};
    if (t->buffers == NULL) {
        http_transfer_take_buffers(t);
        if (t->request->stream == NULL) {
            http_transfer_begin(t);
        }
    }
    struct sbuf *headers = &t->buffers->headers;
    if (str_starts(line, S("HTTP/"))) {
        sbuf_clear(headers); /* an interim answer (1xx) came before */
    } else if (str_trim(line).n > 0) {
        sbuf_add(headers, line);
    }
    return sbuf_overflowed(headers) ? http_transfer_too_big(t, "the answer's headers are too large")
                                    : line.n;
}

/* A body is a stream if one was wanted and this is one. */
static enum http_body http_transfer_body_kind(const struct http_transfer *t) {
    long status = 0;
    const char *type = NULL;
    bool told = t->request->stream != NULL &&
                curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
                curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK;
    struct str rest = str_of(told ? type : NULL);
    struct str media = str_trim(str_split(&rest, ';'));
    return status == 200 && str_eq_nocase(media, S("text/event-stream")) ? HTTP_BODY_STREAMED
                                                                         : HTTP_BODY_GATHERED;
}

static size_t http_transfer_on_piece(struct http_transfer *t, struct str piece) {
    enum http_take take = t->request->stream(t->request->stream_ctx, piece);
    t->heard_ms = loop_now_ms(t->client->loop);
    if (take == HTTP_TAKE_NO) {
        return http_transfer_too_big(t, "the stream was ended");
    }
    if (take == HTTP_TAKE_MORE && !t->begun) {
        http_transfer_begin(t);
        http_deadline_moved(t);
    }
    return piece.n;
}

static size_t http_transfer_on_body(char *p, size_t size, size_t n, void *ctx) {
    struct http_transfer *t = ctx;
    if (t->body == HTTP_BODY_UNKNOWN) {
        t->body = http_transfer_body_kind(t);
    }
    if (t->body == HTTP_BODY_STREAMED) {
        return http_transfer_on_piece(t, (struct str){p, size * n});
    }
    if (!t->begun) {
        http_transfer_begin(t);
    }
    struct sbuf *body = &t->buffers->body; /* headers came first */
    sbuf_add(body, (struct str){p, size * n});
    return sbuf_overflowed(body) ? http_transfer_too_big(t, "the answer is too large") : size * n;
}

/* Detect a peer that vanished without a word (a NAT that forgot the connection, a dead machine). */
static void http_transfer_watch_peer(int fd) {
    const int on = 1, probe_s = HTTP_KEEPALIVE_S, unacked_ms = HTTP_UNACKED_MS;
    /* Refused options cost speed of detection, not the transfer. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &probe_s, sizeof probe_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_s, sizeof probe_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

static curl_socket_t http_transfer_on_open(void *ctx, curlsocktype purpose,
                                           struct curl_sockaddr *address) {
    (void)purpose;
    struct http_transfer *t = ctx;
    if (t->client->public_only && !address_is_public(&address->addr, address->addrlen)) {
        t->err = ERR_REJECTED;
        t->why = "has an address that is not public";
        return CURL_SOCKET_BAD;
    }
    int type = address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    http_transfer_watch_peer(fd);
    http_sockets_opened(t->client->sockets, fd);
    t->target->resolved = true;
    t->client->gate_moved = true;
    return fd;
}

static int http_transfer_on_close(void *ctx, curl_socket_t fd) {
    struct http_client *c = ctx; /* not the transfer: connections outlive those */
    http_sockets_close(c->sockets, fd);
    return 0;
}

/* The connection is there and the request goes out next. A second time for one transfer means that
 * curl lost a kept-alive connection without an answer and wants to send again; but the peer may
 * have done the work by then, and whether to ask again is not ours to say. */
static int http_transfer_on_connected(void *ctx, char *peer_ip, char *own_ip, int peer_port,
                                      int own_port) {
    (void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
    struct http_transfer *t = ctx;
    if (t->err == ERR_REJECTED) { /* another address of it was good; that does not make it so */
        return CURL_PREREQFUNC_ABORT;
    }
    if (t->connected) {
        t->repeated = true;
        t->err = ERR_NETWORK;
        t->why = "the connection was lost before an answer came";
        return CURL_PREREQFUNC_ABORT;
    }
    t->connected = true;
    t->target->joined = true;
    t->counted = false;
    t->target->connecting--;
    t->client->gate_moved = true;
    return CURL_PREREQFUNC_OK;
}

#define HTTP_SET(easy, option, value) ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK)

static void http_transfer_set_callbacks(struct http_transfer *t) {
    CURL *e = t->easy;
    HTTP_SET(e, CURLOPT_PRIVATE, (void *)t);
    HTTP_SET(e, CURLOPT_ERRORBUFFER, t->curl_text);
    HTTP_SET(e, CURLOPT_HEADERFUNCTION, http_transfer_on_header);
    HTTP_SET(e, CURLOPT_HEADERDATA, (void *)t);
    HTTP_SET(e, CURLOPT_WRITEFUNCTION, http_transfer_on_body);
    HTTP_SET(e, CURLOPT_WRITEDATA, (void *)t);
    HTTP_SET(e, CURLOPT_OPENSOCKETFUNCTION, http_transfer_on_open);
    HTTP_SET(e, CURLOPT_OPENSOCKETDATA, (void *)t);
    HTTP_SET(e, CURLOPT_CLOSESOCKETFUNCTION, http_transfer_on_close);
    HTTP_SET(e, CURLOPT_CLOSESOCKETDATA, (void *)t->client);
    HTTP_SET(e, CURLOPT_PREREQFUNCTION, http_transfer_on_connected);
    HTTP_SET(e, CURLOPT_PREREQDATA, (void *)t);
}

struct http_transfer *http_transfer_new(struct http_client *c) {
    struct http_transfer *t = mem_new(sizeof *t);
    t->client = c;
    t->easy = curl_easy_init();
    ASSERT(t->easy != NULL);
    http_transfer_set_callbacks(t);
    HTTP_SET(t->easy, CURLOPT_NOSIGNAL, 1L);
    HTTP_SET(t->easy, CURLOPT_SHARE, c->share);
    HTTP_SET(t->easy, CURLOPT_USERAGENT, c->user_agent);
    HTTP_SET(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    HTTP_SET(t->easy, CURLOPT_BUFFERSIZE, HTTP_RECEIVE_BYTES);
    HTTP_SET(t->easy, CURLOPT_DNS_CACHE_TIMEOUT, HTTP_DNS_CACHE_S);
    if (c->roots_file != NULL) {
        /* Without a folder beside the file curl reads the certificates once a shard; with one, once
         * a connection, which costs 50 ms each. */
        HTTP_SET(t->easy, CURLOPT_CAINFO, c->roots_file);
        HTTP_SET(t->easy, CURLOPT_CAPATH, NULL);
    }
    if (c->no_proxy) {
        HTTP_SET(t->easy, CURLOPT_PROXY, ""); /* saves a look at the environment per request */
    }
    return t;
}

void http_transfer_free(struct http_transfer *t) {
    curl_easy_cleanup(t->easy);
    free(t);
}

/* curl's list is not const, but it only reads. */
static char *http_transfer_not_const(const char *text) {
    char *p;
    memcpy(&p, &text, sizeof p);
    return p;
}

/* Chain the request's headers and "Expect:" (which takes curl's own away) without copying them. */
static struct curl_slist *http_transfer_chain_headers(struct http_transfer *t) {
    size_t n = 0;
    t->headers[n++].data = http_transfer_not_const("Expect:");
    for (const char *const *h = t->request->headers; h != NULL && *h != NULL; h++) {
        ASSERT(n < ARRAY_LEN(t->headers));
        t->headers[n++].data = http_transfer_not_const(*h);
    }
    for (size_t i = 0; i < n; i++) {
        t->headers[i].next = i + 1 < n ? &t->headers[i + 1] : NULL;
    }
    return t->headers;
}

void http_transfer_prepare(struct http_transfer *t) {
    const struct http_request *r = t->request;
    bool get = strcmp(r->method, "GET") == 0, delete = strcmp(r->method, "DELETE") == 0;
    ASSERT(get || delete || strcmp(r->method, "POST") == 0);
    bool http2 = t->shard->origin != NULL;
    HTTP_SET(t->easy, CURLOPT_CURLU, t->target->parsed);
    HTTP_SET(t->easy, CURLOPT_HTTP_VERSION,
             (long)(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    HTTP_SET(t->easy, CURLOPT_PIPEWAIT, (long)http2);
    if (t->client->http_proxy != NULL) { /* the other schemes' stay as the environment says */
        bool tls = strncmp(r->url, "https:", 6) == 0;
        HTTP_SET(t->easy, CURLOPT_PROXY, tls ? NULL : t->client->http_proxy);
    }
    HTTP_SET(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    HTTP_SET(t->easy, CURLOPT_HTTPHEADER, http_transfer_chain_headers(t));
    if (get || delete) {
        HTTP_SET(t->easy, CURLOPT_HTTPGET, 1L);
        HTTP_SET(t->easy, CURLOPT_CUSTOMREQUEST, delete ? r->method : NULL);
        return;
    }
    HTTP_SET(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
    HTTP_SET(t->easy, CURLOPT_POST, 1L);
    HTTP_SET(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    HTTP_SET(t->easy, CURLOPT_POSTFIELDS, r->body.n > 0 ? r->body.p : "");
}

void http_transfer_note(struct http_transfer *t, CURLcode code) {
    static const struct {
        CURLcode code;
        enum err err;
    } known[] = {
        {CURLE_OK, ERR_OK},
        {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
        {CURLE_URL_MALFORMAT, ERR_INVALID},
        {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
        {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL},
    };
    if (t->err != ERR_OK) {
        return;
    }
    ASSERT(code != CURLE_OUT_OF_MEMORY);
    if (code == CURLE_UNSUPPORTED_PROTOCOL) { /* also what it says of a reply that is not HTTP/1 */
        t->err = t->connected ? ERR_PROTOCOL : ERR_INVALID;
        return;
    }
    t->err = ERR_NETWORK;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        t->err = known[i].code == code ? known[i].err : t->err;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) { /* it was told of one deadline only */
        t->why = HTTP_NO_CONNECTION;
        t->why_ms = t->request->connect_ms;
    } else if (t->err != ERR_OK && t->curl_text[0] == '\0') {
        t->why = curl_easy_strerror(code);
    }
}

void http_transfer_note_version(struct http_transfer *t) {
    long version = 0;
    bool told = t->shard->origin != NULL &&
                curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK;
    if (told && version == CURL_HTTP_VERSION_1_1) {
        t->target->http1 = true;
    }
}

/* Had the whole request left? */
static bool http_transfer_was_sent(const struct http_transfer *t) {
    curl_off_t uploaded = 0;
    long request_bytes = 0;
    if (t->repeated) {
        return true; /* to the best of our knowledge: curl forgets its counts when it repeats */
    }
    bool known = t->connected &&
                 curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded) == CURLE_OK &&
                 curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_bytes) == CURLE_OK;
    return known && request_bytes > 0 && (size_t)uploaded >= t->request->body.n;
}

static void http_transfer_explain(const struct http_transfer *t, struct errinfo *ret) {
    const char *name = t->target != NULL ? t->target->name : "request";
    const char *why = t->why != NULL ? t->why : t->curl_text;
    if (t->why_ms > 0) {
        (void)errinfo_set(ret, t->err, "%s: %s within %lld ms", name, why, (long long)t->why_ms);
    } else {
        (void)errinfo_set(ret, t->err, "%s: %s", name, why);
    }
    log_redact(ret->text);
}

void http_transfer_reply(const struct http_transfer *t, struct http_reply *ret) {
    *ret = (struct http_reply){.err = t->err, .total_us = t->over_us - t->started_us};
    if (t->first_byte_us > 0) {
        ret->first_byte_us = t->first_byte_us - t->started_us;
    }
    if (t->buffers != NULL) {
        ret->headers = sbuf_str(&t->buffers->headers);
    }
    if (t->err != ERR_OK) {
        ret->sent = http_transfer_was_sent(t);
        http_transfer_explain(t, &ret->detail);
        return;
    }
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status); /* 0 is no status either */
    ret->sent = true;
    ret->status = (int)status;
    if (t->buffers != NULL) {
        ret->body = sbuf_str(&t->buffers->body);
    }
}
