#include "attempt_run.h"

#include <inttypes.h>

const char run_good_problem[] =
    "{\"subject\": \"s\", \"topic\": \"t\", \"problem\": \"SECRET-FREE $x$?\", \"answer\": "
    "\"ANSWER-42\","
    "\"hints\": {\"0\": \"HINT-a\", \"1\": \"HINT-b\", \"2\": \"HINT-c\"}}";
const char run_good_check[] =
    "{\"reason\": \"solved\", \"valid\": true, \"corrected_hints\": null}";

static const char *const run_templates[PROMPT_COUNT] = {
    [PROMPT_ENGINEER] = ("# system\nmake\n# user\n{{subject}}/{{topic}}/{{level}}/{{difficulty}}/"
                         "{{style}}/{{nonce}}/{{description}}"),
    [PROMPT_ENGINEER_SEED] = "# user\n{{seed_problem}}|{{seed_answer}}|{{subject}}",
    [PROMPT_CHECKER] = "# system\ncheck",
    [PROMPT_EQUIVALENCE] = "# system\njudge",
    [PROMPT_TARGET] = "# user\nSolve {{problem}}",
    [PROMPT_REPAIR] = "# user\nWrong: {{error}}",
};

void run_init(struct run *r) {
    *r = (struct run){.topics = {{.subject = S("Algebra"), .topic = S("Quadratics")}}};
    arena_init(&r->shared, (size_t)1 << 20);
    arena_init(&r->arena, ATTEMPT_ARENA_BYTES_MAX);
    sbuf_init(&r->trace, (size_t)1 << 20);
    for (int kind = 0; kind < PROMPT_COUNT; kind++) {
        enum err e = prompt_parse((enum prompt_kind)kind, str_of(run_templates[kind]), &r->shared,
                                  &r->prompts.templates[kind], NULL);
        ASSERT(e == ERR_OK);
    }
    r->spec = (struct job_spec){.num_problems = 1,
                                .taxonomy = {r->topics, 1},
                                .seed = 1,
                                .judge = JOB_JUDGE_LLM,
                                .allow_text_answers = true};
    r->setup = (struct attempt_setup){
        .spec = &r->spec, .prompts = &r->prompts, .output_tokens_max = {1000, 2000, 3000}};
}

void run_release(struct run *r) {
    sbuf_release(&r->trace);
    arena_release(&r->arena);
    arena_release(&r->shared);
}

static void run_note_call(struct run *r) {
    static const char *const authors[] = {
        [CALL_SYSTEM] = "system", [CALL_USER] = "user", [CALL_ASSISTANT] = "assistant"};
    const struct call_spec *call = r->action.call;
    sbuf_addf(&r->trace, "call %" PRId64 " %s [", r->action.call_no, role_name(call->role));
    for (size_t i = 0; i < call->messages_n; i++) {
        sbuf_addf(&r->trace, "%s%s", i == 0 ? "" : " ", authors[call->messages[i].author]);
    }
    sbuf_addf(&r->trace, "] %s %" PRId64 "\n", call->schema == NULL ? "-" : call->schema->name,
              call->output_tokens_max);
}

static void run_step(struct run *r, const struct attempt_event *event) {
    attempt_step(r->attempt, event, &r->action);
    switch (r->action.kind) {
    case ATTEMPT_ACT_CALL:
        run_note_call(r);
        return;
    case ATTEMPT_ACT_DEDUP:
        sbuf_add_cstr(&r->trace, "dedup\n");
        return;
    case ATTEMPT_ACT_DEFINE:
        sbuf_addf(&r->trace, "define %.*s\n", STR_ARG(r->action.gold));
        return;
    case ATTEMPT_ACT_COMPARE:
        sbuf_addf(&r->trace, "compare %.*s | %.*s\n", STR_ARG(r->action.gold),
                  STR_ARG(r->action.given));
        return;
    case ATTEMPT_ACT_FINISH:
        break;
    }
    const struct problem *p = r->action.problem;
    sbuf_addf(&r->trace, "%s%s%s\n", outcome_name(p->outcome), p->cause != NULL ? ": " : "",
              p->cause != NULL ? p->cause : "");
}

void run_begin(struct run *r, int64_t no) {
    arena_release(&r->arena);
    sbuf_clear(&r->trace);
    r->attempt = attempt_new(&r->arena, &r->setup, no);
    run_step(r, &(struct attempt_event){.kind = ATTEMPT_EV_START});
}

void run_answer_as(struct run *r, struct call_answer answer, const char *final_answer) {
    ASSERT(r->action.kind == ATTEMPT_ACT_CALL);
    struct call_answer *kept = ARENA_NEW(&r->arena, struct call_answer);
    *kept = answer;
    kept->text = str_dup(&r->arena, answer.text);
    if (kept->usage.input_tokens == 0) {
        kept->usage = (struct call_usage){10, 0, 5, 0, 0};
        kept->cost_nusd = 7;
    }
    run_step(r, &(struct attempt_event){.kind = ATTEMPT_EV_ANSWER,
                                        .answer = kept,
                                        .final_answer = str_of(final_answer)});
}

void run_answer(struct run *r, const char *text) {
    run_answer_as(r, (struct call_answer){.text = str_of(text)}, NULL);
}

void run_dedup(struct run *r, bool duplicate) {
    run_step(r, &(struct attempt_event){.kind = ATTEMPT_EV_DEDUP, .duplicate = duplicate});
}

void run_define(struct run *r, bool definite) {
    run_step(r, &(struct attempt_event){.kind = ATTEMPT_EV_DEFINED, .definite = definite});
}

void run_compare(struct run *r, enum comparison_verdict verdict, bool proof) {
    run_step(r, &(struct attempt_event){.kind = ATTEMPT_EV_COMPARED,
                                        .comparison = {.verdict = verdict,
                                                       .proof = proof,
                                                       .method = S("exact"),
                                                       .reason = S("because")}});
}

void run_to(struct run *r, enum attempt_stage stage) {
    run_begin(r, 1);
    if (stage > ATTEMPT_STAGE_ENGINEER) {
        run_answer(r, run_good_problem);
        run_dedup(r, false);
    }
    if (stage > ATTEMPT_STAGE_CHECK) {
        run_answer(r, run_good_check);
    }
    if (stage > ATTEMPT_STAGE_TARGET) {
        run_answer_as(r, (struct call_answer){.text = S("so \\boxed{41}")}, "41");
    }
    ASSERT(attempt_stage(r->attempt) == stage);
    sbuf_clear(&r->trace);
}

const struct problem *run_problem(const struct run *r) {
    ASSERT(r->action.kind == ATTEMPT_ACT_FINISH);
    return r->action.problem;
}

struct str run_message(const struct run *r, size_t i) {
    ASSERT(r->action.kind == ATTEMPT_ACT_CALL && i < r->action.call->messages_n);
    return r->action.call->messages[i].text;
}
