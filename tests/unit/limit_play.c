#include "limit_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t between(struct stage *s, const int64_t range[2]) {
    return range[0] + (int64_t)(rng_u64(&s->rng) % (uint64_t)(range[1] - range[0] + 1));
}

static void put(struct stage *s, struct sent *c, int64_t at_ms) {
    c->next = s->ring[at_ms % RING_MS];
    s->ring[at_ms % RING_MS] = c;
}

static void refill(struct stage *s) {
    double rpm = (double)s->rpm, tpm = (double)s->p->tpm;
    s->requests = MIN(s->requests + rpm / 60000, MAX(rpm / 60 * s->p->hold_s, 1));
    s->tokens = MIN(s->tokens + tpm / 60000, tpm / 60 * s->p->hold_s);
}

static double counted_of(const struct play *p, const struct sent *c) {
    return (double)(c->input_tokens +
                    (p->rule == LIMIT_AT_ADMISSION ? p->output_tokens_max : c->output_tokens));
}

/* At the provider's door. */
static void arrive(struct stage *s, struct sent *c, int64_t now_ms) {
    const struct play *p = s->p;
    double counted = counted_of(p, c);
    bool fits = (s->rpm == 0 || s->requests >= 1) && (p->tpm == 0 || s->tokens >= counted) &&
                (p->in_flight_max == 0 || s->serving < p->in_flight_max);
    c->arrived = true;
    c->fate = FATE_ANSWER;
    if (now_ms >= p->down_from_ms && now_ms < p->down_to_ms) {
        c->fate = FATE_FAIL;
    } else if (!fits ||
               (p->lone_refusals > 0 && between(s, (int64_t[]){1, p->lone_refusals}) == 1)) {
        c->fate = FATE_REFUSE;
    }
    if (c->fate == FATE_ANSWER) {
        s->requests -= 1;
        s->tokens -= counted;
        s->serving++;
    }
    memset(&c->told, -1, sizeof c->told);
    if (p->tells) {
        c->told.of[LIMIT_REQUESTS].per_minute = s->rpm > 0 ? s->rpm : -1;
        c->told.of[LIMIT_REQUESTS].remaining = (int64_t)MAX(s->requests, 0);
        c->told.of[LIMIT_TOKENS].per_minute = p->tpm > 0 ? p->tpm : -1;
        c->told.of[LIMIT_TOKENS].remaining = (int64_t)MAX(s->tokens, 0);
    }
    c->words = (struct limit_words){0};
    if (p->names && c->fate == FATE_REFUSE) {
        bool by_requests =
            s->rpm > 0 && s->requests<1, by_tokens = p->tpm> 0 && s->tokens < counted;
        c->words.per_minute[LIMIT_REQUESTS] = by_requests ? s->rpm : 0;
        c->words.per_minute[LIMIT_TOKENS] = by_tokens ? p->tpm : 0;
    }
    int64_t work_ms = c->fate == FATE_ANSWER ? between(s, p->latency_ms) : 0;
    put(s, c, now_ms + work_ms + MAX(between(s, p->network_ms), 1));
}

static void come_back(struct stage *s, struct sent *c, int64_t now_ms) {
    limit_tell(&s->limit, now_ms, &c->ticket, &c->told);
    if (c->fate == FATE_ANSWER) {
        s->serving--;
        s->answered++;
        s->used_tokens += c->input_tokens + c->output_tokens;
        const struct call_usage usage = {.input_tokens = c->input_tokens,
                                         .output_tokens = c->output_tokens};
        limit_answered(&s->limit, now_ms, &c->ticket, &usage);
    } else if (c->fate == FATE_REFUSE) {
        s->refused += now_ms >= s->p->refused_from_ms;
        limit_refused(&s->limit, now_ms, &c->ticket, s->p->retry_after_ms, &c->words);
    } else {
        s->failed++;
        limit_failed(&s->limit, now_ms, &c->ticket);
    }
    free(c);
}

/* The head of the queue: now and then a large one. */
static struct limit_cost next_cost(struct stage *s, bool *ret_large) {
    const struct play *p = s->p;
    *ret_large = p->large_every > 0 && s->sent % p->large_every == p->large_every - 1;
    return (struct limit_cost){.input_bytes = *ret_large ? 4 * p->large_tokens : 4000,
                               .output_tokens_max = p->output_tokens_max};
}

