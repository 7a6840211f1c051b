/* The life of one attempt:
 *
 *     FREE ─► (REPLAY) ─► CALL ─► RECORD ─► CALL ─► … ─► FINISH ─► FREE
 *                          ▲ └► MONEY ┘                     every arrow out of RECORD and FINISH is
 * a commit └── give up ─► RELEASE ─► FREE
 *
 * Invariants (1) a call starts only when every earlier answer of its attempt is on disk (G3):
 * slot_act() is entered from a commit, from a replay, or at the beginning, never straight from an
 * answer; (2) a call starts only with its whole bound reserved (G4), and each reservation is
 * settled or released exactly once, in slot_answered(); (3) whatever the attempt machine is fed
 * lives in the slot's arena until the slot is free again.
 */
#include "worker/book.h"
#include "worker/meter.h"
#include "worker/work.h"

#include "answer/extract.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void slot_act(struct slot *s);

/* All changes of state pass here. */
static void slot_set_state(struct slot *s, enum slot_state to) {
    static const unsigned allowed_from[SLOT_STATES] = {
        [SLOT_FREE] = 1u << SLOT_FINISH | 1u << SLOT_RELEASE | 1u << SLOT_RECORD,
        [SLOT_REPLAY] = 1u << SLOT_FREE,
        [SLOT_CALL] = 1u << SLOT_FREE | 1u << SLOT_REPLAY | 1u << SLOT_RECORD | 1u << SLOT_COMPARE |
                      1u << SLOT_MONEY,
        [SLOT_RECORD] = 1u << SLOT_CALL,
        [SLOT_COMPARE] =
            1u << SLOT_FREE | 1u << SLOT_REPLAY | 1u << SLOT_RECORD | 1u << SLOT_COMPARE,
        [SLOT_MONEY] = 1u << SLOT_FREE | 1u << SLOT_REPLAY | 1u << SLOT_RECORD | 1u << SLOT_COMPARE,
        [SLOT_FINISH] = 1u << SLOT_FREE | 1u << SLOT_REPLAY | 1u << SLOT_CALL | 1u << SLOT_RECORD |
                        1u << SLOT_COMPARE,
        [SLOT_RELEASE] = 1u << SLOT_FREE | 1u << SLOT_REPLAY | 1u << SLOT_CALL | 1u << SLOT_RECORD |
                         1u << SLOT_COMPARE | 1u << SLOT_MONEY,
    };
    ASSERT(allowed_from[to] & 1u << s->state);
    s->work->waiting_money += (to == SLOT_MONEY) - (s->state == SLOT_MONEY);
    s->state = to;
}

static void slot_free(struct slot *s) {
    slot_set_state(s, SLOT_FREE);
    arena_release(&s->arena);
    worker_give_slot(s->work->worker, s);
}

static void slot_released(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, op.release.op);
    if (op->err != ERR_OK) {
        work_fail(s->work, op->err, &op->detail);
    }
    slot_free(s);
}

static void slot_release(struct slot *s) {
    struct work *k = s->work;
    sched_dropped(&k->view.sched, s->stage);
    slot_set_state(s, SLOT_RELEASE);
    if (work_collects(k)) {
        slot_free(s); /* given back when its job leaves: else it were the next to be leased */
        return;
    }
    s->op.release = (struct store_release){.op = {.loop = k->loop, .done = slot_released},
                                           .job_id = k->job_id,
                                           .leases = &s->lease,
                                           .n = 1};
    store_release(k->store, &s->op.release);
}

static void slot_step(struct slot *s, const struct attempt_event *event) {
    attempt_step(s->attempt, event, &s->action);
    enum attempt_stage stage = attempt_stage(s->attempt);
    if (stage != s->stage) {
        sched_moved(&s->work->view.sched, s->stage, stage);
        s->stage = stage;
    }
}

