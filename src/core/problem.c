#include "core/problem.h"

#include "base/clock.h"
#include "base/rng.h"

#include <stdio.h>

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_ACCEPTED] = "accepted",   [OUTCOME_REJECTED] = "rejected", [OUTCOME_SOLVED] = "solved",
    [OUTCOME_DUPLICATE] = "duplicate", [OUTCOME_SURPLUS] = "surplus",   [OUTCOME_FAILED] = "failed",
};

const char *outcome_name(enum outcome o) {
    ASSERT(o < OUTCOME_COUNT);
    return outcome_names[o];
}

enum outcome outcome_from_name(struct str name) {
    int o = 0;
    while (o < OUTCOME_COUNT && !str_eq(name, str_of(outcome_names[o]))) {
        o++;
    }
    return (enum outcome)o;
}

/* --- the fingerprint --- */

/* What is left out: spacing, delimiter sizing and the marks around formulas. A word of letters
 * counts only if no letter follows ("\left" but not "\leftarrow"). */
static const struct str problem_ignored[] = {
    {"\\left", 5}, {"\\right", 6}, {"\\big", 4}, {"\\Big", 4}, {"\\quad", 5}, {"\\qquad", 6},
    {"\\,", 2},    {"\\;", 2},     {"\\:", 2},   {"\\!", 2},   {"\\ ", 2},    {"\\(", 2},
    {"\\)", 2},    {"\\[", 2},     {"\\]", 2},   {"$", 1},     {"~", 1},
};

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of what is left out at the start of @s; 0 if its first byte counts. */
static size_t problem_skip(struct str s) {
    if (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r')) {
        return 1;
    }
    if (s.p[0] != '\\' && s.p[0] != '$' && s.p[0] != '~') {
        return 0; /* nearly always */
    }
    for (size_t i = 0; i < ARRAY_LEN(problem_ignored); i++) {
        struct str word = problem_ignored[i];
        bool is_word = is_letter(word.p[word.n - 1]);
        if (str_starts(s, word) && !(is_word && s.n > word.n && is_letter(s.p[word.n]))) {
            return word.n;
        }
    }
    return 0;
}

/* FNV-1a over the bytes that count, then mixed: the low bits choose places in a hash table. */
uint64_t problem_hash(struct str problem) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    while (problem.n > 0) {
        size_t skip = problem_skip(problem);
        if (skip == 0) {
            char c = problem.p[0];
            c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            h = (h ^ (uint8_t)c) * UINT64_C(0x100000001b3);
            skip = 1;
        }
        problem = str_skip(problem, skip);
    }
    return rng_mix(h);
}

/* --- the line --- */

static void write_text(struct jwrite *w, const char *key, struct str text) {
    jwrite_key(w, key);
    if (text.n == 0) {
        jwrite_null(w);
    } else {
        jwrite_str(w, text);
    }
}

/* @json: a value as text; empty is null. */
static void write_json(struct jwrite *w, const char *key, struct str json) {
    jwrite_key(w, key);
    jwrite_raw(w, json.n == 0 ? S("null") : json);
}

/* -1 is "nobody told". */
static void write_count(struct jwrite *w, const char *key, int64_t n) {
    jwrite_key(w, key);
    if (n < 0) {
        jwrite_null(w);
    } else {
        jwrite_int(w, n);
    }
}

static void write_text_fields(const struct problem *p, struct jwrite *w) {
    write_text(w, "subject", p->subject);
    write_text(w, "topic", p->topic);
    write_text(w, "difficulty", p->difficulty);
    write_text(w, "problem", p->problem);
    write_text(w, "answer", p->answer);
    write_json(w, "hints", p->hints);
    jwrite_key(w, "hints_were_corrected");
    jwrite_bool(w, p->hints_were_corrected);
    write_text(w, "target_model_answer", p->target_answer);
    write_text(w, "target_model_text", p->target_text);
    write_json(w, "reference", p->reference);
    write_text(w, "rejection_reason", p->reason);
    if (p->outcome == OUTCOME_FAILED) {
        jwrite_key(w, "error");
        jwrite_object(w);
        jwrite_key(w, "cause");
        jwrite_cstr(w, p->cause);
        write_text(w, "raw", p->raw);
        jwrite_end(w);
    }
}

