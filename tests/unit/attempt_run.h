/* attempt_run.h - for tests: drive an attempt by hand and write down what it does, one line a step.
 *
 *     call 0 engineer [system user] problem 1000     what it asks for, then …
 *     dedup
 *     accepted                                       … how it ends
 */
#ifndef STUMPER_TESTS_ATTEMPT_RUN_H
#define STUMPER_TESTS_ATTEMPT_RUN_H

#include "core/attempt.h"

struct run {
    struct arena shared; /* the setup */
    struct arena arena;  /* the attempt */
    struct taxonomy_topic topics[2];
    struct job_seed seed;
    struct job_spec spec;
    struct prompts prompts;
    struct attempt_setup setup;
    struct attempt *attempt;
    struct attempt_action action;
    struct sbuf trace;
};

/** The setup with small templates, one topic, caps of 1000, 2000, 3000 tokens, no comparisons. */
void run_init(struct run *r);
void run_release(struct run *r);

/** Attempt number @no begins: its first step is done. */
void run_begin(struct run *r, int64_t no);

/** Answer the call with a text that ended by itself. */
void run_answer(struct run *r, const char *text);

/** Answer the call in some other way; unset members: no text, finish STOP, usage 10 in, 5 out. */
void run_answer_as(struct run *r, struct call_answer answer, const char *final_answer);

void run_dedup(struct run *r, bool duplicate);
void run_define(struct run *r, bool definite);
void run_compare(struct run *r, enum comparison_verdict verdict, bool proof);

/** Go on to a stage by good answers. */
void run_to(struct run *r, enum attempt_stage stage);

/** Answers that are in order. */
extern const char run_good_problem[], run_good_check[];

/** The problem, once it has ended. */
const struct problem *run_problem(const struct run *r);

/** The text of the message number @i that is asked now. */
struct str run_message(const struct run *r, size_t i);

#endif
