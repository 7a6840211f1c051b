/* API keys. */
#include "store/reader.h"
#include "store/store_key.h"

#include <stdio.h>
#include <string.h>

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
