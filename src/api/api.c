/* The thread: it reads the keys, listens, and serves until it is told to stop.
 *
 *     api_start ─► thread: read keys ─► listen ─► told: started ─► serve ─► told: stop ─► drain ─►
 * end
 *
 * When it stops, requests lose their connections at once; what the store still has of them comes
 * back before the loop ends.
 */
#include "api/call.h"
#include "api/follow.h"
#include "api/signature.h"
#include "api/views.h"
#include "api/webhooks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/builtin.h"
#include "store/store_job.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_BOOT_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define API_STALL_SECONDS 60
#define API_INPUT_MS 10000
#define API_KEYS_AGAIN_MS 500 /* a key may be good here that was revoked elsewhere */

/* What a client gets that does not send its request in time. */
#define API_TIMEOUT_BODY                                                                           \
    "{\"type\":\"/docs#request_timeout\",\"title\":\"Request Timeout\",\"status\":408,"            \
    "\"detail\":\"The request did not come in "                                                    \
    "time.\",\"code\":\"request_timeout\",\"retryable\":true}"
#define API_TIMEOUT_HEAD                                                                           \
    "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\n"                   \
    "connection: close\r\ncontent-length: %zu\r\n\r\n%s"

static void api_started(struct api *api, enum err e) {
    (void)pthread_mutex_lock(&api->start.lock); /* cannot fail: a plain mutex, initialised */
    api->start.known = true;
    api->start.err = e;
    (void)pthread_cond_signal(&api->start.changed);
    (void)pthread_mutex_unlock(&api->start.lock);
}

