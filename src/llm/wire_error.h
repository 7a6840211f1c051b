/* wire_error.h - what a provider's error means: one reading for the shapes of all of them, one
 * table for their names. Inside the wire formats. */
#ifndef STUMPER_LLM_WIRE_ERROR_H
#define STUMPER_LLM_WIRE_ERROR_H

#include "llm/wire.h"

/** True if a document of a 200, or of an event, holds an error. */
bool wire_holds_error(const struct jnode *doc);

/**
 * Make the result of an error.
 *
 * @reply   its status, headers and text; an event of a stream comes as a 200
 * @doc     the parsed text, NULL if it is no JSON
 * @known   quirks of the model; may grow
 */
void wire_read_error(const struct wire *wire, const struct wire_ask *ask,
                     const struct http_reply *reply, const struct jnode *doc, unsigned *known,
                     struct arena *a, struct wire_result *ret);

/* An error as far as the formats agree. */
struct wire_error {
    struct str message, code, type, param;
    struct str status;      /* Gemini: "RESOURCE_EXHAUSTED" */
    struct str quota;       /* Gemini: the quota that is used up, or the reason of a refusal */
    struct str retry_delay; /* Gemini: "22s" */
    struct limit_words words;
    bool is_object;     /* the reply had an error of this kind at all */
    bool is_moderation; /* OpenRouter: the input was flagged */
};

/** Does this 400 tell how to ask? Measured by what was asked, not by what was learned meanwhile:
 * sets quirks in *@known (with WIRE_CAPPED, *@ret_cap) and returns true if asking again is of use.
 * (wire_learn.c) */
bool wire_learn(const struct wire_ask *ask, const struct wire_error *e, unsigned *known,
                int64_t *ret_cap);

#endif
