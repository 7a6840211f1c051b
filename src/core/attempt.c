/* Each stage is one call that may be asked again:
 *
 *     stage      asked by                 its answer goes to
 *     ENGINEER   attempt_ask_engineer()   attempt_engineered() ─► attempt_deduped()
 *                                           ─► attempt_defined()
 *     CHECK      attempt_ask_check()      attempt_checked()
 *     TARGET     attempt_ask_target()     attempt_tried()
 *     JUDGE      attempt_compare() ─► attempt_compared()
 *                  ─► attempt_ask_judge() attempt_judged()
 *
 * attempt_answered() sorts out what is of no use before a stage sees it. attempt_finish() is the
 * only way to an outcome; attempt_conclude() is its only caller with ACCEPTED (invariant 2). A new
 * stage begins in attempt_begin_stage(), which starts a new conversation: nothing said in one stage
 * is heard in another (invariant 3).
 */
#include "core/attempt.h"

#include "core/attempt_reply.h"
#include "core/pick.h"

#include <inttypes.h>
#include <stdio.h>

#define ATTEMPT_MESSAGE_BYTES_MAX ((size_t)2 * 1024 * 1024) /* six times all caps together */
#define ATTEMPT_ECHO_BYTES_MAX ((size_t)32 * 1024)          /* of a wrong answer, sent back */
#define ATTEMPT_REFUSAL_BYTES_MAX ((size_t)500)

/* What the next event must be. */
enum attempt_awaited {
    AWAIT_START,
    AWAIT_ANSWER,
    AWAIT_DEDUP,
    AWAIT_DEFINED,
    AWAIT_COMPARED,
    AWAIT_NOTHING
};

struct attempt {
    struct arena *a;
    const struct attempt_setup *setup;
    struct pick pick;
    enum attempt_awaited awaited;
    enum attempt_stage stage;
    struct call_spec call; /* asked for last */
    int64_t calls_asked;
    int form_retries, length_retries, empty_retries; /* of this stage */
    struct hints hints;
    struct problem problem;
    struct notes notes;
};

struct attempt *attempt_new(struct arena *a, const struct attempt_setup *setup, int64_t no) {
    struct attempt *at = ARENA_NEW(a, struct attempt);
    *at = (struct attempt){.a = a, .setup = setup, .awaited = AWAIT_START};
    pick_draw(setup->spec, no, &at->pick);
    at->problem.difficulty = str_of(at->pick.difficulty);
    if (at->pick.topic != NULL) {
        at->problem.subject = at->pick.topic->subject;
        at->problem.topic = at->pick.topic->topic;
    } else {
        at->problem.reference = at->pick.seed->reference;
    }
    return at;
}

enum attempt_stage attempt_stage(const struct attempt *at) {
    return at->stage;
}

/* --- notes and the end --- */

static void attempt_note_mended(struct attempt *at, struct str mended) {
    if (mended.n > 0) {
        notes_add(&at->notes, at->a, "%s's JSON mended: %.*s", role_name(at->call.role),
                  STR_ARG(mended));
    }
}

/* What @write puts into a buffer, as text in the attempt's arena. */
static struct str attempt_json(struct attempt *at,
                               void (*write)(const struct attempt *at, struct jwrite *w)) {
    struct sbuf buf;
    struct jwrite w;
    sbuf_init(&buf, ATTEMPT_MESSAGE_BYTES_MAX);
    jwrite_init(&w, &buf);
    write(at, &w);
    ASSERT(!sbuf_overflowed(&buf)); /* its parts were capped when they were read */
    struct str text = str_dup(at->a, sbuf_str(&buf));
    sbuf_release(&buf);
    return text;
}

static void attempt_write_notes(const struct attempt *at, struct jwrite *w) {
    jwrite_array(w);
    for (const struct note *note = at->notes.first; note != NULL; note = note->next) {
        jwrite_str(w, note->text);
    }
    jwrite_end(w);
}

static void attempt_write_hints(const struct attempt *at, struct jwrite *w) {
    jwrite_object(w);
    for (size_t i = 0; i < at->hints.n; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%zu", i);
        jwrite_key(w, key);
        jwrite_str(w, at->hints.text[i]);
    }
    jwrite_end(w);
}

static void attempt_finish(struct attempt *at, enum outcome outcome, struct str reason) {
    at->problem.outcome = outcome;
    at->problem.reason = reason;
    at->problem.notes = at->notes.n == 0 ? S("") : attempt_json(at, attempt_write_notes);
    at->awaited = AWAIT_NOTHING;
}

