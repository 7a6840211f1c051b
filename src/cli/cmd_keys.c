/* stumper keys: who may use a service. Through the service while it runs, through its store's file
 * (--store) while it does not: the store has one owner at a time. */
#include "api/key.h"
#include "base/clock.h"
#include "base/id.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/grid.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEYS_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define KEYS_TEXT_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct keys {
    struct arena arena;
    struct client client;
    struct opt_result options;
    const char *store, *scopes;
    int64_t rpm, jobs_max, day_nusd_max;
    bool json;
    struct errinfo why;
};

static void keys_print_new(const char *id, const char *text) {
    (void)printf("%s\n", text);
    (void)fprintf(
        stderr,
        "stumper: that is the key %s; it is not stored and cannot be shown again. Clients "
        "send it as Authorization: Bearer …; stumper's own commands take it from "
        "STUMPER_API_KEY.\n",
        id);
}

/* "submit,read" as bits. */
static enum err keys_read_scopes(struct keys *k, unsigned *ret) {
    struct str left = str_of(k->scopes);
    *ret = 0;
    while (left.n > 0) {
        struct str name = str_trim(str_split(&left, ','));
        unsigned bit = key_scope_from_name(name);
        if (bit == 0) {
            return errinfo_set(&k->why, ERR_USAGE,
                               "--scopes: '%.*s' is none of submit, read, admin", STR_ARG(name));
        }
        *ret |= bit;
    }
    return ERR_OK;
}

/* --- through the store's file */

struct keys_direct {
    struct keys *keys;
    struct loop *loop;
    struct store_key_add op;
};

static void keys_on_added(struct store_op *op) {
    struct keys_direct *d = CONTAINER_OF(op, struct keys_direct, op.op);
    loop_stop(d->loop);
}

static enum err keys_add_direct(struct keys *k, struct store *store, const char *name,
                                unsigned scopes) {
    char text[KEY_TEXT_BYTES];
    struct keys_direct d = {.keys = k, .loop = loop_new()};
    d.op = (struct store_key_add){.op = {.loop = d.loop, .done = keys_on_added},
                                  .key = {.scopes = scopes,
                                          .requests_per_minute = k->rpm,
                                          .jobs_max = k->jobs_max,
                                          .day_nusd_max = k->day_nusd_max}};
    key_new(text);
    key_hash(str_of(text), d.op.key.hash);
    id_new("key", d.op.key.id);
    (void)snprintf(d.op.key.name, sizeof d.op.key.name, "%s", name);
    store_key_add(store, &d.op);
    loop_run(d.loop);
    loop_free(d.loop);
    if (d.op.op.err != ERR_OK) {
        return errinfo_set(&k->why, d.op.op.err, "%s", errinfo_text(&d.op.op.detail, d.op.op.err));
    }
    keys_print_new(d.op.key.id, text);
    return ERR_OK;
}

/* A key for a service that does not run. */
static enum err keys_add_to_file(struct keys *k, const char *name) {
    const char *path = strncmp(k->store, "sqlite:", 7) == 0 ? k->store + 7 : k->store;
    struct store *store;
    unsigned scopes;
    enum err e = keys_read_scopes(k, &scopes);
    if (e == ERR_OK) {
        e = store_open(path, NULL, &store, &k->why);
    }
    if (e == ERR_BUSY) {
        return errinfo_wrap(&k->why, e, "the service runs (leave --store out)");
    }
    if (e == ERR_OK) {
        e = keys_add_direct(k, store, name, scopes);
        store_close(store);
    }
    return e;
}

/* --- through the service */

