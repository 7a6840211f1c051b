/* The store's outbox has the truth: a webhook is taken, tried once, and the store is told what came
 * of it, with the time of the next try. Nothing is remembered here, so a crash costs a second try.
 *
 *     news, timer, a free place ─► take ─► sign, send ─► answer ─► tell ─► freed; take more
 */
#include "api/webhooks.h"

#include "api/call.h"
#include "api/signature.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http.h"
#include "store/store_outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEBHOOK_CONNECT_MS 10000
#define WEBHOOK_REPLY_BYTES_MAX ((size_t)64 * 1024)
#define WEBHOOK_RETRY_AFTER_S_MAX 86400
#define WEBHOOK_CLIENT_USES 1000 /* a client remembers every URL: after so many, a new one */
#define WEBHOOK_PROBLEM_BYTES 200
#define WEBHOOK_RETAKE_MS 5000 /* after the store failed */
#define MS_PER_S INT64_C(1000)

/* What was taken at once; the rows are in its arena. */
struct webhook_batch {
    struct task *task;
    size_t left; /* deliveries of it that are not over */
    struct store_outbox_take op;
};

struct webhook {
    struct webhooks *webhooks;
    struct webhook_batch *batch;
    const struct outbox_row *row;
    char id[STORE_ID_BYTES + 32], time[48], signature[SIGNATURE_HEADER_BYTES + 32];
    const char *headers[5];
    struct http_request request;
    char problem[WEBHOOK_PROBLEM_BYTES];
    struct store_outbox_tell tell;
};

struct webhooks {
    struct api *api;
    struct http_client *client; /* NULL until the first */
    int64_t uses;               /* of this client */
    struct signature_secrets secrets;
    size_t busy; /* deliveries that are not over */
    bool taking, again, stopped;
    struct loop_timer next;
};

struct webhooks *webhooks_new(struct api *api) {
    struct webhooks *w = mem_new(sizeof *w);
    w->api = api;
    if (api->o.webhook_secrets != NULL) {
        ASSERT(signature_read(str_of(api->o.webhook_secrets), &w->secrets, NULL) == ERR_OK);
    }
    return w;
}

static void webhooks_on_timer(void *ctx) {
    webhooks_wake(ctx);
}

bool webhooks_secret(const struct webhooks *w, const char *key_id, char *ret) {
    struct signature_secrets secrets;
    if (w->secrets.n == 0) {
        return false;
    }
    signature_derive(&w->secrets, key_id, &secrets);
    signature_text(&secrets, ret);
    explicit_bzero(&secrets, sizeof secrets);
    return true;
}

/* --- after a try */

static void webhook_on_told(struct store_op *op) {
    struct webhook *hook = CONTAINER_OF(op, struct webhook, tell.op);
    struct webhooks *w = hook->webhooks;
    struct webhook_batch *batch = hook->batch;
    struct metric *meters[] = {[OUTBOX_DELIVERED] = w->api->meters.delivered,
                               [OUTBOX_RETRY] = w->api->meters.retried,
                               [OUTBOX_GIVEN_UP] = w->api->meters.given_up};
    metric_add(meters[hook->tell.end], 1); /* only now: the outbox agrees */
    if (op->err != ERR_OK && op->err != ERR_NOT_FOUND) {
        log_error("webhook %s: %s", hook->row->id, errinfo_text(&op->detail, op->err));
    }
    w->busy--;
    if (--batch->left == 0) {
        task_free(batch->task);
    }
    webhooks_wake(w);
}

static void webhook_tell(struct webhook *hook, enum outbox_end end, int64_t retry_s) {
    struct api *api = hook->webhooks->api;
    if (end == OUTBOX_GIVEN_UP) {
        log_warn("webhook %s of %s is given up: %s", hook->row->id, hook->row->job_id,
                 hook->problem);
    }
    hook->tell = (struct store_outbox_tell){
        .op = {.loop = api->loop, .done = webhook_on_told},
        .number = hook->row->number,
        .end = end,
        .retry_in_ms = retry_s * MS_PER_S,
        .problem = str_of(hook->problem),
    };
    store_outbox_tell(api->o.store, &hook->tell);
}

/* Seconds that the receiver asks for; dates are not read: the schedule is polite enough. */
static int64_t webhook_retry_after_s(const struct http_reply *reply) {
    int64_t s;
    struct str text = http_reply_header(reply, S("retry-after"));
    return str_to_i64(text, &s) && s > 0 ? MIN(s, (int64_t)WEBHOOK_RETRY_AFTER_S_MAX) : 0;
}

static void webhook_on_reply(void *ctx, const struct http_reply *reply) {
    struct webhook *hook = ctx;
    struct api *api = hook->webhooks->api;
    if (reply->err != ERR_OK) {
        (void)snprintf(hook->problem, sizeof hook->problem, "%.*s", WEBHOOK_PROBLEM_BYTES - 1,
                       reply->detail.text);
    } else if (reply->status < 200 || reply->status > 299) {
        (void)snprintf(hook->problem, sizeof hook->problem, "status %d", reply->status);
    }
    bool unwanted = reply->err == ERR_INVALID || reply->err == ERR_REJECTED ||
                    (reply->err == ERR_OK && reply->status == 410);
    int64_t retry_s = signature_retry_s(hook->row->tries + 1, rng_unit(&api->rng));
    if (reply->err == ERR_OK && hook->problem[0] == '\0') {
        webhook_tell(hook, OUTBOX_DELIVERED, 0);
    } else if (unwanted || retry_s < 0) {
        webhook_tell(hook, OUTBOX_GIVEN_UP, 0);
    } else {
        webhook_tell(hook, OUTBOX_RETRY, MAX(retry_s, webhook_retry_after_s(reply)));
    }
}