/* @what: short and stable, "malformed"; @raw: the text that could not be used. */
static void attempt_fail(struct attempt *at, const char *what, struct str reason, struct str raw) {
    at->problem.cause = str_fmt(at->a, "%s: %s", role_name(at->call.role), what).p;
    at->problem.raw = raw;
    attempt_finish(at, OUTCOME_FAILED, reason);
}

/* --- asking --- */

static void attempt_ask(struct attempt *at) {
    ASSERT(at->calls_asked < ATTEMPT_CALLS_MAX); /* invariant 4 */
    at->calls_asked++;
    at->awaited = AWAIT_ANSWER;
}

static void attempt_say(struct attempt *at, enum call_author author, struct str text) {
    ASSERT(at->call.messages_n < CALL_MESSAGES_MAX);
    if (text.n > 0) {
        at->call.messages[at->call.messages_n++] =
            (struct call_message){.author = author, .text = text};
    }
}

static void attempt_begin_stage(struct attempt *at, enum attempt_stage stage, enum role role,
                                const struct call_schema *schema) {
    at->stage = stage;
    at->form_retries = at->length_retries = at->empty_retries = 0;
    at->call = (struct call_spec){
        .role = role, .schema = schema, .output_tokens_max = at->setup->output_tokens_max[role]};
}

/* The conversation's beginning from a template; @user replaces the template's user part if it is
 * not empty. */
static void attempt_say_prompt(struct attempt *at, enum prompt_kind kind,
                               const struct prompt_var *vars, size_t vars_n, struct str user) {
    struct str system_part, user_part;
    prompt_render(at->setup->prompts->templates[kind], vars, vars_n, at->a, &system_part,
                  &user_part);
    attempt_say(at, CALL_SYSTEM, system_part);
    attempt_say(at, CALL_USER, user.n > 0 ? user : user_part);
}

static struct str text_or(struct str text, struct str otherwise) {
    return text.n > 0 ? text : otherwise;
}

static void attempt_ask_engineer(struct attempt *at) {
    static const struct taxonomy_topic as_seed = {.subject = {"as in the seed", 14},
                                                  .topic = {"as in the seed", 14}};
    const struct pick *pick = &at->pick;
    const struct taxonomy_topic *topic = pick->topic != NULL ? pick->topic : &as_seed;
    struct prompt_var vars[] = {
        {"subject", topic->subject},
        {"topic", topic->topic},
        {"level", text_or(topic->level, S("any"))},
        {"description", text_or(topic->description, S("(none given)"))},
        {"difficulty", str_of(pick->difficulty_text)},
        {"style", str_of(pick->style)},
        {"nonce", str_of(pick->nonce)},
        {"seed_problem", pick->seed != NULL ? pick->seed->problem : S("")},
        {"seed_answer", text_or(pick->seed != NULL ? pick->seed->answer : S(""), S("(not given)"))},
    };
    attempt_begin_stage(at, ATTEMPT_STAGE_ENGINEER, ROLE_ENGINEER, &reply_problem_schema);
    attempt_say_prompt(at, pick->seed != NULL ? PROMPT_ENGINEER_SEED : PROMPT_ENGINEER, vars,
                       ARRAY_LEN(vars), S(""));
    attempt_ask(at);
}

static void attempt_write_check(const struct attempt *at, struct jwrite *w) {
    jwrite_object(w);
    jwrite_key(w, "validation_type");
    jwrite_cstr(w, "initial");
    jwrite_key(w, "problem");
    jwrite_str(w, at->problem.problem);
    jwrite_key(w, "answer");
    jwrite_str(w, at->problem.answer);
    jwrite_key(w, "hints");
    attempt_write_hints(at, w);
    jwrite_end(w);
}

static void attempt_write_judge(const struct attempt *at, struct jwrite *w) {
    jwrite_object(w);
    jwrite_key(w, "validation_type");
    jwrite_cstr(w, "equivalence_check");
    jwrite_key(w, "problem");
    jwrite_str(w, at->problem.problem);
    jwrite_key(w, "true_answer");
    jwrite_str(w, at->problem.answer);
    jwrite_key(w, "model_answer");
    jwrite_str(w, at->problem.target_answer);
    jwrite_end(w);
}

static void attempt_ask_check(struct attempt *at) {
    attempt_begin_stage(at, ATTEMPT_STAGE_CHECK, ROLE_CHECKER, &reply_check_schema);
    attempt_say_prompt(at, PROMPT_CHECKER, NULL, 0, attempt_json(at, attempt_write_check));
    attempt_ask(at);
}

