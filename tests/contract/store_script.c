#include "contract/store_script.h"

#include "base/sbuf.h"
#include "store/store_batch.h"
#include "store/store_key.h"
#include "store/store_outbox.h"
#include "store/store_workers.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define OTHER_JOB "job_2"
#define ATTEMPTS 4

/* --- the operations */

static enum err add_key(struct script *s) {
    struct store_key_add o = {.op = RIG_OP(s->rig),
                              .key = {.id = "key_1",
                                      .name = "ours",
                                      .hash = "5f",
                                      .scopes = STORE_SCOPE_SUBMIT,
                                      .day_nusd_max = 100,
                                      .requests_per_minute = 60}};
    store_key_add(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err submit(struct script *s, const char *job_id) {
    struct store_submit o = {.op = RIG_OP(s->rig),
                             .job_id = job_id,
                             .tenant = 1,
                             .spec = S("{\"num_problems\":2}"),
                             .taxonomy = S("{\"Algebra\":[\"Roots\"]}"),
                             .wanted = 2,
                             .name = S("a name"),
                             .webhook_url = S("https://example.org/hook"),
                             .idem_key = str_of(job_id),
                             .fingerprint = S("f")};
    store_submit(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err submit_one(struct script *s) {
    return submit(s, RIG_JOB);
}
static enum err submit_other(struct script *s) {
    return submit(s, OTHER_JOB);
}

static enum err join(struct script *s, int64_t *ret) {
    struct store_join o = {.op = RIG_OP(s->rig), .name = S("here/1/0"), .slots = ATTEMPTS};
    store_join(s->rig->store, &o);
    enum err e = rig_wait(s->rig, &o.op);
    *ret = o.ret_worker;
    return e;
}
static enum err join_first(struct script *s) {
    return join(s, &s->first);
}
static enum err join_second(struct script *s) {
    return join(s, &s->second);
}

static enum err ask_second_to_go(struct script *s) {
    struct store_worker_drain o = {.op = RIG_OP(s->rig), .worker = s->second};
    store_worker_drain(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err first_lends(struct script *s) {
    struct store_lend o = {
        .op = RIG_OP(s->rig), .job_id = RIG_JOB, .worker = s->first, .n = 1, .each_nusd = 50};
    store_lend(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err take(struct script *s, const char *job_id, int64_t worker) {
    struct store_take o = {
        .op = RIG_OP(s->rig), .job_id = job_id, .worker = worker, .a = &s->rig->arena};
    store_take(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err first_takes_one(struct script *s) {
    return take(s, RIG_JOB, s->first);
}
static enum err first_takes_other(struct script *s) {
    return take(s, OTHER_JOB, s->first);
}
static enum err second_takes_other(struct script *s) {
    return take(s, OTHER_JOB, s->second);
}

static enum err claim(struct script *s, const char *job_id, int64_t worker, struct lease *ret,
                      int64_t n) {
    struct store_claim o = {
        .op = RIG_OP(s->rig), .job_id = job_id, .worker = worker, .n = n, .ret = ret};
    store_claim(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err first_claims(struct script *s) {
    return claim(s, RIG_JOB, s->first, s->leases, ATTEMPTS);
}
static enum err second_claims(struct script *s) {
    struct lease leases[2];
    return claim(s, OTHER_JOB, s->second, leases, 2);
}
static enum err first_claims_other(struct script *s) {
    struct lease lease;
    return claim(s, OTHER_JOB, s->first, &lease, 1);
}
static enum err nobody_claims(struct script *s) { /* what the reaped one had */
    return claim(s, RIG_JOB, 0, &s->leases[2], 2);
}

static enum err record_first(struct script *s) {
    return rig_record(s->rig, s->leases[0], 0, S("paid"));
}
static enum err record_second(struct script *s) {
    return rig_record(s->rig, s->leases[1], 0, S("paid, too"));
}

static enum err lose_two_tries(struct script *s) {
    struct store_lose o = {.op = RIG_OP(s->rig), .job_id = RIG_JOB, .tries = 2, .nusd = 70};
    store_lose(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err intend_batch(struct script *s) {
    const struct batch_call call = {s->leases[1].attempt_no, 1};
    struct store_batch_intend o = {.op = RIG_OP(s->rig),
                                   .job_id = RIG_JOB,
                                   .mark = S("mark_1"),
                                   .model = S("lab/target"),
                                   .calls = &call,
                                   .n = 1,
                                   .now_ms = 9000};
    store_batch_intend(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err make_batch(struct script *s) {
    struct store_batch_made o = {
        .op = RIG_OP(s->rig), .mark = S("mark_1"), .id = S("the provider's")};
    store_batch_made(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err finish_first(struct script *s) {
    return rig_finish(s->rig, s->leases[0], OUTCOME_ACCEPTED, NULL);
}
static enum err finish_second(struct script *s) {
    return rig_finish(s->rig, s->leases[1], OUTCOME_REJECTED, NULL);
}
static enum err finish_third(struct script *s) {
    return rig_finish(s->rig, s->leases[2], OUTCOME_ACCEPTED, NULL);
}
static enum err finish_fourth(struct script *s) { /* a surplus */
    return rig_finish(s->rig, s->leases[3], OUTCOME_ACCEPTED, NULL);
}

static enum err release_third(struct script *s) {
    return rig_release_leases(s->rig, &s->leases[2], 1);
}

static enum err first_beats(struct script *s) {
    struct store_beat o = {.op = RIG_OP(s->rig), .worker = s->first};
    store_beat(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err second_quits(struct script *s) {
    struct store_quit o = {.op = RIG_OP(s->rig), .worker = s->second};
    store_quit(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err ask(struct script *s, enum store_wish wish) {
    struct store_ask o = {
        .op = RIG_OP(s->rig), .job_id = OTHER_JOB, .tenant = 1, .wish = wish, .reason = S("so")};
    store_ask(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err ask_to_pause(struct script *s) {
    return ask(s, STORE_PAUSE);
}
static enum err ask_to_resume(struct script *s) {
    return ask(s, STORE_RESUME);
}
static enum err ask_to_cancel(struct script *s) {
    return ask(s, STORE_CANCEL);
}

static enum err first_leaves_other(struct script *s) {
    struct store_leave o = {
        .op = RIG_OP(s->rig), .job_id = OTHER_JOB, .worker = s->first, .state = JOB_QUEUED};
    store_leave(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static void pass_a_moment(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
}

static enum err reap(struct script *s, int64_t silent_ms) {
    struct store_reap o = {.op = RIG_OP(s->rig), .silent_ms = silent_ms};
    pass_a_moment();
    store_reap(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err reap_nobody(struct script *s) {
    return reap(s, STORE_SILENT_MS);
}
static enum err reap_first(struct script *s) {
    return reap(s, 1);
}

static enum err set(struct script *s, enum job_state state) {
    struct store_job_set o = {.op = RIG_OP(s->rig), .job_id = RIG_JOB, .state = state};
    store_job_set(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err set_running(struct script *s) {
    return set(s, JOB_RUNNING);
}
static enum err set_succeeded(struct script *s) {
    return set(s, JOB_SUCCEEDED);
}

static enum err take_webhooks(struct script *s, int64_t limit) {
    struct store_outbox_take o = {.op = RIG_OP(s->rig), .limit = limit, .a = &s->rig->arena};
    store_outbox_take(s->rig->store, &o);
    enum err e = rig_wait(s->rig, &o.op);
    for (size_t i = 0; e == ERR_OK && i < o.ret_n; i++) {
        s->webhooks[i] = o.ret[i].number;
    }
    return e == ERR_OK && (int64_t)o.ret_n != limit ? ERR_NOT_FOUND : e;
}
static enum err take_a_webhook(struct script *s) {
    return take_webhooks(s, 1);
}
static enum err take_both_webhooks(struct script *s) {
    return take_webhooks(s, 2);
}

static enum err tell(struct script *s, int which, enum outbox_end end) {
    struct store_outbox_tell o = {.op = RIG_OP(s->rig),
                                  .number = s->webhooks[which],
                                  .end = end,
                                  .problem = S("it said 503")};
    store_outbox_tell(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}
static enum err tell_retry(struct script *s) {
    return tell(s, 0, OUTBOX_RETRY);
}
static enum err tell_delivered(struct script *s) {
    return tell(s, 0, OUTBOX_DELIVERED);
}
static enum err tell_given_up(struct script *s) {
    return tell(s, 1, OUTBOX_GIVEN_UP);
}

static enum err sweep(struct script *s) { /* the other job: it has ended */
    struct store_sweep o = {.op = RIG_OP(s->rig)};
    pass_a_moment();
    store_sweep(s->rig->store, &o);
    enum err e = rig_wait(s->rig, &o.op);
    return e == ERR_OK && o.ret_n != 1 ? ERR_NOT_FOUND : e;
}

static enum err delete_one(struct script *s) {
    struct store_delete o = {.op = RIG_OP(s->rig), .job_id = RIG_JOB, .tenant = 1};
    store_delete(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err revoke_key(struct script *s) {
    struct store_key_revoke o = {.op = RIG_OP(s->rig), .id = "key_1"};
    store_key_revoke(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err first_fills_purse(struct script *s) {
    struct store_purse o = {
        .op = RIG_OP(s->rig), .tenant = 1, .worker = s->first, .need_nusd = 10, .want_nusd = 20};
    store_purse(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

static enum err key_sends(struct script *s) {
    struct store_key_requests o = {.op = RIG_OP(s->rig), .tenant = 1, .n = 3};
    store_key_requests(s->rig->store, &o);
    return rig_wait(s->rig, &o.op);
}

const struct script_step script_steps[] = {
    {"key_add", add_key},
    {"key_requests", key_sends},
    {"submit", submit_one},
    {"submit", submit_other},
    {"join", join_first},
    {"join", join_second},
    {"take", first_takes_one},
    {"claim", first_claims},
    {"purse", first_fills_purse},
    {"lend", first_lends},
    {"worker_drain", ask_second_to_go},
    {"record", record_first},
    {"record", record_second},
    {"lose", lose_two_tries},
    {"batch_intend", intend_batch},
    {"batch_made", make_batch},
    {"finish", finish_first},
    {"release", release_third},
    {"beat", first_beats},
    {"take", second_takes_other},
    {"claim", second_claims},
    {"quit", second_quits},
    {"take", first_takes_other},
    {"claim", first_claims_other},
    {"leave", first_leaves_other},
    {"ask", ask_to_pause},
    {"ask", ask_to_resume},
    {"finish", finish_second},
    {"reap", reap_nobody}, /* the first time everybody is spared */
    {"reap", reap_first},
    {"job_set", set_running},
    {"claim", nobody_claims},
    {"finish", finish_third},
    {"finish", finish_fourth},
    {"job_set", set_succeeded},
    {"outbox_take", take_a_webhook},
    {"outbox_tell", tell_retry},
    {"ask", ask_to_cancel},
    {"outbox_take", take_both_webhooks},
    {"outbox_tell", tell_delivered},
    {"outbox_tell", tell_given_up},
    {"delete", delete_one},
    {"sweep", sweep},
    {"key_revoke", revoke_key},
};
const int script_steps_n = ARRAY_LEN(script_steps);

/* --- what the file says */

#define LIVING "(SELECT key FROM jobs WHERE deleted_ms IS NULL)"
#define DELETED "(SELECT key FROM jobs WHERE deleted_ms IS NOT NULL)"
#define DUMP_BYTES_MAX ((size_t)1024 * 1024)

static const struct {
    const char *table, *where;
} dump_tables[] = {
    {"jobs", "deleted_ms IS NULL"},
    {"specs", "job IN " LIVING},
    {"texts", "key IN (SELECT taxonomy FROM specs WHERE job IN " LIVING ")"},
    {"attempts", "job IN " LIVING},
    {"calls", "job IN " LIVING},
    {"usage", "job IN " LIVING},
    {"problems", "job IN " LIVING},
    {"events", "job IN " LIVING},
    {"outbox", "job IN " LIVING},
    {"batches", "job IN " LIVING},
    {"batch_calls", "job IN " LIVING},
    {"keys", "1"},
    {"key_spend", "1"},
    {"purses", "1"},
    {"key_rates", "1"},
    {"workers", "1"},
    {"tokens", "1"},
    {"gone", "1"},
    {"parts", "1"},
};

static sqlite3 *open_file(const char *path) {
    sqlite3 *db;
    ASSERT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    return db;
}

static int64_t ask_int(sqlite3 *db, const char *text) {
    sqlite3_stmt *q;
    ASSERT(sqlite3_prepare_v2(db, text, -1, &q, NULL) == SQLITE_OK);
    ASSERT(sqlite3_step(q) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    ASSERT(sqlite3_finalize(q) == SQLITE_OK);
    return n;
}

/* Of a time only whether there is one, of a webhook's body what follows it; nothing of a random id.
 */
static void dump_value(sqlite3_stmt *q, int column, const char *table, struct sbuf *to) {
    const char *name = sqlite3_column_name(q, column);
    const char *value = (const char *)sqlite3_column_text(q, column);
    if (strcmp(table, "outbox") == 0 && strcmp(name, "id") == 0) {
        return;
    }
    if (strcmp(table, "outbox") == 0 && strcmp(name, "body") == 0) {
        value = strstr(value, "\"data\"");
    }
    bool is_time = str_ends(str_of(name), S("_ms")) || str_ends(str_of(name), S("_us"));
    sbuf_addf(to, " %s=%s", name, value == NULL ? "NULL" : is_time ? "(a time)" : value);
}

static void dump_table(sqlite3 *db, const char *table, const char *where, struct sbuf *to) {
    char text[256];
    sqlite3_stmt *q;
    (void)snprintf(text, sizeof text, "SELECT * FROM %s WHERE %s", table, where);
    ASSERT(sqlite3_prepare_v2(db, text, -1, &q, NULL) == SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        sbuf_add_cstr(to, table);
        for (int column = 0; column < sqlite3_column_count(q); column++) {
            dump_value(q, column, table, to);
        }
        sbuf_add_char(to, '\n');
    }
    ASSERT(sqlite3_finalize(q) == SQLITE_OK);
}

struct str script_dump(const char *path, struct arena *a) {
    sqlite3 *db = open_file(path);
    struct sbuf text;
    sbuf_init(&text, DUMP_BYTES_MAX);
    /* a new table wants a place above */
    ASSERT(ask_int(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                       " AND name NOT LIKE 'sqlite_%'") == ARRAY_LEN(dump_tables));
    for (size_t i = 0; i < ARRAY_LEN(dump_tables); i++) {
        dump_table(db, dump_tables[i].table, dump_tables[i].where, &text);
    }
    ASSERT(!sbuf_overflowed(&text) && sqlite3_close(db) == SQLITE_OK);
    struct str dump = str_dup(a, sbuf_str(&text));
    sbuf_release(&text);
    return dump;
}

int64_t script_deleted_rows(const char *path) {
    sqlite3 *db = open_file(path);
    int64_t n = ask_int(db, "SELECT (SELECT count(*) FROM jobs WHERE deleted_ms IS NOT NULL)"
                            " + (SELECT count(*) FROM calls WHERE job IN " DELETED ")"
                            " + (SELECT count(*) FROM events WHERE job IN " DELETED ")");
    ASSERT(sqlite3_close(db) == SQLITE_OK);
    return n;
}