static void send_one(struct stage *s, int64_t now_ms, const struct limit_cost *cost, bool large) {
    struct sent *c = mem_new(sizeof *c);
    limit_send(&s->limit, now_ms, cost, &c->ticket);
    c->input_tokens = large ? s->p->large_tokens : between(s, (int64_t[]){900, 1100});
    c->output_tokens = between(s, s->p->output_tokens);
    c->large = large;
    s->sendings[s->sent++] = (struct sending){now_ms, counted_of(s->p, c)};
    s->last_sent_ms = now_ms;
    s->most_in_flight = MAX(s->most_in_flight, s->limit.in_flight);
    s->large_sent += large;
    s->large_since_ms = 0;
    put(s, c, now_ms + MAX(between(s, s->p->network_ms), 1));
}

static void send_all(struct stage *s, int64_t now_ms) {
    bool large;
    struct limit_cost cost = next_cost(s, &large);
    while (s->limit.in_flight < s->p->slots && limit_wait_ms(&s->limit, now_ms, &cost) == 0) {
        send_one(s, now_ms, &cost, large);
        cost = next_cost(s, &large);
    }
    if (large && s->limit.in_flight < s->p->slots) {
        s->large_since_ms = s->large_since_ms > 0 ? s->large_since_ms : now_ms;
        s->large_waited_ms = MAX(s->large_waited_ms, now_ms - s->large_since_ms);
    }
    if (s->limit.in_flight < s->p->slots) { /* somebody would like to go */
        s->longest_pause_ms = MAX(s->longest_pause_ms, now_ms - s->last_sent_ms);
    } else {
        s->last_sent_ms = now_ms;
    }
}

struct stage *perform(const struct play *p, uint64_t seed) {
    struct stage *s = mem_new(sizeof *s);
    *s = (struct stage){.p = p, .rpm = p->rpm};
    s->sendings = mem_new_array((size_t)(p->for_ms * 10), sizeof *s->sendings);
    rng_init(&s->rng, seed);
    limit_init(&s->limit, p->rule, &p->set);
    if (p->set.shared) {
        limit_share(&s->limit, 0, p->part, p->for_ms + 1);
    }
    s->requests = (double)p->rpm / 60 * p->hold_s;
    s->tokens = (double)p->tpm / 60 * p->hold_s;
    for (int64_t now_ms = 1; now_ms <= p->for_ms; now_ms++) {
        struct sent *due = s->ring[now_ms % RING_MS], *next;
        s->ring[now_ms % RING_MS] = NULL;
        s->rpm = p->change_ms > 0 && now_ms >= p->change_ms ? p->change_rpm : s->rpm;
        refill(s);
        for (; due != NULL; due = next) {
            next = due->next;
            if (due->arrived) {
                come_back(s, due, now_ms);
            } else {
                arrive(s, due, now_ms);
            }
        }
        send_all(s, now_ms);
    }
    return s;
}

void leave(struct stage *s) {
    for (size_t i = 0; i < RING_MS; i++) {
        for (struct sent *c = s->ring[i], *next; c != NULL; c = next) {
            next = c->next;
            free(c);
        }
    }
    free(s->sendings);
    free(s);
}

struct play usual(int64_t rpm) {
    return (struct play){.rpm = rpm,
                         .hold_s = 60,
                         .tells = true,
                         .latency_ms = {300, 3000},
                         .network_ms = {1, 20},
                         .retry_after_ms = 500,
                         .slots = MAX(rpm / 60 * 8, 64),
                         .for_ms = 60000,
                         .output_tokens = {200, 1000},
                         .output_tokens_max = 2000};
}

int64_t most_within(const struct stage *s, int64_t span_ms) {
    int64_t most = 0;
    for (int64_t from = 0, to = 0; to < s->sent; to++) {
        while (s->sendings[to].at_ms - s->sendings[from].at_ms >= span_ms) {
            from++;
        }
        most = MAX(most, to - from + 1);
    }
    return most;
}

double most_tokens_within(const struct stage *s, int64_t span_ms) {
    double most = 0, sum = 0;
    for (int64_t from = 0, to = 0; to < s->sent; to++) {
        sum += s->sendings[to].counted;
        for (; s->sendings[to].at_ms - s->sendings[from].at_ms >= span_ms; from++) {
            sum -= s->sendings[from].counted;
        }
        most = MAX(most, sum);
    }
    return most;
}

void assert_refused_below(const struct stage *s, double share) {
    if ((double)s->refused > share * (double)s->sent) {
        fail_msg("%lld of %lld refused", (long long)s->refused, (long long)s->sent);
    }
}

void assert_used(const struct stage *s, double calls) {
    if ((double)s->answered + (double)s->serving < 0.95 * calls) {
        fail_msg("%lld of %.0f answered", (long long)(s->answered + s->serving), calls);
    }
}
