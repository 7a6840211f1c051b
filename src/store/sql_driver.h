/* sql_driver.h - what stands behind sql.h: one table of functions for each kind of database. Inside
 * the room only; sql.c, and the drivers themselves.
 *
 * A driver's connection and its queries begin with the structs below. The contract of each function
 * is that of the sql_… function of its name; failures are left in the connection by sql_fail_as().
 */
#ifndef STUMPER_STORE_SQL_DRIVER_H
#define STUMPER_STORE_SQL_DRIVER_H

#include "store/sql.h"

struct sql_driver {
    void (*close)(struct sql *db);
    void (*connect)(struct sql *db); /* NULL: it always is */
    void (*begin)(struct sql *db);
    enum err (*commit)(struct sql *db, struct errinfo *reterr);
    enum sql_fate (*fate)(struct sql *db);
    void (*rollback)(struct sql *db);
    int64_t (*upkeep)(struct sql *db);
    void (*check)(struct sql *db);
    struct sql_query *(*use)(struct sql *db, size_t index);
    void (*put_int)(struct sql_query *q, int64_t value);
    void (*put_str)(struct sql_query *q, struct str value);
    void (*put_null)(struct sql_query *q);
    int64_t (*run)(struct sql_query *q);
    void (*run_later)(struct sql_query *q); /* NULL: at once */
    bool (*next)(struct sql_query *q);
    void (*end)(struct sql_query *q);
    int64_t (*column_int)(struct sql_query *q, int column);
    struct str (*column_str)(struct sql_query *q, int column);
    bool (*column_is_null)(struct sql_query *q, int column);
};

/* The head of a driver's connection. */
struct sql {
    const struct sql_driver *driver;
    char *name; /* for people: a path, or an address without its secrets */
    enum sql_mode mode;
    int64_t process, clock_ms, wall_ms, connected_ms; /* see sql_process() and the others */
    int64_t found_version;
    enum err err; /* the first failure that was not taken yet */
    struct errinfo detail;
};

/* The head of a driver's query. */
struct sql_query {
    struct sql *db;
    const char *text;
    int bound; /* parameters put so far */
};

/* What sql_open() was asked for. */
struct sql_request {
    const char *place;
    enum sql_mode mode;
    const struct sql_schema *schema;
    const char *const *texts;
    size_t texts_n;
};

/** Open with one driver; see sql_open(). */
enum err sqlite_open(const struct sql_request *request, struct sql **ret, struct errinfo *reterr);
enum err postgres_open(const struct sql_request *request, struct sql **ret, struct errinfo *reterr);

/** Fail, unless something has failed before: "<name>: <reason>". */
void sql_fail_as(struct sql *db, enum err e, const char *reason);

#endif