static void attempt_ask_target(struct attempt *at) {
    struct prompt_var vars[] = {{"problem", at->problem.problem}};
    attempt_begin_stage(at, ATTEMPT_STAGE_TARGET, ROLE_TARGET, NULL);
    attempt_say_prompt(at, PROMPT_TARGET, vars, ARRAY_LEN(vars), S(""));
    attempt_ask(at);
}

static void attempt_ask_judge(struct attempt *at) {
    attempt_begin_stage(at, ATTEMPT_STAGE_JUDGE, ROLE_CHECKER, &reply_verdict_schema);
    attempt_say_prompt(at, PROMPT_EQUIVALENCE, NULL, 0, attempt_json(at, attempt_write_judge));
    attempt_ask(at);
}

/* --- answers of no use --- */

/* The answer has the wrong form: say so once, then give up. */
static void attempt_wrong_form(struct attempt *at, const struct call_answer *answer, enum err e,
                               const struct errinfo *why) {
    struct str error = str_dup(at->a, str_of(why->text));
    if (at->form_retries++ > 0) {
        attempt_fail(at, e == ERR_CONFLICT ? "contradictory" : "malformed", error, answer->text);
        return;
    }
    struct prompt_var vars[] = {{"error", error}};
    struct str system_part, user_part;
    prompt_render(at->setup->prompts->templates[PROMPT_REPAIR], vars, ARRAY_LEN(vars), at->a,
                  &system_part, &user_part);
    size_t n = answer->text.n; /* of a long one the end: that is where the JSON stands */
    attempt_say(at, CALL_ASSISTANT, str_skip(answer->text, n - MIN(n, ATTEMPT_ECHO_BYTES_MAX)));
    attempt_say(at, CALL_USER, user_part);
    attempt_ask(at);
}

static void attempt_cut_off(struct attempt *at, const struct call_answer *answer) {
    if (at->length_retries++ >= ATTEMPT_LENGTH_RETRIES) {
        attempt_fail(at, "truncated",
                     str_fmt(at->a, "the answer was cut off after %" PRId64 " output tokens",
                             at->call.output_tokens_max),
                     answer->text);
        return;
    }
    at->call.output_tokens_max *= 2;
    attempt_ask(at);
}

static void attempt_came_to_nothing(struct attempt *at, const struct call_answer *answer) {
    bool empty = str_trim(answer->text).n == 0;
    if (at->empty_retries++ >= ATTEMPT_EMPTY_RETRIES) {
        attempt_fail(at, empty ? "empty" : "unfinished",
                     empty ? S("the answer was empty")
                           : S("the answer ended for a reason that the provider does not name"),
                     answer->text);
        return;
    }
    attempt_ask(at);
}

static void attempt_call_failed(struct attempt *at, const struct call_answer *answer) {
    struct str detail = str_of(answer->detail != NULL ? answer->detail : err_text(answer->err));
    attempt_fail(at, err_name(answer->err), str_dup(at->a, detail), S(""));
}

static void attempt_refused(struct attempt *at, const struct call_answer *answer) {
    struct str words = str_take_utf8(str_trim(answer->text), ATTEMPT_REFUSAL_BYTES_MAX);
    attempt_fail(at, err_name(ERR_REFUSED), text_or(words, S("the model refused to answer")),
                 answer->text);
}

/* --- answers to read --- */

static void attempt_engineered(struct attempt *at, const struct call_answer *answer) {
    struct reply_problem reply;
    struct errinfo why = {0};
    enum err e = reply_read_problem(answer->text, at->a, &reply, &why);
    if (e != ERR_OK) {
        attempt_wrong_form(at, answer, e, &why);
        return;
    }
    attempt_note_mended(at, reply.mended);
    if (at->pick.topic == NULL) {
        at->problem.subject = reply.subject;
        at->problem.topic = reply.topic;
    }
    at->problem.problem = reply.problem;
    at->problem.answer = reply.answer;
    at->hints = reply.hints;
    at->problem.hints = attempt_json(at, attempt_write_hints);
    at->problem.hash = problem_hash(reply.problem);
    at->awaited = AWAIT_DEDUP;
}

static void attempt_deduped(struct attempt *at, bool duplicate) {
    if (duplicate) {
        attempt_finish(at, OUTCOME_DUPLICATE, S("the job has this problem already"));
    } else if (at->setup->spec->allow_text_answers) {
        attempt_ask_check(at);
    } else {
        at->awaited = AWAIT_DEFINED;
    }
}

