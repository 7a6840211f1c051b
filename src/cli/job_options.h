/* job_options.h - the options of `generate` that say what the job is, and how they become a job.
 *
 * A job may come from flags alone, from --spec FILE (the body of POST /generate), or from both.
 * Where both name something, a flag on the command line is stronger than the file, and the file is
 * stronger than the environment and stumper.yaml.
 */
#ifndef STUMPER_CLI_JOB_OPTIONS_H
#define STUMPER_CLI_JOB_OPTIONS_H

#include "cli/load.h"

/* Where the rows put their values; zero-initialise it. */
struct job_options {
    const char *spec;
    int64_t num_problems;
    const char *models[ROLE_COUNT];
    const char *taxonomy, *seeds, *prompts;
    struct opt_strs topics;
    int64_t concurrency;
    int64_t max_attempts, max_cost_nusd, deadline_ms;
    int64_t stall_attempts, stall_errors;
    int64_t seed;
    const char *name, *judge, *mode;
    bool allow_text_answers;
};

#define JOB_OPTIONS_ROWS 20

/** Fill @rows with the rows of these options, in two groups. */
void job_options_rows(struct job_options *o, struct opt rows[JOB_OPTIONS_ROWS]);

/**
 * The whole job: the spec file if there is one, the options over it, the taxonomy (built in if none
 * is named) or seeds.
 *
 * @a       owns everything in @ret
 * @return  ERR_INVALID and the like: one text that names flag, variable, key or file and field
 */
NODISCARD enum err job_options_spec(const struct job_options *o, const struct opt_result *r,
                                    struct arena *a, struct job_spec *ret, struct errinfo *reterr);

#endif
