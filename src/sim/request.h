/* request.h - a Chat Completions request, as far as the simulator cares, and errors in OpenAI's
 * shape. */
#ifndef STUMPER_SIM_REQUEST_H
#define STUMPER_SIM_REQUEST_H

#include "base/sbuf.h"

#define SIM_MESSAGES_MAX 64
#define SIM_TOKENS_MAX ((int64_t)1 << 30)

struct sim_message {
    struct str role, content;
};

enum sim_format { SIM_FORMAT_TEXT, SIM_FORMAT_JSON_OBJECT, SIM_FORMAT_JSON_SCHEMA };

struct sim_request {
    struct str model;
    struct sim_message messages[SIM_MESSAGES_MAX];
    size_t messages_n;
    enum sim_format format;
    int64_t output_tokens_max;     /* SIM_TOKENS_MAX: none given */
    int64_t seed;                  /* 0: none given */
    bool old_token_limit, sampled; /* max_tokens was given / temperature or top_p other than 1 */
};

/* An error object: {"error":{"message","type","param","code"}}. */
struct sim_error {
    int status;
    const char *type;
    const char *param, *code; /* NULL becomes null */
    char message[256];
};

/** Fill in @e; returns false, so that `return sim_error_set(…)` reads as one step. */
PRINTF(6, 7)
bool sim_error_set(struct sim_error *e, int status, const char *type, const char *param,
                   const char *code, const char *fmt, ...);

/** Write the error's JSON body. */
void sim_error_write(const struct sim_error *e, struct sbuf *out);

/**
 * Read a request body.
 *
 * @body    overwritten; the slices in @ret point into it
 * @return  false with a 400 in @reterr: not JSON, or what OpenAI would refuse, or what a simulator
 *          does not do (streams, several choices)
 */
NODISCARD bool sim_request_read(struct sbuf *body, struct sim_request *ret,
                                struct sim_error *reterr);

#endif
