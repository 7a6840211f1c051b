/* call_options.h - the options that say how models are asked, of every command that works on jobs.
 */
#ifndef STUMPER_CLI_CALL_OPTIONS_H
#define STUMPER_CLI_CALL_OPTIONS_H

#include "cli/load.h"

/* Where the rows put their values; zero-initialise it. */
struct call_options {
    struct opt_strs prices;
    int64_t timeout_ms, tries, rpm, tpm;
    const char *sim; /* flags of the simulator, "" without any */
};

#define CALL_OPTIONS_ROWS 6

/** Fill @rows with the rows of these options, a group of their own. */
void call_options_rows(struct call_options *o, struct opt rows[CALL_OPTIONS_ROWS]);

/**
 * The LLM client's configuration by these options and stumper.yaml: prices, deadlines, tries,
 * limits, providers. in_flight_max is left to the caller.
 *
 * @shared   clients with this configuration share its limits, by llm_parts()
 * @a        owns everything in @ret; @config must outlive it
 * @return   as of load_prices() and config_providers()
 */
NODISCARD enum err call_options_config(const struct call_options *o, const struct opt_result *r,
                                       const struct config *config, bool shared, struct arena *a,
                                       struct llm_config *ret, struct errinfo *reterr);

#endif
