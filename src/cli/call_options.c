#include "cli/call_options.h"

#include <string.h>

void call_options_rows(struct call_options *o, struct opt rows[CALL_OPTIONS_ROWS]) {
    const struct opt all[] = {
        {.group = "Calls",
         .name = "timeout",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &o->timeout_ms,
         .min = 100,
         .max = 86400000,
         .otherwise = "10m",
         .help = "give up a request that has no answer by then"},
        {.name = "tries",
         .kind = OPT_INT,
         .value = "N",
         .to = &o->tries,
         .min = 1,
         .max = 100,
         .otherwise = "6",
         .help = "HTTP requests per call at most, the first included"},
        {.name = "rpm",
         .kind = OPT_INT,
         .value = "N",
         .to = &o->rpm,
         .min = 1,
         .max = LIMIT_SET_MAX,
         .help = "requests per minute at most, for each model and key; without it as the provider "
                 "tells"},
        {.name = "tpm",
         .kind = OPT_INT,
         .value = "N",
         .to = &o->tpm,
         .min = 1,
         .max = LIMIT_SET_MAX,
         .help = "tokens per minute likewise"},
        {.name = "price",
         .kind = OPT_STRS,
         .value = "MODEL=IN,OUT",
         .to = &o->prices,
         .help = "price of a model in dollars per million tokens, input and output"},
        {.name = "sim",
         .kind = OPT_STR,
         .value = "FLAGS",
         .to = &o->sim,
         .help = "flags of the simulator that models named sim/… start, such as \"--latency 200\""},
    };
    _Static_assert(ARRAY_LEN(all) == CALL_OPTIONS_ROWS, "the count in the header");
    o->sim = "";
    memcpy(rows, all, sizeof all);
}

enum err call_options_config(const struct call_options *o, const struct opt_result *r,
                             const struct config *config, bool shared, struct arena *a,
                             struct llm_config *ret, struct errinfo *reterr) {
    struct price_table *prices;
    enum err e = load_prices(config, &o->prices, opt_label(r, "price").s, a, &prices, reterr);
    if (e != ERR_OK) {
        return e;
    }
    llm_config_init(ret);
    ret->prices = prices;
    ret->first_byte_ms = ret->total_ms = o->timeout_ms;
    ret->tries_max = o->tries;
    ret->limits.per_minute[LIMIT_REQUESTS] = o->rpm;
    ret->limits.per_minute[LIMIT_TOKENS] = o->tpm;
    ret->limits.shared = shared;
    return config_providers(config, a, ret, reterr);
}
