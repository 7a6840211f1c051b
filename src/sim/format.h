/* format.h - a wire format: how a question is read and how what the model says is written, whole or
 * as a stream of events. One file each (format_*.c); nothing here is shared with llm/, so that each
 * side is held to the provider's documents and not to the other side's reading of them.
 */
#ifndef STUMPER_SIM_FORMAT_H
#define STUMPER_SIM_FORMAT_H

#include "sim/brain.h"
#include "sim/quota.h"
#include "json/write.h"

/* What the model says, on its way out. */
struct said {
    struct brain_reply reply;
    struct str model; /* as it was asked for */
    struct str text;
    int64_t created_s; /* seconds since 1970 */
    bool usage_asked;  /* stream_options.include_usage */
    unsigned sequence; /* of the next event, where they are numbered */
};

/* A stream begins, goes on piece by piece, ends. */
enum said_part { SAID_BEGIN, SAID_PIECE, SAID_END };

struct format {
    enum dialect dialect;
    enum quota_rule rule;

    /** Read @body, which is overwritten and which @ret points into; false: a 400 in @reterr. */
    bool (*read)(struct sbuf *body, struct sim_request *ret, struct sim_error *reterr);

    /** The whole answer. */
    void (*whole)(const struct said *s, struct sbuf *out);

    /** The events of one part of the stream; @piece: of the text, for SAID_PIECE. */
    void (*events)(struct said *s, enum said_part part, struct str piece, struct sbuf *out);

    /** An error where an answer was promised: as the body of a 200, or as an event of a stream. */
    void (*failed)(struct said *s, const struct sim_error *e, bool stream, struct sbuf *out);
};

extern const struct format format_chat;      /* OpenAI Chat Completions */
extern const struct format format_responses; /* OpenAI Responses */
extern const struct format format_messages;  /* Anthropic Messages */
extern const struct format format_gemini;    /* Gemini generateContent */

/* Between the two, one JSON value: a server-sent event; @name NULL for one without a name. */
void event_begin(const char *name, struct jwrite *w, struct sbuf *out);
void event_end(struct jwrite *w);

/** An error as @d writes it: a body, or for a @stream the data of an event. */
void event_error(const struct sim_error *e, enum dialect d, const char *name, bool stream,
                 struct sbuf *out);

/** A key with a value, the commonest pair of calls. */
void format_str(struct jwrite *w, const char *key, const char *value);
void format_int(struct jwrite *w, const char *key, int64_t value);

/** An id of @said: @prefix and 24 hexadecimal digits. */
void format_id(struct jwrite *w, const char *key, const char *prefix, const struct said *s);

#endif
