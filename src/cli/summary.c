#include "cli/summary.h"

#include "cli/grid.h"

#include <string.h>

#define SUMMARY_BYTES_MAX ((size_t)256 * 1024)
#define SUMMARY_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* --- why it ended, and what to do about it --- */

void summary_stop_of_job(struct summary *s, struct arena *a) {
    const struct job_row *job = s->job;
    s->stop = STOP_NOT_YET;
    s->stop_is_unknown = false;
    if (job->state == JOB_SUCCEEDED) {
        s->stop = STOP_DONE;
        return;
    }
    for (int stop = STOP_DONE; stop < STOP_COUNT; stop++) {
        if (str_eq(job->reason, str_of(stop_name((enum stop)stop)))) {
            s->stop = (enum stop)stop;
            return;
        }
    }
    if (job->state == JOB_PARTIAL || job->state == JOB_FAILED) {
        s->stop = STOP_ERRORS; /* its reason is the cause */
        s->cause = job->reason.n > 0 ? str_cstr(a, job->reason) : NULL;
        s->stop_is_unknown = s->cause == NULL;
    } else if (job->state == JOB_QUEUED && job->attempts > 0) {
        s->stop = STOP_INTERRUPTED;
    }
}

void summary_why(const struct summary *s, struct sbuf *out) {
    const int64_t *outcomes = s->job->outcomes;
    if (s->fatal != ERR_OK) {
        sbuf_addf(out, "the state could not be written: %s",
                  s->fatal_detail != NULL ? s->fatal_detail : err_text(s->fatal));
        return;
    }
    if (s->stop_is_unknown) {
        sbuf_add_cstr(out, "it ended without a recorded reason");
        return;
    }
    switch (s->stop) {
    case STOP_NOT_YET:
        sbuf_addf(out, "it has not ended (%s)", job_state_name(s->job->state));
        return;
    case STOP_DONE:
        sbuf_addf(out, "all %s problems are there", term_count(s->job->wanted).s);
        return;
    case STOP_MAX_ATTEMPTS:
        sbuf_addf(out, "--max-attempts was reached (%s attempts)", term_count(s->job->attempts).s);
        return;
    case STOP_MAX_COST:
        sbuf_add_cstr(out, "--max-cost was reached: what is left does not pay another call");
        return;
    case STOP_DEADLINE:
        sbuf_add_cstr(out, "the --deadline passed");
        return;
    case STOP_STALLED:
        sbuf_addf(out,
                  "no progress: many attempts in a row without an acceptance (%s solved, %s "
                  "rejected, %s duplicates in all)",
                  term_count(outcomes[OUTCOME_SOLVED]).s, term_count(outcomes[OUTCOME_REJECTED]).s,
                  term_count(outcomes[OUTCOME_DUPLICATE]).s);
        return;
    case STOP_ERRORS:
        sbuf_addf(out, "one error again and again: %s", s->cause != NULL ? s->cause : "unknown");
        return;
    case STOP_INTERRUPTED:
        sbuf_add_cstr(out, "it was interrupted");
        return;
    case STOP_CANCELLED:
        sbuf_add_cstr(out, "it was cancelled");
        return;
    case STOP_COUNT:
        break;
    }
    ASSERT(false); /* the switch is whole */
}

/* The largest kind of failure says what to change. */
static const char *summary_next_stalled(const struct summary *s) {
    const int64_t *n = s->job->outcomes;
    if (n[OUTCOME_SOLVED] >= n[OUTCOME_REJECTED] && n[OUTCOME_SOLVED] >= n[OUTCOME_DUPLICATE]) {
        return "the target solves what it gets: ask for harder topics, a stronger engineer or a "
               "weaker target, or raise --stall-attempts";
    }
    if (n[OUTCOME_REJECTED] >= n[OUTCOME_DUPLICATE]) {
        return "the checker rejects what the engineer writes: read its reasons (stumper show, with "
               "--keep all), try another engineer or --prompts, or raise --stall-attempts";
    }
    return "the engineer repeats itself: give it more topics or another model, or raise "
           "--stall-attempts";
}

void summary_next(const struct summary *s, struct sbuf *out) {
    if (s->fatal != ERR_OK) {
        sbuf_add_cstr(out,
                      s->fatal == ERR_DISK_FULL
                          ? "free some space, then run the same command again: it goes on where "
                            "it stopped"
                          : "mend that, then run the same command again: it goes on where it "
                            "stopped");
        return;
    }
    switch (s->stop) {
    case STOP_DONE:
        if (s->output != NULL && strcmp(s->output, "-") != 0) {
            sbuf_addf(out, "stumper show %s", s->output);
        }
        return;
    case STOP_MAX_ATTEMPTS:
        sbuf_add_cstr(out, "the same command with a larger --max-attempts goes on from here");
        return;
    case STOP_MAX_COST:
        sbuf_add_cstr(out, "the same command with a larger --max-cost goes on from here");
        return;
    case STOP_DEADLINE:
    case STOP_INTERRUPTED:
        sbuf_add_cstr(out,
                      "the same command goes on from here; what was paid for is not paid again");
        return;
    case STOP_STALLED:
        sbuf_add_cstr(out, summary_next_stalled(s));
        return;
    case STOP_ERRORS:
        sbuf_add_cstr(out,
                      "stumper doctor checks keys and endpoints; then the same command goes on "
                      "from here");
        return;
    case STOP_CANCELLED:
    case STOP_NOT_YET:
    case STOP_COUNT:
        return;
    }
}

