/* request.h - a request to a model, as far as the simulator cares, whatever format it came in; and
 * what the readers of the formats (format_*.c) share. */
#ifndef STUMPER_SIM_REQUEST_H
#define STUMPER_SIM_REQUEST_H

#include "sim/scan.h"
#include "sim/trouble.h"

#define SIM_MESSAGES_MAX 64
#define SIM_TOKENS_MAX ((int64_t)1 << 30)

struct sim_message {
    struct str role, content; /* role: "system", "developer", "user", "assistant" or "tool" */
};

enum sim_form { SIM_FORM_TEXT, SIM_FORM_JSON_OBJECT, SIM_FORM_JSON_SCHEMA };

struct sim_request {
    struct str model;
    struct sim_message messages[SIM_MESSAGES_MAX];
    size_t messages_n;
    enum sim_form form;
    int64_t output_tokens_max;     /* SIM_TOKENS_MAX: none given */
    int64_t seed;                  /* 0: none given */
    bool old_token_limit, sampled; /* OpenAI's max_tokens was given / a sampling parameter other
                                      than the default */
    bool stream, stream_usage;     /* usage: asked for with stream_options */
};

/* What was read so far, and the first thing wrong with it. */
struct request_reader {
    struct scan scan;
    struct sim_request *request;
    struct sim_error *error;
    struct str system;          /* instructions that come outside of the messages */
    struct sim_message message; /* the one in hand */
    char none;                  /* stands for a body that is not there */
    bool refused, messages_seen, schema_seen, stream_options_seen;
};

/* Refuse the request with 400, if nothing was wrong before. */
#define REQUEST_REFUSE(r, param, code, ...)                                                        \
    ((r)->refused =                                                                                \
         (r)->refused || !sim_error_set((r)->error, TROUBLE_REQUEST, param, code, __VA_ARGS__))

typedef void request_member_fn(struct request_reader *r, struct str key);

/**
 * Begin to read @body, which must be an object: its members are the caller's to go through with
 * scan_key(), to the end; then request_done().
 *
 * @body    overwritten; the slices in @ret point into it
 */
void request_begin(struct request_reader *r, struct sbuf *body, struct sim_request *ret,
                   struct sim_error *reterr);

/** All members are read: instructions become the first message. False, with a 400 in the error, if
 * it was not JSON; otherwise look at r->refused. */
NODISCARD bool request_done(struct request_reader *r);

/** Both, with @member called for each member. */
NODISCARD bool request_read(struct request_reader *r, struct sbuf *body, request_member_fn *member,
                            struct sim_request *ret, struct sim_error *reterr);

/** Each member of the object that comes next, with @member; anything else is refused. */
void request_object(struct request_reader *r, const char *param, request_member_fn *member);

/** Each element of the array that comes next, with @element; anything else is refused. */
void request_array(struct request_reader *r, const char *param,
                   void (*element)(struct request_reader *r));

/** A string; anything else is passed over and refused. */
struct str request_str(struct request_reader *r, const char *param);

/** A whole number in @min..SIM_TOKENS_MAX; null counts as absent. */
int64_t request_int(struct request_reader *r, const char *param, int64_t min, int64_t otherwise);

/** True or false; null is false. */
bool request_bool(struct request_reader *r, const char *param);

/** A string, null, or an array of strings and of objects with a "text": all the text. */
struct str request_text(struct request_reader *r, const char *param);

/** A sampling parameter: marks the request if it is not @usual. */
void request_sampling(struct request_reader *r, double usual);

/** Add a message; an unknown role or too many are refused. */
void request_add(struct request_reader *r, struct sim_message m);

/** True if @key is one of @names, which end with NULL. */
bool request_is_one_of(struct str key, const char *const *names);

#endif
