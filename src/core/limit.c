/* A bucket holds one number, the moment at which all that was taken is paid for (GCRA's theoretical
 * arrival time): a call may go while that lies less than the burst ahead, and moves it on by its
 * cost. So a loop that wakes late makes up for it, a pause is no credit, and a call larger than the
 * burst goes and is paid for afterwards. */
#include "core/limit.h"

#include <math.h>

/* Before the first reply, which may tell the limits: so many at once, then the pace of the lowest
 * tier in use. After it, if it told none: twice as many every so often. */
#define LIMIT_COLD_CALLS 4.0
#define LIMIT_COLD_PER_MS (500 / 60000.0)
#define LIMIT_DOUBLES_MS 400.0
#define LIMIT_PARTLESS_MS 100    /* how often to look whether there is a part of the limit */
#define LIMIT_FULL_MS 20         /* how often to look whether time has made room */
#define LIMIT_SHARE_WEIGHT 0.05  /* of one answer: the last twenty or so count */
#define LIMIT_SHARE_NOTICED 0.15 /* three or four 429s in a row from a clean start */
#define LIMIT_TRIM 0.9
#define LIMIT_TRIM_MIN 0.05
#define LIMIT_TRIM_PER_MS (0.01 / 1000) /* given back */
#define LIMIT_FOUND_SHARE 0.98          /* of what was refused */
#define LIMIT_FOUND_FLOOR 0.9           /* of what was found, for lone refusals */
#define LIMIT_FOUND_SAME 0.03           /* refusals that differ by less have one cause … */
#define LIMIT_FOUND_ALIKE 2             /* … if so many in a row are like the one before, … */
#define LIMIT_FOUND_CARRIED 1.02        /* … and never more than this of it was carried */
#define LIMIT_FOUND_ROOM 1.3            /* for what is carried, where that is not the cause */
#define LIMIT_FOUND_SPAN_MS 1000        /* between refusals at least, to know the rate by, … */
#define LIMIT_FOUND_PASSED 30           /* … and so many calls, to know it better than before */
#define LIMIT_FOUND_CALLS 400.0         /* that a bound holds up before it is raised, … */
#define LIMIT_FOUND_CALLS_MIN 25.0      /* … fewer each time, … */
#define LIMIT_FOUND_MS 5000             /* … and for so long, … */
#define LIMIT_FOUND_STEP 0.01           /* … by this part of it, and twice that the next time */
#define LIMIT_FOUND_STEP_MAX 0.5
#define LIMIT_GUESS_CALLS 8 /* the same of a bound that is a guess */
#define LIMIT_GUESS_MS 500
#define LIMIT_GUESS_STEP 0.03
#define LIMIT_NAMED_SLACK_MS 100.0 /* calls may overtake each other by so much */
#define LIMIT_LOOK_MIN (-3.0)
#define LIMIT_LOOK_MS_MIN 5000       /* from one refusal to the next look */
#define LIMIT_LOOK_DOUBLES_MS 4000.0 /* the pace, meanwhile */
#define LIMIT_SINGLE_MS 900.0
#define LIMIT_SINGLE_SLACK_MS 40.0
#define LIMIT_RAMP_FROM 1e6 /* input tokens a minute that may come at once (OpenAI) */
#define LIMIT_RAMP_CUT 0.5  /* of the recent rate */
#define LIMIT_RAMP_GROWTH (0.405465 / 900000) /* ln 1.5 in 15 minutes (OpenAI) */
#define LIMIT_RAMP_RECENT_MS 10000.0
#define LIMIT_START_SHARE 8          /* a slow start begins at this part of the window, … */
#define LIMIT_START_DOUBLES_MS 500.0 /* … and doubles every so often */
#define LIMIT_RESUME_MS 1000.0       /* the pace goes from a half to the whole in this time */
#define LIMIT_PAUSE_MS INT64_C(100)  /* at least, even where no wait is asked for */
#define LIMIT_CIRCUIT_MS INT64_C(1000)
#define LIMIT_RETRY_SHARE 0.1
#define LIMIT_RETRIES_START 20.0
#define LIMIT_RETRIES_MAX 100.0
#define LIMIT_RETRIES_PER_MS (10.0 / 1000) /* even if nothing is answered */
#define LIMIT_LEARN 0.1                    /* weight of one call in what is observed of calls */
#define LIMIT_MS_PER_MINUTE 60000.0

