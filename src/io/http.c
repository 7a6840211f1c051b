/* The client: shards, gates, deadlines, delivery. http_client.h draws the states of a transfer.
 *
 * curl is driven by events: http_sockets tells it of ready sockets, a loop timer of its own
 * timeouts. Inside these calls its callbacks only write into transfers; afterwards http_pump()
 * collects the transfers that ended, lets waiting ones in, and calls `done`. So curl is never
 * entered from within, and `done` may send, cancel and free as it likes (except http_free()).
 *
 * Shards: curl walks the list of a handle's connections for each transfer, so one handle for all
 * would cost more per transfer the more there are. A transfer goes to the first shard with room;
 * with fewer in flight the later shards fall quiet and the warm connections are those in use.
 * Smaller shards cost less per transfer, but each reads the trusted certificates for itself (50 ms,
 * 0.8 MB).
 *
 * Deadlines: one loop timer a transfer, armed for the first deadline that may pass. What was
 * reached meanwhile (connected, first byte) moves no timer; when it fires, it looks which deadline
 * holds now and is armed again if that one lies ahead.
 *
 * Gate: as long as a target's name was never resolved, one transfer goes ahead and the others wait
 * for its socket; afterwards at most HTTP_CONNECTING_MAX are on the way to a connection.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/limits.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HTTP_CONNECTING_MAX 256
#define HTTP_NAME_BYTES_MAX ((size_t)8 * 1024) /* no host name comes near */

static void http_pump(struct http_client *c);

/* --- shards ------------------------------------------------------------------------------------
 */

static void http_shard_act(struct http_shard *s, curl_socket_t fd, int events) {
    int running; /* counted better by us */
    s->touched = true;
    ASSERT(curl_multi_socket_action(s->multi, fd, events, &running) == CURLM_OK);
}

