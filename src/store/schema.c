#include "store/schema.h"

extern const unsigned char store_schema_0001[], store_schema_0002[], store_schema_0003[],
    store_schema_0004[], store_schema_0005[], store_schema_0006[], store_schema_0007[],
    store_schema_0008[], store_schema_0009[], store_schema_0010[], store_schema_0011[],
    store_schema_0012[];
extern const unsigned char store_schema_postgres_0001[], store_schema_postgres_0002[],
    store_schema_postgres_0003[], store_schema_postgres_0004[], store_schema_postgres_0005[],
    store_schema_postgres_0006[], store_schema_postgres_0007[], store_schema_postgres_0008[],
    store_schema_postgres_0009[], store_schema_postgres_0010[], store_schema_postgres_0011[],
    store_schema_postgres_0012[];

static const char *const schema_texts[] = {
    (const char *)store_schema_0001, (const char *)store_schema_0002,
    (const char *)store_schema_0003, (const char *)store_schema_0004,
    (const char *)store_schema_0005, (const char *)store_schema_0006,
    (const char *)store_schema_0007, (const char *)store_schema_0008,
    (const char *)store_schema_0009, (const char *)store_schema_0010,
    (const char *)store_schema_0011, (const char *)store_schema_0012,
};

static const char *const schema_postgres[] = {
    (const char *)store_schema_postgres_0001, (const char *)store_schema_postgres_0002,
    (const char *)store_schema_postgres_0003, (const char *)store_schema_postgres_0004,
    (const char *)store_schema_postgres_0005, (const char *)store_schema_postgres_0006,
    (const char *)store_schema_postgres_0007, (const char *)store_schema_postgres_0008,
    (const char *)store_schema_postgres_0009, (const char *)store_schema_postgres_0010,
    (const char *)store_schema_postgres_0011, (const char *)store_schema_postgres_0012,
};

const struct sql_schema store_schema = {
    .application_id = 0x53544d50, /* "STMP" */
    .texts = schema_texts,
    .texts_n = ARRAY_LEN(schema_texts),
    .postgres = schema_postgres,
    .postgres_n = ARRAY_LEN(schema_postgres),
};
