/* attempt.h - one try at one problem, as a pure state machine: events in, one action out.
 *
 *     START ─► engineer ─► dedup ─► define ─► checker ─► target ─► compare ─► checker
 *                            │        │       (initial)    │          │ proof  (equivalence)
 *                            ▼        ▼          ▼         ▼          ▼           ▼
 *                       duplicate  rejected   rejected   failed    solved or accepted
 *
 * define: is the engineer's answer read whole as mathematics? compare: are the two answers the
 * same? Both are asked of whoever drives the machine (answer/), not of a model, and cost nothing; a
 * job may do without either (job_spec.allow_text_answers, job_spec.judge).
 *
 * No I/O, no clock, no randomness: the same pick and the same answers give the same actions, so a
 * resumed attempt replays the answers in the ledger and goes on with the first call that has none.
 * (A comparison that was undecided for want of time may be decided in the replay, or the other way
 * round: it has no number among the calls, so the ledger still fits.)
 *
 * Invariants
 *   (1) after a step exactly one thing is awaited: an answer, a dedup result, or nothing (the end)
 *   (2) ACCEPTED is reached only by a proof that the answers differ, or by a stated, well-formed,
 *       coherent "not equivalent" that no proof contradicts (promise G7)
 *   (3) the target's messages hold nothing of the engineer's but the problem's text
 *   (4) calls are numbered 0, 1, 2 … as they are asked for, fewer than ATTEMPT_CALLS_MAX
 *
 * Answers that were paid for and are of no use, by stage:
 *   wrong form  asked again once with the exact error, the answer staying in the conversation; a
 *               verdict whose confidence contradicts it counts as one
 *   cut off     asked again with twice the output tokens, ATTEMPT_LENGTH_RETRIES times
 *   empty, or ended for a reason that nobody knows
 *               asked again, ATTEMPT_EMPTY_RETRIES times
 *   refused, or (target) without a final answer
 *               not asked again
 * After that the attempt is FAILED and keeps the text. A call that failed (answer.err != OK) ends
 * it at once: retries lie below, in llm/.
 */
#ifndef STUMPER_CORE_ATTEMPT_H
#define STUMPER_CORE_ATTEMPT_H

#include "core/job.h"
#include "core/problem.h"
#include "core/prompt.h"

#define ATTEMPT_CALLS_MAX 16
#define ATTEMPT_LENGTH_RETRIES 1
#define ATTEMPT_EMPTY_RETRIES 1
#define ATTEMPT_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Caps on what a model may write into a problem; more is an answer of the wrong form. */
#define ATTEMPT_PROBLEM_BYTES_MAX ((size_t)64 * 1024)
#define ATTEMPT_ANSWER_BYTES_MAX ((size_t)16 * 1024)
#define ATTEMPT_HINTS_MAX 32
#define ATTEMPT_HINTS_BYTES_MAX ((size_t)64 * 1024) /* all together */
#define ATTEMPT_REASON_BYTES_MAX ((size_t)64 * 1024)

struct attempt; /* lives in the arena given to attempt_new() */

enum attempt_event_kind {
    ATTEMPT_EV_START,
    ATTEMPT_EV_ANSWER, /* of the call that was asked for last */
    ATTEMPT_EV_DEDUP,
    ATTEMPT_EV_DEFINED,
    ATTEMPT_EV_COMPARED,
};

struct attempt_event {
    enum attempt_event_kind kind;
    const struct call_answer
        *answer;             /* ANSWER: its text must live as long as the attempt's arena */
    struct str final_answer; /* ANSWER of the target: what answer_extract() found; may be empty */
    bool duplicate;          /* DEDUP */
    bool definite;           /* DEFINED */
    struct comparison comparison; /* COMPARED; its texts live as long as the attempt's arena */
    bool checker_was_asked; /* COMPARED: by an earlier run; its answer is taken, a proof or not */
};

enum attempt_action_kind {
    ATTEMPT_ACT_CALL,   /* make `call` and come back with its answer */
    ATTEMPT_ACT_DEDUP,  /* has the job a problem with `hash` already? Remember it and come back with
                           the answer */
    ATTEMPT_ACT_DEFINE, /* is `gold` a definite answer? */
    ATTEMPT_ACT_COMPARE, /* are `gold` and the answer in `given` the same? */
    ATTEMPT_ACT_FINISH,  /* over; `problem` says how. No event may follow */
};

struct attempt_action {
    enum attempt_action_kind kind;
    const struct call_spec *call; /* CALL: borrowed until the next step */
    int64_t call_no;  /* CALL: 0, 1, 2 …; DEFINE, COMPARE: the checker's, if it is asked next */
    uint64_t hash;    /* DEDUP */
    struct str gold;  /* DEFINE, COMPARE: the engineer's answer */
    struct str given; /* COMPARE: the target's whole text */
    const struct problem *problem; /* FINISH: borrowed from the arena */
};

/* What the attempts of a job share; must outlive them. */
struct attempt_setup {
    const struct job_spec *spec;
    const struct prompts *prompts;
    int64_t output_tokens_max[ROLE_COUNT]; /* first cap per role */
};

/**
 * Begin attempt number @no (from 1) of a job: subject, topic (or seed) and variation are drawn from
 * (spec->seed, @no) alone.
 *
 * @a  owns the attempt and everything it makes
 */
struct attempt *attempt_new(struct arena *a, const struct attempt_setup *setup, int64_t no);

/** Feed one event; *@ret is what to do next. @event must be the one awaited (an assert checks). */
void attempt_step(struct attempt *at, const struct attempt_event *event,
                  struct attempt_action *ret);

/** How far it got, for the scheduler's estimate: the number of stages passed, 0..ATTEMPT_STAGES-1.
 */
enum attempt_stage {
    ATTEMPT_STAGE_ENGINEER,
    ATTEMPT_STAGE_CHECK,
    ATTEMPT_STAGE_TARGET,
    ATTEMPT_STAGE_JUDGE,
    ATTEMPT_STAGES
};
enum attempt_stage attempt_stage(const struct attempt *at);

#endif