static void http_shard_on_ready(void *ctx, void *owner, int fd, unsigned events) {
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

static void http_shard_free(struct http_shard *s) {
    ASSERT(s->transfers == 0);
    ASSERT(curl_multi_cleanup(s->multi) == CURLM_OK);
    loop_timer_stop(&s->timer);
    free(s);
}

static struct http_shard *http_shard_with_room(struct http_client *c) {
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

static void http_shard_leave(struct http_transfer *t) {
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

/* --- targets -----------------------------------------------------------------------------------
 */

/* Host and port of @parsed, for messages: no user, no password. Free with free(). */
static char *http_target_name(CURLU *parsed) {
    char *host = NULL, *port = NULL;
    ASSERT(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    bool told = curl_url_get(parsed, CURLUPART_PORT, &port, 0) == CURLUE_OK;
    struct sbuf name;
    sbuf_init(&name, HTTP_NAME_BYTES_MAX);
    sbuf_addf(&name, "%s%s%s", host, told ? ":" : "", told ? port : "");
    curl_free(host);
    curl_free(port);
    return name.p;
}

/* NULL if @url is not a URL of http or https. */
static CURLU *http_url_parse(const char *url) {
    CURLU *parsed = curl_url();
    ASSERT(parsed != NULL);
    bool right = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (right && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        return parsed;
    }
    curl_url_cleanup(parsed);
    return NULL;
}

static struct http_target *http_target_find(struct http_client *c, struct str url) {
    struct http_target *target = c->targets;
    while (target != NULL && !str_eq((struct str){target->url, target->url_n}, url)) {
        target = target->next;
    }
    return target;
}

/* The target of @url, made if need be; NULL if the URL is invalid. */
static struct http_target *http_target_of(struct http_client *c, const char *url) {
    struct http_target *target = http_target_find(c, str_of(url));
    CURLU *parsed = target == NULL ? http_url_parse(url) : NULL;
    if (parsed == NULL) {
        return target;
    }
    size_t url_n = strlen(url);
    target = mem_new(sizeof *target + url_n + 1);
    target->parsed = parsed;
    target->name = http_target_name(parsed);
    target->url_n = url_n;
    memcpy(target->url, url, url_n);
    TAILQ_INIT(&target->waiting);
    target->next = c->targets;
    c->targets = target;
    return target;
}

static void http_target_free(struct http_target *target) {
    curl_url_cleanup(target->parsed);
    free(target->name);
    free(target);
}

static bool http_target_lets_in(const struct http_target *target) {
    return target->connecting < (target->resolved ? HTTP_CONNECTING_MAX : 1);
}

static void http_admit(struct http_transfer *t) {
    struct http_client *c = t->client;
    t->state = HTTP_ACTIVE;
    t->admitted_ms = loop_now_ms(c->loop);
    t->counted = true;
    t->target->connecting++;
    TAILQ_INSERT_TAIL(&c->active, t, link);
    t->shard = http_shard_with_room(c);
    t->shard->transfers++;
    http_transfer_prepare(t);
    ASSERT(curl_multi_add_handle(t->shard->multi, t->easy) == CURLM_OK);
}

/* --- the end of a transfer ---------------------------------------------------------------------
 */

static void http_finish(struct http_transfer *t) {
    struct http_client *c = t->client;
    loop_timer_stop(&t->deadline);
    t->over_us = clock_mono_us();
    if (t->state == HTTP_WAITING) {
        TAILQ_REMOVE(&t->target->waiting, t, link);
    } else if (t->state == HTTP_ACTIVE) {
        TAILQ_REMOVE(&c->active, t, link);
        http_shard_leave(t);
    }
    if (t->counted) {
        t->counted = false;
        t->target->connecting--;
        c->gate_moved = true;
    }
    t->state = HTTP_FINISHED;
    TAILQ_INSERT_TAIL(&c->finished, t, link);
}

static void http_fail(struct http_transfer *t, enum err err, const char *why, int64_t why_ms) {
    if (t->err == ERR_OK) {
        t->err = err;
        t->why = why;
        t->why_ms = why_ms;
    }
    http_finish(t);
}

/* A name that cannot be resolved fails for all who wait for it, instead of one look-up after the
 * other. */
static void http_target_unresolved(struct http_target *target) {
    struct http_transfer *t;
    target->resolved = false;
    while ((t = TAILQ_FIRST(&target->waiting)) != NULL) {
        http_fail(t, ERR_NETWORK, "its name could not be resolved", 0);
    }
}

static void http_collect(struct http_shard *s) {
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(s->multi, &left)) != NULL) {
        CURLcode code = msg->data.result; /* msg goes with the handle */
        struct http_transfer *t = NULL;
        ASSERT(curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t) == CURLE_OK);
        http_transfer_note(t, code);
        http_finish(t);
        if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
            http_target_unresolved(t->target);
        }
    }
}

static void http_open_gates(struct http_client *c) {
    for (struct http_target *target = c->targets; target != NULL; target = target->next) {
        struct http_transfer *t;
        while ((t = TAILQ_FIRST(&target->waiting)) != NULL && http_target_lets_in(target)) {
            TAILQ_REMOVE(&target->waiting, t, link);
            http_admit(t);
        }
    }
}

static void http_deliver(struct http_transfer *t) {
    struct http_client *c = t->client;
    struct http_reply reply;
    http_transfer_reply(t, &reply);
    c->in_flight--;
    t->done(t->ctx, &reply);
    http_transfer_drop_buffers(t);
    t->state = HTTP_IDLE;
    TAILQ_INSERT_HEAD(&c->idle, t, link);
}

static void http_pump(struct http_client *c) {
    for (size_t i = 0; i < c->shards_n; i++) {
        if (c->shards[i]->touched) {
            c->shards[i]->touched = false;
            http_collect(c->shards[i]);
        }
    }
    struct http_transfer *t;
    while ((t = TAILQ_FIRST(&c->finished)) != NULL) {
        TAILQ_REMOVE(&c->finished, t, link);
        http_deliver(t);
    }
    if (c->gate_moved) {
        c->gate_moved = false;
        http_open_gates(c);
    }
}

static void http_on_tick(void *ctx) {
    http_pump(ctx);
}

