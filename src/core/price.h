/* price.h - what calls cost. The table comes from data/prices.json (dollars per million tokens). */
#ifndef STUMPER_CORE_PRICE_H
#define STUMPER_CORE_PRICE_H

#include "core/call.h"
#include "json/check.h"

struct price {
    int64_t input_nusd;        /* per token */
    int64_t cached_input_nusd; /* per token */
    int64_t output_nusd;       /* per token */
};

struct price_table; /* lives in the arena it was read into */

#define PRICE_USD_PER_MTOK_MAX 1000000

/** Read {"openai/gpt-5.4-mini": {"input": 0.75, "cached_input": 0.075, "output": 4.5}, …}
 * (cached_input defaults to input; members whose name begins with "_" are notes). A model may end
 * in "*": longest prefix wins. Fractions of a nano-dollar per token are rounded up. Errors go to
 * @c.
 */
bool price_table_read(struct jcheck *c, const struct jnode *doc, struct arena *a,
                      struct price_table **ret);

/** Add or replace one price, in "model=input,output" or "model=input,cached,output" form (the
 * --price flag). */
NODISCARD enum err price_table_set(struct price_table *t, struct str text, struct errinfo *reterr);

/** The price of provider/model, or NULL when it is unknown. A dated suffix ("-2026-08-21",
 * "-20260821") falls back to the bare name, that to the patterns. Valid as long as the table. */
const struct price *price_find(const struct price_table *t, struct str provider, struct str model);

/** What a call cost; MONEY_UNKNOWN without a price or without usage. */
int64_t price_cost(const struct price *p, const struct call_usage *u);

/** The most that a call can cost: every byte of input a token (true of every tokenizer in use),
 * some for the frame of each message, all output tokens used. */
int64_t price_bound(const struct price *p, const struct call_spec *call);

#endif
