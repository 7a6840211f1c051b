/* respond.h - bodies in OpenAI's shapes. */
#ifndef STUMPER_SIM_RESPOND_H
#define STUMPER_SIM_RESPOND_H

#include "sim/brain.h"
#include "sim/limit.h"

/** A chat.completion object. @text: what the model says. @created_s: seconds since 1970. */
void respond_completion(const struct brain_reply *reply, struct str model, struct str text,
                        int64_t created_s, struct sbuf *out);

/** The list of models / one of them; false if there is none of that name. */
void respond_models(int64_t created_s, struct sbuf *out);
NODISCARD bool respond_model(struct str name, int64_t created_s, struct sbuf *out);

/** The error that stands for a fault (429, 500, 503, quota). */
struct sim_error respond_fault(enum fault fault, struct str model, int64_t wait_ms);

/** The error of a request that a limit refused. */
struct sim_error respond_over_limit(const struct limit_verdict *v, struct str model);

#endif