static void http_pump_soon(struct http_client *c) {
    if (c->tick.slot == 0) {
        loop_timer_start(c->loop, &c->tick, 0, http_on_tick, c);
    }
}

/* --- deadlines ---------------------------------------------------------------------------------
 */

struct http_deadline {
    int64_t at_ms, limit_ms;
    const char *why;
};

/* The earliest deadline that holds for @t as far as it has come. */
static struct http_deadline http_deadline_of(const struct http_transfer *t) {
    const struct http_request *r = t->request;
    struct http_deadline d = {t->sent_ms + r->total_ms, r->total_ms, "no whole answer"};
    if (t->first_byte_us == 0 && t->sent_ms + r->first_byte_ms < d.at_ms) {
        d = (struct http_deadline){t->sent_ms + r->first_byte_ms, r->first_byte_ms,
                                   "no first byte of an answer"};
    }
    if (t->state == HTTP_ACTIVE && !t->connected && t->admitted_ms + r->connect_ms < d.at_ms) {
        d = (struct http_deadline){t->admitted_ms + r->connect_ms, r->connect_ms,
                                   HTTP_NO_CONNECTION};
    }
    return d;
}

static void http_on_deadline(void *ctx) {
    struct http_transfer *t = ctx;
    int64_t now_ms = loop_now_ms(t->client->loop);
    struct http_deadline d = http_deadline_of(t);
    if (now_ms < d.at_ms) {
        int64_t wait_ms = d.at_ms - now_ms;
        if (t->state == HTTP_WAITING) {
            wait_ms = MIN(wait_ms, t->request->connect_ms); /* that one begins later */
        }
        loop_timer_start(t->client->loop, &t->deadline, wait_ms, http_on_deadline, t);
        return;
    }
    http_fail(t, ERR_TIMEOUT, d.why, d.limit_ms);
    http_pump(t->client);
}

/* --- the contract ------------------------------------------------------------------------------
 */

static struct http_transfer *http_take_idle(struct http_client *c) {
    struct http_transfer *t = TAILQ_FIRST(&c->idle);
    if (t == NULL) {
        return http_transfer_new(c);
    }
    TAILQ_REMOVE(&c->idle, t, link);
    t->target = NULL;
    t->first_byte_us = 0;
    t->connected = false;
    t->repeated = false;
    t->err = ERR_OK;
    t->why = NULL;
    t->why_ms = 0;
    t->curl_text[0] = '\0';
    return t;
}

enum err http_send(struct http_client *c, const struct http_request *request, http_done_fn *done,
                   void *ctx, struct http_transfer **ret) {
    ASSERT(request->connect_ms > 0 && request->first_byte_ms > 0 && request->total_ms > 0);
    if (c->in_flight >= c->in_flight_max || c->closing) {
        return ERR_BUSY;
    }
    struct http_transfer *t = http_take_idle(c);
    c->in_flight++;
    t->request = request;
    t->done = done;
    t->ctx = ctx;
    t->started_us = clock_mono_us();
    t->sent_ms = loop_now_ms(c->loop);
    t->target = http_target_of(c, request->url);
    *ret = t;
    if (t->target == NULL) {
        http_fail(t, ERR_INVALID, "the URL must be http://host… or https://host…", 0);
        http_pump_soon(c);
        return ERR_OK;
    }
    int64_t first_ms = MIN(MIN(request->connect_ms, request->first_byte_ms), request->total_ms);
    loop_timer_start(c->loop, &t->deadline, first_ms, http_on_deadline, t);
    if (TAILQ_EMPTY(&t->target->waiting) && http_target_lets_in(t->target)) {
        http_admit(t);
    } else {
        t->state = HTTP_WAITING;
        TAILQ_INSERT_TAIL(&t->target->waiting, t, link);
    }
    return ERR_OK;
}

void http_cancel(struct http_transfer *t) {
    if (t->state == HTTP_FINISHED) {
        t->err = ERR_CANCELED;
        t->why = "canceled";
        return;
    }
    http_fail(t, ERR_CANCELED, "canceled", 0);
    http_pump_soon(t->client);
}

