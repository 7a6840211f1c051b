#include "cli/grid.h"

#include "cli/term.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GRID_CELL_BYTES_MAX 512

void grid_init(struct grid *t, struct arena *a, const char *align) {
    *t = (struct grid){.a = a, .align = align, .columns = strlen(align)};
    ASSERT(t->columns > 0 && t->columns <= GRID_COLUMNS_MAX);
}

void grid_cell(struct grid *t, const char *fmt, ...) {
    char text[GRID_CELL_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    if (t->n == t->capacity) {
        t->capacity = MAX(t->capacity * 2, t->columns * 8);
        struct str *cells = ARENA_ARRAY(t->a, struct str, t->capacity);
        if (t->n > 0) {
            memcpy(cells, t->cells, t->n * sizeof *cells);
        }
        t->cells = cells;
    }
    t->cells[t->n++] = str_dup(t->a, str_of(text));
}

/* One row of @columns cells, without blanks at its end. */
static void grid_write_row(const struct grid *t, const struct str *cells, const int *widths,
                           int indent, struct sbuf *out) {
    struct sbuf row;
    sbuf_init(&row, t->columns * 2 * GRID_CELL_BYTES_MAX);
    for (size_t i = 0; i < t->columns; i++) {
        int blanks = widths[i] - term_columns(cells[i]);
        bool right = t->align[i] == 'r';
        sbuf_addf(&row, "%*s%*s", i == 0 ? 0 : 2, "", right ? blanks : 0, "");
        sbuf_add(&row, cells[i]);
        sbuf_addf(&row, "%*s", right ? 0 : blanks, "");
    }
    struct str text = sbuf_str(&row);
    while (text.n > 0 && text.p[text.n - 1] == ' ') {
        text.n--;
    }
    sbuf_addf(out, "%*s%.*s\n", indent, "", STR_ARG(text));
    sbuf_release(&row);
}

void grid_write(const struct grid *t, int indent, struct sbuf *out) {
    int widths[GRID_COLUMNS_MAX] = {0};
    ASSERT(t->n % t->columns == 0);
    for (size_t i = 0; i < t->n; i++) {
        widths[i % t->columns] = MAX(widths[i % t->columns], term_columns(t->cells[i]));
    }
    for (size_t i = 0; i < t->n; i += t->columns) {
        grid_write_row(t, t->cells + i, widths, indent, out);
    }
}
