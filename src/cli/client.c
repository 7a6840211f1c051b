#include "cli/client.h"

#include "base/log.h"
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#define CLIENT_CONNECT_MS 5000
#define CLIENT_TOTAL_MS 700000 /* longer than the longest Prefer: wait */
#define CLIENT_ERROR_BYTES_MAX ((size_t)64 * 1024)

struct client_wait {
    struct client *client;
    struct client_reply *reply;
    struct errinfo *reterr;
    enum err err;
};

struct opt client_row(struct client *c) {
    return (struct opt){.group = "Where",
                        .name = "server",
                        .kind = OPT_STR,
                        .value = "URL",
                        .to = &c->server,
                        .otherwise = CLIENT_SERVER_DEFAULT,
                        .help =
                            "the service; its key, if it wants one, comes from STUMPER_API_KEY"};
}

void client_init(struct client *c, struct arena *a) {
    const char *key = cmd_getenv("STUMPER_API_KEY");
    c->a = a;
    if (key != NULL) {
        log_add_secret(str_of(key));
        c->auth = str_fmt(a, "Authorization: Bearer %s", key).p;
    }
    c->loop = loop_new();
    c->http = http_new(c->loop, &(struct http_client_options){
                                    .in_flight_max = 1, .user_agent = "stumper/" STUMPER_VERSION});
}

void client_release(struct client *c) {
    http_free(c->http);
    loop_free(c->loop);
}

/* --- errors */

static enum err client_err_of(int status) {
    switch (status) {
    case 401:
    case 403:
        return ERR_AUTH;
    case 404:
    case 410:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 429:
        return ERR_RATE_LIMIT;
    case 503:
    case 507:
        return ERR_UNAVAILABLE;
    default:
        return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
    }
}

/* "title: detail", then a line for each pointer. */
static enum err client_problem(const struct http_reply *r, const struct jnode *problem,
                               struct errinfo *reterr) {
    struct sbuf text;
    struct str title = jnode_get_str(problem, "title"), detail = jnode_get_str(problem, "detail");
    const struct jnode *errors = jnode_get(problem, "errors");
    sbuf_init(&text, CLIENT_ERROR_BYTES_MAX);
    sbuf_addf(&text, "%.*s%s%.*s", STR_ARG(title), detail.n > 0 ? ": " : "", STR_ARG(detail));
    if (title.n == 0) {
        sbuf_addf(&text, "the server answered %d", r->status);
    }
    for (size_t i = 0; i < jnode_len(errors); i++) {
        const struct jnode *e = jnode_at(errors, i);
        sbuf_addf(&text, "\n  %.*s: %.*s", STR_ARG(jnode_get_str(e, "pointer")),
                  STR_ARG(jnode_get_str(e, "detail")));
    }
    if (r->status == 401) {
        sbuf_add_cstr(&text, "; put a key into STUMPER_API_KEY (stumper keys add makes one)");
    }
    struct str wait = http_reply_header(r, S("Retry-After"));
    if (wait.n > 0) {
        sbuf_addf(&text, " (try again in %.*s s)", STR_ARG(wait));
    }
    enum err e = errinfo_set(reterr, client_err_of(r->status), "%s", sbuf_str(&text).p);
    sbuf_release(&text);
    return e;
}

static enum err client_unreached(const struct client *c, const struct http_reply *r,
                                 struct errinfo *reterr) {
    if (r->err == ERR_NETWORK && !r->sent) {
        return errinfo_set(reterr, r->err,
                           "%s; is it running? `stumper serve` starts one, --server or "
                           "STUMPER_SERVER names another",
                           errinfo_text(&r->detail, r->err));
    }
    return errinfo_set(reterr, r->err, "%s: %s", c->server, errinfo_text(&r->detail, r->err));
}

static void client_done(void *ctx, const struct http_reply *r) {
    struct client_wait *w = ctx;
    struct client *c = w->client;
    const struct jnode *json = NULL;
    struct str body = str_dup(c->a, r->body);
    if (r->err == ERR_OK && jnode_parse(body, c->a, &json, NULL) != ERR_OK) {
        json = NULL;
    }
    if (r->err != ERR_OK) {
        w->err = client_unreached(c, r, w->reterr);
    } else if (r->status < 200 || r->status > 299) {
        w->err = client_problem(r, json, w->reterr);
    } else {
        w->err = ERR_OK;
        *w->reply = (struct client_reply){.status = r->status, .body = body, .json = json};
    }
    loop_stop(c->loop);
}

enum err client_ask(struct client *c, const char *method, const char *path, struct str body,
                    struct client_reply *ret, struct errinfo *reterr) {
    const char *headers[4] = {c->auth};
    size_t n = c->auth != NULL;
    struct http_transfer *transfer;
    struct client_wait w = {.client = c, .reply = ret, .reterr = reterr};
    struct str base = str_of(c->server);
    while (base.n > 0 && base.p[base.n - 1] == '/') {
        base.n--;
    }
    headers[n++] = "Accept: application/json";
    if (body.n > 0) {
        headers[n++] = "Content-Type: application/json";
    }
    headers[n] = NULL;
    struct http_request request = {.method = method,
                                   .url = str_fmt(c->a, "%.*s%s", STR_ARG(base), path).p,
                                   .headers = headers,
                                   .body = body,
                                   .connect_ms = CLIENT_CONNECT_MS,
                                   .first_byte_ms = CLIENT_TOTAL_MS,
                                   .total_ms = CLIENT_TOTAL_MS,
                                   .body_bytes_max = CLIENT_REPLY_BYTES_MAX};
    enum err e = http_send(c->http, &request, client_done, &w, &transfer);
    if (e != ERR_OK) {
        return errinfo_set(reterr, e, "%s", err_text(e));
    }
    loop_run(c->loop);
    return w.err;
}
