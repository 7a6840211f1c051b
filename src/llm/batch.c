/* One batch, from its note to its last answer; batch.h has the picture. batch_act() does what its
 * state asks for, one request at a time; what fails for no reason of its own is done again later.
 *
 * Invariants (1) a member has a call exactly as long as that call is BATCHED and in this batch; (2)
 * each member's result is handed out once; (3) a batch is made once: whatever leaves that open goes
 * through LOOKING. */
#include "llm/batch.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/backoff.h"
#include "llm/once.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_PAUSE_MS_MIN 500
#define BATCH_PAUSE_MS_MAX 60000
#define BATCH_CROWDED_MS 1200000            /* until one is tried that there was no room for */
#define BATCH_SETTLE_MS 5000                /* after which what was made can be seen */
#define BATCH_SLACK_MS INT64_C(3600000)     /* between two clocks */
#define BATCH_PATIENCE_MS INT64_C(86400000) /* with a provider that cannot be asked */
#define BATCH_QUESTIONS_BYTES_MAX ((size_t)200 * 1000 * 1000)
#define BATCH_OBJECT_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define BATCH_RESULTS_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define BATCH_LINE_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one of them */

static void batch_act(void *ctx);

static bool batch_is_under_way(enum batch_state state) {
    return state == BATCH_RUNNING || state == BATCH_FETCHING;
}

static void batch_set_state(struct llm_batch *b, enum batch_state to) {
    static const unsigned allowed_from[BATCH_STATES] = {
        [BATCH_NOTING] = 1u << BATCH_GATHERING,
        [BATCH_UPLOADING] = 1u << BATCH_NOTING,
        [BATCH_MAKING] = 1u << BATCH_NOTING | 1u << BATCH_UPLOADING,
        [BATCH_LOOKING] = 1u << BATCH_MAKING | 1u << BATCH_GATHERING | 1u << BATCH_FETCHING,
        [BATCH_RUNNING] = 1u << BATCH_MAKING | 1u << BATCH_GATHERING | 1u << BATCH_LOOKING,
        [BATCH_FETCHING] = 1u << BATCH_RUNNING,
        [BATCH_OVER] = 1u << BATCH_FETCHING,
    };
    ASSERT(allowed_from[to] & 1u << b->state);
    b->llm->stats.batches += batch_is_under_way(to) - batch_is_under_way(b->state);
    b->state = to;
    b->since_ms = loop_now_ms(b->llm->loop);
    b->failures = 0;
    b->pause_ms = BATCH_PAUSE_MS_MIN;
}

/* --- members --------------------------------------------------------------------------------- */

