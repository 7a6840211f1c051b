/* planted.h - what the simulator planted, read for a score (sim/score.h). */
#ifndef STUMPER_CLI_PLANTED_H
#define STUMPER_CLI_PLANTED_H

#include "base/err.h"
#include "sim/score.h"

/** Add every line of a file that `stumper sim --truth` wrote; one that a crash cut off is passed
 * over. ERR_INVALID (names the line: it is not such a file), file errors. */
NODISCARD enum err planted_read_truth(struct score *s, const char *path, struct errinfo *reterr);

/** Count every problem of a file that `stumper generate` wrote. Errors likewise. */
NODISCARD enum err planted_read_problems(struct score *s, const char *path, struct errinfo *reterr);

#endif
