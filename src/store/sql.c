/* What all databases have in common: the failure that sticks, and the way to the driver. */
#include "store/sql_driver.h"

bool sql_is_server(const char *place) {
    struct str s = str_of(place);
    return str_starts(s, S("postgresql://")) || str_starts(s, S("postgres://"));
}

enum err sql_open(const char *place, enum sql_mode mode, const struct sql_schema *schema,
                  const char *const *texts, size_t texts_n, struct sql **ret,
                  struct errinfo *reterr) {
    struct sql_request request = {place, mode, schema, texts, texts_n};
    return sql_is_server(place) ? postgres_open(&request, ret, reterr)
                                : sqlite_open(&request, ret, reterr);
}

const char *sql_name(const struct sql *db) {
    return db->name;
}

int64_t sql_process(const struct sql *db) {
    return db->process;
}

int64_t sql_clock_ms(const struct sql *db) {
    return db->clock_ms;
}

int64_t sql_wall_ms(const struct sql *db) {
    return db->wall_ms;
}

int64_t sql_connected_ms(const struct sql *db) {
    return db->connected_ms;
}

int64_t sql_found_version(const struct sql *db) {
    return db->found_version;
}

void sql_close(struct sql *db) {
    db->driver->close(db);
}

/* --- failures */

void sql_fail_as(struct sql *db, enum err e, const char *reason) {
    if (db->err == ERR_OK) {
        db->err = errinfo_set(&db->detail, e, "%s: %s", db->name, reason);
    }
}

void sql_found_corrupt(struct sql *db, const char *what) {
    sql_fail_as(db, ERR_CORRUPT, what);
}

bool sql_failed(const struct sql *db) {
    return db->err != ERR_OK;
}

enum err sql_take_err(struct sql *db, struct errinfo *reterr) {
    enum err e = db->err;
    if (e != ERR_OK) {
        (void)errinfo_set(reterr, e, "%s", db->detail.text);
        db->err = ERR_OK;
    }
    return e;
}

/* --- transactions */

void sql_connect(struct sql *db) {
    if (db->driver->connect != NULL) {
        db->driver->connect(db);
    }
}

void sql_begin(struct sql *db) {
    db->driver->begin(db);
}

enum err sql_commit(struct sql *db, struct errinfo *reterr) {
    return db->driver->commit(db, reterr);
}

enum sql_fate sql_fate(struct sql *db) {
    return db->driver->fate(db);
}

void sql_rollback(struct sql *db) {
    db->driver->rollback(db);
}

int64_t sql_upkeep(struct sql *db) {
    return db->driver->upkeep(db);
}

void sql_check(struct sql *db) {
    db->driver->check(db);
}

/* --- queries */

struct sql_query *sql_use(struct sql *db, size_t index) {
    struct sql_query *q = db->driver->use(db, index);
    ASSERT(q->bound == 0); /* nobody is in the middle of it */
    return q;
}

void sql_put_int(struct sql_query *q, int64_t value) {
    if (q->db->err == ERR_OK) {
        q->db->driver->put_int(q, value);
    }
}

void sql_put_str(struct sql_query *q, struct str value) {
    if (q->db->err == ERR_OK) {
        q->db->driver->put_str(q, value);
    }
}

void sql_put_null(struct sql_query *q) {
    if (q->db->err == ERR_OK) {
        q->db->driver->put_null(q);
    }
}

int64_t sql_run(struct sql_query *q) {
    return q->db->driver->run(q);
}

void sql_run_later(struct sql_query *q) {
    if (q->db->driver->run_later != NULL) {
        q->db->driver->run_later(q);
    } else {
        (void)q->db->driver->run(q);
    }
}

bool sql_next(struct sql_query *q) {
    return q->db->driver->next(q);
}

void sql_end(struct sql_query *q) {
    q->db->driver->end(q);
}

int64_t sql_int(struct sql_query *q, int column) {
    return q->db->driver->column_int(q, column);
}

struct str sql_str(struct sql_query *q, int column) {
    return q->db->driver->column_str(q, column);
}

bool sql_is_null(struct sql_query *q, int column) {
    return q->db->driver->column_is_null(q, column);
}
