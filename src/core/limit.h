/* limit.h - how fast calls may go to one endpoint with one key and one model. Pure arithmetic; the
 * caller has the clock.
 *
 *     cold ──(headers or configuration tell a limit)──► paced by buckets
 *       └────(nothing is told)────────────────────────► found out by what is refused
 *     open ──(429 noticed, or failures in a row)──► closed ──(its time)──► probing ──► open
 *
 * Pace      each limit per minute is a GCRA: over any span of time no more than the limit times the
 *           span, plus LIMIT_BURST_MS worth, plus one call. Of a limit LIMIT_SHARE is used.
 * Level     what the provider says is left, reckoned forward from the moment the telling call was
 *           sent; a call goes only if it is covered. "reset" is never waited for: it tells when all
 *           is refilled, and providers refill continuously.
 * Found     where nothing is told, a refusal may have two causes. Too many were in flight: if it is
 *           as many as the last two times, and never were more carried in between. Else it is the
 *           rate, and what went through since the refusal before it is what the provider allows in
 *           that time, for its bucket was empty at both ends; or at least that much, if a pause has
 *           let it run over. The bound is set just below, and raised while it binds and nothing is
 *           refused: quickly while it is a guess; once it is sure a little at first, then more.
 * Named     a refusal may say in words what the limit is: then one teaches it. Nothing tells when
 * it rises, so it is looked for: while it binds, the pace grows until one more is refused, but
 * never for more than LIMIT_LOOK_SHARE of the answers. Ramp      a provider may say that the rate
 * rose too quickly, whatever the limit: then it is halved, or what the provider says it may be, and
 * grows by half in 15 minutes. Refusals  a lone 429 concerns the call that got it. When a
 * noticeable share of the answers are 429, it concerns everybody: closed for as long as the
 * provider asks, then one probe, then a slow start. Trouble   LIMIT_TROUBLE_IN_ROW failures in a
 * row open the circuit: closed for a second, twice as long with each probe that fails. Retries   of
 * failures may make up a tenth of the answers; beyond that they wait.
 *
 * No stall is longer than the wait that the provider asked for and LIMIT_PROBE_MS; but where
 * nothing is told, nobody goes while as many calls are in flight as were found to be allowed.
 */
#ifndef STUMPER_CORE_LIMIT_H
#define STUMPER_CORE_LIMIT_H

#include "core/call.h"

#define LIMIT_SHARE 0.99
#define LIMIT_LOOK_SHARE (1 / 300.0)
#define LIMIT_BURST_MS 200
#define LIMIT_PROBE_MS 1000 /* a probe that nothing bad is heard of for so long has passed */
#define LIMIT_TROUBLE_IN_ROW 10
#define LIMIT_CIRCUIT_MS_MAX 30000
#define LIMIT_STOP_MS 300000 /* a key that is out of quota is not tried again before */

/* What of a call's tokens a provider counts, and when. */
enum limit_rule {
    LIMIT_AT_ADMISSION, /* OpenAI: input and the whole cap on output, when the request comes */
    LIMIT_AS_PRODUCED   /* Anthropic, Gemini, Perplexity: input when it comes, output as it is
                           written: what is likely is set aside, what was used is settled */
};

enum limit_kind {
    LIMIT_REQUESTS,
    LIMIT_TOKENS,
    LIMIT_INPUT,
    LIMIT_FRESH, /* input that was not read from the provider's cache */
    LIMIT_OUTPUT,
    LIMIT_KINDS
};

#define LIMIT_SET_MAX INT64_C(1000000000000)

/* Limits that are set by hand, at most LIMIT_SET_MAX; 0: not set. */
struct limit_set {
    int64_t per_minute[LIMIT_KINDS];
    int64_t in_flight;
    bool shared; /* with others, the limits that are told, too: nothing goes before limit_share() */
};

/** Take what is not set in @set from @from; but whether they are shared is the same for all. */
void limit_set_inherit(struct limit_set *set, const struct limit_set *from);

