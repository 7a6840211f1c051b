/* limit_play.h - for tests: a provider that is played with simulated time, and a client that keeps
 * to core/limit.h. Its buckets refill continuously, a request is admitted or refused when it
 * arrives, and the reply tells the limits as they stood then. */
#ifndef STUMPER_TESTS_LIMIT_PLAY_H
#define STUMPER_TESTS_LIMIT_PLAY_H

#include "base/rng.h"
#include "core/limit.h"

#define RING_MS 8192 /* longer than any call takes */

/* What the provider does. */
struct play {
    int64_t rpm, tpm;       /* 0: none */
    double hold_s;          /* its buckets hold so many seconds' worth */
    int64_t in_flight_max;  /* 0: none */
    bool tells;             /* in headers */
    bool names;             /* in its refusals */
    bool in_force;          /* false: it answers everything */
    int64_t latency_ms[2];  /* from, to */
    int64_t network_ms[2];  /* one way */
    int64_t retry_after_ms; /* in its refusals */
    int64_t change_ms, change_rpm;
    int64_t down_from_ms, down_to_ms; /* fails everything meanwhile */
    int64_t lone_refusals;            /* one of so many, for no reason; 0: none */
    enum limit_rule rule;
    struct limit_set set;
    double part;   /* of the limit, if it is shared */
    int64_t slots; /* calls that want to go, and come again at once */
    int64_t for_ms;
    int64_t output_tokens[2], output_tokens_max;
    int64_t large_tokens, large_every; /* one of so many calls has so much input; 0: none */
    int64_t refused_from_ms;           /* refusals are counted from then on */
};

enum fate { FATE_ANSWER, FATE_REFUSE, FATE_FAIL };

struct sent {
    struct sent *next;
    struct limit_ticket ticket;
    enum fate fate;
    bool arrived;
    int64_t input_tokens, output_tokens;
    bool large;
    struct limit_told told;
    struct limit_words words; /* of its refusal */
};

struct stage {
    const struct play *p;
    struct limit limit;
    struct rng rng;
    struct sent *ring[RING_MS];
    double requests, tokens; /* the provider's levels */
    int64_t rpm, serving;
    int64_t sent, answered, refused, failed;
    int64_t last_sent_ms, longest_pause_ms, most_in_flight;
    int64_t used_tokens;
    int64_t large_waited_ms, large_since_ms, large_sent; /* the longest; the one that waits */
    struct sending {
        int64_t at_ms;
        double counted; /* tokens, as the provider's rule counts them in the end */
    } * sendings;       /* every one, in order */
};

/** Play it; free with leave(). */
struct stage *perform(const struct play *p, uint64_t seed);
void leave(struct stage *s);

/** @rpm requests a minute, told, and calls of 0.3 to 3 s for a minute. */
struct play usual(int64_t rpm);

/** The most that was sent in any span of @span_ms: calls, and what was counted of their tokens. */
int64_t most_within(const struct stage *s, int64_t span_ms);
double most_tokens_within(const struct stage *s, int64_t span_ms);

/** Fail unless fewer than @share of the calls were refused / 95 % of @calls were answered. */
void assert_refused_below(const struct stage *s, double share);
void assert_used(const struct stage *s, double calls);

#endif
