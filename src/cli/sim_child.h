/* sim_child.h - a simulator of one's own: `--engineer sim/engineer` without a provider "sim" starts
 * one.
 *
 * A process of its own, so that file descriptors and CPU are not shared with the client under test.
 * It dies with its parent (PR_SET_PDEATHSIG), also when the parent is killed.
 */
#ifndef STUMPER_CLI_SIM_CHILD_H
#define STUMPER_CLI_SIM_CHILD_H

#include "llm/llm.h"

#include <sys/types.h>

struct sim_child {
    pid_t pid; /* 0: none */
    int port;
};

/**
 * Start this program as `stumper sim --port 0 …` and wait until it listens.
 *
 * @truth  file that remembers what it planted, so that a resumed run meets the same problems
 * @args   further arguments, separated by spaces; may be empty
 * @return ERR_IO, ERR_TIMEOUT (10 s)
 */
NODISCARD enum err sim_child_start(struct sim_child *c, const char *truth, struct str args,
                                   struct errinfo *reterr);

/**
 * sim_child_start(), and add the provider "sim" that is it.
 *
 * @a      owns the provider's texts
 * @return also ERR_TOO_BIG: @llm has no room for another provider
 */
NODISCARD enum err sim_child_provide(struct sim_child *c, const char *truth, struct str args,
                                     struct llm_config *llm, struct arena *a,
                                     struct errinfo *reterr);

/** Ask it to end and wait for it; harmless if there is none. */
void sim_child_stop(struct sim_child *c);

#endif
