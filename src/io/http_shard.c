/* Shards: curl walks the list of a handle's connections for each transfer, so one handle for all
 * would cost more per transfer the more there are. A transfer goes to the first shard with room;
 * with fewer in flight the later shards fall quiet and the warm connections are those in use.
 * Smaller shards cost less per transfer, but each reads the trusted certificates for itself (50 ms,
 * 0.8 MB).
 *
 * HTTP/2 needs few connections, and curl must be told how many: without a cap it opens one per
 * transfer all the same. The cap holds for each host of a handle alike, so each origin has a handle
 * of its own.
 */
#include "base/mem.h"
#include "io/http_client.h"

#include <stdlib.h>
#include <string.h>

static void http_shard_act(struct http_shard *s, curl_socket_t fd, int events) {
    int running; /* counted better by us */
    s->touched = true;
    ASSERT(curl_multi_socket_action(s->multi, fd, events, &running) == CURLM_OK);
}

void http_shard_on_ready(void *ctx, void *owner, int fd, unsigned events) {
    (void)ctx;
    int bits = 0;
    bits |= (events & HTTP_SOCKET_READ) != 0 ? CURL_CSELECT_IN : 0;
    bits |= (events & HTTP_SOCKET_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    http_shard_act(owner, fd, bits);
}

static void http_shard_on_timer(void *ctx) {
    struct http_shard *s = ctx;
    http_shard_act(s, CURL_SOCKET_TIMEOUT, 0);
    http_pump(s->client);
}

static int http_shard_wants_timer(CURLM *multi, long timeout_ms, void *ctx) {
    (void)multi;
    struct http_shard *s = ctx;
    if (timeout_ms < 0) {
        loop_timer_stop(&s->timer);
    } else {
        loop_timer_start(s->client->loop, &s->timer, timeout_ms, http_shard_on_timer, s);
    }
    return 0;
}

static int http_shard_wants_socket(CURL *easy, curl_socket_t fd, int what, void *ctx,
                                   void *fd_ctx) {
    (void)easy, (void)fd_ctx;
    struct http_shard *s = ctx;
    unsigned events = 0;
    events |= what == CURL_POLL_IN || what == CURL_POLL_INOUT ? HTTP_SOCKET_READ : 0u;
    events |= what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? HTTP_SOCKET_WRITE : 0u;
    http_sockets_want(s->client->sockets, fd, s, events);
    return 0;
}

#define HTTP_MULTI_SET(multi, option, value)                                                       \
    ASSERT(curl_multi_setopt(multi, option, value) == CURLM_OK)

static struct http_shard *http_shard_new(struct http_client *c, const char *origin) {
    struct http_shard *s = mem_new(sizeof *s);
    s->client = c;
    s->multi = curl_multi_init();
    ASSERT(s->multi != NULL);
    HTTP_MULTI_SET(s->multi, CURLMOPT_SOCKETFUNCTION, http_shard_wants_socket);
    HTTP_MULTI_SET(s->multi, CURLMOPT_SOCKETDATA, (void *)s);
    HTTP_MULTI_SET(s->multi, CURLMOPT_TIMERFUNCTION, http_shard_wants_timer);
    HTTP_MULTI_SET(s->multi, CURLMOPT_TIMERDATA, (void *)s);
    HTTP_MULTI_SET(s->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_SHARD_TRANSFERS_MAX);
    HTTP_MULTI_SET(s->multi, CURLMOPT_PIPELINING,
                   (long)(origin != NULL ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
    if (origin != NULL) {
        int64_t connections = (c->in_flight_max + HTTP_STREAMS_MAX - 1) / HTTP_STREAMS_MAX;
        HTTP_MULTI_SET(s->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections);
        HTTP_MULTI_SET(s->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)HTTP_STREAMS_MAX);
        s->origin = mem_dup_cstr(origin, strlen(origin));
    }
    return s;
}

void http_shard_free(struct http_shard *s) {
    ASSERT(s->transfers == 0);
    ASSERT(curl_multi_cleanup(s->multi) == CURLM_OK);
    loop_timer_stop(&s->timer);
    free(s->origin);
    free(s);
}

static struct http_shard *http_shard_add(struct http_client *c, const char *origin) {
    c->shards = mem_resize(c->shards, c->shards_n + 1, sizeof(struct http_shard *));
    c->shards[c->shards_n] = http_shard_new(c, origin);
    return c->shards[c->shards_n++];
}

/* The shard of an origin. */
static struct http_shard *http_shard_of(struct http_client *c, const char *origin) {
    for (size_t i = 0; i < c->shards_n; i++) {
        if (c->shards[i]->origin != NULL && strcmp(c->shards[i]->origin, origin) == 0) {
            return c->shards[i];
        }
    }
    return http_shard_add(c, origin);
}

/* May it take another transfer of any target? */
static bool http_shard_has_room(const struct http_shard *s) {
    return s->origin == NULL && s->transfers < HTTP_SHARD_TRANSFERS_MAX;
}

struct http_shard *http_shard_for(const struct http_transfer *t) {
    struct http_client *c = t->client;
    bool tls = strncmp(t->request->url, "https:", 6) == 0;
    if (t->request->http2 && tls && !t->target->http1) {
        return http_shard_of(c, t->target->name);
    }
    while (c->shards_room < c->shards_n && !http_shard_has_room(c->shards[c->shards_room])) {
        c->shards_room++;
    }
    return c->shards_room < c->shards_n ? c->shards[c->shards_room] : http_shard_add(c, NULL);
}

void http_shard_leave(struct http_transfer *t) {
    struct http_shard *s = t->shard;
    struct http_client *c = t->client;
    ASSERT(curl_multi_remove_handle(s->multi, t->easy) == CURLM_OK);
    if (s->transfers-- == HTTP_SHARD_TRANSFERS_MAX && s->origin == NULL) {
        size_t i = 0;
        while (c->shards[i] != s) {
            i++;
        }
        c->shards_room = MIN(c->shards_room, i);
    }
    t->shard = NULL;
}