void limit_set_inherit(struct limit_set *set, const struct limit_set *from) {
    for (int k = 0; k < LIMIT_KINDS; k++) {
        set->per_minute[k] = set->per_minute[k] > 0 ? set->per_minute[k] : from->per_minute[k];
    }
    set->in_flight = set->in_flight > 0 ? set->in_flight : from->in_flight;
}

void limit_init(struct limit *l, enum limit_rule rule, const struct limit_set *set) {
    *l = (struct limit){.rule = rule,
                        .part = set->shared ? 0 : 1,
                        .part_to_ms = INT64_MAX,
                        .paced_part = 1,
                        .in_flight_set = (double)MAX(set->in_flight, 0),
                        .since_ms = INT64_MIN,
                        .first_ms = -1,
                        .heard_ms = -1,
                        .window.value = HUGE_VAL,
                        .rate.value = HUGE_VAL,
                        .steady.level = HUGE_VAL,
                        .mark_ms = -1,
                        .trim = 1,
                        .retries = LIMIT_RETRIES_START,
                        .ramp.level = HUGE_VAL,
                        .tokens_per_byte = 0.3,
                        .fresh_share = 1,
                        .output_tokens = 1000};
    for (int k = 0; k < LIMIT_KINDS; k++) {
        l->buckets[k].set_per_ms = (double)set->per_minute[k] / LIMIT_MS_PER_MINUTE;
        l->buckets[k].level = HUGE_VAL;
    }
}

/* --- one bucket --- */

/* What the provider refills, as far as is known; 0: unknown. */
static double bucket_refill(const struct limit_bucket *b) {
    return b->set_per_ms > 0 && b->told_per_ms > 0 ? MIN(b->set_per_ms, b->told_per_ms)
                                                   : MAX(b->set_per_ms, b->told_per_ms);
}

/* What the provider is reckoned to have left now; INFINITY stays so. */
static void bucket_refilled(struct limit_bucket *b, double now_ms) {
    double refill = bucket_refill(b);
    b->level = isfinite(b->level)
                   ? MIN(b->level + (now_ms - b->level_ms) * refill, refill * LIMIT_MS_PER_MINUTE)
                   : HUGE_VAL;
    b->level_ms = now_ms;
}

static double bucket_wait_ms(struct limit_bucket *b, double now_ms, double cost) {
    double refill = bucket_refill(b);
    if (refill <= 0) {
        return 0;
    }
    bucket_refilled(b, now_ms);
    double needed = MIN(cost, refill * LIMIT_MS_PER_MINUTE); /* more it never holds */
    double paid_ms = MAX(b->due_ms - LIMIT_BURST_MS - now_ms, 0);
    double covered_ms = MAX((needed - b->level) / refill, 0);
    return MAX(paid_ms, covered_ms);
}

/* A call that is larger than a whole minute takes a minute: no limit that a provider tells holds
 * everybody up for longer. */
static void bucket_pay(struct limit_bucket *b, double amount, double pace) {
    double refill = bucket_refill(b), minute = refill * LIMIT_MS_PER_MINUTE;
    b->level -= amount;
    if (refill > 0) {
        b->due_ms += MAX(MIN(amount, minute), -minute) / (refill * pace);
    }
}

static void bucket_take(struct limit_bucket *b, double now_ms, double cost, double pace) {
    b->taken += cost;
    b->due_ms = MAX(b->due_ms, now_ms);
    bucket_pay(b, cost, pace);
}

/* A call a second, or fewer, may mean just that: a bucket that holds a single one. Then no call
 * makes up for a late one, and the gap allows for one that overtakes. */
static void bucket_take_single(struct limit_bucket *b, double now_ms, double pace) {
    double refill = bucket_refill(b), gap_ms = refill > 0 ? 1 / (refill * pace) : 0;
    bucket_take(b, now_ms, 1, pace);
    if (gap_ms >= LIMIT_SINGLE_MS && gap_ms <= LIMIT_MS_PER_MINUTE) {
        double gap_needed_ms = MAX(gap_ms, 1 / refill + LIMIT_SINGLE_SLACK_MS);
        b->due_ms = MAX(b->due_ms, now_ms + LIMIT_BURST_MS + gap_needed_ms);
    }
}