/* --- the tables --- */

static int64_t summary_finished(const struct job_row *job) {
    int64_t n = 0;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        n += job->outcomes[o];
    }
    return n;
}

static void summary_headline(const struct summary *s, struct sbuf *out) {
    int64_t accepted = s->job->outcomes[OUTCOME_ACCEPTED];
    sbuf_addf(out, "%s of %s problems accepted", term_count(accepted).s,
              term_count(s->job->wanted).s);
    if (s->elapsed_ms >= 0) {
        sbuf_addf(out, " in %s", term_duration(s->elapsed_ms).s);
    }
    sbuf_add_char(out, '\n');
}

static void summary_outcomes(const struct summary *s, struct arena *a, struct sbuf *out) {
    int64_t finished = summary_finished(s->job);
    struct grid t;
    grid_init(&t, a, "lrr");
    grid_cell(&t, "outcome");
    grid_cell(&t, "attempts");
    grid_cell(&t, "share");
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        int64_t n = s->job->outcomes[o];
        if (n > 0 || o <= OUTCOME_SOLVED) { /* accepted, rejected, solved always */
            grid_cell(&t, "%s", outcome_name((enum outcome)o));
            grid_cell(&t, "%s", term_count(n).s);
            grid_cell(&t, "%s", term_share(n, finished).s);
        }
    }
    grid_cell(&t, "all");
    grid_cell(&t, "%s", term_count(finished).s);
    grid_cell(&t, "%s", "");
    grid_write(&t, 2, out);
}

static struct str summary_money(int64_t nusd, int64_t unpriced, struct arena *a) {
    struct sbuf text;
    sbuf_init(&text, 256);
    progress_money(nusd, unpriced, &text);
    struct str copy = str_dup(a, sbuf_str(&text));
    sbuf_release(&text);
    return copy;
}

static void summary_roles(const struct summary *s, struct arena *a, struct sbuf *out) {
    static const char *const heads[] = {"role",       "model", "calls", "tokens in",
                                        "tokens out", "money", "p50",   "p95"};
    struct grid t;
    if (s->spend_n == 0) {
        return;
    }
    grid_init(&t, a, "llrrrrrr");
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        grid_cell(&t, "%s", heads[i]);
    }
    for (size_t i = 0; i < s->spend_n; i++) {
        const struct spend_row *r = &s->spend[i];
        grid_cell(&t, "%s", role_name(r->usage.role));
        grid_cell(&t, "%.*s", STR_ARG(r->usage.model));
        grid_cell(&t, "%s", term_count(r->usage.calls).s);
        grid_cell(&t, "%s", term_count(r->usage.input_tokens).s);
        grid_cell(&t, "%s", term_count(r->usage.output_tokens).s);
        grid_cell(&t, "%.*s",
                  STR_ARG(summary_money(r->usage.cost_nusd, r->usage.calls_unpriced, a)));
        grid_cell(&t, "%s", term_latency(r->p50_ms).s);
        grid_cell(&t, "%s", term_latency(r->p95_ms).s);
    }
    sbuf_add_char(out, '\n');
    grid_write(&t, 2, out);
}

/* "money     $1.23 in all, $0.0246 for an accepted problem, $0.0082 for an attempt, $0.0027 for a
 * call, $0.02 wasted on attempts that failed (1.6%)" */
static void summary_spend(const struct summary *s, struct sbuf *out) {
    const struct job_row *job = s->job;
    int64_t accepted = job->outcomes[OUTCOME_ACCEPTED], wasted = 0;
    for (size_t i = 0; i < s->spend_n; i++) {
        wasted += s->spend[i].wasted_nusd;
    }
    sbuf_add_cstr(out, "  money  ");
    progress_money(job->cost_nusd, job->calls_unpriced, out);
    if (job->calls_unpriced > 0 && job->cost_nusd == 0) {
        sbuf_add_cstr(out, ": no price is known for these models (--price MODEL=INPUT,OUTPUT)");
    } else {
        if (accepted > 0) {
            sbuf_addf(out, ", %s%s for an accepted problem",
                      job->calls_unpriced > 0 ? "at least " : "",
                      term_money(job->cost_nusd / accepted).s);
        }
        if (job->attempts > 0) {
            sbuf_addf(out, ", %s for an attempt", term_money(job->cost_nusd / job->attempts).s);
        }
        if (job->calls > job->calls_unpriced) {
            sbuf_addf(out, ", %s for a call",
                      term_money(job->cost_nusd / (job->calls - job->calls_unpriced)).s);
        }
        sbuf_addf(out, ", %s wasted on attempts that failed", term_money(wasted).s);
        if (wasted > 0) {
            sbuf_addf(out, " (%s)", term_share(wasted, job->cost_nusd).s);
        }
    }
    sbuf_add_char(out, '\n');
}