static void attempt_defined(struct attempt *at, bool definite) {
    if (definite) {
        attempt_ask_check(at);
    } else {
        attempt_finish(at, OUTCOME_REJECTED,
                       S("its answer is not one definite mathematical answer"));
    }
}

static void attempt_checked(struct attempt *at, const struct call_answer *answer) {
    struct reply_check reply;
    struct errinfo why = {0};
    enum err e = reply_read_check(answer->text, at->a, &at->hints, &at->notes, &reply, &why);
    if (e != ERR_OK) {
        attempt_wrong_form(at, answer, e, &why);
        return;
    }
    attempt_note_mended(at, reply.mended);
    at->problem.check.stated = true;
    at->problem.check.valid = reply.valid;
    at->problem.check.reason = reply.reason;
    if (!reply.valid) {
        attempt_finish(at, OUTCOME_REJECTED,
                       text_or(reply.reason, S("the checker gave no reason")));
        return;
    }
    if (reply.hints_changed) {
        at->problem.hints_were_corrected = true;
        at->problem.hints = attempt_json(at, attempt_write_hints);
    }
    attempt_ask_target(at);
}

static void attempt_tried(struct attempt *at, const struct call_answer *answer,
                          struct str final_answer) {
    final_answer = str_trim(final_answer);
    at->problem.target_text = answer->text;
    if (final_answer.n == 0 || final_answer.n > ATTEMPT_ANSWER_BYTES_MAX) {
        attempt_fail(at, "no final answer",
                     final_answer.n == 0 ? S("there is no final answer in the target's text")
                                         : S("the target's final answer is too long to be one"),
                     answer->text);
        return;
    }
    at->problem.target_answer = final_answer;
    if (at->setup->spec->judge == JOB_JUDGE_LLM) {
        attempt_ask_judge(at);
    } else {
        at->stage = ATTEMPT_STAGE_JUDGE;
        at->awaited = AWAIT_COMPARED;
    }
}

/* There is a verdict: the end. */
static void attempt_conclude(struct attempt *at, bool equivalent, double confidence,
                             const char *method, struct str reason) {
    at->problem.verdict.stated = true;
    at->problem.verdict.equivalent = equivalent;
    at->problem.verdict.confidence = confidence;
    at->problem.verdict.method = method;
    at->problem.verdict.reason = reason;
    attempt_finish(at, equivalent ? OUTCOME_SOLVED : OUTCOME_ACCEPTED, S(""));
}

static bool attempt_is_proven(const struct attempt *at) {
    const struct comparison *c = &at->problem.verdict.comparison;
    return c->asked && c->proof && c->verdict != COMPARISON_UNDECIDED;
}

static void attempt_conclude_by_proof(struct attempt *at) {
    const struct comparison *c = &at->problem.verdict.comparison;
    attempt_conclude(at, c->verdict == COMPARISON_EQUAL, 1, "proof", c->reason);
}

static void attempt_compared(struct attempt *at, const struct attempt_event *event) {
    bool enough = at->setup->spec->judge == JOB_JUDGE_PROOF_LLM && !event->checker_was_asked;
    at->problem.verdict.comparison = event->comparison;
    at->problem.verdict.comparison.asked = true;
    if (enough && attempt_is_proven(at)) {
        attempt_conclude_by_proof(at);
    } else {
        attempt_ask_judge(at);
    }
}

static void attempt_judged(struct attempt *at, const struct call_answer *answer) {
    struct reply_verdict reply;
    struct errinfo why = {0};
    enum err e = reply_read_verdict(answer->text, at->a, &reply, &why);
    if (e != ERR_OK) {
        attempt_wrong_form(at, answer, e, &why);
        return;
    }
    attempt_note_mended(at, reply.mended);
    const struct comparison *c = &at->problem.verdict.comparison;
    at->problem.verdict.disagreed =
        c->verdict == (reply.equivalent ? COMPARISON_DIFFERENT : COMPARISON_EQUAL);
    if (attempt_is_proven(at)) {
        attempt_conclude_by_proof(at);
    } else {
        attempt_conclude(at, reply.equivalent, reply.confidence, "llm", reply.reason);
    }
}

/* --- the step --- */

