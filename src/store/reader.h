/* reader.h - the read-only connection, as reader.c and check.c see it. Inside the room only. */
#ifndef STUMPER_STORE_READER_H
#define STUMPER_STORE_READER_H

#include "store/check.h"
#include "store/sql.h"
#include "store/store.h"

enum {
    R_JOB,
    R_JOB_NEWEST,
    R_JOB_KEY,
    R_PROBLEMS,
    R_HASHES_COUNT,
    R_HASHES,
    R_SPEND,
#define X(name, text, query) R_CHECK_##name,
    STORE_CHECKS(X)
#undef X
        R_COUNT
};

struct store_reader {
    struct sql *db;
    char *path;
};

#endif
