/* watch.h - follow a job of a running service until it has ended, with the display of `generate`.
 */
#ifndef STUMPER_CLI_WATCH_H
#define STUMPER_CLI_WATCH_H

#include "cli/client.h"
#include "cli/progress.h"

/**
 * Follow @job_id. Ctrl-C ends the watching, not the job.
 *
 * @p      was begun; ended here
 * @ret    exit code: how the job ended (0, 1, 3), 130 for Ctrl-C
 * @return what client_ask() says
 */
NODISCARD enum err watch_job(struct client *c, const char *job_id, struct progress *p, int *ret,
                             struct errinfo *reterr);

/** The exit code for a job's final state. */
int watch_exit_code(struct str state);

#endif
