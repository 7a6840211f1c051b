/* truth.h - what the simulator knows of the problems it wrote, in memory and in a file.
 *
 * In memory a problem is 16 bytes (its hash → family and draw) and is written again when needed.
 * The file has a line of JSON for each, complete enough that `stumper score` needs nothing else:
 *
 *     {"family","draw","problem","answer","stated","planted","right":[…],"wrong":[…]}
 *
 * answer: the canonical right one; stated: what the engineer claimed; planted: whether that is
 * wrong on purpose. A restarted simulator reads it and knows its problems again.
 */
#ifndef STUMPER_SIM_TRUTH_H
#define STUMPER_SIM_TRUTH_H

#include "sim/family.h"
#include "sim/journal.h"
#include "sim/table.h"

#define TRUTH_ENTRIES_MAX ((size_t)1 << 20)

struct truth {
    struct table known;
    struct journal file;
};

/**
 * @path    appended to; what is in it is read first. NULL: memory only
 * @return  ERR_IO, ERR_READ_ONLY; a line that is not ours is passed over with a warning in the log
 */
NODISCARD enum err truth_open(struct truth *t, const char *path, struct errinfo *reterr);

/** Writes what is pending (journal_flush() does, too). */
void truth_close(struct truth *t);

/** Remember a problem; @stated is what the engineer claims. Known ones stay as they are. */
void truth_add(struct truth *t, const struct family *f, uint64_t draw, const struct item *it,
               struct str stated, bool planted);

/** The problem of this text (white space does not count), written into @ret; NULL if it is not one
 * of ours. */
const struct family *truth_find(struct truth *t, struct str problem, struct item *ret);

/** A hash of a problem's text without its white space. */
uint64_t truth_hash(struct str problem);

#endif