int64_t http_in_flight(const struct http_client *c) {
    return c->in_flight;
}

struct str http_reply_header(const struct http_reply *reply, struct str name) {
    struct str rest = reply->headers, found = {NULL, 0};
    while (rest.n > 0) {
        struct str value = str_split(&rest, '\n');
        struct str key = str_split(&value, ':');
        if (str_eq_nocase(key, name)) {
            found = str_trim(value);
        }
    }
    return found;
}

static CURLSH *http_share_new(void) {
    CURLSH *share = curl_share_init();
    ASSERT(share != NULL);
    ASSERT(curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK);
    ASSERT(curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK);
    return share; /* no locks: one thread */
}

/* An empty variable counts as unset. */
static const char *http_env(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Any of the variables that curl would look at. */
static bool http_proxy_is_set(void) {
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    bool set = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        set = set || http_env(names[i]) != NULL;
    }
    return set;
}

/* SSL_CERT_FILE (which curl's command reads, but not its library), or the system's; NULL if curl
 * should look where it was built to look. */
static const char *http_roots_file(void) {
    const char *told = http_env("SSL_CERT_FILE");
    const char *builtin = curl_version_info(CURLVERSION_NOW)->cainfo;
    bool there = builtin != NULL && access(builtin, R_OK) == 0;
    return told != NULL ? told : there ? builtin : NULL;
}

static void http_on_batch_over(void *ctx) {
    http_pump(ctx);
}

struct http_client *http_new(struct loop *l, const struct http_client_options *options) {
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    struct http_client *c = mem_new(sizeof *c);
    c->loop = l;
    int64_t files = limits_raise_files();
    c->in_flight_max = MIN(options->in_flight_max, MAX(files - LIMITS_FILES_KEPT, 1));
    c->user_agent = mem_dup_cstr(options->user_agent, strlen(options->user_agent));
    c->share = http_share_new();
    c->no_proxy = !http_proxy_is_set();
    c->roots_file = http_roots_file();
    struct http_sockets_calls calls = {c, http_shard_on_ready, http_on_batch_over};
    c->sockets = http_sockets_new(l, &calls);
    TAILQ_INIT(&c->active);
    TAILQ_INIT(&c->finished);
    TAILQ_INIT(&c->idle);
    SLIST_INIT(&c->buffers);
    return c;
}

static void http_cancel_all(struct http_client *c) {
    struct http_transfer *t;
    while ((t = TAILQ_FIRST(&c->active)) != NULL) {
        http_cancel(t);
    }
    for (struct http_target *target = c->targets; target != NULL; target = target->next) {
        while ((t = TAILQ_FIRST(&target->waiting)) != NULL) {
            http_cancel(t);
        }
    }
    TAILQ_FOREACH(t, &c->finished, link) {
        http_cancel(t);
    }
    http_pump(c);
    loop_timer_stop(&c->tick);
}

static void http_free_pools(struct http_client *c) {
    struct http_transfer *t;
    while ((t = TAILQ_FIRST(&c->idle)) != NULL) {
        TAILQ_REMOVE(&c->idle, t, link);
        http_transfer_free(t);
    }
    struct http_buffers *b;
    while ((b = SLIST_FIRST(&c->buffers)) != NULL) {
        SLIST_REMOVE_HEAD(&c->buffers, link);
        sbuf_release(&b->headers);
        sbuf_release(&b->body);
        free(b);
    }
}

void http_free(struct http_client *c) {
    c->closing = true;
    http_cancel_all(c);
    http_free_pools(c);
    for (size_t i = 0; i < c->shards_n; i++) {
        http_shard_free(c->shards[i]);
    }
    free(c->shards);
    while (c->targets != NULL) {
        struct http_target *target = c->targets;
        c->targets = target->next;
        http_target_free(target);
    }
    ASSERT(curl_share_cleanup(c->share) == CURLSHE_OK);
    http_sockets_free(c->sockets);
    curl_global_cleanup();
    free(c->user_agent);
    free(c);
}