/* What the provider has left, as it told the call that was sent at @sent_ms with @taken taken until
 * then: since then it has refilled, and more was taken. */
static void bucket_tell(struct limit_bucket *b, double now_ms, double sent_ms, double taken,
                        double per_minute, double remaining) {
    double before = bucket_refill(b), debt_ms = MAX(b->due_ms - now_ms, 0);
    if (per_minute > 0) {
        b->told_per_ms = per_minute / LIMIT_MS_PER_MINUTE;
        if (before > 0) { /* the debt stays the same number of tokens */
            b->due_ms = now_ms + debt_ms * before / bucket_refill(b);
        }
    }
    if (remaining >= 0 && bucket_refill(b) > 0) {
        double level = remaining + (now_ms - sent_ms) * bucket_refill(b) - (b->taken - taken);
        b->level = MIN(level, bucket_refill(b) * LIMIT_MS_PER_MINUTE);
        b->level = MAX(b->level, 0);
        b->level_ms = now_ms;
    }
}

/* --- the state --- */

static bool limit_is_known(const struct limit *l) {
    for (int k = 0; k < LIMIT_KINDS; k++) {
        if (bucket_refill(&l->buckets[k]) > 0) {
            return true;
        }
    }
    return false;
}

/* Until there is an answer it may be. */
static bool limit_is_to_share(const struct limit *l) {
    return l->answers == 0 || l->in_flight_set > 0 || limit_is_known(l);
}

static void limit_set_state(struct limit *l, int64_t now_ms, enum limit_state to) {
    l->state = to;
    l->since_ms = now_ms;
}

static void limit_close(struct limit *l, int64_t now_ms, int64_t wait_ms) {
    l->closed_to_ms = now_ms + wait_ms;
    l->closed_seq = l->seq;
    l->mark_paused = true;
    limit_set_state(l, now_ms, LIMIT_CLOSED);
}

/* What time alone changes. */
static void limit_pass_time(struct limit *l, int64_t now_ms) {
    l->part = now_ms >= l->part_to_ms ? 0 : l->part;
    if (l->state == LIMIT_PROBING && now_ms - l->since_ms >= LIMIT_PROBE_MS) {
        limit_set_state(l, now_ms, LIMIT_OPEN);
    }
    l->trim = MIN(1, l->trim + ((double)now_ms - l->trim_ms) * LIMIT_TRIM_PER_MS);
    l->trim_ms = (double)now_ms;
    l->ramp.set_per_ms *= exp(((double)now_ms - l->ramp_ms) * l->ramp_growth);
    l->ramp_ms = (double)now_ms;
}

/* The part of the refill that this client uses now. */
static double limit_pace(const struct limit *l, int64_t now_ms) {
    double resumed = 1;
    if (l->since_ms != INT64_MIN && l->state == LIMIT_OPEN) {
        resumed = MIN(1, 0.5 + 0.5 * (double)(now_ms - l->since_ms) / LIMIT_RESUME_MS);
    }
    return LIMIT_SHARE * l->paced_part * l->trim * resumed;
}

static double limit_doubled(double from, int64_t ms, double doubles_ms) {
    return from * exp2(MIN((double)ms / doubles_ms, 60));
}

/* While no limit is known: few until the first reply, then more and more quickly. */
static double limit_cold_room(const struct limit *l, int64_t now_ms) {
    if (l->first_ms < 0) {
        return LIMIT_COLD_CALLS;
    }
    double calls = LIMIT_COLD_CALLS + (double)(now_ms - l->first_ms) * LIMIT_COLD_PER_MS;
    return l->heard_ms < 0 ? calls
                           : MAX(calls, limit_doubled(LIMIT_COLD_CALLS, now_ms - l->heard_ms,
                                                      LIMIT_DOUBLES_MS));
}

/* --- what is found out where nothing is told --- */

