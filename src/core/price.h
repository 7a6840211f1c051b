/* price.h - what calls cost. The table comes from data/prices.json (dollars per million tokens). */
#ifndef STUMPER_CORE_PRICE_H
#define STUMPER_CORE_PRICE_H

#include "core/call.h"
#include "json/check.h"

/* Nano-dollars, per token; `request`: per answered request. */
struct price_rates {
    int64_t input, cached_input, cache_write;
    int64_t output, reasoning;
    int64_t request;
};

#define PRICE_TIERS_MAX 4
#define PRICE_PEAKS_MAX 4

/* What a model costs from a day on. */
struct price {
    int64_t from_ms; /* of the wall clock; INT64_MIN: since ever */
    struct price_rates rates;
    struct price_tier {
        int64_t above_tokens; /* requests with more input than this pay these rates for all of it */
        struct price_rates rates;
    } tiers[PRICE_TIERS_MAX]; /* above_tokens rises */
    size_t tiers_n;
    struct price_peak {
        int64_t from_minute, to_minute; /* of the day, UTC; from < to */
    } peaks[PRICE_PEAKS_MAX];
    size_t peaks_n;
    int64_t peak_permille;     /* what everything is multiplied by in these hours */
    int64_t batch_permille;    /* what everything is multiplied by in a batch; 0: as 1000 */
    const struct price *later; /* what it costs afterwards; NULL: nothing is known to change */
};

/* How a call is asked. */
enum price_tariff { PRICE_DIRECT, PRICE_BATCH };

struct price_table; /* lives in the arena it was read into */

#define PRICE_USD_PER_MTOK_MAX 1000000

/**
 * Read
 *
 *     {"openai/gpt-5.4": {
 *          "input": 2.5, "cached_input": 0.25, "output": 15,   cached_input and cache_write default
 *          "cache_write": 2.5, "reasoning": 15,                to input, reasoning to output
 *          "request": 0.005,                                   dollars for each
 *          "batch": 0.5,                                       the part of it that a batch costs
 *          "above": {"272000": {"input": 5, "output": 22.5}},  by tokens of input; what a tier does
 *          "peak": {"hours": ["01:00-04:00"], "factor": 2}},   not name is as below it; UTC
 *      "x/y": [{"input": 1, "output": 2}, {"from": "2027-01-01", "input": 2, "output": 4}]}
 *
 * A model may end in "*": longest prefix wins. Members whose name begins with "_" are notes.
 * Where "batch" is not told it stays what is known of the model, else of others of its provider,
 * else 1. Fractions of a nano-dollar per token are rounded up. Errors go to @c.
 */
bool price_table_read(struct jcheck *c, const struct jnode *doc, struct arena *a,
                      struct price_table **ret);

/** Read more into @t: replaces prices of the same name. On errors some may be replaced. */
bool price_table_add(struct price_table *t, struct jcheck *c, const struct jnode *doc);

/** Add or replace one price, in "model=input,output" or "model=input,cached,output" form (the
 * --price flag). */
NODISCARD enum err price_table_set(struct price_table *t, struct str text, struct errinfo *reterr);

/** The price of provider/model, or NULL when it is unknown. A dated suffix ("-2026-08-21",
 * "-20260821") falls back to the bare name, that to the patterns. Valid as long as the table. */
const struct price *price_find(const struct price_table *t, struct str provider, struct str model);

/** What a call that was answered at @wall_ms cost; MONEY_UNKNOWN without a price or without usage.
 */
int64_t price_cost(const struct price *p, const struct call_usage *u, int64_t wall_ms,
                   enum price_tariff tariff);

/** The most that a call that is begun at @wall_ms can cost: every byte of input a token (true of
 * every tokenizer in use), some for the frame of each message, all output tokens used, at the
 * dearest rates that may apply until it is answered. */
int64_t price_bound(const struct price *p, const struct call_spec *call, int64_t wall_ms,
                    enum price_tariff tariff);

#endif
