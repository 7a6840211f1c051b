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

/* The time of day that the schedule goes by. If it is set back, what is due goes on being due when
 * it would have been, and not hours later. */
int64_t rules_due_ms(const struct rules *r) {
    bool is_server = sql_process(r->db) != 0;
    return is_server ? sql_wall_ms(r->db)
                     : MAX(sql_wall_ms(r->db), sql_clock_ms(r->db) + r->wall_ahead_ms);
}

enum err rule_outbox_take(struct rules *r, struct store_op *op) {
    struct store_outbox_take *o = CONTAINER_OF(op, struct store_outbox_take, op);
    ASSERT(o->limit >= 1 && o->limit <= STORE_OUTBOX_TAKE_MAX);
    struct outbox_row *rows = ARENA_ARRAY(o->a, struct outbox_row, (size_t)o->limit);
    size_t n = 0;
    int64_t now_ms = rules_due_ms(r);
    struct sql_query *q = sql_use(r->db, Q_OUTBOX_FIND_DUE);
    sql_put_int(q, now_ms);
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
    o->ret_next_in_ms = -1;
    q = sql_use(r->db, Q_OUTBOX_NEXT);
    while (sql_next(q)) {
        o->ret_next_in_ms = sql_is_null(q, 0) ? -1 : MAX(sql_int(q, 0) - now_ms, INT64_C(0));
    }
    return ERR_OK;
}

enum err rule_outbox_tell(struct rules *r, struct store_op *op) {
    const struct store_outbox_tell *o = CONTAINER_OF(op, struct store_outbox_tell, op);
    struct sql_query *q = sql_use(r->db, Q_OUTBOX_TELL);
    bool again = o->end == OUTBOX_RETRY;
    sql_put_str(q, o->problem);
    if (again) {
        sql_put_int(q, rules_due_ms(r) + o->retry_in_ms);
        sql_put_null(q);
    } else {
        sql_put_null(q);
        sql_put_int(q, sql_wall_ms(r->db));
    }
    sql_put_int(q, o->number);
    rules_put_process(r, q);
    r->outbox |= again; /* whoever is there then may deliver it */
    return sql_run(q) > 0 ? ERR_OK
                          : errinfo_set(&op->detail, ERR_NOT_FOUND,
                                        "there is no webhook %" PRId64 " under way", o->number);
}
