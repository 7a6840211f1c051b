/* brain.h - what the three models say.
 *
 * The engineer writes a problem of a family (family.h), the checker and the target look a problem
 * up by its text (truth.h); what is not known is somebody else's: the target then answers something
 * plausible, the checker compares texts. Mistakes are made on purpose, at set rates.
 *
 * Determinism  what is said is a function of (seed, model, messages) alone, whatever the order of
 *              arrival. Of the same request seen again only the faults differ, so that a retry may
 *              get through. A conversation that goes on behind an assistant's turn (a re-ask) is
 *              about the same problem.
 * Threading    one thread.
 * Memory       bounded (table.h).
 */
#ifndef STUMPER_SIM_BRAIN_H
#define STUMPER_SIM_BRAIN_H

#include "core/call.h"
#include "sim/fault.h"
#include "sim/request.h"
#include "sim/spread.h"
#include "sim/truth.h"

struct brain_options {
    uint64_t seed;
    double wrong_answer;  /* engineer: states a wrong answer */
    double lenient;       /* checker: passes a wrong one */
    double strict;        /* checker: rejects a right one */
    double correct_hints; /* checker: corrects a hint */
    double judge_error;   /* checker: says the contrary about two answers */
    double target_fail;   /* target: wrong answer */
    double other_form;    /* target: right, in another form than the canonical one */
    double messy; /* engineer, checker: fences, prose, single backslashes … around the JSON */
    bool repeat_faults;             /* the same request gets the same fault again */
    struct spread output_tokens;    /* length of the target's answers */
    struct spread reasoning_tokens; /* thought before an answer, and billed */
    double cached;                  /* share of the input that comes from the provider's cache */
    struct fault_rates faults;
};

/** The defaults: about 30 % of the attempts are accepted, no faults. */
void brain_options_init(struct brain_options *o);

/** Everything right but for the target, who is always wrong; no faults, nothing messy. */
void brain_options_accept_all(struct brain_options *o);

struct brain {
    const struct brain_options *options;
    struct truth *truth;
    struct table seen; /* request → how often */
    struct item item;  /* the problem in hand */
};

/** @options and @truth are borrowed. */
void brain_init(struct brain *b, const struct brain_options *options, struct truth *truth);
void brain_release(struct brain *b);

/** The role of a model ("engineer", "acme-checker-mini"); ROLE_COUNT if its name tells none. */
enum role brain_role(struct str model);

/** The tokens of a request: a quarter of its bytes, and some for the frame of each message. */
int64_t brain_input_tokens(const struct sim_request *q);

/* What a model says. */
struct brain_reply {
    enum role role;
    enum fault fault;
    uint64_t request_hash; /* of model and messages */
    uint64_t luck;         /* random bits of this answer, for its latency */
    bool refused;          /* the text is a refusal, not content */
    bool cut;              /* it ends at the limit of tokens, or by a fault */
    int64_t input_tokens;  /* those from the provider's cache included */
    int64_t cached_tokens;
    int64_t output_tokens; /* reasoning included */
    int64_t reasoning_tokens;
};

/** What a provider charges for. */
struct call_usage brain_usage(const struct brain_reply *reply);

/**
 * Answer a request.
 *
 * @q     its model must have a role; content may be unescaped in place
 * @text  cleared, then filled; left empty when there is no answer to give (429, hang, …)
 */
void brain_answer(struct brain *b, struct sim_request *q, struct sbuf *text,
                  struct brain_reply *ret);

/* Inside the room: the roles. @h is the hash that everything is drawn from. */
void brain_engineer(struct brain *b, const struct sim_request *q, uint64_t h, bool malformed,
                    struct sbuf *text);
void brain_checker(struct brain *b, struct sim_request *q, uint64_t h, bool malformed,
                   struct sbuf *text);
void brain_target(struct brain *b, const struct sim_request *q, uint64_t h, struct sbuf *text);

/** Uniform in [0, 1) / 0..n-1 from @h for one @purpose. */
double brain_unit(uint64_t h, uint64_t purpose);
size_t brain_pick(uint64_t h, uint64_t purpose, size_t n);

/** Wrap or bend the JSON in @text, from @from on, the way models do, without changing what it
 * means. */
void brain_mess_up(struct sbuf *text, uint64_t h);

#endif
