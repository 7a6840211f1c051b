#include "cli/planted.h"

#include "cli/lines.h"

#include <inttypes.h>

#define PLANTED_LINE_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Give every line of a file to @take. */
static enum err planted_read(struct score *s, const char *path,
                             enum err (*take)(struct score *s, struct str line, struct arena *a,
                                              struct errinfo *reterr),
                             struct errinfo *reterr) {
    struct lines l;
    struct str line;
    struct arena a;
    enum err e = lines_open(&l, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&a, PLANTED_LINE_BYTES_MAX);
    while (e == ERR_OK && lines_next(&l, &line)) {
        e = take(s, line, &a, reterr);
        if (e != ERR_OK) {
            e = errinfo_wrap(reterr, e, "%s line %" PRId64, path, l.number);
        }
        arena_reset(&a);
    }
    arena_release(&a);
    enum err closed = lines_close(&l, e == ERR_OK ? reterr : NULL);
    return e != ERR_OK ? e : closed;
}

/* A line that a crash cut off is passed over. */
static enum err planted_take_truth(struct score *s, struct str line, struct arena *a,
                                   struct errinfo *reterr) {
    const struct jnode *j;
    if (lines_parse(line, a, &j, NULL) == ERR_OK && !score_add_truth(s, j)) {
        return errinfo_set(reterr, ERR_INVALID, "this is not what `stumper sim --truth` writes");
    }
    return ERR_OK;
}

static enum err planted_take_problem(struct score *s, struct str line, struct arena *a,
                                     struct errinfo *reterr) {
    const struct jnode *j;
    enum err e = lines_parse(line, a, &j, reterr);
    if (e == ERR_OK && jnode_type(jnode_get(j, "status")) != JNODE_STRING) {
        e = errinfo_set(reterr, ERR_INVALID, "this is not a problem that `stumper generate` wrote");
    }
    if (e == ERR_OK) {
        score_add_problem(s, j);
    }
    return e;
}

enum err planted_read_truth(struct score *s, const char *path, struct errinfo *reterr) {
    return planted_read(s, path, planted_take_truth, reterr);
}

enum err planted_read_problems(struct score *s, const char *path, struct errinfo *reterr) {
    return planted_read(s, path, planted_take_problem, reterr);
}