/* @model: who answered; outlives the slot's attempt. */
static void slot_step_answer(struct slot *s, const struct call_answer *answer, enum role role,
                             struct str model) {
    struct attempt_event event = {.kind = ATTEMPT_EV_ANSWER, .answer = answer};
    s->models[role] = model;
    if (answer->err == ERR_OK && role == ROLE_TARGET) {
        event.final_answer = answer_extract(answer->text, &s->arena);
    }
    slot_step(s, &event);
}

static void slot_note_failure(struct work_view *v, const struct problem *p) {
    struct str reason = str_take(p->reason, ERRINFO_BYTES);
    (void)snprintf(v->error, sizeof v->error, reason.n > 0 ? "%s (%.*s)" : "%s", p->cause,
                   STR_ARG(reason));
}

static void slot_note_verdict(struct work *k, const struct problem *p) {
    k->view.judged += p->verdict.stated;
    k->view.proved += p->verdict.stated && k->spec->judge == JOB_JUDGE_PROOF_LLM &&
                      strcmp(p->verdict.method, "proof") == 0;
}

static void slot_finished(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, op.finish.op);
    struct work *k = s->work;
    if (op->err == ERR_OK) {
        slot_note_verdict(k, s->action.problem);
        meter_outcome(k->worker->options.metrics, s->op.finish.ret_outcome);
        sched_ended(&k->view.sched, s->launch, s->stage, s->op.finish.ret_outcome,
                    s->action.problem->cause);
        if (s->op.finish.ret_outcome == OUTCOME_FAILED) {
            slot_note_failure(&k->view, s->action.problem);
        }
    } else {
        sched_dropped(&k->view.sched, s->stage);
        if (op->err != ERR_STALE) {
            work_fail(k, op->err, &op->detail);
        }
    }
    slot_free(s);
}

/* @call: the last answer, still to be recorded; NULL if there is none. */
static void slot_finish(struct slot *s, const struct ledger_call *call) {
    struct work *k = s->work;
    struct store_finish *o = &s->op.finish;
    (void)snprintf(s->problem_id, sizeof s->problem_id, "p%" PRId64 "-%08" PRIx32,
                   s->lease.attempt_no, (uint32_t)str_hash(str_of(k->job_id)));
    slot_set_state(s, SLOT_FINISH);
    *o = (struct store_finish){.op = {.loop = k->loop, .done = slot_finished},
                               .job_id = k->job_id,
                               .lease = s->lease,
                               .call = call,
                               .problem = s->action.problem,
                               .ids = {.id = s->problem_id,
                                       .job_id = k->job_id,
                                       .attempt = s->lease.attempt_no,
                                       .created_ms = clock_wall_ms()}};
    memcpy(o->ids.models, s->models, sizeof s->models);
    store_finish(k->store, o);
}

static void slot_recorded(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, op.record.op);
    if (op->err == ERR_OK) {
        slot_act(s);
        return;
    }
    sched_dropped(&s->work->view.sched, s->stage); /* stale: somebody else has the attempt */
    if (op->err != ERR_STALE) {
        work_fail(s->work, op->err, &op->detail);
    }
    slot_free(s);
}

static void slot_record(struct slot *s) {
    struct work *k = s->work;
    slot_set_state(s, SLOT_RECORD);
    s->op.record = (struct store_record){.op = {.loop = k->loop, .done = slot_recorded},
                                         .job_id = k->job_id,
                                         .lease = s->lease,
                                         .call = &s->paid};
    store_record(k->store, &s->op.record);
}

static void slot_count(struct work *k, enum role role, const struct call_answer *answer) {
    struct work_view *v = &k->view;
    v->calls++;
    v->reused += answer->reused;
    v->input_tokens += MAX(answer->usage.input_tokens, 0);
    v->output_tokens += MAX(answer->usage.output_tokens, 0);
    v->calls_unpriced += answer->cost_nusd == MONEY_UNKNOWN;
    histogram_add(&v->latency_ms[role], answer->latency_ms);
}

/* Under a cap an answer without usage counts as all that was set aside for it; in the ledger too,
 * or a resumed run would not know of that money (G4). */
