/* Shards: curl walks the list of a handle's connections for each transfer, so one handle for all
 * would cost more per transfer the more there are. A transfer goes to the first shard with room;
 * with fewer in flight the later shards fall quiet and the warm connections are those in use.
 * Smaller shards cost less per transfer, but each reads the trusted certificates for itself (50 ms,
 * 0.8 MB).
 */
#include "base/mem.h"
#include "io/http_client.h"

#include <stdlib.h>

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

static struct http_shard *http_shard_new(struct http_client *c) {
    struct http_shard *s = mem_new(sizeof *s);
    s->client = c;
    s->multi = curl_multi_init();
    ASSERT(s->multi != NULL);
    HTTP_MULTI_SET(s->multi, CURLMOPT_SOCKETFUNCTION, http_shard_wants_socket);
    HTTP_MULTI_SET(s->multi, CURLMOPT_SOCKETDATA, (void *)s);
    HTTP_MULTI_SET(s->multi, CURLMOPT_TIMERFUNCTION, http_shard_wants_timer);
    HTTP_MULTI_SET(s->multi, CURLMOPT_TIMERDATA, (void *)s);
    HTTP_MULTI_SET(s->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_SHARD_TRANSFERS_MAX);
    HTTP_MULTI_SET(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return s;
}

void http_shard_free(struct http_shard *s) {
    ASSERT(s->transfers == 0);
    ASSERT(curl_multi_cleanup(s->multi) == CURLM_OK);
    loop_timer_stop(&s->timer);
    free(s);
}

struct http_shard *http_shard_with_room(struct http_client *c) {
    size_t i = c->shards_room;
    while (i < c->shards_n && c->shards[i]->transfers == HTTP_SHARD_TRANSFERS_MAX) {
        i++;
    }
    c->shards_room = i;
    if (i == c->shards_n) {
        c->shards = mem_resize(c->shards, c->shards_n + 1, sizeof(struct http_shard *));
        c->shards[c->shards_n++] = http_shard_new(c);
    }
    return c->shards[i];
}

void http_shard_leave(struct http_transfer *t) {
    struct http_shard *s = t->shard;
    struct http_client *c = t->client;
    ASSERT(curl_multi_remove_handle(s->multi, t->easy) == CURLM_OK);
    if (s->transfers-- == HTTP_SHARD_TRANSFERS_MAX) {
        size_t i = 0;
        while (c->shards[i] != s) {
            i++;
        }
        c->shards_room = MIN(c->shards_room, i);
    }
    t->shard = NULL;
}