/* What the headers of an answer tell; -1: nothing. */
struct limit_told {
    struct limit_quota {
        int64_t per_minute;
        int64_t remaining;
    } of[LIMIT_KINDS];
};

/**
 * Read the limits out of a header block ("Name: value\r\n…"): x-ratelimit-… (OpenAI and those like
 * it), anthropic-ratelimit-…, Fireworks' tokens per second. Limits that are not positive, that are
 * no number, or that refill over hours (a quota per day) count as not told. An answer that was
 * given over the limit (x-ratelimit-over-limit: Fireworks, Nebius) tells that nothing is left of
 * it.
 */
void limit_read_headers(struct str headers, struct limit_told *ret);

/** Milliseconds of a Go duration ("6m0s", "1m30.5s", "12ms", "1h2m3s"), or of plain seconds; -1 if
 * it is neither. */
int64_t limit_duration_ms(struct str text);

/* What a refusal says in words; zeroes: nothing. */
struct limit_words {
    int64_t per_minute[LIMIT_KINDS]; /* the limit that it is for */
    bool slow_down;                  /* the rate rose too quickly */
    int64_t input_per_minute;        /* … and may be so much, in tokens of input, … */
    int64_t input_next_minute;       /* … and so much a minute later */
};

/** Read a refusal's message: OpenAI's "requests per min (RPM): Limit 500, Used …" and that of those
 * who took it over; Anthropic's words on "acceleration". What it says is added to *@ret. */
void limit_read_words(struct str message, struct limit_words *ret);

/** Google's quota @id (GenerateRequestsPerMinutePerProjectPerModel) allows @per_minute; added to
 * *@ret unless it is none per minute. */
void limit_read_quota(struct str id, int64_t per_minute, struct limit_words *ret);

struct limit_bucket {
    double set_per_ms, told_per_ms; /* 0: unknown */
    double due_ms;                  /* when all that was taken is paid for, at the pace */
    double level;                   /* what the provider has left, at level_ms; INFINITY: unknown */
    double level_ms;
    double taken;                   /* ever */
    int64_t told_seq;               /* of the call that told last */
    bool named;                     /* told by refusals alone, … */
    double named_per_ms, looked_ms; /* … last as; the pace grew last. told_per_ms: grown */
};

/* A bound that nobody told. */
struct limit_found {
    double value;           /* INFINITY: none found yet */
    double floor;           /* lone refusals do not lower it further */
    double step;            /* the part by which it is raised next */
    bool sure;              /* else it may be too low for no reason */
    int64_t since_ms, kept; /* since it was changed: when, and the calls that it held up */
};

enum limit_state { LIMIT_OPEN, LIMIT_CLOSED, LIMIT_PROBING };

struct limit {
    enum limit_rule rule;
    double part;          /* of every limit, … */
    int64_t part_to_ms;   /* … until then */
    double paced_part;    /* the last one that was not 0: what is due is reckoned by it */
    double in_flight_set; /* of all who share it; 0: none */
    struct limit_bucket buckets[LIMIT_KINDS];
    int64_t in_flight, seq;
    int64_t answers; /* ever; tells a call whether anybody got through meanwhile */
    enum limit_state state;
    int64_t since_ms;     /* when the state began; INT64_MIN: open from the start */
    int64_t closed_to_ms; /* while CLOSED */
    int64_t closed_seq;   /* the last call sent before it closed */
    int64_t probe_seq;    /* the probe, while PROBING */
    int64_t first_ms;     /* when the first call went / the first reply came; -1: not yet */
    int64_t heard_ms;
    struct limit_found window;   /* calls in flight */
    double refused_at;           /* calls in flight at the last refusal; 0: none yet */
    int64_t alike;               /* refusals in a row at so many */
    struct limit_found rate;     /* calls per millisecond */
    struct limit_bucket steady;  /* keeps that rate */
    int64_t passed, mark_passed; /* calls sent and not refused; … until the last refusal, … */
    int64_t mark_ms;             /* … which was then; -1: none yet */
    double mark_carried;         /* the most in flight at a call sent since then, and answered */
    bool mark_paused;            /* it was closed since then */
    double look;                 /* refusals that may be risked; below 0: none */
    int64_t named_ms;            /* the last refusal with a name came; calls sent … */
    int64_t named_seq;           /* … until then may be refused for the same */
    struct limit_bucket ramp;    /* input tokens, while the rate may not rise quickly */
    double ramp_growth, ramp_ms; /* per ms; to this moment */
    int64_t ramp_seq;
    double input_recent, input_recent_ms; /* tokens sent, exponentially weighted; at this moment */
    double refused_share;                 /* of the last answers, exponentially weighted */
    double trim; /* of the limits that are told: less after they proved too high */
    double trim_ms;
    int64_t trouble;       /* failures since the last answer */
    int64_t barren;        /* probes that failed since the last answer */
    int64_t stopped_to_ms; /* 0: not stopped */
    double retries, retries_ms;
    double tokens_per_byte, fresh_share, output_tokens; /* as far as observed */
};