static void found_lower(struct limit_found *f, int64_t now_ms, double to, bool noticed) {
    f->floor = noticed ? to * LIMIT_FOUND_FLOOR : f->floor;
    f->step = LIMIT_FOUND_STEP;
    f->value = MIN(f->value, MAX(to, f->floor));
    f->since_ms = now_ms;
    f->kept = 0;
}

static void found_raise(struct limit_found *f, int64_t now_ms, double by) {
    f->value += by;
    f->since_ms = now_ms;
    f->kept = 0;
}

/* A call went, and the bound was what it had waited for. It is raised by @least at least. */
static void found_keep(struct limit_found *f, int64_t now_ms, double least) {
    double calls = MAX(LIMIT_FOUND_CALLS_MIN, LIMIT_FOUND_CALLS * LIMIT_FOUND_STEP / f->step);
    int64_t held_ms = now_ms - f->since_ms;
    f->kept++;
    if (!f->sure && f->kept >= LIMIT_GUESS_CALLS && held_ms >= LIMIT_GUESS_MS) {
        found_raise(f, now_ms, MAX(f->value * LIMIT_GUESS_STEP, least));
    } else if (f->sure && (double)f->kept >= calls && held_ms >= LIMIT_FOUND_MS) {
        found_raise(f, now_ms, MAX(f->value * f->step, least));
        f->step = MIN(f->step * 2, LIMIT_FOUND_STEP_MAX);
    }
}

/* The provider's bucket is empty now. */
static void limit_mark(struct limit *l, int64_t now_ms, bool paused) {
    l->mark_ms = now_ms;
    l->mark_passed = l->passed;
    l->mark_carried = 0;
    l->mark_paused = paused;
}

static void limit_set_rate(struct limit *l, double rate, bool sure) {
    l->rate.value = rate;
    l->rate.sure = sure;
    l->steady.set_per_ms = isfinite(rate) ? rate : 0;
}

static void limit_find_window(struct limit *l, int64_t now_ms, double in_flight, bool noticed) {
    found_lower(&l->window, now_ms, MAX(1, in_flight * LIMIT_FOUND_SHARE), noticed);
}

/* The bucket was empty at the mark, and is now. */
static void limit_find_rate(struct limit *l, int64_t now_ms, bool noticed) {
    int64_t passed = l->passed - l->mark_passed;
    double rate = (double)passed / (double)(now_ms - l->mark_ms) * LIMIT_SHARE;
    bool sure = !l->mark_paused;
    if (sure && passed >= LIMIT_FOUND_PASSED) {
        l->rate.value = MAX(l->rate.value, rate);
    }
    found_lower(&l->rate, now_ms, rate, noticed);
    limit_set_rate(l, l->rate.value, sure);
}

/* While so many others were in flight, one was refused. */
static void limit_find(struct limit *l, int64_t now_ms, double in_flight, bool noticed) {
    bool carried = l->mark_carried > in_flight * LIMIT_FOUND_CARRIED;
    bool same = fabs(in_flight - l->refused_at) <= 1 + LIMIT_FOUND_SAME * in_flight && !carried;
    bool known = l->mark_ms >= 0 && now_ms - l->mark_ms >= LIMIT_FOUND_SPAN_MS;
    if (!noticed && !isfinite(l->window.value)) {
        return; /* it may be for no reason of ours */
    }
    l->refused_at = in_flight;
    if (known) {
        l->alike = same ? l->alike + 1 : 0;
        bool sure = l->alike >= LIMIT_FOUND_ALIKE || (l->window.sure && same);
        if (!sure) {
            limit_find_rate(l, now_ms, noticed);
        } else if (!l->window.sure) {
            limit_set_rate(l, HUGE_VAL, false); /* it was never that */
        }
        l->window.sure = sure;
    }
    if (same || !known) {
        limit_find_window(l, now_ms, in_flight, noticed);
    } else {
        double most = MAX(l->mark_carried, in_flight);
        l->window.value = MAX(l->window.value, most * LIMIT_FOUND_ROOM);
    }
    if (l->mark_ms < 0 || known) {
        limit_mark(l, now_ms, false);
    }
}

