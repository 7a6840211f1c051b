/* table.h - columns that line up, for summaries on a terminal or in a log. */
#ifndef STUMPER_CLI_TABLE_H
#define STUMPER_CLI_TABLE_H

#include "base/sbuf.h"

#define TABLE_COLUMNS_MAX 12

struct table {
    struct arena *a;   /* owns the cells */
    const char *align; /* 'l' or 'r' for each column */
    size_t columns;
    struct str *cells; /* row after row */
    size_t n, capacity;
};

/** An empty table with a column for every letter of @align ("lrr"), at most TABLE_COLUMNS_MAX. */
void table_init(struct table *t, struct arena *a, const char *align);

/** Add the next cell (UTF-8, copied); a row is full after one cell for each column. */
PRINTF(2, 3) void table_cell(struct table *t, const char *fmt, ...);

/** Write all rows, each line indented by @indent; columns are two spaces apart, ends have no
 * blanks. The last row must be full. */
void table_write(const struct table *t, int indent, struct sbuf *out);

#endif
