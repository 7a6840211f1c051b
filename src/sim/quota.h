/* quota.h - limits that are enforced: how many requests and tokens a minute, how many at once.
 *
 * Each pair of key and model has buckets of its own. They are refilled without a pause (a sixtieth
 * of the limit a second), hold what is allowed in burst_s seconds and are full at the start. A
 * single request that is larger than a bucket passes when the bucket is full, and leaves a debt;
 * one that is larger than a whole minute never passes.
 *
 * A ramp is what may come at once; beyond it the use may rise by half in ramp_s, and what is not
 * used is lost as quickly.
 *
 *     quotas_admit() ─► refused: when to come again
 *                    └► admitted ─► quotas_produced() as output comes ─► quotas_leave()
 *
 * Pure: time comes in with the call, in microseconds of a clock that never goes back.
 */
#ifndef STUMPER_SIM_QUOTA_H
#define STUMPER_SIM_QUOTA_H

#include "base/str.h"

#define QUOTA_STEPS_MAX 8
#define QUOTA_MAX INT64_C(1000000000000)
#define QUOTA_ACCOUNTS_MAX 256 /* pairs of key and model; more share the last account */

/* A limit that may change with time. */
struct quota_plan {
    size_t n; /* 0: no limit */
    struct quota_step {
        int64_t from_s; /* since the first request; rising */
        int64_t value;
    } steps[QUOTA_STEPS_MAX];
};

/**
 * Read "600" or "600,30s:300,90s:600": 600 from the first request on, 300 from 30 seconds after it,
 * and so on. Returns false and leaves *@ret alone if @text is not one.
 */
NODISCARD bool quota_plan_read(struct str text, struct quota_plan *ret);

/* Which tokens a provider counts, and when. */
enum quota_rule {
    QUOTA_RULE_ADMISSION, /* OpenAI: input and the cap on output, when the request comes */
    QUOTA_RULE_PRODUCED,  /* Anthropic: input when it comes; output as it is produced, against a
                             limit of its own */
    QUOTA_RULE_INPUT      /* Gemini: input */
};

enum quota_kind {
    QUOTA_REQUESTS, /* a minute */
    QUOTA_TOKENS,   /* a minute: by the rule */
    QUOTA_OUTPUT,   /* tokens a minute, where they are counted apart */
    QUOTA_BUCKETS,
    QUOTA_CONCURRENCY = QUOTA_BUCKETS, /* requests at once */
    QUOTA_DAY,                         /* requests a day */
    QUOTA_RAMP,                        /* input tokens a minute that may come at once */
    QUOTA_SPEND,                       /* money */
    QUOTA_KINDS                        /* none of them */
};

/** "requests", "tokens", "output_tokens", "concurrency", "day", "ramp", "spend". */
const char *quota_name(enum quota_kind k);

struct quota_options {
    struct quota_plan of[QUOTA_SPEND]; /* by kind */
    double burst_s;                    /* what a bucket holds, at least one request; 0: 60 s */
    double ramp_s;                     /* use beyond QUOTA_RAMP may rise by half in so long */
};

/* A bucket as headers tell it. */
struct quota_view {
    int64_t limit;     /* a minute; 0: there is none */
    int64_t remaining; /* what would be admitted now; never negative */
    int64_t reset_us;  /* until it is full again */
};

/* What became of a request. */
struct quota_verdict {
    enum quota_kind refused;                /* QUOTA_KINDS: admitted */
    bool never;                             /* larger than the limit: no wait helps */
    int64_t limit;                          /* the one it was refused for */
    int64_t used, requested;                /* of that limit */
    int64_t wait_us;                        /* until the same request would pass; 0: unknown */
    struct quota_view views[QUOTA_BUCKETS]; /* after it */
};

struct quota_bucket {
    double level;
    int64_t at_us; /* 0: never used, so full */
};

struct quota_account {
    uint64_t id;
    struct quota_bucket buckets[QUOTA_BUCKETS], ramp;
    double ramp_limit; /* as far as use has risen */
    int64_t in_flight, today;
};

struct quotas {
    const struct quota_options *options;
    int64_t first_us; /* the first request; 0: none yet */
    size_t accounts_n;
    struct quota_account accounts[QUOTA_ACCOUNTS_MAX];
};

/** @options are borrowed. */
void quotas_init(struct quotas *l, const struct quota_options *options);

/** The account of a key and a model: valid as long as @l. */
struct quota_account *quotas_account(struct quotas *l, struct str key, struct str model);

/**
 * Ask for a request to be let in.
 *
 * @input, @output_max  its tokens, and the most it may produce (0: not told)
 * @return              true: admitted, to be ended with quotas_leave()
 */
NODISCARD bool quotas_admit(struct quotas *l, struct quota_account *a, enum quota_rule rule,
                            int64_t input, int64_t output_max, int64_t now_us,
                            struct quota_verdict *ret);

/** Count output that was produced; for QUOTA_RULE_PRODUCED alone it means anything. */
void quotas_produced(struct quotas *l, struct quota_account *a, enum quota_rule rule,
                     int64_t tokens, int64_t now_us);

/** An admitted request is over. */
void quotas_leave(struct quota_account *a);

#endif