/* A call goes. */
static void limit_found_send(struct limit *l, int64_t now_ms) {
    if (isfinite(l->window.value) && (double)l->in_flight >= LIMIT_FOUND_FLOOR * l->window.value) {
        found_keep(&l->window, now_ms, 1);
    }
    if (isfinite(l->rate.value)) {
        bucket_take(&l->steady, (double)now_ms, 1, 1);
        if (l->steady.due_ms - (double)now_ms >= LIMIT_BURST_MS * 0.5) {
            found_keep(&l->rate, now_ms, 0);
            l->steady.set_per_ms = l->rate.value;
        }
    }
}

/* How many may be in flight now. */
static double limit_room(const struct limit *l, int64_t now_ms) {
    double set = l->in_flight_set > 0 ? floor(l->in_flight_set * l->part + 1e-6) : HUGE_VAL;
    if (limit_is_known(l)) {
        return set;
    }
    if (!isfinite(l->window.value)) {
        return MIN(set, limit_cold_room(l, now_ms));
    }
    double start = MAX(1, l->window.value / LIMIT_START_SHARE);
    return MIN(MIN(set, l->window.value),
               limit_doubled(start, now_ms - l->since_ms, LIMIT_START_DOUBLES_MS));
}

/* --- what refusals say in words --- */

/* A call goes. One that had to wait for a limit that only a refusal named: there may be more. */
static void limit_look(struct limit *l, int64_t now_ms) {
    bool may = l->look >= 0 && now_ms - l->named_ms >= LIMIT_LOOK_MS_MIN;
    for (int k = 0; k < LIMIT_KINDS; k++) {
        struct limit_bucket *b = &l->buckets[k];
        double debt_ms = b->due_ms - (double)now_ms;
        bool binds =
            b->named && debt_ms >= LIMIT_BURST_MS * 0.5 && bucket_refill(b) == b->told_per_ms;
        if (binds && may) { /* the debt stays the same number of tokens */
            double ms = MIN((double)now_ms - b->looked_ms, LIMIT_BURST_MS);
            double growth = limit_doubled(1, (int64_t)ms, LIMIT_LOOK_DOUBLES_MS);
            b->told_per_ms *= growth;
            b->due_ms = (double)now_ms + debt_ms / growth;
        }
        b->looked_ms = binds ? (double)now_ms : b->looked_ms;
    }
}

/* A call of so many tokens goes. */
static void limit_ramp_send(struct limit *l, int64_t now_ms, double input) {
    double past_ms = (double)now_ms - l->input_recent_ms;
    l->input_recent = l->input_recent * exp(-past_ms / LIMIT_RAMP_RECENT_MS) + input;
    l->input_recent_ms = (double)now_ms;
    if (l->ramp.set_per_ms > 0) {
        bucket_take(&l->ramp, (double)now_ms, input, LIMIT_SHARE);
    }
}

/* The rate rose too quickly: half of it, or what may be; those that were on their way are refused
 * for the same. False: it was no more than anybody may send at once. */
static bool limit_slow_down(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                            const struct limit_words *words) {
    double recent = l->input_recent / LIMIT_RAMP_RECENT_MS;
    double least = LIMIT_RAMP_FROM / LIMIT_MS_PER_MINUTE;
    double told = (double)words->input_per_minute, next = (double)words->input_next_minute;
    if (t->seq <= l->ramp_seq) {
        return true;
    }
    if (told <= 0 && recent * LIMIT_RAMP_CUT < least) {
        return false;
    }
    l->ramp_seq = l->seq;
    l->ramp.set_per_ms = told > 0 ? told / LIMIT_MS_PER_MINUTE : recent * LIMIT_RAMP_CUT;
    l->ramp.due_ms = (double)now_ms + LIMIT_BURST_MS + LIMIT_PROBE_MS;
    l->ramp_growth =
        told > 0 && next > told ? log(next / told) / LIMIT_MS_PER_MINUTE : LIMIT_RAMP_GROWTH;
    l->ramp_ms = (double)now_ms;
    return true;
}

/* --- costs --- */

static void limit_costs(const struct limit *l, const struct limit_cost *cost,
                        double ret[LIMIT_KINDS]) {
    double input = (double)cost->input_bytes * l->tokens_per_byte;
    double likely = MIN(l->output_tokens, (double)cost->output_tokens_max);
    bool at_admission = l->rule == LIMIT_AT_ADMISSION;
    ret[LIMIT_REQUESTS] = 1;
    ret[LIMIT_TOKENS] = input + (at_admission ? (double)cost->output_tokens_max : likely);
    ret[LIMIT_INPUT] = input;
    ret[LIMIT_FRESH] = input * l->fresh_share;
    ret[LIMIT_OUTPUT] = likely;
}

