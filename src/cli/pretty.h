/* pretty.h - one problem as a page for people. Pure. */
#ifndef STUMPER_CLI_PRETTY_H
#define STUMPER_CLI_PRETTY_H

#include "cli/term.h"
#include "json/node.h"

/** Write the problem @j (a line of docs/problem.schema.json) wrapped at term->width, with a rule
 * above it. Members that it lacks are left out. @a: scratch. */
void pretty_problem(const struct jnode *j, const struct term *term, struct arena *a,
                    struct sbuf *out);

#endif
