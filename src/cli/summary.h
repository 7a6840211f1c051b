/* summary.h - what a job came to, at the end of a run and in `stumper status`. */
#ifndef STUMPER_CLI_SUMMARY_H
#define STUMPER_CLI_SUMMARY_H

#include "cli/progress.h"
#include "sim/score.h"

#include <stdio.h>

/* Where it ends and why; what to do next follows from it. */
struct summary {
    const struct job_row *job;
    const struct spend_row *spend;
    size_t spend_n;
    const struct work_view *view;  /* of the run that just ended; NULL: none did (status) */
    const struct llm_stats *stats; /* of that run; NULL: none */
    int64_t elapsed_ms;            /* of that run; -1: not known */
    enum stop stop;                /* STOP_NOT_YET: still going on */
    const char *cause;             /* STOP_ERRORS: the error; may be NULL */
    enum err fatal;                /* not OK: the store gave out */
    const char *fatal_detail;
    const struct score
        *score;           /* against what the run's own simulator planted; NULL: there is none */
    const char *output;   /* file of problems; NULL: none; "-": standard output */
    int64_t output_n;     /* problems in it */
    const char *state;    /* the store's file */
    bool stop_is_unknown; /* status: nobody wrote down why it stopped */
};

/** Fill stop, cause and stop_is_unknown from a stored job's state and reason, for status. */
void summary_stop_of_job(struct summary *s, struct arena *a);

/** Everything: headline, outcomes, roles, money, files, why it ended, what to do next. @a: scratch.
 */
void summary_text(const struct summary *s, struct arena *a, struct sbuf *out);

/** Why it ended, in one sentence without a full stop. */
void summary_why(const struct summary *s, struct sbuf *out);

/** What to do next, one sentence, or nothing. */
void summary_next(const struct summary *s, struct sbuf *out);

/** summary_text() to @to. */
void summary_print(const struct summary *s, FILE *to);

#endif