int64_t limit_wait_ms(struct limit *l, int64_t now_ms, const struct limit_cost *cost) {
    double costs[LIMIT_KINDS], wait_ms;
    limit_pass_time(l, now_ms);
    if (l->stopped_to_ms > now_ms) {
        return l->stopped_to_ms - now_ms;
    }
    if (l->part <= 0 && limit_is_to_share(l)) {
        return LIMIT_PARTLESS_MS;
    }
    if (l->state == LIMIT_CLOSED && now_ms < l->closed_to_ms) {
        return l->closed_to_ms - now_ms;
    }
    if (l->state == LIMIT_PROBING) {
        return LIMIT_PROBE_MS - (now_ms - l->since_ms);
    }
    if (l->state == LIMIT_OPEN && (double)l->in_flight >= limit_room(l, now_ms)) {
        return LIMIT_FULL_MS; /* a probe goes, whatever is in flight */
    }
    limit_costs(l, cost, costs);
    wait_ms = bucket_wait_ms(&l->ramp, (double)now_ms, costs[LIMIT_INPUT]);
    if (!limit_is_known(l)) {
        wait_ms = MAX(wait_ms, bucket_wait_ms(&l->steady, (double)now_ms, 1));
    }
    for (int k = 0; k < LIMIT_KINDS; k++) {
        wait_ms = MAX(wait_ms, bucket_wait_ms(&l->buckets[k], (double)now_ms, costs[k]));
    }
    return (int64_t)ceil(wait_ms);
}

void limit_send(struct limit *l, int64_t now_ms, const struct limit_cost *cost,
                struct limit_ticket *ret) {
    *ret = (struct limit_ticket){.seq = ++l->seq,
                                 .sent_ms = now_ms,
                                 .in_flight = l->in_flight,
                                 .input_bytes = cost->input_bytes};
    limit_costs(l, cost, ret->cost);
    limit_ramp_send(l, now_ms, ret->cost[LIMIT_INPUT]);
    limit_look(l, now_ms);
    for (int k = 0; k < LIMIT_KINDS; k++) {
        struct limit_bucket *b = &l->buckets[k];
        if (k == LIMIT_REQUESTS) {
            bucket_take_single(b, (double)now_ms, limit_pace(l, now_ms));
        } else {
            bucket_take(b, (double)now_ms, ret->cost[k], limit_pace(l, now_ms));
        }
        ret->taken[k] = b->taken;
    }
    limit_found_send(l, now_ms);
    l->in_flight++;
    l->passed++;
    l->first_ms = l->first_ms < 0 ? now_ms : l->first_ms;
    if (l->state == LIMIT_CLOSED) {
        l->probe_seq = l->seq;
        limit_set_state(l, now_ms, LIMIT_PROBING);
    }
}

void limit_tell(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                const struct limit_told *told) {
    l->heard_ms = l->heard_ms < 0 ? now_ms : l->heard_ms;
    for (int k = 0; k < LIMIT_KINDS; k++) {
        struct limit_bucket *b = &l->buckets[k];
        if (told->of[k].per_minute > 0 && t->seq > b->told_seq) {
            b->told_seq = t->seq;
            b->named = false;
            bucket_tell(b, (double)now_ms, (double)t->sent_ms, t->taken[k],
                        (double)told->of[k].per_minute, (double)told->of[k].remaining);
        }
    }
}

/* --- how calls come back --- */

static void limit_note(struct limit *l, bool refused) {
    l->in_flight--;
    l->refused_share += LIMIT_SHARE_WEIGHT * ((refused ? 1 : 0) - l->refused_share);
}

static bool limit_is_probe(const struct limit *l, const struct limit_ticket *t) {
    return l->state == LIMIT_PROBING && t->seq == l->probe_seq;
}

static void limit_learn(double *average, double observed) {
    *average += LIMIT_LEARN * (observed - *average);
}

