/* lines.h - a file of JSON lines, read one line at a time. */
#ifndef STUMPER_CLI_LINES_H
#define STUMPER_CLI_LINES_H

#include "json/node.h"

#include <stdio.h>

struct lines {
    const char *path;
    FILE *file;
    int64_t number; /* of the line that was read last, from 1 */
    char *text;
    size_t capacity;
    int errnum; /* of a read that failed; 0: none did */
};

/** Begin. @path: "-" is standard input; must outlive @l. ERR_NOT_FOUND, ERR_IO naming the file. */
NODISCARD enum err lines_open(struct lines *l, const char *path, struct errinfo *reterr);

/** The next line that is not blank, without white space around it (nor a byte order mark); borrowed
 * until the next call. False at the end. */
NODISCARD bool lines_next(struct lines *l, struct str *ret);

/** Close. ERR_IO if reading had failed. */
NODISCARD enum err lines_close(struct lines *l, struct errinfo *reterr);

/** One line as JSON: jnode_parse() without "line 1" in its errors. */
NODISCARD enum err lines_parse(struct str line, struct arena *a, const struct jnode **ret,
                               struct errinfo *reterr);

#endif