static bool slot_is_capped(const struct slot *s) {
    const struct work *k = s->work;
    bool capped = k->view.budget.max_nusd != MONEY_UNKNOWN || k->borrow_nusd > 0;
    return (capped || k->purse != NULL) && s->reserved_nusd > 0;
}

/* Copy an answer to where the attempt can keep it. */
static void slot_keep(struct slot *s, const struct call_answer *answer) {
    struct call_answer *kept = &s->paid.answer;
    *kept = *answer;
    kept->text = str_dup(&s->arena, answer->text);
    kept->model_id = str_dup(&s->arena, answer->model_id);
    kept->request_id = str_dup(&s->arena, answer->request_id);
    kept->detail = answer->detail == NULL ? NULL : str_cstr(&s->arena, str_of(answer->detail));
    if (answer->cost_nusd == MONEY_UNKNOWN && slot_is_capped(s)) {
        kept->cost_nusd = s->reserved_nusd;
    }
}

static void slot_answered(void *ctx, const struct call_answer *answer) {
    struct slot *s = ctx;
    struct work *k = s->work;
    enum role role = s->action.call->role;
    s->call = NULL;
    k->view.calls_in_flight--;
    meter_call(k->worker->options.metrics, role, answer);
    if (answer->err == ERR_OK) {
        work_settle(k, s->reserved_nusd, answer->cost_nusd);
        s->spent_nusd += answer->cost_nusd == MONEY_UNKNOWN ? s->reserved_nusd : answer->cost_nusd;
        slot_count(k, role, answer);
    } else {
        work_unreserve(k, s->reserved_nusd);
    }
    if (answer->lost > 0) {
        work_count_lost(k, answer->lost, answer->lost_nusd);
    }
    if (answer->err == ERR_CANCELED) {
        slot_release(s);
        return;
    }
    s->paid = (struct ledger_call){.attempt_no = s->lease.attempt_no,
                                   .call_no = s->action.call_no,
                                   .role = role,
                                   .model = answer->model,
                                   .created_ms = clock_wall_ms()};
    if (answer->err != ERR_OK && llm_chain_is_dead(&k->models[role])) {
        sched_stop_for(&k->view.sched, STOP_ERRORS); /* every attempt would end like this one */
    }
    slot_keep(s, answer);
    slot_step_answer(s, &s->paid.answer, role, s->paid.model);
    const struct ledger_call *paid = answer->err == ERR_OK ? &s->paid : NULL;
    if (s->action.kind == ATTEMPT_ACT_FINISH) {
        slot_finish(s, paid);
    } else {
        ASSERT(paid != NULL); /* a failed call ends its attempt */
        slot_record(s);
    }
    work_pump(k); /* settled money may let others go on */
}

/* Its batches are written down there. */
static const struct llm_book *slot_book(const struct slot *s) {
    return s->work->book != NULL ? book_for_llm(s->work->book) : NULL;
}

/* Is the call to @role that the machine asks for, or may ask for next, in a batch of an earlier
 * run, and so paid for? */
static bool slot_is_owed(struct slot *s, enum role role) {
    const struct work *k = s->work;
    (void)snprintf(s->tag, sizeof s->tag, "%s/%" PRId64 "/%" PRId64, k->job_id, s->lease.attempt_no,
                   s->action.call_no);
    return k->book != NULL && !k->cut_off &&
           llm_awaits(k->worker->options.llm, slot_book(s), &k->models[role], s->tag);
}

