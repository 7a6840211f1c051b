/* doctor.h - what an error of a provider means for the person who configured it. Pure. */
#ifndef STUMPER_CLI_DOCTOR_H
#define STUMPER_CLI_DOCTOR_H

#include "llm/llm.h"

/**
 * One sentence of diagnosis and one of what to do about it.
 *
 * @e       how a call of @model ended; not ERR_OK
 * @detail  what the client said: host and cause, or the provider's message
 */
void doctor_diagnose(enum err e, const char *detail, const struct llm_provider *provider,
                     struct str model, struct sbuf *out);

/** Of the built-in prices, the model of @provider whose output costs least, for a try that costs
 * next to nothing; in @a. Empty if none is known. */
struct str doctor_cheapest_model(struct str provider, struct arena *a);

#endif
