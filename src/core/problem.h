/* problem.h - what an attempt made, and its one line of JSON (docs/problem.schema.json). */
#ifndef STUMPER_CORE_PROBLEM_H
#define STUMPER_CORE_PROBLEM_H

#include "core/call.h"
#include "json/write.h"

enum outcome {
    OUTCOME_ACCEPTED,  /* valid, and the target failed */
    OUTCOME_REJECTED,  /* the checker says it is not valid */
    OUTCOME_SOLVED,    /* the target got it */
    OUTCOME_DUPLICATE, /* the job has this problem already */
    OUTCOME_SURPLUS,   /* would be accepted, but N was reached */
    OUTCOME_FAILED,    /* errors; says nothing about the problem */
    OUTCOME_COUNT
};

/** "accepted", … */
const char *outcome_name(enum outcome o);
/** The outcome of a name; OUTCOME_COUNT if there is none of that name. */
enum outcome outcome_from_name(struct str name);

/* What the comparison of two answers found (answer/compare.h), as data. */
enum comparison_verdict { COMPARISON_UNDECIDED, COMPARISON_EQUAL, COMPARISON_DIFFERENT };

struct comparison {
    bool asked; /* false: nobody compared */
    enum comparison_verdict verdict;
    bool proof;        /* else it is evidence, or nothing */
    struct str method; /* "exact", "points", … */
    struct str reason;
};

/** "undecided", "equal", "different". */
const char *comparison_name(enum comparison_verdict verdict);

/* All text is borrowed from the attempt's arena; empty where the attempt did not get that far. */
struct problem {
    enum outcome outcome;
    struct str subject, topic, difficulty;
    struct str problem, answer;
    struct str hints; /* a JSON object as text, or empty */
    bool hints_were_corrected;
    struct str target_text;   /* the target's whole answer */
    struct str target_answer; /* its final answer, as extracted */
    struct str reference;     /* the seed it came from, a JSON object as text, or empty */
    struct str reason;        /* why rejected, failed or duplicate */
    const char
        *cause; /* for FAILED: a short stable cause such as "engineer: malformed"; else NULL */
    struct {
        bool stated; /* false: the equivalence check was never reached */
        bool equivalent;
        double confidence;  /* NaN: not told */
        const char *method; /* "proof", "llm" */
        struct str reason;
        struct comparison comparison; /* what the comparison of the answers said, if it was asked */
        bool disagreed;               /* comparison and checker said opposite things */
    } verdict;
    struct {
        bool stated; /* false: the initial check was never reached, or gave no verdict */
        bool valid;
        struct str reason;
    } check;
    struct str notes; /* a JSON array of strings (unknown hint keys, repairs made), or empty */
    struct str raw;   /* FAILED: the text that could not be used, kept whole */
    struct call_usage usage; /* sum over the attempt's paid calls; -1 if one of them told nothing */
    int64_t cost_nusd;       /* sum, MONEY_UNKNOWN if one of them is */
    int64_t calls;           /* paid ones */
    int64_t calls_reused;    /* whose answers an earlier job paid for (--cache) */
    uint64_t hash;           /* problem_hash() of the text; 0 while there is none */
};

/** A fingerprint that survives changes of white space, of case (ASCII), of LaTeX spacing ("\,",
 * "\quad", "\left") and of the marks around formulas ($, \(, \[). */
uint64_t problem_hash(struct str problem);

struct problem_ids {
    const char *id, *job_id;
    int64_t attempt;
    struct str models[ROLE_COUNT]; /* "provider/model" of who answered; empty: not known */
    int64_t created_ms;
};

/**
 * Write the line's object. What the attempt did not get to is null. Fields, in this order: id
 * job_id attempt status subject topic difficulty problem answer hints hints_were_corrected
 * target_model_answer target_model_text reference rejection_reason error (FAILED only: {cause,
 * raw}) verdict {method, equivalent, confidence, reason, comparison {verdict, certainty, method,
 * reason}, disagreed} checks {initial: {valid, reason}} samples
 * solve_rate similar usage {calls and tokens; -1 becomes null} cost_usd models created_at notes.
 */
void problem_write(const struct problem *p, const struct problem_ids *ids, struct jwrite *w);

#endif