/* Reserve and call; false if there is no money for it now. What is @owed needs none. */
static bool slot_call(struct slot *s, bool owed) {
    struct work *k = s->work;
    const struct call_spec *call = s->action.call;
    const struct llm_chain *chain = &k->models[call->role];
    s->reserved_nusd = llm_chain_bound(chain, call, k->spec->batches ? PRICE_BATCH : PRICE_DIRECT);
    work_note_bound(k, call->role, s->reserved_nusd);
    if (owed) {
        s->reserved_nusd = work_reserve_owed(k, s->reserved_nusd);
    } else if (!work_reserve(k, s->reserved_nusd)) {
        return false;
    }
    slot_set_state(s, SLOT_CALL);
    k->view.calls_in_flight++;
    s->called_ms = loop_now_ms(k->loop);
    llm_call(k->worker->options.llm,
             &(struct llm_request){.chain = chain,
                                   .spec = call,
                                   .tag = s->tag,
                                   .nth = s->action.call_no,
                                   .job = str_of(k->job_id),
                                   .owner = k->row.tenant,
                                   .book = slot_book(s),
                                   .priority = (int)s->stage,
                                   .done = slot_answered,
                                   .ctx = s},
             &s->call);
    if (!work_may_call(k)) {
        llm_relinquish(s->call); /* but for its answer, if that is there already */
    }
    return true;
}

/* The ledger's answer to the call that the machine asks for, or NULL. */
static const struct ledger_call *slot_replayed(const struct slot *s) {
    for (size_t i = 0; i < s->replay_n; i++) {
        if (s->replay[i].call_no == s->action.call_no) {
            return &s->replay[i];
        }
    }
    return NULL;
}

/* --- comparisons */

static struct comparison slot_comparison(struct slot *s, const struct answer_result *r) {
    static const enum comparison_verdict verdicts[] = {[ANSWER_EQUAL] = COMPARISON_EQUAL,
                                                       [ANSWER_DIFFERENT] = COMPARISON_DIFFERENT,
                                                       [ANSWER_UNDECIDED] = COMPARISON_UNDECIDED};
    return (struct comparison){.verdict = verdicts[r->verdict],
                               .proof = r->certainty == ANSWER_PROOF,
                               .method = str_dup(&s->arena, str_of(r->method)),
                               .reason = str_dup(&s->arena, str_of(r->reason))};
}

/* An earlier run asked the checker, for the pool had not decided, or had no time to. Now it may
 * have decided, but the answer is paid for, or soon will be: without a taker nobody would book it.
 */
static bool slot_asked_checker(struct slot *s) {
    return slot_replayed(s) != NULL || slot_is_owed(s, ROLE_CHECKER);
}

static void slot_judged(struct loop_msg *msg) {
    struct slot *s = CONTAINER_OF(msg, struct slot, op.judged.msg);
    const struct judge_call *call = &s->op.judged.call;
    /* Whether it is definite is not known where the helper broke down, or had no time: go on. */
    bool unknown = strcmp(call->result.method, JUDGE_METHOD_LIMITS) == 0;
    bool asked = slot_asked_checker(s);
    struct attempt_event event = {.kind = ATTEMPT_EV_DEFINED,
                                  .definite =
                                      unknown || call->result.verdict == ANSWER_EQUAL || asked};
    loop_unhold(s->work->loop);
    if (call->question == JUDGE_SAME) {
        event = (struct attempt_event){.kind = ATTEMPT_EV_COMPARED,
                                       .comparison = slot_comparison(s, &call->result),
                                       .checker_was_asked = asked};
    }
    slot_step(s, &event);
    slot_act(s);
}

/* On the pool's thread. */
static void slot_on_judged(struct judge_call *call) {
    struct slot *s = call->ctx;
    loop_post(s->work->loop, &s->op.judged.msg);
}

static void slot_judge(struct slot *s, enum judge_question question) {
    slot_set_state(s, SLOT_COMPARE);
    s->op.judged = (struct slot_judged){.msg.fn = slot_judged,
                                        .call = {.question = question,
                                                 .gold = s->action.gold,
                                                 .given = s->action.given,
                                                 .done = slot_on_judged,
                                                 .ctx = s}};
    loop_hold(s->work->loop); /* the answer comes from another thread */
    judge_pool_submit(s->work->worker->options.judge, &s->op.judged.call);
}

