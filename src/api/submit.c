/* POST /generate: a request becomes a job, durably, and then 202.
 *
 *     read ─► store, which keeps the limits of the key ─► 202, or wait for the end ─► 200
 *
 * A retry with the same Idempotency-Key meets its job before it meets a limit: it was let in once.
 * One that comes before the store has the job is told to come again (underway.h).
 */
#include "api/call.h"
#include "api/digest.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/id.h"
#include "store/store_job.h"
#include "store/store_read.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBMIT_SPEC_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define SUBMIT_IDEM_BYTES_MAX ((size_t)255)
#define SUBMIT_LARGE_BYTES ((size_t)1024 * 1024)
#define SUBMIT_RETRY_AFTER "2"
#define SUBMIT_JOBS_RETRY_S 10
#define SUBMIT_BACKLOG_RETRY_S 10
#define SUBMIT_UNDERWAY_RETRY_S 1
#define SUBMIT_NUSD_PER_CENT (NUSD_PER_USD / 100)
#define MS_PER_S INT64_C(1000)

/* What a body of a given size becomes at worst: the smallest seeds and topics cost some 30 times
 * their text while they are read. */
#define SUBMIT_ARENA_BYTES(body_n) ((size_t)16 * 1024 * 1024 + 64 * (body_n))

struct submit {
    struct task *task;
    struct arena a; /* what the operation points to */
    size_t body_n;
    char job_id[ID_BYTES];
    char fingerprint[DIGEST_HEX_BYTES];
    struct job_spec spec;
    struct underway_key underway;
    struct store_submit op;
};

/* --- reading */

static bool submit_idem_is_right(struct str key) {
    bool right = key.n > 0 && key.n <= SUBMIT_IDEM_BYTES_MAX;
    for (size_t i = 0; right && i < key.n; i++) {
        right = key.p[i] >= ' ' && key.p[i] <= '~';
    }
    return right;
}

/* A bare token or a quoted string; empty if there is none. False: answered. */
static bool submit_idem(struct call *c, struct str *ret) {
    struct str key = httpd_header(c->q, "idempotency-key");
    *ret = S("");
    if (key.p == NULL) {
        return true;
    }
    key = str_trim(key);
    bool quoted = key.n >= 2 && str_starts(key, S("\"")) && str_ends(key, S("\""));
    *ret = quoted ? str_take(str_skip(key, 1), key.n - 2) : key;
    if (!submit_idem_is_right(*ret)) {
        problem_send(c, PROBLEM_BAD_REQUEST,
                     "Idempotency-Key must have 1 to %zu characters of ASCII.",
                     SUBMIT_IDEM_BYTES_MAX);
        return false;
    }
    return true;
}

/* What two requests have in common that are the same: their JSON, in whatever order. */
static void submit_fingerprint(struct submit *s, const struct jnode *doc, struct arena *tree) {
    digest_hex(jnode_text_sorted(doc, tree), s->fingerprint);
}

static bool submit_spec(struct call *c, struct submit *s, const struct jnode *doc,
                        struct arena *tree) {
    const struct api_options *o = &c->api->o;
    const struct job_models none[ROLE_COUNT] = {0};
    struct jcheck check;
    jcheck_init(&check, tree);
    (void)job_spec_read_over(&check, doc, &c->api->taxonomy, o->models != NULL ? o->models : none,
                             &s->a, &s->spec);
    if (o->check_spec != NULL) {
        struct job_spec spec = s->spec; /* a key's dollars are a budget, too */
        if (spec.max_cost_nusd == MONEY_UNKNOWN && c->key != NULL && c->key->row.day_nusd_max > 0) {
            spec.max_cost_nusd = c->key->row.day_nusd_max;
        }
        o->check_spec(o->ctx, &spec, &check);
    }
    if (s->spec.webhook_url.n > 0 && o->webhook_secrets == NULL) {
        jcheck_fail(&check, "/webhook_url", "this server has no secret to sign webhooks with");
    }
    if (check.n > 0) {
        problem_send_check(c, &check, doc);
    }
    return check.n == 0;
}