static void limit_settle(struct limit *l, const struct limit_ticket *t, double pace,
                         const struct call_usage *usage) {
    double used[LIMIT_KINDS], input = (double)usage->input_tokens;
    for (int k = 0; k < LIMIT_KINDS; k++) {
        used[k] = t->cost[k];
    }
    if (input >= 0) {
        used[LIMIT_INPUT] = input;
        used[LIMIT_FRESH] = MAX(input - (double)MAX(usage->cached_tokens, 0), 0);
        if (t->input_bytes > 0) {
            limit_learn(&l->tokens_per_byte, input / (double)t->input_bytes);
        }
        if (input > 0) {
            limit_learn(&l->fresh_share, used[LIMIT_FRESH] / input);
        }
    }
    if (usage->output_tokens >= 0) {
        used[LIMIT_OUTPUT] = (double)usage->output_tokens;
        limit_learn(&l->output_tokens, used[LIMIT_OUTPUT]);
    }
    if (l->rule == LIMIT_AS_PRODUCED) {
        used[LIMIT_TOKENS] = used[LIMIT_INPUT] + used[LIMIT_OUTPUT];
    }
    for (int k = LIMIT_TOKENS; k < LIMIT_KINDS; k++) {
        bucket_pay(&l->buckets[k], used[k] - t->cost[k],
                   pace); /* more or less than was set aside */
    }
}

void limit_answered(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                    const struct call_usage *usage) {
    limit_note(l, false);
    l->answers++;
    l->look = MIN(l->look + LIMIT_LOOK_SHARE, 0);
    l->trouble = l->barren = 0;
    l->retries = MIN(LIMIT_RETRIES_MAX, l->retries + LIMIT_RETRY_SHARE);
    if (t->sent_ms >= l->mark_ms) {
        l->mark_carried = MAX(l->mark_carried, (double)t->in_flight);
    }
    limit_settle(l, t, limit_pace(l, now_ms), usage);
    if (limit_is_probe(l, t)) {
        limit_set_state(l, now_ms, LIMIT_OPEN);
    }
}

/* The provider's bucket @k was empty for this call, and is covered for it when the provider says,
 * or soon. True if that had to be expected: it is news, or was looked for. */
static bool limit_name(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                       enum limit_kind k, double per_minute, int64_t wait_ms) {
    struct limit_bucket *b = &l->buckets[k];
    double per_ms = per_minute / LIMIT_MS_PER_MINUTE;
    bool expected = !b->named || b->named_per_ms != per_ms || b->told_per_ms != per_ms;
    if (t->seq <= b->told_seq) {
        return false; /* a later call knows better */
    }
    *b = (struct limit_bucket){.set_per_ms = b->set_per_ms,
                               .told_per_ms = per_ms,
                               .level = HUGE_VAL,
                               .taken = b->taken,
                               .told_seq = t->seq,
                               .named = true,
                               .named_per_ms = per_ms};
    double covered_ms = MIN(t->cost[k] / bucket_refill(b), LIMIT_PROBE_MS);
    b->due_ms = (double)now_ms + LIMIT_BURST_MS + LIMIT_NAMED_SLACK_MS +
                (wait_ms > 0 ? (double)wait_ms : covered_ms);
    return expected;
}

/* A refusal whose words leave nothing to find out; false: it is to be judged like any other. */
static bool limit_heed(struct limit *l, int64_t now_ms, const struct limit_ticket *t,
                       int64_t wait_ms, const struct limit_words *words) {
    bool names = false, expected = t->seq <= l->named_seq;
    if (words->slow_down) {
        return limit_slow_down(l, now_ms, t, words);
    }
    for (int k = 0; k < LIMIT_KINDS; k++) {
        const struct limit_bucket *b = &l->buckets[k];
        double per_minute = (double)words->per_minute[k];
        if (per_minute > 0 && (b->named || b->told_per_ms <= 0)) {
            bool news = limit_name(l, now_ms, t, (enum limit_kind)k, per_minute, wait_ms);
            expected = expected || news;
            names = true;
        }
    }
    if (names) {
        l->look = MAX(l->look - 1, LIMIT_LOOK_MIN);
        l->named_ms = now_ms;
        l->named_seq = expected && t->seq > l->named_seq ? l->seq : l->named_seq;
    }
    return names && expected;
}

