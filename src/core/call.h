/* call.h - one LLM call as the domain sees it: what is asked, what came back. No wire format in
 * here. */
#ifndef STUMPER_CORE_CALL_H
#define STUMPER_CORE_CALL_H

#include "base/err.h"
#include "base/str.h"
#include "core/money.h"

#include <stdbool.h>
#include <stdint.h>

enum role { ROLE_ENGINEER, ROLE_CHECKER, ROLE_TARGET, ROLE_COUNT };

/** "engineer", "checker", "target". */
const char *role_name(enum role role);

enum call_author { CALL_SYSTEM, CALL_USER, CALL_ASSISTANT };

struct call_message {
    enum call_author author;
    struct str text;
};

#define CALL_MESSAGES_MAX 6

/* The form an answer must have. */
struct call_schema {
    const char *name; /* [A-Za-z0-9_-]{1,64} */
    struct str json; /* a strict JSON Schema: every property required, additionalProperties false */
};

struct call_spec {
    enum role role;
    struct call_message messages[CALL_MESSAGES_MAX];
    size_t messages_n;
    const struct call_schema *schema; /* NULL: free text */
    int64_t output_tokens_max;        /* reasoning included */
};

enum call_finish { CALL_FINISH_STOP, CALL_FINISH_LENGTH, CALL_FINISH_REFUSAL, CALL_FINISH_OTHER };

struct call_usage {
    int64_t input_tokens;  /* cached ones included; -1 when the provider told nothing */
    int64_t cached_tokens; /* of the input: read from the provider's cache */
    int64_t output_tokens; /* reasoning included; -1 when the provider told nothing */
    int64_t reasoning_tokens;
    int64_t cache_write_tokens; /* of the input: written to the cache */
};

/* What a failure looked like beyond its class: for whoever has to explain it. */
enum call_clue {
    CALL_CLUE_NONE,
    CALL_CLUE_WEB_PAGE, /* HTML where JSON should be */
    CALL_CLUE_NO_MODEL, /* the operation is there, the model is not */
    CALL_CLUE_NO_PATH,  /* the operation is not there */
    CALL_CLUE_MOVED,    /* a redirection, which is not followed: it could carry the key elsewhere */
    CALL_CLUE_FORBIDDEN, /* the key is known, but may not do that */
    CALL_CLUE_PROXY_KEY, /* a proxy wants a user and a password */
    CALL_CLUE_SPEAKS_OPENAI,
    CALL_CLUE_SPEAKS_ANTHROPIC, /* the error has the shape of another wire format */
    CALL_CLUE_SPEAKS_GEMINI,
};

/* What came back. With err == ERR_OK it was paid for and belongs into the ledger, however useless
 * the text. */
struct call_answer {
    enum err err;       /* ERR_OK, or the class of failure after all retries */
    const char *detail; /* for a person, when err != ERR_OK */
    enum call_clue clue;
    struct str text;  /* may be empty */
    struct str model; /* "provider/model": who answered, or failed last */
    enum call_finish finish;
    struct call_usage usage;
    int64_t cost_nusd;  /* MONEY_UNKNOWN without usage or price */
    int64_t latency_ms; /* of the try that answered */
    int64_t tries;      /* HTTP requests made, at least 1; 0 if reused */
    bool reused;        /* an earlier job paid for it */
    /* Tries that were sent, and whose end nobody saw: a provider may charge for what it has done.
     * Of a call that failed, too. */
    int64_t lost;
    int64_t lost_nusd;     /* the most that they may have cost, as far as there is a price */
    struct str model_id;   /* as the provider named it in the answer; may be empty */
    struct str request_id; /* the provider's; may be empty */
};

#endif
