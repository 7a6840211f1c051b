/* failpoint.h - named places where a test makes the process die as if by kill -9.
 *
 *     STUMPER_FAILPOINT=store.record.before_commit      die at the first hit
 *     STUMPER_FAILPOINT=store.record.before_commit:3    die at the third
 *
 * Without the variable a failpoint costs one predictable branch. Names read room.what.when and are
 * written once, in full, where they are hit, so that grep finds them. This is, beside the logger
 * and the skew of the clock, the one piece of global state: written before any thread starts, only
 * read after.
 */
#ifndef STUMPER_BASE_FAILPOINT_H
#define STUMPER_BASE_FAILPOINT_H

#include "base/defs.h"

#include <stdbool.h>

/* True if a failpoint is named: for loops that do nothing but hit failpoints. */
extern bool failpoint_armed;

/** Die here if this is the place. Any thread. @name: a string. */
#define FAILPOINT(name) (__builtin_expect(failpoint_armed, 0) ? failpoint_hit(name) : (void)0)

/** What FAILPOINT() calls when a failpoint is armed: dies by SIGKILL if @name is the one and its
 * count is reached. */
void failpoint_hit(const char *name);

/** Take @spec ("name" or "name:n"; NULL: none) instead of the environment's. For a test's child
 * process that did not exec; before it starts a thread. */
void failpoint_arm(const char *spec);

#endif
