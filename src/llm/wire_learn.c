/* Lessons: a 400 that names a parameter says how this model wants to be asked. A table: what a
 * refused parameter may be called, whether the request had it, and which quirk follows. Each lesson
 * adds a quirk that the request did not have, so there are only finitely many in a row. */
#include "llm/wire_error.h"

#define WIRE_CAP_MIN 256 /* an answer in fewer tokens is of no use: some other number is meant */

static bool wire_names(const struct wire_error *e, const char *parameter) {
    return str_find(e->param, str_of(parameter)) != STR_NPOS ||
           str_find(e->message, str_of(parameter)) != STR_NPOS;
}

/* Is the cap refused by its name, and not its value ("max_tokens is too large")? */
static bool wire_says_unknown(const struct wire_error *e) {
    static const char *const words[] = {
        "nsupported",    "not support", "nrecognized", "nknown",          "nexpected",  "xtra ",
        "not permitted", "not allowed", "deprecated",  "extra_forbidden", "nvalid name"};
    bool found = str_eq(e->code, S("unsupported_parameter"));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        found = found || str_find(e->message, str_of(words[i])) != STR_NPOS;
    }
    return found;
}

/* The cap is asked for under the other name, once: a server that takes neither must not make us
 * turn for ever. */
static bool wire_learn_cap(const struct wire_ask *ask, const struct wire_error *e,
                           unsigned *known) {
    const char *sent = (ask->quirks & WIRE_OLD_CAP) != 0 ? "max_tokens" : "max_completion_tokens";
    bool about_it = e->param.n > 0 ? str_ends(e->param, str_of(sent)) : wire_names(e, sent);
    if (!about_it || (ask->quirks & WIRE_CAP_LEARNED) != 0 || !wire_says_unknown(e)) {
        return false;
    }
    *known |= WIRE_CAP_LEARNED;
    *known = (ask->quirks & WIRE_OLD_CAP) != 0 ? *known & ~(unsigned)WIRE_OLD_CAP
                                               : *known | WIRE_OLD_CAP;
    return true;
}

/* The largest number in @text below @limit; 0 if there is none. */
static int64_t wire_number_below(struct str text, int64_t limit) {
    int64_t best = 0;
    for (size_t i = 0; i < text.n;) {
        int64_t number = 0;
        size_t digits = 0;
        for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
            number = digits < 15 ? number * 10 + (text.p[i] - '0') : limit;
            digits++;
        }
        best = number < limit ? MAX(best, number) : best;
        i += digits == 0;
    }
    return best;
}

/* "This model supports at most 16384 completion tokens": what it allows is the largest number there
 * that is smaller than what was asked for. Of what input and answer share half is left to the input
 * (local servers, routers). */
static bool wire_learn_limit(const struct wire_ask *ask, const struct wire_error *e,
                             unsigned *known, int64_t *ret_cap) {
    static const char *const names[] = {
        "max_tokens",      "max_completion_tokens", "max_output_tokens", "max_new_tokens",
        "maxOutputTokens", "the completion",        "in the output"};
    bool named = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        named = named || wire_names(e, names[i]);
    }
    int64_t cap = wire_number_below(e->message, ask->output_tokens_max);
    bool shared = str_find(e->message, S("context length")) != STR_NPOS ||
                  str_find(e->message, S("max_new_tokens")) != STR_NPOS;
    cap = shared ? cap / 2 : cap;
    cap = str_find(e->message, S("(exclusive)")) != STR_NPOS ? cap - 1 : cap;
    if (!named || cap < WIRE_CAP_MIN || (ask->quirks & WIRE_CAPPED) != 0) {
        return false;
    }
    *known |= WIRE_CAPPED;
    *ret_cap = cap;
    return true;
}

static bool wire_asked_schema(const struct wire_ask *ask) {
    return ask->spec->schema != NULL;
}

static bool wire_asked_sampling(const struct wire_ask *ask) {
    return ask->manner->temperature.told || ask->manner->top_p.told;
}

static bool wire_asked_budget(const struct wire_ask *ask) {
    return ask->manner->thinking_tokens > 0;
}

static bool wire_asked_effort(const struct wire_ask *ask) {
    return ask->manner->effort != NULL || wire_asked_budget(ask);
}

static bool wire_asked_stream(const struct wire_ask *ask) {
    return ask->stream;
}

static bool wire_asked_always(const struct wire_ask *ask) {
    (void)ask;
    return true;
}

#define LESSON_NAMES_MAX 10

/* From the special to the general; the first that fits is learned. */
static const struct wire_lesson {
    const char *names[LESSON_NAMES_MAX];
    bool (*asked)(const struct wire_ask *ask);
    unsigned quirk;  /* what follows */
    unsigned before; /* only if the request was made with this one already */
} wire_lessons[] = {
    {{"temperature", "top_p", "topP", "top_k"}, wire_asked_sampling, WIRE_NO_SAMPLING, 0},
    {{"budget", "thinkingBudget", "thinking.type"}, wire_asked_budget, WIRE_NO_BUDGET, 0},
    {{"effort", "reasoning", "Reasoning", "thinking", "Thinking"},
     wire_asked_effort,
     WIRE_NO_EFFORT,
     0},
    {{"stream_options", "include_usage", "include_obfuscation"},
     wire_asked_stream,
     WIRE_NO_STREAM_USAGE,
     0},
    {{"stream", "Stream"}, wire_asked_stream, WIRE_NO_STREAM, 0},
    {{"response_format", "json_schema", "json_object", "additionalProperties", "output_config",
      "compiled grammar", "esponseSchema", "esponseJsonSchema", "esponseMimeType", "text.format"},
     wire_asked_schema,
     WIRE_NO_SCHEMA,
     0},
    {{"response_format", "json_schema", "json_object", "output_config", "esponseMimeType",
      "text.format"},
     wire_asked_schema,
     WIRE_NO_JSON_OBJECT,
     WIRE_NO_SCHEMA},
    {{"'system'"}, wire_asked_always, WIRE_DEVELOPER, 0},
};

static bool wire_lesson_fits(const struct wire_lesson *lesson, const struct wire_ask *ask,
                             const struct wire_error *e) {
    if ((ask->quirks & lesson->quirk) != 0 || (ask->quirks & lesson->before) != lesson->before ||
        !lesson->asked(ask)) {
        return false;
    }
    bool named = false;
    for (size_t i = 0; i < LESSON_NAMES_MAX && lesson->names[i] != NULL; i++) {
        named = named || wire_names(e, lesson->names[i]);
    }
    return named;
}

bool wire_learn(const struct wire_ask *ask, const struct wire_error *e, unsigned *known,
                int64_t *ret_cap) {
    if (wire_learn_cap(ask, e, known) || wire_learn_limit(ask, e, known, ret_cap)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(wire_lessons); i++) {
        if (wire_lesson_fits(&wire_lessons[i], ask, e)) {
            *known |= wire_lessons[i].quirk;
            return true;
        }
    }
    return false;
}