static struct str keys_request(struct keys *k, const char *name) {
    struct sbuf text;
    struct jwrite w;
    struct str left = str_of(k->scopes);
    sbuf_init(&text, 4096);
    jwrite_init(&w, &text);
    jwrite_object(&w);
    jwrite_key(&w, "name");
    jwrite_cstr(&w, name);
    jwrite_key(&w, "scopes");
    jwrite_array(&w);
    while (left.n > 0) {
        jwrite_str(&w, str_trim(str_split(&left, ',')));
    }
    jwrite_end(&w);
    jwrite_key(&w, "requests_per_minute");
    jwrite_int(&w, k->rpm);
    jwrite_key(&w, "jobs_max");
    jwrite_int(&w, k->jobs_max);
    jwrite_key(&w, "usd_per_day");
    jwrite_usd(&w, k->day_nusd_max);
    jwrite_end(&w);
    struct str body = str_dup(&k->arena, sbuf_str(&text));
    sbuf_release(&text);
    return body;
}

static enum err keys_add(struct keys *k, const char *name) {
    struct client_reply reply;
    enum err e = client_ask(&k->client, "POST", "/keys", keys_request(k, name), &reply, &k->why);
    struct str secret = e == ERR_OK ? jnode_get_str(reply.json, "webhook_secret") : S("");
    if (e == ERR_OK) {
        keys_print_new(str_cstr(&k->arena, jnode_get_str(reply.json, "id")),
                       str_cstr(&k->arena, jnode_get_str(reply.json, "key")));
    }
    if (secret.n > 0) {
        (void)fprintf(stderr, "stumper: webhooks of its jobs are signed with %.*s\n",
                      STR_ARG(secret));
    }
    return e;
}

static void keys_limit(struct grid *t, const struct jnode *limit) {
    double n = jnode_real(limit, 0);
    n > 0 ? grid_cell(t, "%.10g", n) : grid_cell(t, "-");
}

static void keys_print(struct keys *k, const struct jnode *data) {
    static const char *const heads[] = {"key",  "name",        "scopes",  "requests/min",
                                        "jobs", "dollars/day", "created", "revoked"};
    struct grid t;
    struct sbuf out;
    grid_init(&t, &k->arena, "lllrrrll");
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        grid_cell(&t, "%s", heads[i]);
    }
    for (size_t i = 0; i < jnode_len(data); i++) {
        const struct jnode *key = jnode_at(data, i), *scopes = jnode_get(key, "scopes");
        struct sbuf joined;
        sbuf_init(&joined, 256);
        for (size_t s = 0; s < jnode_len(scopes); s++) {
            sbuf_addf(&joined, "%s%.*s", s > 0 ? "," : "", STR_ARG(jnode_str(jnode_at(scopes, s))));
        }
        grid_cell(&t, "%.*s", STR_ARG(jnode_get_str(key, "id")));
        grid_cell(&t, "%.*s", STR_ARG(jnode_get_str(key, "name")));
        grid_cell(&t, "%s", sbuf_str(&joined).p);
        keys_limit(&t, jnode_get(key, "requests_per_minute"));
        keys_limit(&t, jnode_get(key, "jobs_max"));
        keys_limit(&t, jnode_get(key, "usd_per_day"));
        grid_cell(&t, "%.*s", STR_ARG(str_take(jnode_get_str(key, "created_at"), 19)));
        grid_cell(&t, "%.*s", STR_ARG(str_take(jnode_get_str(key, "revoked_at"), 19)));
        sbuf_release(&joined);
    }
    sbuf_init(&out, KEYS_TEXT_BYTES_MAX);
    grid_write(&t, 0, &out);
    (void)fputs(sbuf_str(&out).p, stdout);
    sbuf_release(&out);
}

static enum err keys_list(struct keys *k) {
    struct client_reply reply;
    enum err e = client_ask(&k->client, "GET", "/keys", S(""), &reply, &k->why);
    if (e == ERR_OK && k->json) {
        (void)printf("%.*s\n", STR_ARG(reply.body));
    } else if (e == ERR_OK) {
        keys_print(k, jnode_get(reply.json, "data"));
    }
    return e;
}

