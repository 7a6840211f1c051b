/* API keys come and are revoked; what they may have under way. What they spend is counted in
 * rules_purse.c. */
#include "store/rules_job.h"
#include "store/store_key.h"

enum err rule_key_add(struct rules *r, struct store_op *op) {
    struct store_key_add *o = CONTAINER_OF(op, struct store_key_add, op);
    struct sql_query *q = sql_use(r->db, Q_KEY_ADD);
    o->key.number = 0;
    o->key.created_ms = sql_wall_ms(r->db);
    sql_put_str(q, str_of(o->key.id));
    sql_put_str(q, str_of(o->key.name));
    sql_put_str(q, str_of(o->key.hash));
    sql_put_int(q, o->key.scopes);
    sql_put_int(q, o->key.requests_per_minute);
    sql_put_int(q, o->key.jobs_max);
    sql_put_int(q, o->key.day_nusd_max);
    sql_put_int(q, o->key.created_ms);
    while (sql_next(q)) {
        o->key.number = sql_int(q, 0);
    }
    if (o->key.number == 0) {
        return errinfo_set(&op->detail, ERR_EXISTS, "there is a key %s already", o->key.id);
    }
    r->keys = true;
    return ERR_OK;
}

enum err rule_key_revoke(struct rules *r, struct store_op *op) {
    const struct store_key_revoke *o = CONTAINER_OF(op, struct store_key_revoke, op);
    struct sql_query *q = sql_use(r->db, Q_KEY_REVOKE);
    sql_put_int(q, sql_wall_ms(r->db));
    sql_put_str(q, str_of(o->id));
    if (sql_run(q) == 0) {
        return errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no key %s", o->id);
    }
    r->keys = true;
    return ERR_OK;
}

/* --- limits */

void rules_lock_keys(struct rules *r, struct str keys) {
    struct sql_query *q = sql_use(r->db, Q_KEYS_LOCK);
    sql_put_str(q, keys);
    while (sql_next(q)) { /* one transaction of a key after the other from here */
    }
}

static void rules_read_use(struct rules *r, int64_t tenant, struct key_use *ret) {
    int64_t day = sql_wall_ms(r->db) / RULES_DAY_MS;
    struct sql_query *q = sql_use(r->db, Q_KEY_USE);
    *ret = (struct key_use){.next_day_ms = (day + 1) * RULES_DAY_MS};
    sql_put_int(q, tenant);
    sql_put_int(q, day);
    sql_put_str(q, S(STORE_DAY_SPENT));
    sql_put_int(q, day * RULES_DAY_MS);
    while (sql_next(q)) {
        ret->jobs_max = sql_int(q, 0);
        ret->day_nusd_max = sql_int(q, 1);
        ret->jobs = sql_int(q, 2);
        ret->day_nusd = sql_int(q, 3);
        ret->day_spent = sql_int(q, 4) != 0;
    }
}

enum store_limit rules_key_limit(struct rules *r, int64_t tenant, struct key_use *ret) {
    rules_read_use(r, tenant, ret);
    bool spent = ret->day_nusd >= ret->day_nusd_max || ret->day_spent;
    return ret->jobs_max > 0 && ret->jobs >= ret->jobs_max ? STORE_LIMIT_JOBS
           : ret->day_nusd_max > 0 && spent                ? STORE_LIMIT_DAY
                                                           : STORE_LIMIT_NONE;
}

bool rules_has_day_limit(struct rules *r, int64_t tenant) {
    struct sql_query *q = sql_use(r->db, Q_KEY_LIMITED);
    sql_put_int(q, tenant);
    bool limited = sql_next(q);
    if (limited) {
        sql_end(q);
    }
    return limited;
}

/* GCRA (ITU-T I.371): due_us is the theoretical arrival time of the next request. One that lies
 * further ahead than it can was written before the clock was set back. */
enum err rule_key_requests(struct rules *r, struct store_op *op) {
    struct store_key_requests *o = CONTAINER_OF(op, struct store_key_requests, op);
    int64_t now_us = sql_wall_ms(r->db) * 1000, per_minute = 0, due_us = 0;
    struct sql_query *q = sql_use(r->db, Q_KEY_RATE);
    sql_put_int(q, o->tenant);
    while (sql_next(q)) {
        per_minute = sql_int(q, 0);
        due_us = sql_int(q, 1);
    }
    o->ret_n = o->n;
    o->ret_ahead_us = 0;
    if (per_minute == 0) {
        return ERR_OK;
    }
    int64_t step_us = MAX(STORE_KEY_WINDOW_US / per_minute, INT64_C(1));
    due_us = MIN(MAX(due_us, now_us), now_us + STORE_KEY_WINDOW_US);
    o->ret_n = MIN(o->n, (now_us + STORE_KEY_WINDOW_US - due_us) / step_us);
    due_us += o->ret_n * step_us;
    o->ret_ahead_us = due_us - now_us;
    q = sql_use(r->db, Q_KEY_RATE_SET);
    sql_put_int(q, o->tenant);
    sql_put_int(q, due_us);
    (void)sql_run(q);
    return ERR_OK;
}