const char *comparison_name(enum comparison_verdict verdict) {
    static const char *const names[] = {[COMPARISON_UNDECIDED] = "undecided",
                                        [COMPARISON_EQUAL] = "equal",
                                        [COMPARISON_DIFFERENT] = "different"};
    ASSERT((unsigned)verdict < ARRAY_LEN(names));
    return names[verdict];
}

static void write_comparison(const struct comparison *c, struct jwrite *w) {
    jwrite_key(w, "comparison");
    if (!c->asked) {
        jwrite_null(w);
        return;
    }
    jwrite_object(w);
    jwrite_key(w, "verdict");
    jwrite_cstr(w, comparison_name(c->verdict));
    jwrite_key(w, "certainty");
    jwrite_cstr(w, c->verdict == COMPARISON_UNDECIDED ? "none" : c->proof ? "proof" : "evidence");
    jwrite_key(w, "method");
    jwrite_str(w, c->method);
    jwrite_key(w, "reason");
    jwrite_str(w, c->reason);
    jwrite_end(w);
}

static void write_verdict(const struct problem *p, struct jwrite *w) {
    jwrite_key(w, "verdict");
    if (!p->verdict.stated) {
        jwrite_null(w);
        return;
    }
    jwrite_object(w);
    jwrite_key(w, "method");
    jwrite_cstr(w, p->verdict.method);
    jwrite_key(w, "equivalent");
    jwrite_bool(w, p->verdict.equivalent);
    jwrite_key(w, "confidence");
    jwrite_real(w, p->verdict.confidence);
    jwrite_key(w, "reason");
    jwrite_str(w, p->verdict.reason);
    write_comparison(&p->verdict.comparison, w);
    jwrite_key(w, "disagreed");
    jwrite_bool(w, p->verdict.disagreed);
    jwrite_end(w);
}

static void write_checks(const struct problem *p, struct jwrite *w) {
    jwrite_key(w, "checks");
    jwrite_object(w);
    if (p->check.stated) {
        jwrite_key(w, "initial");
        jwrite_object(w);
        jwrite_key(w, "valid");
        jwrite_bool(w, p->check.valid);
        jwrite_key(w, "reason");
        jwrite_str(w, p->check.reason);
        jwrite_end(w);
    }
    jwrite_end(w);
}

static void write_usage(const struct problem *p, struct jwrite *w) {
    jwrite_key(w, "usage");
    jwrite_object(w);
    write_count(w, "calls", p->calls);
    write_count(w, "calls_reused", p->calls_reused);
    write_count(w, "input_tokens", p->usage.input_tokens);
    write_count(w, "cached_tokens", p->usage.cached_tokens);
    write_count(w, "output_tokens", p->usage.output_tokens);
    write_count(w, "reasoning_tokens", p->usage.reasoning_tokens);
    jwrite_end(w);
}

static void write_models(const struct problem_ids *ids, struct jwrite *w) {
    jwrite_key(w, "models");
    jwrite_object(w);
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (ids->models[role].n == 0) {
            continue; /* nobody knows: the attempt was given up by a later process */
        }
        jwrite_key(w, role_name((enum role)role));
        jwrite_str(w, ids->models[role]);
    }
    jwrite_end(w);
}

void problem_write(const struct problem *p, const struct problem_ids *ids, struct jwrite *w) {
    char created[CLOCK_RFC3339_BYTES];
    clock_rfc3339(ids->created_ms, created);
    jwrite_object(w);
    jwrite_key(w, "id");
    jwrite_cstr(w, ids->id);
    jwrite_key(w, "job_id");
    jwrite_cstr(w, ids->job_id);
    write_count(w, "attempt", ids->attempt);
    jwrite_key(w, "status");
    jwrite_cstr(w, outcome_name(p->outcome));
    write_text_fields(p, w);
    write_verdict(p, w);
    write_checks(p, w);
    write_count(w, "samples", 1);
    write_count(w, "solve_rate", p->verdict.stated ? p->verdict.equivalent : -1);
    write_count(w, "similar", -1);
    write_usage(p, w);
    jwrite_key(w, "cost_usd");
    jwrite_usd(w, p->cost_nusd);
    write_models(ids, w);
    jwrite_key(w, "created_at");
    jwrite_cstr(w, created);
    write_json(w, "notes", p->notes);
    jwrite_end(w);
}