/* "lost   3 requests were sent without seeing their ends: on the bill with nothing to $0.41" */
static void summary_lost(const struct job_row *job, struct sbuf *out) {
    if (job->tries_lost == 0) {
        return;
    }
    sbuf_addf(out, "  lost   %s request%s sent without seeing %s: on the bill with nothing to %s\n",
              term_count(job->tries_lost).s, job->tries_lost == 1 ? " was" : "s were",
              job->tries_lost == 1 ? "its end" : "their ends",
              job->lost_nusd > 0 ? term_money(job->lost_nusd).s : "what nobody knows");
}

static void summary_calls(const struct summary *s, struct sbuf *out) {
    sbuf_addf(out, "  calls  %s", term_count(s->job->calls).s);
    if (s->view != NULL && s->view->replayed > 0) {
        sbuf_addf(out, ", %s of them from an earlier run and not paid again",
                  term_count(s->view->replayed).s);
    }
    if (s->view != NULL && s->view->reused > 0) {
        sbuf_addf(out, ", %s of them answered from the cache", term_count(s->view->reused).s);
    }
    if (s->stats != NULL && s->stats->retries > 0) {
        sbuf_addf(out, "; %s requests were tried again (%s rate limits)",
                  term_count(s->stats->retries).s, term_count(s->stats->rate_limited).s);
    }
    if (s->view != NULL && s->view->budget.excess_nusd > 0) {
        sbuf_addf(out, "; providers charged %s more than the requests allowed",
                  term_money(s->view->budget.excess_nusd).s);
    }
    sbuf_add_char(out, '\n');
}

/* "judge  382 verdicts, 355 (93%) by proof, without asking the checker" */
static void summary_judge(const struct summary *s, struct sbuf *out) {
    if (s->view != NULL && s->view->judged > 0) {
        sbuf_addf(out, "  judge  %s verdicts, %s (%s) by proof, without asking the checker\n",
                  term_count(s->view->judged).s, term_count(s->view->proved).s,
                  term_share(s->view->proved, s->view->judged).s);
    }
    if (s->score != NULL && s->score->judged > 0) {
        sbuf_addf(out,
                  "  truth  %s of %s accepts false (%s), %s of %s solves false (%s): what the "
                  "simulator planted\n",
                  term_count(s->score->false_accepts).s, term_count(s->score->accepts).s,
                  term_share(s->score->false_accepts, s->score->accepts).s,
                  term_count(s->score->false_solves).s, term_count(s->score->solves).s,
                  term_share(s->score->false_solves, s->score->solves).s);
    }
}

static void summary_files(const struct summary *s, struct sbuf *out) {
    if (s->output != NULL) {
        sbuf_addf(out, "  files  %s (%s problem%s), state in %s\n",
                  strcmp(s->output, "-") == 0 ? "standard output" : s->output,
                  term_count(s->output_n).s, s->output_n == 1 ? "" : "s", s->state);
    } else if (s->state != NULL) {
        sbuf_addf(out, "  files  state in %s\n", s->state);
    }
}

void summary_text(const struct summary *s, struct arena *a, struct sbuf *out) {
    summary_headline(s, out);
    sbuf_add_char(out, '\n');
    summary_outcomes(s, a, out);
    summary_roles(s, a, out);
    sbuf_add_char(out, '\n');
    summary_spend(s, out);
    summary_calls(s, out);
    summary_lost(s->job, out);
    summary_judge(s, out);
    summary_files(s, out);
    sbuf_add_cstr(out, "  ended  ");
    summary_why(s, out);
    sbuf_add_char(out, '\n');
    struct sbuf next;
    sbuf_init(&next, SUMMARY_BYTES_MAX);
    summary_next(s, &next);
    if (next.n > 0) {
        sbuf_addf(out, "  next   %s\n", sbuf_str(&next).p);
    }
    sbuf_release(&next);
}

void summary_print(const struct summary *s, FILE *to) {
    struct arena a;
    struct sbuf out;
    arena_init(&a, SUMMARY_ARENA_BYTES_MAX);
    sbuf_init(&out, SUMMARY_BYTES_MAX);
    summary_text(s, &a, &out);
    (void)fputs(sbuf_str(&out).p, to); /* a full disk shows when main() flushes */
    sbuf_release(&out);
    arena_release(&a);
}
