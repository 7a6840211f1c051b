/* stumper workers: who works on the jobs of a service, and asking one to go. */
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/grid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORKERS_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define WORKERS_TEXT_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct workers {
    struct arena arena;
    struct client client;
    struct opt_result options;
    bool json;
    struct errinfo why;
};

static enum err workers_ask(struct workers *k, struct client_reply *ret) {
    return client_ask(&k->client, "GET", "/workers", S(""), ret, &k->why);
}

static void workers_print(struct workers *k, const struct jnode *data) {
    static const char *const heads[] = {"id",        "name", "version", "slots",
                                        "in flight", "jobs", "beat",    ""};
    struct grid t;
    struct sbuf out;
    grid_init(&t, &k->arena, "rllrrrrl");
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        grid_cell(&t, "%s", heads[i]);
    }
    for (size_t i = 0; i < jnode_len(data); i++) {
        const struct jnode *w = jnode_at(data, i);
        grid_cell(&t, "%" PRId64, jnode_get_int(w, "id", 0));
        grid_cell(&t, "%.*s", STR_ARG(jnode_get_str(w, "name")));
        grid_cell(&t, "%.*s", STR_ARG(jnode_get_str(w, "version")));
        grid_cell(&t, "%" PRId64, jnode_get_int(w, "slots", 0));
        grid_cell(&t, "%" PRId64, jnode_get_int(w, "in_flight", 0));
        grid_cell(&t, "%" PRId64, jnode_get_int(w, "jobs", 0));
        grid_cell(&t, "%.0f s ago", jnode_real(jnode_get(w, "silent_seconds"), 0));
        grid_cell(&t, "%s", jnode_bool(jnode_get(w, "draining"), false) ? "draining" : "");
    }
    sbuf_init(&out, WORKERS_TEXT_BYTES_MAX);
    grid_write(&t, 0, &out);
    (void)fputs(sbuf_str(&out).p, stdout);
    sbuf_release(&out);
}

static enum err workers_list(struct workers *k) {
    struct client_reply reply;
    enum err e = workers_ask(k, &reply);
    if (e == ERR_OK && k->json) {
        (void)printf("%.*s\n", STR_ARG(reply.body));
    } else if (e == ERR_OK) {
        workers_print(k, jnode_get(reply.json, "data"));
    }
    return e;
}

/* A number is one worker's, a name that of all workers of a process. */
static bool workers_is(const struct jnode *w, struct str given) {
    int64_t number;
    return str_to_i64(given, &number) ? number == jnode_get_int(w, "id", 0)
                                      : str_eq(given, jnode_get_str(w, "name"));
}

static enum err workers_drain(struct workers *k, struct str given) {
    struct client_reply reply, answer;
    enum err e = workers_ask(k, &reply);
    const struct jnode *data = e == ERR_OK ? jnode_get(reply.json, "data") : NULL;
    int64_t n = 0;
    for (size_t i = 0; i < jnode_len(data) && e == ERR_OK; i++) {
        const struct jnode *w = jnode_at(data, i);
        if (workers_is(w, given)) {
            n++;
            e = client_ask(
                &k->client, "POST",
                str_fmt(&k->arena, "/workers/%" PRId64 "/drain", jnode_get_int(w, "id", 0)).p,
                S(""), &answer, &k->why);
        }
    }
    if (e == ERR_OK && n == 0) {
        return errinfo_set(&k->why, ERR_NOT_FOUND,
                           "there is no worker '%.*s'; stumper workers list shows them",
                           STR_ARG(given));
    }
    if (e == ERR_OK) {
        (void)printf("%.*s was asked to go: it takes no attempt any more, finishes what is in "
                     "flight, and leaves its jobs to others\n",
                     STR_ARG(given));
    }
    return e;
}

static int workers_run(struct workers *k) {
    const char *action = k->options.args[0];
    const char *arg = k->options.args_n > 1 ? k->options.args[1] : NULL;
    bool list = strcmp(action, "list") == 0;
    if (!list && strcmp(action, "drain") != 0) {
        return cmd_fail("workers", EXIT_USAGE, "'%s' is none of list, drain", action);
    }
    if (list != (arg == NULL)) {
        return cmd_fail("workers", EXIT_USAGE, "%s",
                        list ? "list takes no argument"
                             : "drain wants a worker's name or number; stumper workers list shows "
                               "them");
    }
    client_init(&k->client, &k->arena);
    enum err e = list ? workers_list(k) : workers_drain(k, str_of(arg));
    client_release(&k->client);
    return e == ERR_OK ? EXIT_DONE
                       : cmd_fail("workers", EXIT_FAILED, "%s", errinfo_text(&k->why, e));
}

int cmd_workers(int argc, char **argv) {
    struct workers k = {0};
    const struct opt rows[] = {
        {.group = "Workers",
         .name = "json",
         .kind = OPT_FLAG,
         .to = &k.json,
         .argv_only = true,
         .help = "list: as JSON"},
        client_row(&k.client),
    };
    const struct opt_command command = {
        .name = "workers",
        .summary = "who works on the jobs of a service",
        .args = "list | drain NAME|ID",
        .about = "list shows every worker: its process (host/pid), how many attempts it has room "
                 "for and has in flight, how many jobs are at home with it, and when it was heard "
                 "of last. drain asks all workers of a process, or one of a number, to go: they "
                 "take no attempt any more, finish what is in flight or give it back (--drain of "
                 "their process), and others go on with their jobs. A process of stumper worker "
                 "then ends. With API keys in use these want one of the scope admin.",
        .examples = "  stumper workers list\n"
                    "  stumper workers drain host-a/4711\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_min = 1,
        .args_max = 2,
    };
    int code;
    arena_init(&k.arena, WORKERS_ARENA_BYTES_MAX);
    if (cmd_options(&command, argc, argv, &k.arena, &k.options, &code)) {
        code = workers_run(&k);
    }
    arena_release(&k.arena);
    return code;
}
