/* journal.h - a file that lines are appended to, buffered. Nothing is promised about a power cut.
 */
#ifndef STUMPER_SIM_JOURNAL_H
#define STUMPER_SIM_JOURNAL_H

#include "base/err.h"
#include "base/sbuf.h"

struct journal {
    const char *path; /* borrowed; NULL: there is no file */
    int fd;
    struct sbuf pending; /* whole lines, to be added to by the owner */
    enum err failed;     /* the first error of writing; nothing is written after it */
};

/**
 * Open for appending, creating it if need be. A last line that a crash cut off is ended, so that it
 * does not run into the next one.
 *
 * @path    NULL gives a journal that keeps nothing
 * @return  ERR_IO | ERR_READ_ONLY | ERR_NOT_FOUND (its folder); the text names the path
 */
NODISCARD enum err journal_open(struct journal *j, const char *path, struct errinfo *reterr);

/** Write what is pending. An error is logged once; what cannot be written is dropped. */
void journal_flush(struct journal *j);

/** Flush and close. */
void journal_close(struct journal *j);

#endif