static bool api_is_near(const struct httpd_listen *l) {
    struct in_addr v4;
    struct in6_addr v6;
    if (l->fd >= 0 || l->unix_path != NULL) {
        return true; /* whoever handed the socket over has decided */
    }
    if (inet_pton(AF_INET, l->address, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return inet_pton(AF_INET6, l->address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static enum err api_listen(struct api *api) {
    const struct api_options *o = &api->o;
    api->near = api_is_near(&o->listen);
    if (!api->auth.any && !api->near && !o->open_elsewhere && !o->health_only) {
        return errinfo_set(&api->start.why, ERR_AUTH,
                           "everybody who can reach %s could spend your money: make a key first, "
                           "`stumper keys add NAME --scopes submit,read,admin --store STORE`, "
                           "or listen on 127.0.0.1",
                           o->listen.address);
    }
    (void)snprintf(api->timeout_reply, sizeof api->timeout_reply, API_TIMEOUT_HEAD,
                   sizeof API_TIMEOUT_BODY - 1, API_TIMEOUT_BODY);
    const struct httpd_options options = {
        .listen = o->listen,
        .tls_cert = o->tls_cert,
        .tls_key = o->tls_key,
        .handler = &call_handler,
        .ctx = api,
        .state_bytes = sizeof(struct call),
        .body_bytes_max = o->body_bytes_max,
        .stream_bytes_max = API_STREAM_BYTES_MAX,
        .connections_max = o->connections_max,
        .stall_s = API_STALL_SECONDS,
        .input_ms = API_INPUT_MS,
        .timeout_reply = api->timeout_reply,
    };
    enum err e = httpd_new(&options, &api->httpd, &api->start.why);
    if (e == ERR_OK) {
        httpd_attach(api->httpd, api->loop);
    }
    return e;
}

/* --- keys: read at the start, and whenever one changed */

struct keys_read {
    struct store_key_list op;
    struct task *task;
};

static void api_read_keys(void *ctx);

static void api_on_keys(struct store_op *op) {
    struct keys_read *read = CONTAINER_OF(op, struct keys_read, op.op);
    struct api *api = read->task->api;
    enum err e = op->err;
    bool first = !api->start.known;
    api->auth.reading = false;
    if (e == ERR_OK) {
        auth_take(&api->auth, read->op.ret, read->op.ret_n);
        call_end_refused(api);
        e = first ? api_listen(api) : ERR_OK;
    } else if (first) {
        api->start.why = op->detail;
    } else {
        log_error("cannot read the API keys: %s; trying again", errinfo_text(&op->detail, e));
        api->auth.again = false;
        loop_timer_start(api->loop, &api->auth.retry, API_KEYS_AGAIN_MS, api_read_keys, api);
    }
    task_free(read->task);
    if (first) {
        api_started(api, e);
    }
    if (api->auth.again) {
        api_read_keys(api);
    }
}

static void api_read_keys(void *ctx) {
    struct api *api = ctx;
    if (api->stopping) {
        return;
    }
    api->auth.again = api->auth.reading;
    if (api->auth.reading) {
        return;
    }
    struct task *t = task_new(api, NULL);
    struct keys_read *read = ARENA_NEW(&t->a, struct keys_read);
    api->auth.reading = true;
    loop_timer_stop(&api->auth.retry);
    read->task = t;
    read->op = (struct store_key_list){.op = {.loop = api->loop, .done = api_on_keys}, .a = &t->a};
    store_key_list(api->o.store, &read->op);
}

/* --- news, the end */

static void api_on_news(void *ctx, const struct store_news *news) {
    struct api *api = ctx;
    if (news->keys) {
        api_read_keys(api);
    }
    if (news->outbox) {
        webhooks_wake(api->webhooks);
    }
    views_on_news(api->views, news);
    follows_on_news(api->follows, news);
}

/* What is left are operations that the store has; the loop ends with the last of them. */
static void api_on_stop(struct loop_msg *msg) {
    struct api *api = CONTAINER_OF(msg, struct api, stop);
    api->stopping = true;
    if (api->httpd != NULL) {
        httpd_free(api->httpd);
        api->httpd = NULL;
    }
    loop_timer_stop(&api->auth.retry);
    webhooks_stop(api->webhooks);
    views_stop(api->views);
    if (api->watch != NULL) {
        store_unwatch(api->watch);
    }
    loop_unhold(api->loop);
}

static void *api_main(void *ctx) {
    struct api *api = ctx;
    (void)pthread_setname_np(pthread_self(), "api"); /* for people who look at threads */
    api->loop = loop_new();
    loop_hold(api->loop);
    api->views = views_new(api);
    api->follows = follows_new(api);
    api->webhooks = webhooks_new(api);
    api->watch = store_watch(api->o.store, api->loop, api_on_news, api);
    api_read_keys(api);
    webhooks_wake(api->webhooks);
    loop_run(api->loop);
    webhooks_free(api->webhooks);
    follows_free(api->follows);
    views_free(api->views);
    loop_free(api->loop);
    return NULL;
}

static void api_free(struct api *api) {
    while (api->idle_tasks != NULL) {
        struct task *next = api->idle_tasks->next;
        arena_release(&api->idle_tasks->a);
        free(api->idle_tasks);
        api->idle_tasks = next;
    }
    auth_release(&api->auth);
    buffers_release(&api->buffers);
    arena_release(&api->boot);
    (void)pthread_mutex_destroy(&api->start.lock); /* nobody waits any more */
    (void)pthread_cond_destroy(&api->start.changed);
    free(api);
}

static void api_taxonomy(struct api *api) {
    const struct jnode *doc;
    struct jcheck check;
    struct jwrite w;
    struct sbuf text;
    struct arena tree;
    arena_init(&tree, API_BOOT_BYTES_MAX);
    jcheck_init(&check, &tree);
    ASSERT(jnode_parse(builtin_taxonomy(), &tree, &doc, NULL) == ERR_OK);
    ASSERT(taxonomy_read(&check, jcheck_root(doc), &api->boot, &api->taxonomy));
    arena_release(&tree);
    sbuf_init(&text, API_BOOT_BYTES_MAX);
    jwrite_init(&w, &text);
    taxonomy_write(&api->taxonomy, &w);
    api->taxonomy_text = str_dup(&api->boot, sbuf_str(&text));
    sbuf_release(&text);
}

static struct api *api_new(const struct api_options *options) {
    struct api *api = mem_new(sizeof *api);
    api->o = *options;
    api->o.body_bytes_max =
        options->body_bytes_max > 0 ? options->body_bytes_max : API_BODY_BYTES_DEFAULT;
    api->o.connections_max =
        options->connections_max > 0 ? options->connections_max : API_CONNECTIONS_DEFAULT;
    api->stop.fn = api_on_stop;
    arena_init(&api->boot, API_BOOT_BYTES_MAX);
    buffers_init(&api->buffers, API_ANSWER_BYTES_MAX);
    meters_init(&api->meters, options->metrics);
    uint64_t seed;
    rng_os(&seed, sizeof seed);
    rng_init(&api->rng, seed);
    api_taxonomy(api);
    ASSERT(pthread_mutex_init(&api->start.lock, NULL) == 0);
    ASSERT(pthread_cond_init(&api->start.changed, NULL) == 0);
    return api;
}

enum err api_start(const struct api_options *options, struct api **ret, struct errinfo *reterr) {
    struct signature_secrets secrets;
    if (options->webhook_secrets != NULL) {
        enum err e = signature_read(str_of(options->webhook_secrets), &secrets, reterr);
        explicit_bzero(&secrets, sizeof secrets);
        if (e != ERR_OK) {
            return e;
        }
    }
    struct api *api = api_new(options);
    ASSERT(pthread_create(&api->thread, NULL, api_main, api) == 0);
    (void)pthread_mutex_lock(&api->start.lock);
    while (!api->start.known) {
        (void)pthread_cond_wait(&api->start.changed, &api->start.lock);
    }
    (void)pthread_mutex_unlock(&api->start.lock);
    if (api->start.err != ERR_OK) {
        enum err e = errinfo_set(reterr, api->start.err, "%s",
                                 errinfo_text(&api->start.why, api->start.err));
        api_stop(api);
        return e;
    }
    *ret = api;
    return ERR_OK;
}

int api_port(const struct api *a) {
    return httpd_port(a->httpd);
}

void api_drain(struct api *a) {
    atomic_store(&a->draining, true);
}

void api_stop(struct api *a) {
    loop_post(a->loop, &a->stop);
    (void)pthread_join(a->thread, NULL); /* it is there and nobody else joins it */
    api_free(a);
}
