/* API keys over the API, for those with the scope admin. */
#include "api/call.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/signature.h"
#include "api/webhooks.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define KEYS_REQUESTS_MAX 1000000
#define KEYS_USD_MAX 1000000.0
#define KEYS_TREE_BYTES_MAX ((size_t)4 * 1024 * 1024)

static void keys_render_limits(struct jwrite *w, const struct key_row *k) {
    jwrite_key(w, "requests_per_minute");
    jwrite_int(w, k->requests_per_minute);
    jwrite_key(w, "jobs_max");
    jwrite_int(w, k->jobs_max);
    jwrite_key(w, "usd_per_day");
    jwrite_usd(w, k->day_nusd_max);
}

/* @text: the key itself, or NULL. */
static void keys_render(const struct api *api, struct jwrite *w, const struct key_row *k,
                        const char *text) {
    char secret[SIGNATURE_TEXT_BYTES];
    jwrite_object(w);
    jwrite_key(w, "id");
    jwrite_cstr(w, k->id);
    jwrite_key(w, "name");
    jwrite_cstr(w, k->name);
    if (text != NULL) {
        jwrite_key(w, "key");
        jwrite_cstr(w, text);
    }
    jwrite_key(w, "webhook_secret");
    jwrite_cstr(w, webhooks_secret(api->webhooks, k->id, secret) ? secret : NULL);
    jwrite_key(w, "scopes");
    jwrite_array(w);
    for (unsigned bit = 1; bit <= STORE_SCOPE_ADMIN; bit <<= 1) {
        if ((k->scopes & bit) != 0) {
            jwrite_cstr(w, key_scope_name(bit));
        }
    }
    jwrite_end(w);
    keys_render_limits(w, k);
    render_time(w, "created_at", k->created_ms);
    render_time(w, "revoked_at", k->revoked_ms);
    jwrite_end(w);
}

/* --- list */

struct keys_page {
    struct task *task;
    struct store_key_list op;
};