/* True if the machine's question was answered at once; else the slot waits for the pool. */
static bool slot_compare(struct slot *s) {
    bool define = s->action.kind == ATTEMPT_ACT_DEFINE;
    if (s->work->worker->options.judge != NULL) {
        slot_judge(s, define ? JUDGE_DEFINITE : JUDGE_SAME);
        return false;
    }
    slot_step(s, define ? &(struct attempt_event){.kind = ATTEMPT_EV_DEFINED, .definite = true}
                        : &(struct attempt_event){.kind = ATTEMPT_EV_COMPARED});
    return true;
}

/* A borrowed attempt costs no more than it came with; beyond that its home goes on with it. */
static bool slot_may_spend(const struct slot *s) {
    const struct work *k = s->work;
    const struct call_spec *call = s->action.call;
    return !k->is_guest || k->borrow_nusd == 0 ||
           s->spent_nusd + llm_chain_bound(&k->models[call->role], call, PRICE_DIRECT) <=
               k->borrow_nusd;
}

/* Do what the machine asks for until something must be awaited. */
static void slot_act(struct slot *s) {
    struct work *k = s->work;
    for (;;) {
        if (s->action.kind == ATTEMPT_ACT_FINISH) {
            slot_finish(s, NULL);
            return;
        }
        if (s->action.kind == ATTEMPT_ACT_DEDUP) {
            bool is_new = hashset_add(&k->hashes, s->action.hash);
            slot_step(s, &(struct attempt_event){.kind = ATTEMPT_EV_DEDUP, .duplicate = !is_new});
            continue;
        }
        if (s->action.kind != ATTEMPT_ACT_CALL) {
            if (!slot_compare(s)) {
                return;
            }
            continue;
        }
        const struct ledger_call *known = slot_replayed(s);
        if (known == NULL) {
            break;
        }
        k->view.replayed++;
        slot_step_answer(s, &known->answer, s->action.call->role, known->model);
    }
    bool owed = slot_is_owed(s, s->action.call->role);
    if (!owed && (!work_may_call(k) || !slot_may_spend(s))) {
        slot_release(s);
    } else if (!slot_call(s, owed)) {
        slot_set_state(s, SLOT_MONEY);
        work_pump(k);
    }
}

static void slot_start(struct slot *s) {
    s->attempt = attempt_new(&s->arena, &s->work->setup, s->lease.attempt_no);
    slot_step(s, &(struct attempt_event){.kind = ATTEMPT_EV_START});
    slot_act(s);
}

static void slot_calls_read(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, op.calls.op);
    if (op->err != ERR_OK) {
        work_fail(s->work, op->err, &op->detail);
        slot_release(s);
        return;
    }
    s->replay = s->op.calls.ret;
    s->replay_n = s->op.calls.ret_n;
    slot_start(s);
}

void slot_begin(struct slot *s, const struct lease *lease) {
    struct work *k = s->work;
    s->lease = *lease;
    s->replay = NULL;
    s->replay_n = 0;
    s->spent_nusd = 0;
    s->stage = ATTEMPT_STAGE_ENGINEER;
    for (int role = 0; role < ROLE_COUNT; role++) {
        s->models[role] = llm_model_name(k->models[role].models[0]);
    }
    arena_init(&s->arena, ATTEMPT_ARENA_BYTES_MAX);
    s->launch = sched_launched(&k->view.sched);
    if (!lease->again) {
        slot_start(s); /* nothing to replay */
        return;
    }
    slot_set_state(s, SLOT_REPLAY);
    s->op.calls = (struct store_calls){.op = {.loop = k->loop, .done = slot_calls_read},
                                       .job_id = k->job_id,
                                       .attempt_no = lease->attempt_no,
                                       .a = &s->arena};
    store_calls(k->store, &s->op.calls);
}

bool slot_retry_money(struct slot *s) {
    ASSERT(s->state == SLOT_MONEY);
    return slot_call(s, slot_is_owed(s, s->action.call->role));
}

void slot_give_up(struct slot *s) {
    if (s->state == SLOT_CALL) {
        llm_cancel(s->call); /* goes on in slot_answered() */
    } else if (s->state == SLOT_MONEY) {
        slot_release(s);
    }
}