static int64_t sum_known(int64_t a, int64_t b) {
    int64_t sum;
    if (a < 0 || b < 0) {
        return -1;
    }
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void attempt_count(struct attempt *at, const struct call_answer *answer) {
    struct call_usage *sum = &at->problem.usage;
    const struct call_usage *one = &answer->usage;
    sum->input_tokens = sum_known(sum->input_tokens, one->input_tokens);
    sum->cached_tokens = sum_known(sum->cached_tokens, one->cached_tokens);
    sum->output_tokens = sum_known(sum->output_tokens, one->output_tokens);
    sum->reasoning_tokens = sum_known(sum->reasoning_tokens, one->reasoning_tokens);
    at->problem.cost_nusd = sum_known(at->problem.cost_nusd, answer->cost_nusd);
    at->problem.calls += !answer->reused;
    at->problem.calls_reused += answer->reused;
}

static void attempt_read(struct attempt *at, const struct attempt_event *event) {
    switch (at->stage) {
    case ATTEMPT_STAGE_ENGINEER:
        attempt_engineered(at, event->answer);
        return;
    case ATTEMPT_STAGE_CHECK:
        attempt_checked(at, event->answer);
        return;
    case ATTEMPT_STAGE_TARGET:
        attempt_tried(at, event->answer, event->final_answer);
        return;
    case ATTEMPT_STAGE_JUDGE:
        attempt_judged(at, event->answer);
        return;
    case ATTEMPT_STAGES:
        break;
    }
    assert_failed("a stage", __FILE__, __LINE__);
}

static void attempt_answered(struct attempt *at, const struct attempt_event *event) {
    const struct call_answer *answer = event->answer;
    if (answer->err != ERR_OK) {
        attempt_call_failed(at, answer);
        return;
    }
    attempt_count(at, answer);
    if (answer->finish == CALL_FINISH_REFUSAL) {
        attempt_refused(at, answer);
    } else if (answer->finish == CALL_FINISH_LENGTH) {
        attempt_cut_off(at, answer);
    } else if (answer->finish == CALL_FINISH_OTHER || str_trim(answer->text).n == 0) {
        attempt_came_to_nothing(at, answer);
    } else {
        attempt_read(at, event);
    }
}

static void attempt_action(const struct attempt *at, struct attempt_action *ret) {
    switch (at->awaited) {
    case AWAIT_ANSWER:
        *ret = (struct attempt_action){
            .kind = ATTEMPT_ACT_CALL, .call = &at->call, .call_no = at->calls_asked - 1};
        return;
    case AWAIT_DEDUP:
        *ret = (struct attempt_action){.kind = ATTEMPT_ACT_DEDUP, .hash = at->problem.hash};
        return;
    case AWAIT_DEFINED:
        *ret = (struct attempt_action){
            .kind = ATTEMPT_ACT_DEFINE, .call_no = at->calls_asked, .gold = at->problem.answer};
        return;
    case AWAIT_COMPARED:
        *ret = (struct attempt_action){.kind = ATTEMPT_ACT_COMPARE,
                                       .call_no = at->calls_asked,
                                       .gold = at->problem.answer,
                                       .given = at->problem.target_text};
        return;
    case AWAIT_NOTHING:
        *ret = (struct attempt_action){.kind = ATTEMPT_ACT_FINISH, .problem = &at->problem};
        return;
    case AWAIT_START:
        break;
    }
    assert_failed("a step leads somewhere", __FILE__, __LINE__);
}

void attempt_step(struct attempt *at, const struct attempt_event *event,
                  struct attempt_action *ret) {
    static const enum attempt_awaited answers_to[] = {[ATTEMPT_EV_START] = AWAIT_START,
                                                      [ATTEMPT_EV_ANSWER] = AWAIT_ANSWER,
                                                      [ATTEMPT_EV_DEDUP] = AWAIT_DEDUP,
                                                      [ATTEMPT_EV_DEFINED] = AWAIT_DEFINED,
                                                      [ATTEMPT_EV_COMPARED] = AWAIT_COMPARED};
    ASSERT(at->awaited == answers_to[event->kind]); /* invariant 1 */
    switch (event->kind) {
    case ATTEMPT_EV_START:
        attempt_ask_engineer(at);
        break;
    case ATTEMPT_EV_ANSWER:
        attempt_answered(at, event);
        break;
    case ATTEMPT_EV_DEDUP:
        attempt_deduped(at, event->duplicate);
        break;
    case ATTEMPT_EV_DEFINED:
        attempt_defined(at, event->definite);
        break;
    case ATTEMPT_EV_COMPARED:
        attempt_compared(at, event);
        break;
    }
    attempt_action(at, ret);
}
