#include "httpd/guard.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define GUARD_LENGTH_DIGITS_MAX 18

void guard_init(struct guard *g, int64_t input_ms, int64_t idle_ms) {
    g->limit_ms[GUARD_INPUT] = input_ms > 0 ? input_ms : GUARD_INPUT_MS;
    g->limit_ms[GUARD_IDLE] = idle_ms > 0 ? idle_ms : GUARD_IDLE_MS;
    g->limit_ms[GUARD_BUSY] = 0;
    for (int i = 0; i < GUARD_PHASES; i++) {
        g->lists[i].prev = g->lists[i].next = &g->lists[i];
    }
}

void guard_remove(struct guard_conn *c) {
    c->prev->next = c->next;
    c->next->prev = c->prev;
    c->prev = c->next = c;
}

void guard_enter(struct guard *g, struct guard_conn *c, enum guard_phase phase, int64_t now_ms) {
    struct guard_conn *list = &g->lists[phase];
    guard_remove(c);
    c->phase = phase;
    c->deadline_ms = now_ms + g->limit_ms[phase];
    c->prev = list->prev; /* behind all others: within a phase deadlines only grow */
    c->next = list;
    c->prev->next = list->prev = c;
}

void guard_add(struct guard *g, struct guard_conn *c, int fd, int64_t now_ms) {
    c->fd = fd;
    c->prev = c->next = c;
    guard_enter(g, c, GUARD_INPUT, now_ms);
}

void guard_sweep(struct guard *g, int64_t now_ms, void (*goodbye)(struct guard_conn *c)) {
    static const enum guard_phase timed[] = {GUARD_IDLE, GUARD_INPUT};
    for (size_t i = 0; i < ARRAY_LEN(timed); i++) {
        struct guard_conn *list = &g->lists[timed[i]];
        while (list->next != list && list->next->deadline_ms <= now_ms) {
            struct guard_conn *c = list->next;
            if (c->phase == GUARD_INPUT) {
                goodbye(c);
            }
            (void)shutdown(c->fd, SHUT_RDWR); /* the library reads the end and closes */
            guard_enter(g, c, GUARD_BUSY, now_ms);
        }
    }
}

struct guard_headers {
    int lengths, encodings, hosts;
    bool bad, bad_encoding;
    uint64_t body_bytes;
};

static bool guard_token(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)s[i]) && strchr("!#$%&'*+-.^_`|~", s[i]) == NULL) {
            return false;
        }
    }
    return n > 0 && memchr(s, '\0', n) == NULL;
}

static bool guard_text(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool guard_length(const char *s, size_t n, uint64_t *ret) {
    uint64_t v = 0;
    if (n == 0 || n > GUARD_LENGTH_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *ret = v;
    return true;
}

static bool guard_named(const char *key, size_t n, const char *name) {
    return n == strlen(name) && strncasecmp(key, name, n) == 0;
}

static enum MHD_Result guard_header(void *ctx, enum MHD_ValueKind kind, const char *key,
                                    size_t key_n, const char *value, size_t value_n) {
    struct guard_headers *h = ctx;
    (void)kind;
    value = value != NULL ? value : "";
    h->bad = h->bad || !guard_token(key, key_n) || !guard_text(value, value_n);
    if (guard_named(key, key_n, "content-length")) {
        h->lengths++;
        h->bad = h->bad || !guard_length(value, value_n, &h->body_bytes);
    } else if (guard_named(key, key_n, "transfer-encoding")) {
        h->encodings++;
        h->bad_encoding = h->bad_encoding || !guard_named(value, value_n, "chunked");
    } else if (guard_named(key, key_n, "host")) {
        h->hosts++;
    }
    return MHD_YES;
}

struct guard_verdict guard_headers(struct MHD_Connection *connection, const char *version,
                                   size_t bytes_max) {
    struct guard_headers h = {0};
    if (MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size >
        bytes_max) {
        return (struct guard_verdict){.status = 431, .reason = "The request header is too large."};
    }
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, guard_header, &h);
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    if (h.bad || h.lengths > 1 || h.hosts > 1 || (h.hosts == 0 && !old) ||
        (h.lengths > 0 && h.encodings > 0)) {
        return (struct guard_verdict){.status = 400, .reason = "Malformed request header."};
    }
    if (h.bad_encoding || h.encodings > 1 || (h.encodings > 0 && old)) {
        return (struct guard_verdict){.status = 501, .reason = "Unknown transfer encoding."};
    }
    return (struct guard_verdict){.has_body = h.body_bytes > 0 || h.encodings > 0,
                                  .body_bytes = h.body_bytes};
}
