/* Workers, for who looks after them. */
#include "store/reader.h"
#include "store/store_workers.h"

#include <string.h>

static bool reader_get_worker(struct sql_query *q, struct arena *a, struct worker_row *ret) {
    *ret = (struct worker_row){.number = sql_int(q, 0),
                               .slots = sql_int(q, 3),
                               .joined_ms = sql_int(q, 4),
                               .draining = sql_int(q, 5) != 0,
                               .silent_ms = MAX(sql_int(q, 6), INT64_C(0)),
                               .jobs = sql_int(q, 7),
                               .in_flight = sql_int(q, 8)};
    return row_get_str(q, 1, a, &ret->name) && row_get_str(q, 2, a, &ret->version);
}

enum err read_worker_list(struct store_reader *r, struct store_op *op) {
    struct store_worker_list *o = CONTAINER_OF(op, struct store_worker_list, op);
    size_t room = 0;
    o->ret = NULL;
    o->ret_n = 0;
    struct sql_query *q = sql_use(r->db, R_WORKERS);
    sql_put_int(q, sql_clock_ms(r->db));
    while (sql_next(q)) {
        bool fits = true;
        if (o->ret_n == room) {
            room = MAX(2 * room, (size_t)16);
            fits = arena_room(o->a) >= room * sizeof *o->ret + ARENA_CHUNK_BYTES_MAX;
            struct worker_row *more = fits ? ARENA_ARRAY(o->a, struct worker_row, room) : NULL;
            if (fits && o->ret_n > 0) {
                memcpy(more, o->ret, o->ret_n * sizeof *more);
            }
            o->ret = more;
        }
        if (!fits || !reader_get_worker(q, o->a, &o->ret[o->ret_n])) {
            sql_end(q);
            return errinfo_set(&op->detail, ERR_TOO_BIG, "the workers do not fit the memory given");
        }
        o->ret_n++;
    }
    return ERR_OK;
}