void batch_custom_id(const char *tag, const char *mark, char ret[BATCH_CUSTOM_BYTES]) {
    const char *end = mark + strlen(mark) - MIN(strlen(mark), (size_t)8);
    int n = snprintf(ret, BATCH_CUSTOM_BYTES, "%s-%s", tag, end);
    if (n >= BATCH_CUSTOM_BYTES) {
        (void)snprintf(ret, BATCH_CUSTOM_BYTES, "%016" PRIx64 "-%s", str_hash(str_of(tag)), end);
    }
    for (char *p = ret; *p != '\0'; p++) {
        bool allowed = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                       (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        *p = allowed ? *p : '-';
    }
}

bool batch_take_id(struct str id, char ret[BATCH_ID_BYTES]) {
    bool good = id.n > 0 && id.n < BATCH_ID_BYTES;
    for (size_t i = 0; good && i < id.n; i++) {
        char c = id.p[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || (c == '.' && i > 0);
    }
    (void)snprintf(ret, BATCH_ID_BYTES, "%.*s", STR_ARG(good ? id : S("")));
    return good;
}

static int batch_member_order(const void *left, const void *right) {
    const struct batch_member *a = left, *b = right;
    return strcmp(a->custom_id, b->custom_id);
}

static struct batch_member *batch_find(const struct llm_batch *b, const char *custom_id) {
    struct batch_member key;
    (void)snprintf(key.custom_id, sizeof key.custom_id, "%s", custom_id);
    return bsearch(&key, b->members, b->n, sizeof key, batch_member_order);
}

static void batch_enter(struct llm_batch *b, struct batch_member *member, struct llm_call *c) {
    ASSERT(c->state == LLM_CALL_WAITING);
    c->state = LLM_CALL_BATCHED;
    c->batch = b;
    c->member = member;
    c->sent_ms = loop_now_ms(b->llm->loop);
    c->tries++;
    member->call = c;
    b->llm->stats.waiting--;
    b->llm->stats.batched++;
}

void batch_leave(struct llm_call *c) {
    struct llm *m = c->model->llm;
    loop_timer_stop(&c->timer);
    c->member->call = NULL;
    c->member = NULL;
    c->batch = NULL;
    m->stats.batched--;
}

/* Take the calls out, one after the other. */
static struct llm_call *batch_next_call(struct llm_batch *b, size_t *at) {
    for (; *at < b->n; ++*at) {
        struct llm_call *c = b->members[*at].call;
        b->members[*at].over = true;
        if (c != NULL) {
            batch_leave(c);
            return c;
        }
    }
    return NULL;
}

static void batch_free_results(struct llm_batch *b) {
    for (size_t i = 0; i < BATCH_RESULTS_MAX; i++) {
        free(b->results[i]);
        b->results[i] = NULL;
    }
}

static void batch_unheard(struct llm_once *once, const struct http_reply *reply) {
    (void)once, (void)reply;
}

void batch_free(struct llm_batch *b) {
    loop_timer_stop(&b->timer);
    if (b->once != NULL) {
        b->once->read = batch_unheard;
    }
    for (size_t i = 0; b->members != NULL && i < b->n; i++) {
        free(b->members[i].kept);
    }
    batch_free_results(b);
    free(b->members);
    free(b->refuted);
    LIST_REMOVE(b, link);
    free(b);
}

void batch_end(struct llm_batch *b) {
    b->llm->stats.batches -= batch_is_under_way(b->state);
    batch_free(b);
}

/* It came to nothing, for all: their calls go into another one, or end. */
static void batch_fail(struct llm_batch *b, enum err e, const struct errinfo *why) {
    size_t at = 0;
    struct llm_call *c;
    while ((c = batch_next_call(b, &at)) != NULL) {
        llm_call_return(c, e, why);
    }
    batch_end(b);
}

/* --- requests -------------------------------------------------------------------------------- */

static const struct batch_wire *batch_wire(const struct llm_batch *b) {
    return b->model->wire->batches;
}

static void batch_later(struct llm_batch *b, int64_t ms) {
    loop_timer_start(b->llm->loop, &b->timer, ms, batch_act, b);
}

static bool batch_is_being_made(const struct llm_batch *b) {
    return b->state == BATCH_UPLOADING || b->state == BATCH_MAKING;
}

/* The same again, later; or no more. What is to be made is a call like any other; what was made is
 * paid for, and waited for. */
static void batch_again(struct llm_batch *b, const struct wire_result *r) {
    const struct llm_config *config = b->llm->config;
    int64_t now_ms = loop_now_ms(b->llm->loop), asked_ms = r->retry_after_ms;
    b->failing_ms = b->failures++ == 0 ? now_ms : b->failing_ms;
    bool settled = now_ms - b->since_ms >= BATCH_SETTLE_MS;
    if (r->err == ERR_NOT_FOUND && batch_is_under_way(b->state) && settled) {
        batch_fail(b, ERR_UNAVAILABLE, &(struct errinfo){.text = "its batch is gone"});
        return;
    }
    bool no_more = batch_is_being_made(b)
                       ? b->failures >= config->tries_max || asked_ms > config->retry_wait_ms_max
                       : now_ms - b->failing_ms > BATCH_PATIENCE_MS;
    if (no_more) {
        batch_fail(b, r->err, &r->detail);
        return;
    }
    if (b->failures == 3) {
        log_warn("batch %s of %.*s: %s; trying again", b->id[0] != '\0' ? b->id : b->mark,
                 STR_ARG(b->model->full_name), r->detail.text);
    }
    int64_t wait_ms = asked_ms >= 0 ? asked_ms : backoff_ms(b->failures - 1, rng_u64(&b->llm->rng));
    batch_later(b, BATCH_PAUSE_MS_MIN + MIN(wait_ms, (int64_t)BATCH_PAUSE_MS_MAX));
}

static struct llm_once *batch_once(struct llm_batch *b, size_t body_bytes_max, llm_once_fn *read) {
    struct llm_once *once = llm_once_new(b->model->provider, body_bytes_max);
    once->read = read;
    once->ctx = b;
    return once;
}

static void batch_send(struct llm_batch *b, struct llm_once *once, struct str url,
                       size_t bytes_max) {
    b->once = once;
    if (llm_once_send(b->llm, once, url.p, bytes_max) != ERR_OK) {
        b->once = NULL;
        batch_later(b, BATCH_PAUSE_MS_MIN); /* the client is full */
    }
}

/* A reply has come; false: nobody is there any more to hear it. */
static bool batch_hears(struct llm_batch *b) {
    b->once = NULL;
    return !b->llm->closing;
}

/* The document that came, or an error in *@ret. */
static const struct jnode *batch_doc(struct llm_once *once, const struct http_reply *reply,
                                     struct wire_result *ret) {
    const struct jnode *doc = NULL;
    if (reply->err == ERR_OK) {
        wire_read_document(once->wire, reply, &once->arena, ret, &doc);
    } else {
        *ret =
            (struct wire_result){.err = reply->err, .detail = reply->detail, .retry_after_ms = -1};
    }
    return ret->err == ERR_OK ? doc : NULL;
}

/* What a batch's object says; false: *@ret has the error. */
static bool batch_told(struct llm_batch *b, struct llm_once *once, const struct http_reply *reply,
                       struct batch_told *told, struct wire_result *ret) {
    const struct jnode *doc = batch_doc(once, reply, ret);
    if (ret->err == ERR_OK && !batch_wire(b)->told(once->provider, doc, &once->arena, told)) {
        ret->err = errinfo_set(&ret->detail, ERR_PROTOCOL, "the answer is no batch");
    }
    return ret->err == ERR_OK;
}

/* --- noting and making ----------------------------------------------------------------------- */

static void batch_noted(void *ctx, enum err err, const struct errinfo *why) {
    struct llm_batch *b = ctx;
    if (err != ERR_OK) {
        batch_fail(b, err, why);
        return;
    }
    batch_set_state(b, batch_wire(b)->upload_url != NULL ? BATCH_UPLOADING : BATCH_MAKING);
    batch_act(b);
}

static void batch_note(struct llm_batch *b) {
    struct llm_note note = {
        .mark = b->mark, .model = b->model->full_name, .created_ms = b->created_ms, .n = b->n};
    const char **tags = mem_new_array(b->n, sizeof *tags);
    for (size_t i = 0; i < b->n; i++) {
        tags[i] = llm_call_tag(b->members[i].call);
    }
    note.tags = tags;
    b->book->intend(b->book->ctx, &note, batch_noted, b);
    free(tags);
}

void batch_close(struct llm_batch *b) {
    struct llm_call *c;
    size_t at = 0;
    id_new("batch", b->mark);
    b->created_ms = clock_wall_ms();
    b->members = mem_new_array(b->n, sizeof *b->members);
    while ((c = TAILQ_FIRST(&b->calls)) != NULL) {
        TAILQ_REMOVE(&b->calls, c, link);
        batch_custom_id(llm_call_tag(c), b->mark, b->members[at].custom_id);
        batch_enter(b, &b->members[at++], c);
    }
    qsort(b->members, b->n, sizeof *b->members, batch_member_order);
    for (size_t i = 0; i < b->n; i++) {
        b->members[i].call->member = &b->members[i];
    }
    batch_set_state(b, BATCH_NOTING);
    batch_note(b);
}

/* Those that were cancelled meanwhile are left out. */
static void batch_write(const struct llm_batch *b, struct sbuf *out) {
    const struct batch_wire *w = batch_wire(b);
    bool first = true;
    w->open(b->mark, out);
    for (size_t i = 0; i < b->n; i++) {
        const struct batch_member *member = &b->members[i];
        if (member->call != NULL) {
            w->add(w, member->custom_id, first, sbuf_str(&member->call->body), out);
            first = false;
        }
    }
    w->close(b->mark, out);
}

static void batch_upload_read(struct llm_once *once, const struct http_reply *reply) {
    struct llm_batch *b = once->ctx;
    struct wire_result r;
    if (!batch_hears(b)) {
        return;
    }
    const struct jnode *doc = batch_doc(once, reply, &r);
    if (r.err == ERR_OK && !batch_take_id(jnode_get_str(doc, "id"), b->file)) {
        r.err = errinfo_set(&r.detail, ERR_PROTOCOL, "the answer is no file");
    }
    if (r.err == ERR_OK) {
        FAILPOINT("llm.batch.uploaded");
        batch_set_state(b, BATCH_MAKING);
        batch_act(b);
    } else if (err_class(r.err) == ERR_CLASS_PERMANENT) {
        batch_fail(b, r.err, &r.detail);
    } else {
        batch_again(b, &r);
    }
}

static void batch_upload(struct llm_batch *b) {
    struct llm_once *once = batch_once(b, BATCH_QUESTIONS_BYTES_MAX, batch_upload_read);
    once->content_type = batch_wire(b)->content_type(b->mark, &once->arena);
    batch_write(b, &once->body);
    batch_send(b, once, batch_wire(b)->upload_url(once->provider, &once->arena),
               BATCH_OBJECT_BYTES_MAX);
}

/* On disk or not: the next process would look for it. */
static void batch_made_noted(void *ctx, enum err err, const struct errinfo *why) {
    struct llm_batch *b = ctx;
    if (err != ERR_OK) {
        log_warn("batch %s: %s", b->id, errinfo_text(why, err));
    }
    batch_later(b, b->pause_ms);
}

static void batch_run(struct llm_batch *b) {
    batch_set_state(b, BATCH_RUNNING);
    if (b->sure) {
        b->book->made(b->book->ctx, b->mark, str_of(b->id), batch_made_noted, b);
    } else {
        batch_later(b, 0);
    }
    batch_relinquish(b); /* nobody may need it any more */
}

/* Longer each time. */
static int64_t batch_next_pause(struct llm_batch *b) {
    int64_t pause_ms = b->pause_ms;
    b->pause_ms = MIN(pause_ms * 3 / 2, (int64_t)BATCH_PAUSE_MS_MAX);
    return pause_ms;
}

/* From the newest on. */
static void batch_look_again(struct llm_batch *b, int64_t ms) {
    b->after[0] = '\0';
    b->rivalled = false;
    batch_later(b, ms);
}

/* It may be that it was made, and it may be that it was not, as @why says. */
static void batch_look_for(struct llm_batch *b, const struct errinfo *why) {
    b->why = *why;
    batch_set_state(b, BATCH_LOOKING);
    batch_look_again(b, BATCH_PAUSE_MS_MIN);
}

static void batch_make_read(struct llm_once *once, const struct http_reply *reply) {
    struct llm_batch *b = once->ctx;
    struct wire_result r;
    struct batch_told told;
    if (!batch_hears(b)) {
        return;
    }
    if (batch_told(b, once, reply, &told, &r)) {
        FAILPOINT("llm.batch.made");
        memcpy(b->id, told.id, sizeof b->id);
        b->sure = true;
        batch_run(b);
    } else if (r.err == ERR_RATE_LIMIT || (reply->err != ERR_OK && !reply->sent)) {
        batch_again(b, &r);
    } else if (reply->err == ERR_OK && err_class(r.err) == ERR_CLASS_PERMANENT) {
        batch_fail(b, r.err, &r.detail);
    } else {
        batch_look_for(b, &r.detail);
    }
}

static void batch_make(struct llm_batch *b) {
    const struct batch_wire *w = batch_wire(b);
    struct llm_once *once = batch_once(b, BATCH_QUESTIONS_BYTES_MAX, batch_make_read);
    if (w->upload_url != NULL) {
        w->order(w, b->file, b->mark, &once->body);
    } else {
        batch_write(b, &once->body);
    }
    batch_send(b, once, w->make_url(once->provider, &once->arena), BATCH_OBJECT_BYTES_MAX);
}

/* --- looking for one that may have been made ------------------------------------------------- */

enum batch_claim { BATCH_FREE, BATCH_CLAIMED, BATCH_TAKEN };

/* Whose is the one with that @id? Another of ours may only think that it is its own. */
static enum batch_claim batch_claim(const struct llm_batch *b, const char *id) {
    const struct llm_batch *other;
    enum batch_claim claim = BATCH_FREE;
    LIST_FOREACH(other, &b->llm->batches, link) {
        if (strcmp(other->id, id) == 0) {
            claim = MAX(claim, other->sure ? BATCH_TAKEN : BATCH_CLAIMED);
        }
    }
    for (size_t i = 0; i < b->refuted_n; i++) {
        claim = strcmp(b->refuted[i], id) == 0 ? BATCH_TAKEN : claim;
    }
    return claim;
}

/* Was it made too long ago to be this one? */
static bool batch_is_older(const struct llm_batch *b, const struct batch_told *told) {
    return told->created_ms >= 0 && told->created_ms < b->created_ms - BATCH_SLACK_MS;
}

/* Could this be it? For sure if it shows our mark; else by its time and size, if it is nobody
 * else's. */
static bool batch_looks_like(struct llm_batch *b, const struct batch_told *told) {
    if (batch_wire(b)->keeps_marks) {
        return str_eq(told->mark, str_of(b->mark));
    }
    if (batch_is_older(b, told) || told->calls != (int64_t)b->n) {
        return false;
    }
    enum batch_claim claim = batch_claim(b, told->id);
    b->rivalled = b->rivalled || claim == BATCH_CLAIMED;
    return claim == BATCH_FREE;
}

/* Look through a page; true: found. *@ret_on: it may be on the next. */
static bool batch_search(struct llm_batch *b, struct llm_once *once, const struct jnode *page,
                         bool *ret_on) {
    const struct jnode *list = jnode_get(page, "data");
    *ret_on = jnode_bool(jnode_get(page, "has_more"), false);
    for (size_t i = 0; i < jnode_len(list); i++) {
        struct batch_told told;
        if (!batch_wire(b)->told(once->provider, jnode_at(list, i), &once->arena, &told)) {
            continue;
        }
        if (batch_looks_like(b, &told)) {
            memcpy(b->id, told.id, sizeof b->id);
            b->sure = batch_wire(b)->keeps_marks;
            return true;
        }
        memcpy(b->after, told.id, sizeof b->after);
        *ret_on = *ret_on && !batch_is_older(b, &told); /* newest come first */
    }
    return false;
}

static void batch_look_read(struct llm_once *once, const struct http_reply *reply) {
    struct llm_batch *b = once->ctx;
    struct wire_result r;
    bool on = false;
    if (!batch_hears(b)) {
        return;
    }
    const struct jnode *page = batch_doc(once, reply, &r);
    if (r.err == ERR_OK && jnode_type(jnode_get(page, "data")) != JNODE_ARRAY) {
        r.err = errinfo_set(&r.detail, ERR_PROTOCOL, "the answer is no list of batches");
    }
    int64_t looked_ms = loop_now_ms(b->llm->loop) - b->since_ms;
    if (r.err != ERR_OK) {
        batch_again(b, &r);
        return;
    }
    b->failures = 0;
    if (batch_search(b, once, page, &on)) {
        batch_run(b);
    } else if (on) {
        batch_later(b, 0);
    } else if (b->rivalled) { /* until its results show whose it is */
        batch_look_again(b, batch_next_pause(b));
    } else if (looked_ms < BATCH_SETTLE_MS) {
        batch_look_again(b, BATCH_SETTLE_MS - looked_ms);
    } else {
        batch_fail(b, ERR_UNAVAILABLE, &b->why); /* it was never made */
    }
}

static void batch_look(struct llm_batch *b) {
    struct llm_once *once = batch_once(b, BATCH_OBJECT_BYTES_MAX, batch_look_read);
    batch_send(b, once, batch_wire(b)->list_url(once->provider, b->after, &once->arena),
               BATCH_OBJECT_BYTES_MAX);
}

/* --- running --------------------------------------------------------------------------------- */

static void batch_ended(struct llm_batch *b, const struct batch_told *told) {
    FAILPOINT("llm.batch.ended");
    batch_set_state(b, BATCH_FETCHING);
    for (size_t i = 0; i < BATCH_RESULTS_MAX; i++) {
        if (told->results[i].n > 0) {
            size_t bytes = told->results[i].n + 1;
            b->results[i] = mem_new(bytes);
            (void)snprintf(b->results[i], bytes, "%.*s", STR_ARG(told->results[i]));
        }
    }
    batch_act(b);
}

static void batch_crowded_out(void *ctx) {
    batch_fail(ctx, ERR_UNAVAILABLE, &(struct errinfo){.text = "too much is in batches already"});
}

/* Other batches have to end first, if anybody needs it. */
static void batch_await_room(struct llm_batch *b, int64_t ms) {
    b->crowded = true;
    loop_timer_start(b->llm->loop, &b->timer, ms, batch_crowded_out, b);
}

static void batch_heard(struct llm_batch *b, const struct batch_told *told) {
    struct errinfo why = {0};
    b->failures = 0;
    b->ending = false; /* it was not heard, say */
    if (told->progress == BATCH_ENDED) {
        batch_ended(b, told);
    } else if (told->progress == BATCH_UNDER_WAY) {
        batch_relinquish(b);
        batch_later(b, batch_next_pause(b));
    } else if (told->crowded) {
        batch_await_room(b, BATCH_CROWDED_MS);
        batch_relinquish(b);
    } else {
        (void)errinfo_set(&why, ERR_REJECTED, "its batch: %.*s", STR_ARG(told->reason));
        batch_fail(b, ERR_REJECTED, &why);
    }
}

static void batch_run_read(struct llm_once *once, const struct http_reply *reply) {
    struct llm_batch *b = once->ctx;
    struct wire_result r;
    struct batch_told told;
    if (!batch_hears(b)) {
        return;
    }
    if (batch_told(b, once, reply, &told, &r)) {
        batch_heard(b, &told);
    } else {
        batch_again(b, &r);
    }
}

static void batch_check(struct llm_batch *b) {
    struct llm_once *once = batch_once(b, BATCH_OBJECT_BYTES_MAX, batch_run_read);
    batch_send(b, once, batch_wire(b)->one_url(once->provider, b->id, &once->arena),
               BATCH_OBJECT_BYTES_MAX);
}

/* Whether it came too late is seen when the batch has ended. */
static void batch_cancel_read(struct llm_once *once, const struct http_reply *reply) {
    (void)once, (void)reply;
}

/* Also one that was not asked for yet, unless all are unwanted: its attempt may be about to go on.
 */
static bool batch_member_is_wanted(const struct llm_batch *b, const struct batch_member *member) {
    return member->call != NULL ? !member->call->unwanted : !member->over && !b->unwanted;
}

void batch_relinquish(struct llm_batch *b) {
    bool wanted = b->state != BATCH_RUNNING || !b->sure || b->ending;
    for (size_t i = 0; i < b->n && !wanted; i++) {
        wanted = batch_member_is_wanted(b, &b->members[i]);
    }
    if (wanted || b->n == 0) {
        return;
    }
    if (b->crowded) {
        batch_await_room(b, 0);
        return;
    }
    struct llm_once *once = batch_once(b, BATCH_OBJECT_BYTES_MAX, batch_cancel_read);
    b->ending = true;
    sbuf_add_cstr(&once->body, "{}");
    enum err e = llm_once_send(b->llm, once,
                               batch_wire(b)->cancel_url(once->provider, b->id, &once->arena).p,
                               BATCH_OBJECT_BYTES_MAX);
    b->ending = e == ERR_OK;
}

/* --- results --------------------------------------------------------------------------------- */

static void batch_hand_out(struct batch_member *member, const struct batch_result *r) {
    struct llm_call *c = member->call;
    struct errinfo why = {0};
    member->over = true;
    batch_leave(c);
    if (r->answered && r->body.n > LLM_REPLY_BYTES_MAX) {
        (void)errinfo_set(&why, ERR_TOO_BIG, "the answer has more than %zu bytes",
                          LLM_REPLY_BYTES_MAX);
        llm_call_return(c, ERR_TOO_BIG, &why);
    } else if (r->answered) {
        llm_call_deliver(c, r->status, r->body);
    } else {
        (void)errinfo_set(&why, ERR_UNAVAILABLE, "its batch ended without an answer: %.*s",
                          STR_ARG(str_take_utf8(r->reason, 200)));
        llm_call_return(c, ERR_UNAVAILABLE, &why);
    }
}

static bool batch_result(const struct llm_batch *b, struct str line, struct arena *a,
                         struct batch_result *ret) {
    const struct jnode *doc;
    return jnode_parse(line, a, &doc, NULL) == ERR_OK && batch_wire(b)->result(doc, a, ret);
}

static void batch_own_noted(void *ctx, enum err err, const struct errinfo *why) {
    (void)ctx; /* the batch may be over by now */
    if (err != ERR_OK) {
        log_warn("a batch that was found: %s", errinfo_text(why, err));
    }
}

/* A result of ours: it is ours. That goes to the book before any of its answers, for with some of
 * them taken it does not have the size any more that it could be found by. */
static void batch_own(struct llm_batch *b) {
    if (!b->ours && !b->sure) {
        b->book->made(b->book->ctx, b->mark, str_of(b->id), batch_own_noted, NULL);
    }
    b->ours = true;
}

/* False: it is no result. */
static bool batch_take_line(struct llm_batch *b, struct str line, struct arena *a) {
    struct batch_result r;
    if (line.n > BATCH_LINE_BYTES_MAX || !batch_result(b, line, a, &r) ||
        r.custom_id.n >= BATCH_CUSTOM_BYTES) {
        return false; /* its call goes without an answer */
    }
    struct batch_member *member = batch_find(b, str_cstr(a, r.custom_id));
    if (member == NULL) {
        return true; /* somebody else's */
    }
    batch_own(b);
    if (member->call != NULL) {
        batch_hand_out(member, &r);
    } else if (!member->over && member->kept == NULL) {
        member->kept = mem_new(line.n + 1);
        memcpy(member->kept, line.p, line.n);
    }
    return true;
}

/* Take all lines; false if they are no results at all, but a page of a proxy's, say. */
static bool batch_take(struct llm_batch *b, struct str lines, struct arena *a) {
    bool none = str_trim(lines).n == 0, any = false;
    while (lines.n > 0) {
        any = batch_take_line(b, str_split(&lines, '\n'), a) || any;
        arena_reset(a);
    }
    return any || none;
}

static bool batch_has_kept(const struct llm_batch *b) {
    bool kept = false;
    for (size_t i = 0; i < b->n && !kept; i++) {
        kept = b->members[i].kept != NULL;
    }
    return kept;
}

/* A result that was there before it was asked for. */
static void batch_hand_over(void *ctx) {
    struct llm_call *c = ctx;
    struct batch_member *member = c->member;
    struct llm_batch *b = c->batch;
    struct arena a;
    struct batch_result r;
    arena_init(&a, BATCH_RESULTS_BYTES_MAX);
    bool good = batch_result(b, str_of(member->kept), &a, &r);
    ASSERT(good); /* it was read before */
    free(member->kept);
    member->kept = NULL;
    batch_hand_out(member, &r);
    arena_release(&a);
    if (b->state == BATCH_OVER && !batch_has_kept(b)) {
        batch_end(b);
    }
}

/* It was somebody else's: look on. */
static void batch_refute(struct llm_batch *b) {
    if (b->refuted_n == BATCH_REFUTED_MAX) {
        batch_fail(b, ERR_PROTOCOL, &(struct errinfo){.text = "its batch is not to be found"});
        return;
    }
    b->refuted = mem_resize(b->refuted, b->refuted_n + 1, sizeof *b->refuted);
    memcpy(b->refuted[b->refuted_n++], b->id, sizeof b->id);
    b->id[0] = '\0';
    batch_set_state(b, BATCH_LOOKING);
    batch_look_again(b, 0);
}

/* All results have come: who has none goes without. */
static void batch_finish(struct llm_batch *b) {
    struct errinfo why = {.text = "its batch ended without its answer"};
    if (!b->sure && !b->ours) {
        batch_refute(b);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        struct batch_member *member = &b->members[i];
        struct llm_call *c = member->call;
        member->over = member->over || member->kept == NULL;
        if (c != NULL && member->over) {
            batch_leave(c);
            llm_call_return(c, ERR_UNAVAILABLE, &why);
        }
    }
    if (batch_has_kept(b)) {
        batch_set_state(b, BATCH_OVER);
    } else {
        batch_end(b);
    }
}

static void batch_fetch_read(struct llm_once *once, const struct http_reply *reply) {
    struct llm_batch *b = once->ctx;
    struct wire_result r = {.err = reply->err, .detail = reply->detail, .retry_after_ms = -1};
    const struct jnode *doc;
    if (!batch_hears(b)) {
        return;
    }
    if (reply->err == ERR_OK && reply->status != 200) {
        wire_read_document(once->wire, reply, &once->arena, &r, &doc);
    }
    if (r.err == ERR_OK && !batch_take(b, reply->body, &once->arena)) {
        r.err = errinfo_set(&r.detail, ERR_PROTOCOL, "the answer holds no results");
    }
    if (r.err != ERR_OK) {
        batch_again(b, &r);
        return;
    }
    FAILPOINT("llm.batch.taken");
    for (size_t i = 0; i < BATCH_RESULTS_MAX; i++) {
        if (b->results[i] != NULL) {
            free(b->results[i]);
            b->results[i] = NULL;
            break;
        }
    }
    batch_act(b);
}

static void batch_fetch(struct llm_batch *b) {
    for (size_t i = 0; i < BATCH_RESULTS_MAX; i++) {
        if (b->results[i] != NULL) {
            struct llm_once *once = batch_once(b, BATCH_RESULTS_BYTES_MAX, batch_fetch_read);
            batch_send(b, once, str_of(b->results[i]), BATCH_RESULTS_BYTES_MAX);
            return;
        }
    }
    batch_finish(b);
}

static void batch_act(void *ctx) {
    struct llm_batch *b = ctx;
    switch (b->state) {
    case BATCH_UPLOADING:
        batch_upload(b);
        break;
    case BATCH_MAKING:
        batch_make(b);
        break;
    case BATCH_LOOKING:
        batch_look(b);
        break;
    case BATCH_RUNNING:
        batch_check(b);
        break;
    case BATCH_FETCHING:
        batch_fetch(b);
        break;
    case BATCH_GATHERING:
    case BATCH_NOTING:
    case BATCH_OVER:
    case BATCH_STATES:
        break;
    }
}

/* --- of an earlier process ------------------------------------------------------------------- */

void batch_adopt(struct llm_model *model, const struct llm_book *book,
                 const struct llm_note *note) {
    struct llm *m = model->llm;
    struct llm_batch *b = mem_new(sizeof *b);
    *b = (struct llm_batch){.llm = m,
                            .model = model,
                            .book = book,
                            .n = note->n,
                            .created_ms = note->created_ms,
                            .why = {.text = "its batch was not made"}};
    (void)snprintf(b->mark, sizeof b->mark, "%s", note->mark);
    b->sure = batch_take_id(note->id, b->id);
    b->members = mem_new_array(b->n, sizeof *b->members);
    for (size_t i = 0; i < b->n; i++) {
        batch_custom_id(note->tags[i], b->mark, b->members[i].custom_id);
    }
    qsort(b->members, b->n, sizeof *b->members, batch_member_order);
    LIST_INSERT_HEAD(&m->batches, b, link);
    batch_set_state(b, b->sure ? BATCH_RUNNING : BATCH_LOOKING);
    batch_later(b, 0);
}

/* The place of the call @tag that is free; NULL: there is none. */
static struct batch_member *batch_place(const struct llm_batch *b, const char *tag) {
    char custom_id[BATCH_CUSTOM_BYTES];
    batch_custom_id(tag, b->mark, custom_id);
    struct batch_member *member = batch_find(b, custom_id);
    return member == NULL || member->over || member->call != NULL ? NULL : member;
}

bool batch_has(const struct llm_batch *b, const char *tag) {
    return batch_place(b, tag) != NULL;
}

void batch_attach(struct llm_batch *b, struct llm_call *c) {
    struct batch_member *member = batch_place(b, llm_call_tag(c));
    batch_enter(b, member, c);
    if (member->kept != NULL) {
        loop_timer_start(b->llm->loop, &c->timer, 0, batch_hand_over, c);
    }
}
