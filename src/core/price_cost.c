/* What calls cost. Amounts saturate at INT64_MAX instead of wrapping, so a bound is never too
 * small. */
#include "core/price.h"

#define MESSAGE_FRAME_TOKENS 16 /* role markers and separators; providers use 3 to 8 */
#define MS_PER_MINUTE 60000
#define MINUTES_PER_DAY 1440
#define CALL_MS_MAX INT64_C(86400000)  /* no call takes longer */
#define BATCH_MS_MAX (7 * CALL_MS_MAX) /* a batch takes a day, and may be asked again */

static int64_t money_mul(int64_t tokens, int64_t nusd) {
    int64_t product;
    return __builtin_mul_overflow(tokens, nusd, &product) ? INT64_MAX : product;
}

static int64_t money_add(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Rounded up. */
static int64_t money_scale(int64_t nusd, int64_t permille) {
    int64_t scaled;
    return permille == 1000 ? nusd
           : __builtin_mul_overflow(nusd, permille, &scaled) ||
                   __builtin_add_overflow(scaled, 999, &scaled)
               ? INT64_MAX
               : scaled / 1000;
}

static const struct price *price_at(const struct price *p, int64_t wall_ms) {
    while (p->later != NULL && p->later->from_ms <= wall_ms) {
        p = p->later;
    }
    return p;
}

static const struct price_rates *price_rates_for(const struct price *p, int64_t input_tokens) {
    const struct price_rates *rates = &p->rates;
    for (size_t i = 0; i < p->tiers_n && input_tokens > p->tiers[i].above_tokens; i++) {
        rates = &p->tiers[i].rates;
    }
    return rates;
}

static bool price_is_peak(const struct price *p, int64_t wall_ms) {
    int64_t minute = wall_ms / MS_PER_MINUTE % MINUTES_PER_DAY;
    bool peak = false;
    for (size_t i = 0; i < p->peaks_n; i++) {
        peak = peak || (minute >= p->peaks[i].from_minute && minute < p->peaks[i].to_minute);
    }
    return peak;
}

static int64_t price_batch_permille(const struct price *p, enum price_tariff tariff) {
    return tariff == PRICE_BATCH && p->batch_permille > 0 ? p->batch_permille : 1000;
}

int64_t price_cost(const struct price *p, const struct call_usage *u, int64_t wall_ms,
                   enum price_tariff tariff) {
    if (p == NULL || u->input_tokens < 0 || u->output_tokens < 0) {
        return MONEY_UNKNOWN;
    }
    p = price_at(p, wall_ms);
    const struct price_rates *r = price_rates_for(p, u->input_tokens);
    int64_t cached = MIN(MAX(u->cached_tokens, 0), u->input_tokens);
    int64_t written = MIN(MAX(u->cache_write_tokens, 0), u->input_tokens - cached);
    int64_t reasoning = MIN(MAX(u->reasoning_tokens, 0), u->output_tokens);
    int64_t cost = money_mul(u->input_tokens - cached - written, r->input);
    cost = money_add(cost, money_mul(cached, r->cached_input));
    cost = money_add(cost, money_mul(written, r->cache_write));
    cost = money_add(cost, money_mul(u->output_tokens - reasoning, r->output));
    cost = money_add(cost, money_mul(reasoning, r->reasoning));
    cost = money_add(cost, r->request);
    cost = money_scale(cost, price_is_peak(p, wall_ms) ? p->peak_permille : 1000);
    return money_scale(cost, price_batch_permille(p, tariff));
}

static int64_t price_bound_of(const struct price_rates *r, int64_t input, int64_t output) {
    int64_t dearest = MAX(MAX(r->input, r->cached_input), r->cache_write);
    int64_t bound =
        money_add(money_mul(input, dearest), money_mul(output, MAX(r->output, r->reasoning)));
    return money_add(bound, r->request);
}

/* The dearest of all tiers that so much input may come to, and of peak hours. */
static int64_t price_bound_by(const struct price *p, int64_t input, int64_t output,
                              enum price_tariff tariff) {
    int64_t bound = price_bound_of(&p->rates, input, output);
    for (size_t i = 0; i < p->tiers_n && input > p->tiers[i].above_tokens; i++) {
        bound = MAX(bound, price_bound_of(&p->tiers[i].rates, input, output));
    }
    bound = money_scale(bound, p->peaks_n > 0 ? MAX(p->peak_permille, 1000) : 1000);
    return money_scale(bound, price_batch_permille(p, tariff));
}

int64_t price_bound(const struct price *p, const struct call_spec *call, int64_t wall_ms,
                    enum price_tariff tariff) {
    int64_t input = 0, output = call->output_tokens_max;
    int64_t until_ms = wall_ms + (tariff == PRICE_BATCH ? BATCH_MS_MAX : CALL_MS_MAX);
    ASSERT(output >= 0);
    for (size_t i = 0; i < call->messages_n; i++) {
        input += (int64_t)call->messages[i].text.n + MESSAGE_FRAME_TOKENS;
    }
    if (call->schema != NULL) {
        input += (int64_t)call->schema->json.n + MESSAGE_FRAME_TOKENS;
    }
    p = price_at(p, wall_ms);
    int64_t bound = price_bound_by(p, input, output, tariff);
    while (p->later != NULL && p->later->from_ms <= until_ms) {
        p = p->later;
        bound = MAX(bound, price_bound_by(p, input, output, tariff));
    }
    return bound;
}
