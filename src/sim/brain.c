#include "sim/brain.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define BRAIN_REQUESTS_SEEN ((size_t)1 << 21)
#define BRAIN_TARGET_TOKENS 350
#define BRAIN_TARGET_SIGMA 0.5

enum { DRAW_FAULT = 100, DRAW_LUCK, DRAW_CUT, DRAW_REASONING };

void brain_options_init(struct brain_options *o) {
    *o = (struct brain_options){
        .wrong_answer = 0.12,
        .lenient = 0.15,
        .strict = 0.08,
        .correct_hints = 0.1,
        .judge_error = 0.02,
        .target_fail = 0.38,
        .other_form = 0.4,
        .messy = 0.1,
        .output_tokens = {BRAIN_TARGET_TOKENS, BRAIN_TARGET_SIGMA},
    };
}

void brain_options_accept_all(struct brain_options *o) {
    *o = (struct brain_options){
        .seed = o->seed,
        .target_fail = 1,
        .output_tokens = o->output_tokens,
        .reasoning_tokens = o->reasoning_tokens,
        .cached = o->cached,
    };
}

void brain_init(struct brain *b, const struct brain_options *options, struct truth *truth) {
    *b = (struct brain){.options = options, .truth = truth};
    table_init(&b->seen, BRAIN_REQUESTS_SEEN);
}

void brain_release(struct brain *b) {
    table_release(&b->seen);
}

double brain_unit(uint64_t h, uint64_t purpose) {
    return (double)(rng_mix(h ^ rng_mix(purpose)) >> 11) * 0x1.0p-53;
}

size_t brain_pick(uint64_t h, uint64_t purpose, size_t n) {
    return (size_t)(brain_unit(h, purpose) * (double)n);
}

enum role brain_role(struct str model) {
    static const char *const names[ROLE_COUNT] = {
        [ROLE_ENGINEER] = "engineer", [ROLE_CHECKER] = "checker", [ROLE_TARGET] = "target"};
    int role = 0;
    while (role < ROLE_COUNT && str_find(model, str_of(names[role])) == STR_NPOS) {
        role++;
    }
    return (enum role)role;
}

/* The conversation up to the first assistant's turn, and all of it. */
static void brain_hash(const struct brain *b, const struct sim_request *q, uint64_t *ret_subject,
                       uint64_t *ret_all) {
    uint64_t h = table_hash(q->model, b->options->seed ^ rng_mix((uint64_t)q->seed));
    bool subject = false;
    for (size_t i = 0; i < q->messages_n; i++) {
        if (!subject && str_eq(q->messages[i].role, S("assistant"))) {
            *ret_subject = h;
            subject = true;
        }
        h = table_hash(q->messages[i].content, table_hash(q->messages[i].role, h));
    }
    *ret_all = h;
    if (!subject) {
        *ret_subject = h;
    }
}

static int64_t brain_tokens(size_t bytes) {
    return (int64_t)(bytes + 3) / 4;
}

int64_t brain_input_tokens(const struct sim_request *q) {
    int64_t tokens = 3;
    for (size_t i = 0; i < q->messages_n; i++) {
        tokens += 4 + brain_tokens(q->messages[i].content.n);
    }
    return tokens;
}

static void brain_cut(struct sbuf *text, size_t bytes, struct brain_reply *reply) {
    text->n = str_take_utf8(sbuf_str(text), bytes).n;
    text->p[text->n] = '\0';
    reply->cut = true;
}

/* Faults of the text itself, and the client's own limit. */
static void brain_spoil(struct sbuf *text, const struct sim_request *q, struct brain_reply *reply) {
    if (reply->fault == FAULT_EMPTY || reply->fault == FAULT_REFUSE) {
        sbuf_clear(text);
    }
    if (reply->fault == FAULT_REFUSE) {
        sbuf_add_cstr(text, "I'm sorry, but I can't help with that request.");
        reply->refused = true;
    }
    if (reply->fault == FAULT_TRUNCATE && text->n > 1) {
        double part = 0.1 + 0.7 * brain_unit(reply->luck, DRAW_CUT);
        brain_cut(text, MAX((size_t)((double)text->n * part), (size_t)1), reply);
    }
    int64_t left = q->output_tokens_max - reply->reasoning_tokens;
    if (brain_tokens(text->n) > left) {
        brain_cut(text, (size_t)left * 4, reply);
    }
}

/* Tokens that are billed but not seen, and those that were seen before. */
static void brain_think(const struct brain *b, const struct sim_request *q,
                        struct brain_reply *reply) {
    struct rng r;
    rng_init_stream(&r, reply->luck, DRAW_REASONING);
    double thought = spread_draw(&b->options->reasoning_tokens, &r);
    reply->reasoning_tokens = (int64_t)fmin(thought, (double)q->output_tokens_max);
    reply->cached_tokens = (int64_t)((double)reply->input_tokens * b->options->cached);
}

struct call_usage brain_usage(const struct brain_reply *reply) {
    return (struct call_usage){.input_tokens = reply->input_tokens,
                               .cached_tokens = reply->cached_tokens,
                               .output_tokens = reply->output_tokens,
                               .reasoning_tokens = reply->reasoning_tokens};
}

void brain_answer(struct brain *b, struct sim_request *q, struct sbuf *text,
                  struct brain_reply *ret) {
    uint64_t subject = 0, all = 0;
    brain_hash(b, q, &subject, &all);
    uint64_t *seen = table_put(&b->seen, all);
    uint64_t sight = b->options->repeat_faults ? 0 : (*seen)++;
    uint64_t luck = rng_mix(all ^ rng_mix(DRAW_LUCK + sight));
    *ret = (struct brain_reply){
        .role = brain_role(q->model),
        .fault = fault_draw(&b->options->faults, brain_unit(luck, DRAW_FAULT)),
        .request_hash = all,
        .luck = luck,
        .input_tokens = brain_input_tokens(q),
    };
    sbuf_clear(text);
    if (!fault_speaks(ret->fault)) {
        return;
    }
    bool malformed = ret->fault == FAULT_MALFORMED;
    if (ret->role == ROLE_ENGINEER) {
        brain_engineer(b, q, subject, malformed, text);
    } else if (ret->role == ROLE_CHECKER) {
        brain_checker(b, q, subject, malformed, text);
    } else {
        brain_target(b, q, subject, text);
    }
    if (ret->role != ROLE_TARGET && !malformed && brain_unit(all, 0) < b->options->messy) {
        brain_mess_up(text, all);
    }
    brain_think(b, q, ret);
    brain_spoil(text, q, ret);
    ret->output_tokens = ret->reasoning_tokens + brain_tokens(text->n);
}