/* The spec as it is stored: the taxonomy that most have is kept once. */
static bool submit_write(struct call *c, struct submit *s) {
    const struct job_spec *spec = &s->spec;
    bool builtin = spec->taxonomy.topics == c->api->taxonomy.topics;
    struct sbuf text;
    struct jwrite w;
    sbuf_init(&text, SUBMIT_SPEC_BYTES_MAX);
    jwrite_init(&w, &text);
    (builtin ? job_spec_write_rest : job_spec_write)(spec, &w);
    bool fits = !sbuf_overflowed(&text) && text.n < arena_room(&s->a);
    s->op.spec = fits ? str_dup(&s->a, sbuf_str(&text)) : S("");
    s->op.taxonomy = builtin ? c->api->taxonomy_text : S("");
    sbuf_release(&text);
    if (!fits) {
        problem_send(c, PROBLEM_TOO_LARGE, "The job's specification is too large.");
    }
    return fits;
}

/* The request, checked and written down. False: answered. */
static bool submit_read(struct call *c, struct submit *s) {
    const struct jnode *doc;
    struct jnode_where where;
    struct errinfo why = {0};
    struct arena tree;
    struct str idem;
    if (!submit_idem(c, &idem)) {
        return false;
    }
    arena_init(&tree, SUBMIT_ARENA_BYTES(s->body_n));
    arena_init(&s->a, SUBMIT_ARENA_BYTES(s->body_n));
    enum err e = jnode_parse_where(sbuf_str(c->q->body), &tree, &doc, &where, &why);
    bool good = e == ERR_OK && submit_spec(c, s, doc, &tree) && submit_write(c, s);
    if (e != ERR_OK) {
        problem_send_json(c, &where, errinfo_text(&why, e));
    }
    if (good && idem.n > 0) {
        submit_fingerprint(s, doc, &tree);
        s->op.idem_key = str_dup(&s->a, idem);
        s->op.fingerprint = str_of(s->fingerprint);
    }
    arena_release(&tree);
    return good;
}

/* --- answering */

static void submit_send(struct call *c) {
    char location[STORE_ID_BYTES + 16];
    (void)snprintf(location, sizeof location, "/status/%s", c->id);
    render_accepted(call_json(c), c->id, JOB_QUEUED, c->created_ms);
    struct httpd_response *r = call_response(c, 202, "application/json");
    httpd_response_header(r, "location", location);
    httpd_response_header(r, "retry-after", SUBMIT_RETRY_AFTER);
    if (c->replayed) {
        httpd_response_header(r, "idempotency-replayed", "true");
    }
    call_send(c, r);
}

/* Of one that waited: the whole result, or the promise of it. */
static void submit_on_view(struct call *c, const struct view_facts *facts) {
    if (facts->err == ERR_OK && job_state_is_final(facts->state)) {
        status_send(c, facts, false);
    } else {
        submit_send(c);
    }
}

/* RFC 7240: "respond-async, wait=30". A preference that is none is passed over. */
static int64_t submit_wait_ms(const struct call *c) {
    struct str prefer = httpd_header(c->q, "prefer");
    int64_t wait_s = c->api->o.default_wait_s;
    while (prefer.n > 0) {
        struct str one = str_trim(str_split(&prefer, ','));
        int64_t given;
        if (str_eq_nocase(one, S("respond-async"))) {
            wait_s = 0;
        } else if (str_eq_nocase(str_take(one, 5), S("wait=")) &&
                   str_to_i64(str_skip(one, 5), &given) && given >= 0) {
            wait_s = given;
        }
    }
    return MIN(wait_s, (int64_t)API_WAIT_SECONDS_MAX) * MS_PER_S;
}

static void submit_accepted(struct call *c, const struct store_submit *o) {
    int64_t wait_ms = submit_wait_ms(c);
    (void)snprintf(c->id, sizeof c->id, "%s", o->ret_job_id);
    c->created_ms = o->ret_created_ms;
    c->replayed = o->ret_replayed;
    metric_add(c->replayed ? c->api->meters.replayed : c->api->meters.submitted, 1);
    if (wait_ms == 0) {
        submit_send(c);
        return;
    }
    const struct view_wait wait = {.ms = wait_ms};
    httpd_watch(c->q);
    view_ask(c, c->id, &wait, submit_on_view);
}

/* For the headers. */
static void submit_tell_share(struct call *c, const struct store_submit *o) {
    const struct key_use *use = &o->ret_use;
    int64_t with_this = o->op.err == ERR_OK ? 1 : 0;
    int64_t left_nusd = MAX(use->day_nusd_max - use->day_nusd, INT64_C(0));
    c->share = (struct auth_share){
        .known = o->limited && !o->ret_replayed && use->next_day_ms != 0,
        .jobs_max = use->jobs_max,
        .jobs_left = MAX(use->jobs_max - use->jobs - with_this, INT64_C(0)),
        .day_cents_max = use->day_nusd_max / SUBMIT_NUSD_PER_CENT,
        .day_cents_left = left_nusd / SUBMIT_NUSD_PER_CENT,
        .day_reset_s = MAX((use->next_day_ms - clock_wall_ms()) / MS_PER_S, INT64_C(0)),
    };
}

