/* sink.h - a file that is written piece by piece and appears as a whole.
 *
 * What is written goes to a temporary file beside the wanted one, which takes its place when the
 * sink is committed: after a crash, a full disk or a failed reader there is the old file or the new
 * one. Standard output and what is not a regular file (a pipe, /dev/null) are written directly.
 */
#ifndef STUMPER_CLI_SINK_H
#define STUMPER_CLI_SINK_H

#include "base/err.h"
#include "base/str.h"

#include <limits.h>
#include <stdio.h>

struct sink {
    FILE *file;
    const char *name;    /* for messages: the path as given, or "standard output" */
    char path[PATH_MAX]; /* the file to become, links followed; empty: written directly */
    char temp[PATH_MAX];
    bool is_stdout;
};

/** Begin. @path: "-" is standard output; must outlive the sink. ERR_IO, ERR_DISK_FULL,
 * ERR_READ_ONLY, ERR_NOT_FOUND (no such folder). */
NODISCARD enum err sink_open(struct sink *s, const char *path, struct errinfo *reterr);

/** Append. The same errors; then the sink is to be dropped. */
NODISCARD enum err sink_write(struct sink *s, struct str bytes, struct errinfo *reterr);

/** All is written: make it durable and put it in place. Whatever it returns, the sink is closed. */
NODISCARD enum err sink_commit(struct sink *s, struct errinfo *reterr);

/** Give up: the old file stays. */
void sink_drop(struct sink *s);

#endif