/* What a call will take. */
struct limit_cost {
    int64_t input_bytes;
    int64_t output_tokens_max;
};

/* What was set aside for a call that was sent. */
struct limit_ticket {
    int64_t seq, sent_ms;
    int64_t in_flight; /* others, at that time */
    int64_t input_bytes;
    double cost[LIMIT_KINDS], taken[LIMIT_KINDS];
};

void limit_init(struct limit *l, enum limit_rule rule, const struct limit_set *set);

/** 0: a call of @cost may go now; otherwise: ask again in so many milliseconds, and whenever a call
 * comes back. */
int64_t limit_wait_ms(struct limit *l, int64_t now_ms, const struct limit_cost *cost);

/** It goes. */
void limit_send(struct limit *l, int64_t now_ms, const struct limit_cost *cost,
                struct limit_ticket *ret);

/** A reply to it has come, of whatever kind, and its headers tell this. */
void limit_tell(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                const struct limit_told *told);

/* Then exactly one of these for each call that was sent. */

/** It was answered, with this usage as reported. */
void limit_answered(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                    const struct call_usage *usage);

/** It was refused: 429, and asked to wait @wait_ms (0 if the wait concerns it alone). */
void limit_refused(struct limit *l, int64_t now_ms, const struct limit_ticket *t, int64_t wait_ms,
                   const struct limit_words *words);

/** It failed for no reason of its own: no connection, 5xx, a deadline. */
void limit_failed(struct limit *l, int64_t now_ms, const struct limit_ticket *t);

/** It came back for a reason of its own (cancelled, a request that cannot be right). */
void limit_left(struct limit *l, int64_t now_ms, const struct limit_ticket *t);

/** Use no more than @part (0 to 1) of each limit, and nothing from @to_ms on. Where answers have
 * come and none told of a limit, there is none to share, and calls go without a part. */
void limit_share(struct limit *l, int64_t now_ms, double part, int64_t to_ms);

/** The key is of no use for a while: wrong, or out of quota. */
void limit_stop(struct limit *l, int64_t now_ms);

/** True while it is stopped. */
bool limit_is_stopped(const struct limit *l, int64_t now_ms);

/** True while failures in a row keep it closed or probing: the circuit is open. */
bool limit_is_broken(const struct limit *l);

/** True if @probes_max probes have failed, one after the other, and nothing is under way that may
 * yet be answered: nobody gets through. */
bool limit_is_barren(const struct limit *l, int64_t probes_max);

/** How long the retry of a failure has to wait for the tenth that retries may take; it is counted
 * as made. */
int64_t limit_retry_ms(struct limit *l, int64_t now_ms);

/** The limit per minute, as set or told; -1: not known. */
int64_t limit_per_minute(const struct limit *l, enum limit_kind kind);

#endif