/* --- a try */

static struct http_client *webhooks_client(struct webhooks *w) {
    if (w->client != NULL && w->uses >= WEBHOOK_CLIENT_USES && http_in_flight(w->client) == 0) {
        http_free(w->client);
        w->client = NULL;
    }
    if (w->client == NULL) {
        const struct http_client_options options = {.in_flight_max = WEBHOOK_AT_ONCE,
                                                    .user_agent = "stumper/" STUMPER_VERSION,
                                                    .public_only = !w->api->o.private_webhooks};
        w->client = http_new(w->api->loop, &options);
        w->uses = 0;
    }
    w->uses++;
    return w->client;
}

static void webhook_send(struct webhook *hook) {
    const struct outbox_row *row = hook->row;
    struct arena *a = &hook->batch->task->a;
    struct http_transfer *transfer;
    int64_t now_s = clock_wall_ms() / MS_PER_S;
    char signature[SIGNATURE_HEADER_BYTES];
    struct signature_secrets secrets;
    signature_derive(&hook->webhooks->secrets, row->key_id, &secrets);
    signature_make(&secrets, row->id, now_s, row->body, a, signature);
    explicit_bzero(&secrets, sizeof secrets);
    (void)snprintf(hook->id, sizeof hook->id, "webhook-id: %s", row->id);
    (void)snprintf(hook->time, sizeof hook->time, "webhook-timestamp: %" PRId64, now_s);
    (void)snprintf(hook->signature, sizeof hook->signature, "webhook-signature: %s", signature);
    hook->headers[0] = "content-type: application/json";
    hook->headers[1] = hook->id;
    hook->headers[2] = hook->time;
    hook->headers[3] = hook->signature;
    hook->request = (struct http_request){
        .method = "POST",
        .url = str_cstr(a, row->url),
        .headers = hook->headers,
        .body = row->body,
        .connect_ms = WEBHOOK_CONNECT_MS,
        .first_byte_ms = WEBHOOK_TIMEOUT_MS,
        .total_ms = WEBHOOK_TIMEOUT_MS,
        .body_bytes_max = WEBHOOK_REPLY_BYTES_MAX,
    };
    enum err e = http_send(webhooks_client(hook->webhooks), &hook->request, webhook_on_reply, hook,
                           &transfer);
    ASSERT(e == ERR_OK); /* no more are taken than may be in flight */
}

static void webhooks_deliver(struct webhooks *w, struct webhook_batch *batch) {
    struct webhook *hooks = ARENA_ARRAY(&batch->task->a, struct webhook, batch->op.ret_n);
    batch->left = batch->op.ret_n;
    w->busy += batch->op.ret_n;
    for (size_t i = 0; i < batch->op.ret_n; i++) {
        hooks[i].webhooks = w;
        hooks[i].batch = batch;
        hooks[i].row = &batch->op.ret[i];
        webhook_send(&hooks[i]);
    }
}

/* --- taking */

static void webhooks_on_taken(struct store_op *op) {
    struct webhook_batch *batch = CONTAINER_OF(op, struct webhook_batch, op.op);
    struct api *api = batch->task->api;
    struct webhooks *w = api->webhooks;
    int64_t next_in_ms = batch->op.ret_next_in_ms;
    enum err e = op->err;
    w->taking = false;
    if (e != ERR_OK) {
        log_error("cannot read the webhooks: %s", errinfo_text(&op->detail, e));
    }
    if (e != ERR_OK || batch->op.ret_n == 0 || w->stopped) {
        task_free(batch->task);
    } else {
        webhooks_deliver(w, batch);
    }
    if (w->stopped) {
        return;
    }
    if (e != ERR_OK) {
        loop_timer_start(api->loop, &w->next, WEBHOOK_RETAKE_MS, webhooks_on_timer, w);
    } else if (w->again) {
        webhooks_wake(w);
    } else if (next_in_ms >= 0 && w->busy < WEBHOOK_AT_ONCE) {
        loop_timer_start(api->loop, &w->next, next_in_ms, webhooks_on_timer, w);
    }
}

/* Without a secret nothing is delivered; what is in the outbox waits for one. */
void webhooks_wake(struct webhooks *w) {
    struct api *api = w->api;
    w->again = w->taking;
    if (w->taking || w->stopped || w->busy == WEBHOOK_AT_ONCE || w->secrets.n == 0) {
        return;
    }
    struct task *t = task_new(api, NULL);
    struct webhook_batch *batch = ARENA_NEW(&t->a, struct webhook_batch);
    batch->task = t;
    batch->op = (struct store_outbox_take){
        .op = {.loop = api->loop, .done = webhooks_on_taken},
        .limit = (int64_t)(WEBHOOK_AT_ONCE - w->busy),
        .a = &t->a,
    };
    w->taking = true;
    loop_timer_stop(&w->next);
    store_outbox_take(api->o.store, &batch->op);
}

void webhooks_stop(struct webhooks *w) {
    w->stopped = true;
    loop_timer_stop(&w->next);
    if (w->client != NULL) {
        http_free(w->client); /* those under way are told of as to be tried again */
        w->client = NULL;
    }
}

void webhooks_free(struct webhooks *w) {
    ASSERT(w->busy == 0);
    explicit_bzero(&w->secrets, sizeof w->secrets);
    free(w);
}
