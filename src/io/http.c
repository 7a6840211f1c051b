/* The client: gates, deadlines, delivery. http_client.h draws the states of a transfer.
 *
 * curl is driven by events: http_sockets tells it of ready sockets, a loop timer of its own
 * timeouts. Inside these calls its callbacks only write into transfers; afterwards http_pump()
 * collects the transfers that ended, lets waiting ones in, and calls `done`. So curl is never
 * entered from within, and `done` may send, cancel and free as it likes (except http_free()).
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
    t->shard = http_shard_for(t);
    t->shard->transfers++;
    http_transfer_prepare(t);
    ASSERT(curl_multi_add_handle(t->shard->multi, t->easy) == CURLM_OK);
}

/* --- the end of a transfer ------------------------------------------------------------------- */

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
        http_transfer_note_version(t);
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

void http_pump(struct http_client *c) {
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

/* --- deadlines ------------------------------------------------------------------------------- */

struct http_deadline {
    int64_t at_ms, limit_ms;
    const char *why;
};

/* The earliest deadline that holds for @t as far as it has come. */
static struct http_deadline http_deadline_of(const struct http_transfer *t) {
    const struct http_request *r = t->request;
    struct http_deadline d = {t->sent_ms + r->total_ms, r->total_ms, "no whole answer"};
    if (!t->begun && t->sent_ms + r->first_byte_ms < d.at_ms) {
        d = (struct http_deadline){t->sent_ms + r->first_byte_ms, r->first_byte_ms,
                                   "no first byte of an answer"};
    }
    bool queued = t->state == HTTP_ACTIVE && t->shard->origin != NULL && t->target->joined;
    if (t->state == HTTP_ACTIVE && !t->connected && !queued &&
        t->admitted_ms + r->connect_ms < d.at_ms) {
        d = (struct http_deadline){t->admitted_ms + r->connect_ms, r->connect_ms,
                                   HTTP_NO_CONNECTION};
    }
    if (t->begun && t->body == HTTP_BODY_STREAMED && t->heard_ms + r->idle_ms < d.at_ms) {
        d = (struct http_deadline){t->heard_ms + r->idle_ms, r->idle_ms,
                                   "the answer stopped in the middle: nothing more of it"};
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

void http_deadline_moved(struct http_transfer *t) {
    int64_t wait_ms = http_deadline_of(t).at_ms - loop_now_ms(t->client->loop);
    loop_timer_start(t->client->loop, &t->deadline, MAX(wait_ms, 0), http_on_deadline, t);
}

/* --- the contract ---------------------------------------------------------------------------- */

static struct http_transfer *http_take_idle(struct http_client *c) {
    struct http_transfer *t = TAILQ_FIRST(&c->idle);
    if (t == NULL) {
        return http_transfer_new(c);
    }
    TAILQ_REMOVE(&c->idle, t, link);
    t->target = NULL;
    t->first_byte_us = 0;
    t->body = HTTP_BODY_UNKNOWN;
    t->begun = false;
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
    ASSERT(request->stream == NULL || request->idle_ms > 0);
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

/* Any of the variables that count. */
static bool http_proxy_is_set(void) {
    static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
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
    c->no_proxy = options->public_only || !http_proxy_is_set();
    c->public_only = options->public_only;
    c->http_proxy = c->no_proxy || http_env("http_proxy") != NULL ? NULL : http_env("HTTP_PROXY");
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
