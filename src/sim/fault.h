/* fault.h - what goes wrong with an answer, and how often. */
#ifndef STUMPER_SIM_FAULT_H
#define STUMPER_SIM_FAULT_H

#include "base/str.h"

/* Names are those of the flags (--fault-429) and of the ledger. */
#define FAULT_TABLE(X) /*  code     name        billed */                                          \
    X(FAULT_NONE, "none", true)                                                                    \
    X(FAULT_429, "429", false)     /* too many requests, with the wait in its headers */           \
    X(FAULT_QUOTA, "quota", false) /* 429 that no wait will mend */                                \
    X(FAULT_500, "500", false)                                                                     \
    X(FAULT_503, "503", false)                                                                     \
    X(FAULT_529, "529", false)                                                                     \
    X(FAULT_RESET, "reset", false)        /* the connection is reset instead of an answer */       \
    X(FAULT_HANG, "hang", false)          /* no answer until the client goes */                    \
    X(FAULT_IN_200, "in-200", false)      /* an error as the body of a 200, or amid a stream */    \
    X(FAULT_CUT, "cut", false)            /* a stream ends, a body breaks off, too early */        \
    X(FAULT_STALL, "stall", false)        /* begins, then says no more until the client goes */    \
    X(FAULT_DRIP, "drip", true)           /* bit by bit, in ten times the time */                  \
    X(FAULT_TRUNCATE, "truncate", true)   /* cut off, finish_reason "length" */                    \
    X(FAULT_MALFORMED, "malformed", true) /* JSON that cannot be read */                           \
    X(FAULT_EMPTY, "empty", true)         /* no content */                                         \
    X(FAULT_REFUSE, "refuse", true)       /* a refusal in place of the content */

enum fault {
#define X(code, name, billed) code,
    FAULT_TABLE(X)
#undef X
        FAULT_COUNT
};

/** The name in the table above. */
const char *fault_name(enum fault f);

/** True if the answer comes with its usage, so that it is charged for. */
bool fault_billed(enum fault f);

/** True if there is a text to be had, or the beginning of one. */
bool fault_speaks(enum fault f);

struct fault_rates {
    double of[FAULT_COUNT]; /* 0..1 each; FAULT_NONE has none */
};

/** Spread @rate evenly over all kinds but FAULT_QUOTA, which ends a job; added to what is set. */
void fault_rates_spread(struct fault_rates *r, double rate);

/** The kind for a uniform @u in [0, 1). */
enum fault fault_draw(const struct fault_rates *r, double u);

#endif