static enum err keys_revoke(struct keys *k, const char *id) {
    struct client_reply reply;
    enum err e = client_ask(&k->client, "DELETE", str_fmt(&k->arena, "/keys/%s", id).p, S(""),
                            &reply, &k->why);
    if (e == ERR_OK) {
        (void)printf("%s is revoked; its jobs go on\n", id);
    }
    return e;
}

/* --- the command */

static int keys_run(struct keys *k) {
    const char *action = k->options.args[0];
    const char *arg = k->options.args_n > 1 ? k->options.args[1] : NULL;
    bool add = strcmp(action, "add") == 0, list = strcmp(action, "list") == 0;
    bool revoke = strcmp(action, "revoke") == 0;
    if (!add && !list && !revoke) {
        return cmd_fail("keys", EXIT_USAGE, "'%s' is none of add, list, revoke", action);
    }
    if (list != (arg == NULL)) {
        return cmd_fail("keys", EXIT_USAGE, "%s",
                        list ? "list takes no argument"
                             : (add ? "add wants a name for the key: whose it is"
                                    : "revoke wants a key's id; stumper keys list shows them"));
    }
    if (k->store != NULL && !add) {
        return cmd_fail("keys", EXIT_USAGE, "--store goes with add alone");
    }
    enum err e;
    if (k->store != NULL) {
        e = keys_add_to_file(k, arg);
    } else {
        client_init(&k->client, &k->arena);
        e = add ? keys_add(k, arg) : list ? keys_list(k) : keys_revoke(k, arg);
        client_release(&k->client);
    }
    return e == ERR_OK ? EXIT_DONE
                       : cmd_fail("keys", e == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s",
                                  errinfo_text(&k->why, e));
}

int cmd_keys(int argc, char **argv) {
    struct keys k = {0};
    const struct opt rows[] = {
        {.group = "New keys",
         .name = "scopes",
         .kind = OPT_STR,
         .value = "LIST",
         .to = &k.scopes,
         .otherwise = "submit,read",
         .argv_only = true,
         .help = "what it may do: submit, read, admin; the first key must have admin"},
        {.name = "rpm",
         .kind = OPT_INT,
         .value = "N",
         .to = &k.rpm,
         .max = 1000000,
         .argv_only = true,
         .help = "requests a minute; without it no limit"},
        {.name = "max-jobs",
         .kind = OPT_INT,
         .value = "N",
         .to = &k.jobs_max,
         .max = 1000000,
         .argv_only = true,
         .help = "jobs that have not ended; without it no limit"},
        {.name = "usd-per-day",
         .kind = OPT_MONEY,
         .value = "USD",
         .to = &k.day_nusd_max,
         .argv_only = true,
         .help = "what its jobs may spend in a day (UTC); without it no limit"},
        {.name = "store",
         .kind = OPT_STR,
         .value = "STORE",
         .to = &k.store,
         .argv_only = true,
         .help = "add: write into the store of a service that does not run"},
        {.name = "json",
         .kind = OPT_FLAG,
         .to = &k.json,
         .argv_only = true,
         .help = "list: as JSON"},
        client_row(&k.client),
    };
    const struct opt_command command = {
        .name = "keys",
        .summary = "who may use a service",
        .args = "add NAME | list | revoke KEY_ID",
        .about = "As soon as a service has one key, every request needs a good one. add prints the "
                 "new key, once: only its digest is stored. A key sees its own jobs; one with the "
                 "scope admin sees all and manages keys.",
        .examples =
            "  stumper keys add me --scopes submit,read,admin --store sqlite:stumper.db\n"
            "  STUMPER_API_KEY=sk-stumper-… stumper keys add ci --rpm 600 --usd-per-day 20\n"
            "  STUMPER_API_KEY=sk-stumper-… stumper keys revoke key_0199f3a2c4d5\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 2,
    };
    int code;
    arena_init(&k.arena, KEYS_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &k.arena, &k.options, &code)) {
        code = keys_run(&k);
    }
    arena_release(&k.arena);
    return code;
}
