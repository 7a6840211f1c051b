/* API keys, and what tenants have under way. */
#include "store/reader.h"
#include "store/store_key.h"

#include <stdio.h>
#include <string.h>

#define READER_DAY_MS INT64_C(86400000)

static void reader_get_key(struct sql_query *q, struct key_row *ret) {
    *ret = (struct key_row){.number = sql_int(q, 0),
                            .scopes = (unsigned)sql_int(q, 4),
                            .requests_per_minute = sql_int(q, 5),
                            .jobs_max = sql_int(q, 6),
                            .day_nusd_max = sql_int(q, 7),
                            .created_ms = sql_int(q, 8),
                            .revoked_ms = sql_int(q, 9)};
    (void)snprintf(ret->id, sizeof ret->id, "%.*s", STR_ARG(sql_str(q, 1)));
    (void)snprintf(ret->name, sizeof ret->name, "%.*s", STR_ARG(sql_str(q, 2)));
    (void)snprintf(ret->hash, sizeof ret->hash, "%.*s", STR_ARG(sql_str(q, 3)));
}

enum err read_key_list(struct store_reader *r, struct store_op *op) {
    struct store_key_list *o = CONTAINER_OF(op, struct store_key_list, op);
    size_t room = 0;
    o->ret = NULL;
    o->ret_n = 0;
    struct sql_query *q = sql_use(r->db, R_KEYS);
    while (sql_next(q)) {
        if (o->ret_n == room) {
            room = MAX(2 * room, (size_t)16);
            if (arena_room(o->a) < room * sizeof *o->ret + ARENA_CHUNK_BYTES_MAX) {
                sql_end(q);
                return errinfo_set(&op->detail, ERR_TOO_BIG,
                                   "the keys do not fit the memory given");
            }
            struct key_row *more = ARENA_ARRAY(o->a, struct key_row, room);
            if (o->ret_n > 0) {
                memcpy(more, o->ret, o->ret_n * sizeof *more);
            }
            o->ret = more;
        }
        reader_get_key(q, &o->ret[o->ret_n++]);
    }
    return ERR_OK;
}

enum err read_key_find(struct store_reader *r, struct store_op *op) {
    struct store_key_find *o = CONTAINER_OF(op, struct store_key_find, op);
    struct sql_query *q = sql_use(r->db, R_KEY_OF_HASH);
    sql_put_str(q, str_of(o->hash));
    if (!sql_next(q)) {
        return errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no such key");
    }
    reader_get_key(q, &o->ret);
    sql_end(q);
    return ERR_OK;
}

/* The number that a query about a tenant gives; 0 where it gives no row. */
static int64_t reader_tenant_int(struct store_reader *r, size_t query, int64_t tenant) {
    struct sql_query *q = sql_use(r->db, query);
    int64_t value = 0;
    sql_put_int(q, tenant);
    while (sql_next(q)) {
        value = sql_int(q, 0);
    }
    return value;
}

enum err read_key_use(struct store_reader *r, struct store_op *op) {
    struct store_key_use *o = CONTAINER_OF(op, struct store_key_use, op);
    int64_t day = sql_wall_ms(r->db) / READER_DAY_MS;
    o->ret_day_nusd = 0;
    o->ret_next_day_ms = (day + 1) * READER_DAY_MS;
    o->ret_jobs = reader_tenant_int(r, R_KEY_JOBS, o->tenant);
    o->ret_day_nusd_max = reader_tenant_int(r, R_KEY_DAY_MAX, o->tenant);
    struct sql_query *q = sql_use(r->db, R_KEY_SPENT);
    sql_put_int(q, o->tenant);
    sql_put_int(q, day);
    while (sql_next(q)) {
        o->ret_day_nusd = sql_int(q, 0);
    }
    q = sql_use(r->db, R_KEY_PAUSED);
    sql_put_int(q, o->tenant);
    sql_put_str(q, S(STORE_DAY_SPENT));
    sql_put_int(q, day * READER_DAY_MS);
    o->ret_day_spent = sql_next(q);
    sql_end(q);
    return ERR_OK;
}
