/* limit.h - limits that are enforced: how many requests and tokens a minute, how many at once.
 *
 * Each pair of key and model has buckets of its own. They are refilled without a pause (a sixtieth
 * of the limit a second), hold what is allowed in burst_s seconds and are full at the start. A
 * single request that is larger than a bucket passes when the bucket is full, and leaves a debt;
 * one that is larger than a whole minute never passes.
 *
 *     limits_admit() ─► refused: when to come again
 *                    └► admitted ─► limits_produced() as output comes ─► limits_leave()
 *
 * Pure: time comes in with the call, in microseconds of a clock that never goes back.
 */
#ifndef STUMPER_SIM_LIMIT_H
#define STUMPER_SIM_LIMIT_H

#include "base/str.h"

#define LIMIT_STEPS_MAX 8
#define LIMIT_MAX INT64_C(1000000000000)
#define LIMIT_ACCOUNTS_MAX 256 /* pairs of key and model; more share the last account */

/* A limit that may change with time. */
struct limit_plan {
    size_t n; /* 0: no limit */
    struct limit_step {
        int64_t from_s; /* since the first request; rising */
        int64_t value;
    } steps[LIMIT_STEPS_MAX];
};

/**
 * Read "600" or "600,30s:300,90s:600": 600 from the first request on, 300 from 30 seconds after it,
 * and so on. Returns false and leaves *@ret alone if @text is not one.
 */
NODISCARD bool limit_plan_read(struct str text, struct limit_plan *ret);

/* Which tokens a provider counts, and when. */
enum limit_rule {
    LIMIT_RULE_ADMISSION, /* OpenAI: input and the cap on output, when the request comes */
    LIMIT_RULE_PRODUCED,  /* Anthropic: input when it comes; output as it is produced, against a
                             limit of its own */
    LIMIT_RULE_INPUT      /* Gemini: input */
};

enum limit_kind {
    LIMIT_REQUESTS, /* a minute */
    LIMIT_TOKENS,   /* a minute: by the rule */
    LIMIT_OUTPUT,   /* tokens a minute, where they are counted apart */
    LIMIT_BUCKETS,
    LIMIT_CONCURRENCY = LIMIT_BUCKETS, /* requests at once */
    LIMIT_DAY,                         /* requests a day */
    LIMIT_SPEND,                       /* money */
    LIMIT_KINDS                        /* none of them */
};

/** "requests", "tokens", "output_tokens", "concurrency", "day", "spend". */
const char *limit_name(enum limit_kind k);

struct limit_options {
    struct limit_plan of[LIMIT_SPEND]; /* by kind */
    double burst_s;                    /* what a bucket holds, at least one request; 0: 60 s */
};

/* A bucket as headers tell it. */
struct limit_view {
    int64_t limit;     /* a minute; 0: there is none */
    int64_t remaining; /* what would be admitted now; never negative */
    int64_t reset_us;  /* until it is full again */
};

/* What became of a request. */
struct limit_verdict {
    enum limit_kind refused;                /* LIMIT_KINDS: admitted */
    bool never;                             /* larger than the limit: no wait helps */
    int64_t limit;                          /* the one it was refused for */
    int64_t used, requested;                /* of that limit */
    int64_t wait_us;                        /* until the same request would pass; 0: unknown */
    struct limit_view views[LIMIT_BUCKETS]; /* after it */
};

struct limit_bucket {
    double level;
    int64_t at_us; /* 0: never used, so full */
};

struct limit_account {
    uint64_t id;
    struct limit_bucket buckets[LIMIT_BUCKETS];
    int64_t in_flight, today;
};

struct limits {
    const struct limit_options *options;
    int64_t first_us; /* the first request; 0: none yet */
    size_t accounts_n;
    struct limit_account accounts[LIMIT_ACCOUNTS_MAX];
};

/** @options are borrowed. */
void limits_init(struct limits *l, const struct limit_options *options);

/** The account of a key and a model: valid as long as @l. */
struct limit_account *limits_account(struct limits *l, struct str key, struct str model);

/**
 * Ask for a request to be let in.
 *
 * @input, @output_max  its tokens, and the most it may produce (0: not told)
 * @return              true: admitted, to be ended with limits_leave()
 */
NODISCARD bool limits_admit(struct limits *l, struct limit_account *a, enum limit_rule rule,
                            int64_t input, int64_t output_max, int64_t now_us,
                            struct limit_verdict *ret);

/** Count output that was produced; for LIMIT_RULE_PRODUCED alone it means anything. */
void limits_produced(struct limits *l, struct limit_account *a, enum limit_rule rule,
                     int64_t tokens, int64_t now_us);

/** An admitted request is over. */
void limits_leave(struct limit_account *a);

#endif
