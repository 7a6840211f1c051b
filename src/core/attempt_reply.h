/* attempt_reply.h - inside the attempt: what the roles' answers say, or what exactly is wrong with
 * them. Not for other rooms.
 *
 * Strict, because the message goes back to the model and because a lenient reading of a verdict is
 * how wrong problems get accepted (promise G7): a verdict is a JSON boolean and nothing else.
 */
#ifndef STUMPER_CORE_ATTEMPT_REPLY_H
#define STUMPER_CORE_ATTEMPT_REPLY_H

#include "core/attempt.h"

/* The forms that are asked for. */
extern const struct call_schema reply_problem_schema, reply_check_schema, reply_verdict_schema;

struct hints {
    struct str text[ATTEMPT_HINTS_MAX];
    size_t n;
    size_t bytes; /* of all texts */
};

struct reply_problem {
    struct str subject, topic; /* may be empty */
    struct str problem, answer;
    struct hints hints;
    struct str mended; /* what had to be mended in the JSON, for a note; may be empty */
};

/* Things that were passed over or mended, in order. */
struct note {
    struct note *next;
    struct str text;
};

struct notes {
    struct note *first, *last;
    size_t n;
};

#define NOTES_MAX 32 /* more are dropped */

/** Add a note, copied to @a. */
PRINTF(3, 4) void notes_add(struct notes *notes, struct arena *a, const char *fmt, ...);

struct reply_check {
    bool valid;
    struct str reason;
    bool hints_changed;
    struct str mended;
};

struct reply_verdict {
    bool equivalent;
    struct str reason;
    double confidence; /* NaN: not told */
    struct str mended;
};

/** Read the engineer's answer. ERR_MALFORMED with what is wrong. Results are copied to @a. */
NODISCARD enum err reply_read_problem(struct str text, struct arena *a, struct reply_problem *ret,
                                      struct errinfo *reterr);

/** Read the initial check. ERR_MALFORMED with what is wrong. If the problem is valid, @hints are
 * corrected in place; corrections that cannot be used go to @notes. */
NODISCARD enum err reply_read_check(struct str text, struct arena *a, struct hints *hints,
                                    struct notes *notes, struct reply_check *ret,
                                    struct errinfo *reterr);

/** Read the equivalence check. ERR_MALFORMED with what is wrong; ERR_CONFLICT when the confidence
 * contradicts the verdict. */
NODISCARD enum err reply_read_verdict(struct str text, struct arena *a, struct reply_verdict *ret,
                                      struct errinfo *reterr);

#endif
