/* Webhooks: a row is due at a time, or taken (no time), or ended. */
#include "store/rules_job.h"
#include "store/store_outbox.h"

#include <inttypes.h>
#include <stdio.h>

static bool rules_get_webhook(struct sql_query *q, struct arena *a, struct outbox_row *ret) {
    struct str url = sql_str(q, 3), body = sql_str(q, 4);
    if (url.n + body.n + 2 * ARENA_CHUNK_BYTES_MIN > arena_room(a)) {
        return false;
    }
    *ret = (struct outbox_row){.number = sql_int(q, 0),
                               .url = str_dup(a, url),
                               .body = str_dup(a, body),
                               .tries = sql_int(q, 5),
                               .created_ms = sql_int(q, 6)};
    (void)snprintf(ret->id, sizeof ret->id, "%.*s", STR_ARG(sql_str(q, 1)));
    (void)snprintf(ret->key_id, sizeof ret->key_id, "%.*s", STR_ARG(sql_str(q, 7)));
    (void)snprintf(ret->job_id, sizeof ret->job_id, "%.*s", STR_ARG(sql_str(q, 2)));
    return true;
}

/* How far the clock that all processes go by is ahead of that of who asks. */
static int64_t rules_ahead_ms(const struct rules *r, int64_t now_ms) {
    return sql_process(r->db) != 0 ? sql_clock_ms(r->db) - now_ms : 0;
}

enum err rule_outbox_take(struct rules *r, struct store_op *op) {
    struct store_outbox_take *o = CONTAINER_OF(op, struct store_outbox_take, op);
    ASSERT(o->limit >= 1 && o->limit <= STORE_OUTBOX_TAKE_MAX);
    struct outbox_row *rows = ARENA_ARRAY(o->a, struct outbox_row, (size_t)o->limit);
    size_t n = 0;
    int64_t ahead_ms = rules_ahead_ms(r, o->now_ms);
    struct sql_query *q = sql_use(r->db, Q_OUTBOX_FIND_DUE);
    sql_put_int(q, o->now_ms + ahead_ms);
    sql_put_int(q, o->limit);
    while (sql_next(q)) {
        if (!rules_get_webhook(q, o->a, &rows[n++])) {
            sql_end(q);
            return errinfo_set(&op->detail, ERR_TOO_BIG,
                               "the webhooks do not fit the memory given");
        }
    }
    for (size_t i = 0; i < n; i++) {
        q = sql_use(r->db, Q_OUTBOX_TAKEN);
        sql_put_int(q, rows[i].number);
        rules_put_process(r, q);
        (void)sql_run(q);
    }
    o->ret = rows;
    o->ret_n = n;
    o->ret_next_ms = 0;
    q = sql_use(r->db, Q_OUTBOX_NEXT);
    while (sql_next(q)) {
        o->ret_next_ms = sql_is_null(q, 0) ? 0 : sql_int(q, 0) - ahead_ms;
    }
    return ERR_OK;
}

enum err rule_outbox_tell(struct rules *r, struct store_op *op) {
    const struct store_outbox_tell *o = CONTAINER_OF(op, struct store_outbox_tell, op);
    struct sql_query *q = sql_use(r->db, Q_OUTBOX_TELL);
    bool again = o->end == OUTBOX_RETRY;
    sql_put_str(q, o->problem);
    if (again) {
        sql_put_int(q, o->retry_ms + rules_ahead_ms(r, o->now_ms));
        sql_put_null(q);
    } else {
        sql_put_null(q);
        sql_put_int(q, o->now_ms);
    }
    sql_put_int(q, o->number);
    rules_put_process(r, q);
    r->outbox |= again; /* whoever is there then may deliver it */
    return sql_run(q) > 0 ? ERR_OK
                          : errinfo_set(&op->detail, ERR_NOT_FOUND,
                                        "there is no webhook %" PRId64 " under way", o->number);
}
