/* grid.h - columns that line up, for summaries on a terminal or in a log. */
#ifndef STUMPER_CLI_GRID_H
#define STUMPER_CLI_GRID_H

#include "base/sbuf.h"

#define GRID_COLUMNS_MAX 12

struct grid {
    struct arena *a;   /* owns the cells */
    const char *align; /* 'l' or 'r' for each column */
    size_t columns;
    struct str *cells; /* row after row */
    size_t n, capacity;
};

/** An empty table with a column for every letter of @align ("lrr"), at most GRID_COLUMNS_MAX. */
void grid_init(struct grid *t, struct arena *a, const char *align);

/** Add the next cell (UTF-8, copied); a row is full after one cell for each column. */
PRINTF(2, 3) void grid_cell(struct grid *t, const char *fmt, ...);

/** Write all rows, each line indented by @indent; columns are two spaces apart, ends have no
 * blanks. The last row must be full. */
void grid_write(const struct grid *t, int indent, struct sbuf *out);

#endif