static void keys_on_list(struct store_op *op) {
    struct keys_page *page = CONTAINER_OF(op, struct keys_page, op.op);
    struct call *c = page->task->call;
    if (c != NULL && op->err == ERR_OK) {
        struct jwrite *w = call_list(c);
        for (size_t i = 0; i < page->op.ret_n; i++) {
            keys_render(c->api, w, &page->op.ret[i], NULL);
        }
        call_send_list(c);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(page->task);
}

void keys_list(struct call *c) {
    struct task *t = task_new(c->api, c);
    struct keys_page *page = ARENA_NEW(&t->a, struct keys_page);
    page->task = t;
    page->op =
        (struct store_key_list){.op = {.loop = c->api->loop, .done = keys_on_list}, .a = &t->a};
    store_key_list(c->api->o.store, &page->op);
}

/* --- add */

struct keys_addition {
    struct task *task;
    char text[KEY_TEXT_BYTES];
    struct store_key_add op;
};

/* @first: there is no key yet, and this one closes the server to all that have none. */
static unsigned keys_read_scopes(struct jcheck *check, struct jplace root, bool first) {
    struct jplace place = jcheck_member(check, root, "scopes");
    unsigned scopes = 0;
    if (!jcheck_is(check, place, JNODE_ARRAY, false)) {
        scopes = STORE_SCOPE_SUBMIT | STORE_SCOPE_READ;
    }
    for (size_t i = 0; i < jnode_len(place.node); i++) {
        struct jplace one = jcheck_element(check, place, i);
        unsigned scope = key_scope_from_name(jnode_str(one.node));
        if (scope == 0) {
            jcheck_fail(check, one.pointer, "must be \"submit\", \"read\" or \"admin\"");
        }
        scopes |= scope;
    }
    if (scopes == 0) {
        jcheck_fail(check, place.pointer, "must name at least one scope");
    } else if (first && (scopes & STORE_SCOPE_ADMIN) == 0) {
        jcheck_fail(check, place.pointer,
                    "must hold \"admin\": this is the first key, and without it "
                    "nobody could make another");
    }
    return scopes;
}

static bool keys_read(struct call *c, struct key_row *k) {
    static const char *const known[] = {"name",     "scopes",      "requests_per_minute",
                                        "jobs_max", "usd_per_day", NULL};
    const struct jnode *doc;
    struct jnode_where where;
    struct errinfo why = {0};
    struct arena tree;
    struct jcheck check;
    arena_init(&tree, KEYS_TREE_BYTES_MAX);
    enum err e = jnode_parse_where(sbuf_str(c->q->body), &tree, &doc, &where, &why);
    if (e != ERR_OK) {
        problem_send_json(c, &where, errinfo_text(&why, e));
        arena_release(&tree);
        return false;
    }
    jcheck_init(&check, &tree);
    struct jplace root = jcheck_root(doc);
    if (jcheck_is(&check, root, JNODE_OBJECT, true)) {
        jcheck_known(&check, root, known);
        struct str name = jcheck_str(&check, root, "name", STORE_KEY_NAME_BYTES - 1);
        if (name.n == 0 && check.n == 0) {
            jcheck_fail(&check, "/name", "is missing: a name tells people whose key it is");
        }
        (void)snprintf(k->name, sizeof k->name, "%.*s", STR_ARG(name));
        k->scopes = keys_read_scopes(&check, root, !c->api->auth.any);
        k->requests_per_minute =
            jcheck_int(&check, root, "requests_per_minute", 0, KEYS_REQUESTS_MAX, 0);
        k->jobs_max = jcheck_int(&check, root, "jobs_max", 0, INT32_MAX, 0);
        k->day_nusd_max = (int64_t)(jcheck_real(&check, root, "usd_per_day", 0, KEYS_USD_MAX, 0) *
                                    (double)NUSD_PER_USD);
    }
    if (check.n > 0) {
        problem_send_check(c, &check, doc);
    }
    arena_release(&tree);
    return check.n == 0;
}

/* Whoever asked may be gone and have no key now, but whoever has the store can make one. */
static void keys_tell_first(const struct key_row *k, bool gone) {
    log_warn("%s is the first key: from now on every request needs one%s. Should it be lost: stop "
             "the service, `stumper keys add NAME --scopes submit,read,admin --store STORE`, "
             "and start it again",
             k->id, gone ? ". Who asked for it is gone and has not got it" : "");
}

static void keys_on_added(struct store_op *op) {
    struct keys_addition *add = CONTAINER_OF(op, struct keys_addition, op.op);
    struct call *c = add->task->call;
    struct api *api = add->task->api;
    if (op->err == ERR_OK) {
        if (!api->auth.any) {
            keys_tell_first(&add->op.key, c == NULL);
        }
        auth_take(&api->auth, &add->op.key, 1);
        call_end_refused(api);
    }
    if (c != NULL && op->err == ERR_OK) {
        keys_render(api, call_json(c), &add->op.key, add->text);
        call_send_json(c, 201);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    explicit_bzero(add->text, sizeof add->text);
    task_free(add->task);
}

void keys_add(struct call *c) {
    struct task *t = task_new(c->api, c);
    struct keys_addition *add = ARENA_NEW(&t->a, struct keys_addition);
    struct key_row *k = &add->op.key;
    add->task = t;
    if (!keys_read(c, k)) {
        task_free(t);
        return;
    }
    key_new(add->text);
    key_hash(str_of(add->text), k->hash);
    id_new("key", k->id);
    add->op.op = (struct store_op){.loop = c->api->loop, .done = keys_on_added};
    store_key_add(c->api->o.store, &add->op);
}

/* --- revoke */

struct keys_revocation {
    struct task *task;
    char id[STORE_ID_BYTES];
    struct store_key_revoke op;
};

static void keys_on_revoked(struct store_op *op) {
    struct keys_revocation *r = CONTAINER_OF(op, struct keys_revocation, op.op);
    struct call *c = r->task->call;
    if (op->err == ERR_OK) {
        auth_revoke(&r->task->api->auth, str_of(r->id), clock_wall_ms());
        call_end_refused(r->task->api);
    }
    if (c != NULL && op->err == ERR_OK) {
        call_send(c, call_response(c, 204, NULL));
    } else if (c != NULL && op->err == ERR_NOT_FOUND) {
        problem_send(c, PROBLEM_NOT_FOUND, "There is no such key.");
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(r->task);
}

void keys_revoke(struct call *c) {
    struct task *t = task_new(c->api, c);
    struct keys_revocation *r = ARENA_NEW(&t->a, struct keys_revocation);
    r->task = t;
    (void)snprintf(r->id, sizeof r->id, "%s", c->id);
    r->op = (struct store_key_revoke){.op = {.loop = c->api->loop, .done = keys_on_revoked},
                                      .id = r->id};
    store_key_revoke(c->api->o.store, &r->op);
}