/* Twice as long with each probe that failed. */
static int64_t limit_patience(int64_t first_ms, int64_t barren) {
    return MIN(first_ms << MIN(barren, 20), LIMIT_CIRCUIT_MS_MAX);
}

void limit_refused(struct limit *l, int64_t now_ms, const struct limit_ticket *t, int64_t wait_ms,
                   const struct limit_words *words) {
    bool probe = limit_is_probe(l, t), known = limit_is_known(l);
    bool heeded = limit_heed(l, now_ms, t, wait_ms, words);
    limit_note(l, !heeded);
    l->passed--;
    if (heeded && !probe) {
        return;
    }
    if (t->seq <= l->closed_seq) { /* of the burst that closed it: one cut a burst */
        l->closed_to_ms = MAX(l->closed_to_ms, now_ms + wait_ms);
        l->window.value = MAX(1, l->window.value - 1);
        l->refused_at--;
        limit_mark(l, now_ms, true);
        return;
    }
    bool noticed = probe || l->refused_share >= LIMIT_SHARE_NOTICED;
    if (!known) {
        limit_find(l, now_ms, (double)l->in_flight, noticed);
    }
    if (!noticed) {
        return;
    }
    l->barren += probe;
    l->trim = known ? MAX(LIMIT_TRIM_MIN, l->trim * LIMIT_TRIM) : 1;
    limit_close(l, now_ms, MAX(wait_ms, limit_patience(LIMIT_PAUSE_MS, l->barren)));
}

void limit_failed(struct limit *l, int64_t now_ms, const struct limit_ticket *t) {
    bool probe = limit_is_probe(l, t);
    limit_note(l, false);
    l->trouble++;
    l->barren += probe;
    if (t->seq > l->closed_seq && (probe || l->trouble >= LIMIT_TROUBLE_IN_ROW)) {
        limit_close(l, now_ms, limit_patience(LIMIT_CIRCUIT_MS, l->barren));
    }
}

void limit_left(struct limit *l, int64_t now_ms, const struct limit_ticket *t) {
    limit_note(l, false);
    if (limit_is_probe(l, t)) {
        limit_close(l, now_ms, 0); /* the next one is the probe */
    }
}

void limit_share(struct limit *l, int64_t now_ms, double part, int64_t to_ms) {
    for (int k = 0; k < LIMIT_KINDS && part > 0; k++) { /* debts stay the same number of tokens */
        double debt_ms = MAX(l->buckets[k].due_ms - (double)now_ms, 0);
        l->buckets[k].due_ms = (double)now_ms + debt_ms * l->paced_part / part;
    }
    l->paced_part = part > 0 ? part : l->paced_part;
    l->part = part;
    l->part_to_ms = to_ms;
}

void limit_stop(struct limit *l, int64_t now_ms) {
    l->stopped_to_ms = now_ms + LIMIT_STOP_MS;
}

bool limit_is_stopped(const struct limit *l, int64_t now_ms) {
    return l->stopped_to_ms > now_ms;
}

bool limit_is_barren(const struct limit *l, int64_t probes_max) {
    return l->state == LIMIT_CLOSED && l->in_flight == 0 && l->barren >= probes_max;
}

bool limit_is_broken(const struct limit *l) {
    return l->state != LIMIT_OPEN && l->trouble >= LIMIT_TROUBLE_IN_ROW;
}

int64_t limit_retry_ms(struct limit *l, int64_t now_ms) {
    double earned = ((double)now_ms - l->retries_ms) * LIMIT_RETRIES_PER_MS;
    l->retries = l->retries_ms > 0 ? MIN(LIMIT_RETRIES_MAX, l->retries + earned) : l->retries;
    l->retries_ms = (double)now_ms;
    l->retries--;
    return l->retries >= 0 ? 0 : (int64_t)ceil(-l->retries / LIMIT_RETRIES_PER_MS);
}

int64_t limit_per_minute(const struct limit *l, enum limit_kind kind) {
    double refill = bucket_refill(&l->buckets[kind]);
    return refill <= 0 ? -1 : llround(refill * LIMIT_MS_PER_MINUTE);
}
