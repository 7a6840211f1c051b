/* doctor.h - what an error of a provider means for the person who configured it. Pure. */
#ifndef STUMPER_CLI_DOCTOR_H
#define STUMPER_CLI_DOCTOR_H

#include "llm/llm.h"

/**
 * One sentence of diagnosis and one of what to do about it.
 *
 * @failure  how a call of @model, or a listing of models, ended: err, detail (what the client said:
 *           host and cause, or the provider's message), clue
 * @model    empty for a listing
 * @proxy    through which the provider is reached ("host:port"), NULL for none
 */
void doctor_diagnose(const struct call_answer *failure, const struct llm_provider *provider,
                     struct str model, const char *proxy, struct sbuf *out);

/** The proxy that the environment names for @url, as "host:port" in @a, without its password; NULL
 * for none. @getenv_fn: the environment. */
const char *doctor_proxy(const char *url, const char *(*getenv_fn)(const char *name),
                         struct arena *a);

/** Of the built-in prices, the model of @provider whose output costs least, for a try that costs
 * next to nothing; in @a. Empty if none is known. */
struct str doctor_cheapest_model(struct str provider, struct arena *a);

#endif