static void submit_limited(struct call *c, const struct store_submit *o) {
    int64_t day_ms = o->ret_use.next_day_ms - clock_wall_ms();
    switch (o->ret_limit) {
    case STORE_LIMIT_JOBS:
        problem_send_later(c, PROBLEM_JOBS, SUBMIT_JOBS_RETRY_S,
                           "This key may have %" PRId64 " jobs that have not ended.",
                           o->ret_use.jobs_max);
        break;
    case STORE_LIMIT_DAY:
        problem_send_later(c, PROBLEM_SPEND, MAX((day_ms + MS_PER_S - 1) / MS_PER_S, INT64_C(1)),
                           "This key has spent what it may in a day (UTC).");
        break;
    case STORE_LIMIT_NONE:
    case STORE_LIMIT_QUEUED:
        problem_send_later(c, PROBLEM_BACKLOG, SUBMIT_BACKLOG_RETRY_S,
                           "The server has as many queued jobs as it takes (%" PRId64 ").",
                           c->api->o.queued_max);
        break;
    }
}

static void submit_refused(struct call *c, const struct store_submit *o) {
    if (o->op.err == ERR_CONFLICT) {
        problem_send(c, PROBLEM_IDEMPOTENCY,
                     "This Idempotency-Key was used with another request; use a new one.");
    } else if (o->op.err == ERR_RATE_LIMIT) {
        submit_limited(c, o);
    } else {
        problem_send_store(c, o->op.err, &o->op.detail);
    }
}

/* --- asking the store */

/* What a large one took goes back to the system, not into holes of the heap. */
static void submit_free(struct submit *s) {
    bool large = s->body_n > SUBMIT_LARGE_BYTES;
    underway_release(&s->underway);
    arena_release(&s->a);
    task_free(s->task);
    if (large) {
        (void)malloc_trim(0); /* whether there was anything to give back is all the same */
    }
}

static void submit_on_stored(struct store_op *op) {
    struct submit *s = CONTAINER_OF(op, struct submit, op.op);
    struct task *t = s->task;
    struct call *c = t->call;
    if (c != NULL) {
        t->call = NULL; /* which may need another task */
        c->task = NULL;
        submit_tell_share(c, &s->op);
        if (op->err == ERR_OK) {
            submit_accepted(c, &s->op);
        } else {
            submit_refused(c, &s->op);
        }
    }
    submit_free(s);
}

static void submit_store(struct submit *s) {
    const struct job_spec *spec = &s->spec;
    struct api *api = s->task->api;
    id_new("job", s->job_id);
    s->op.op = (struct store_op){.loop = api->loop, .done = submit_on_stored};
    s->op.job_id = s->job_id;
    s->op.wanted = spec->num_problems;
    s->op.priority = spec->priority;
    s->op.concurrency = spec->concurrency;
    s->op.name = spec->name;
    s->op.webhook_url = spec->webhook_url;
    s->op.queued_max = api->o.queued_max;
    store_submit(api->o.store, &s->op);
}

void submit_run(struct call *c) {
    if (atomic_load(&c->api->draining)) {
        problem_send_later(c, PROBLEM_UNAVAILABLE, 5, "The server is about to stop.");
        return;
    }
    struct task *t = task_new(c->api, c);
    struct submit *s = ARENA_NEW(&t->a, struct submit);
    s->task = t;
    s->body_n = c->q->body->n;
    s->op.tenant = c->key != NULL ? c->key->row.number : STORE_TENANT_NONE;
    if (!submit_read(c, s)) {
        submit_free(s);
        return;
    }
    if (!underway_hold(&c->api->underway, &s->underway, s->op.tenant, s->op.idem_key)) {
        problem_send_later(c, PROBLEM_UNDERWAY, SUBMIT_UNDERWAY_RETRY_S,
                           "The first request with this Idempotency-Key has no answer yet.");
        submit_free(s);
        return;
    }
    s->op.limited = c->key != NULL && (c->key->row.jobs_max > 0 || c->key->row.day_nusd_max > 0);
    submit_store(s);
}
