/* API keys come and are revoked; what they spend is counted in rules_flush(). */
#include "store/rules_job.h"
#include "store/store_key.h"

enum err rule_key_add(struct rules *r, struct store_op *op) {
    struct store_key_add *o = CONTAINER_OF(op, struct store_key_add, op);
    struct sql_query *q = sql_use(r->db, Q_KEY_ADD);
    o->key.number = 0;
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
    sql_put_int(q, o->now_ms);
    sql_put_str(q, str_of(o->id));
    if (sql_run(q) == 0) {
        return errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no key %s", o->id);
    }
    r->keys = true;
    return ERR_OK;
}
