/* Both of the checker's duties: is a problem valid ("initial"), are two answers the same
 * ("equivalence_check"). The user message is a JSON object, perhaps with text before it. */
#include "sim/brain.h"

#include "sim/form.h"
#include "sim/scan.h"
#include "json/write.h"

#include <stdio.h>

enum {
    DRAW_LENIENT = 300,
    DRAW_STRICT,
    DRAW_HINT,
    DRAW_HINT_WHICH,
    DRAW_HINT_UNKNOWN,
    DRAW_JUDGE,
    DRAW_CONFIDENCE,
    DRAW_MALFORMED,
};

struct checker_task {
    struct str type, problem, answer, true_answer, model_answer;
};

static struct str *checker_field(struct checker_task *task, struct str key) {
    const struct {
        const char *name;
        struct str *to;
    } fields[] = {
        {"validation_type", &task->type},
        {"problem", &task->problem},
        {"answer", &task->answer},
        {"true_answer", &task->true_answer},
        {"model_answer", &task->model_answer},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (str_eq(key, str_of(fields[i].name))) {
            return fields[i].to;
        }
    }
    return NULL;
}

/* Read the object in @message, which is unescaped in place. */
static bool checker_read(struct str message, struct checker_task *ret) {
    struct scan s;
    struct str key;
    size_t at = str_find_char(message, '{');
    if (at == STR_NPOS) {
        return false;
    }
    *ret = (struct checker_task){0};
    /* the request's own buffer: its owner lets us write there */
    scan_init(&s, (char *)(uintptr_t)message.p + at, message.n - at);
    for (scan_object(&s); scan_key(&s, &key);) {
        struct str *field = scan_peek(&s) == '"' ? checker_field(ret, key) : NULL;
        if (field != NULL) {
            *field = scan_str(&s);
        } else {
            scan_skip(&s);
        }
    }
    return !s.failed && ret->type.n > 0;
}

static bool checker_task(const struct sim_request *q, struct checker_task *ret) {
    for (size_t i = 0; i < q->messages_n; i++) {
        if (str_eq(q->messages[i].role, S("user")) &&
            str_find(q->messages[i].content, S("validation_type")) != STR_NPOS) {
            return checker_read(q->messages[i].content, ret);
        }
    }
    return false;
}

enum checker_slip { SLIP_NONE, SLIP_NO_VERDICT, SLIP_MAYBE, SLIP_NO_REASON, SLIP_PROSE };

static void checker_verdict(struct jwrite *w, enum checker_slip slip, bool valid) {
    if (slip == SLIP_MAYBE) {
        jwrite_key(w, "valid");
        jwrite_cstr(w, "probably");
    } else if (slip != SLIP_NO_VERDICT) {
        jwrite_key(w, "valid");
        jwrite_bool(w, valid);
    }
}

static void checker_reason(struct jwrite *w, enum checker_slip slip, struct str reason) {
    if (slip != SLIP_NO_REASON) {
        jwrite_key(w, "reason");
        jwrite_str(w, reason);
    }
}

static void checker_hints(const struct brain *b, uint64_t h, bool known, struct jwrite *w) {
    jwrite_key(w, "corrected_hints");
    if (!known || brain_unit(h, DRAW_HINT) >= b->options->correct_hints) {
        jwrite_null(w);
        return;
    }
    size_t which = brain_pick(h, DRAW_HINT_WHICH, b->item.hints_n);
    struct sbuf better;
    sbuf_init(&better, ITEM_TEXT_BYTES);
    sbuf_addf(&better, "%.*s Check this step by substituting back.", STR_ARG(b->item.hints[which]));
    jwrite_object(w);
    jwrite_key(w, (const char[]){(char)('0' + which), '\0'});
    jwrite_str(w, sbuf_str(&better));
    if (brain_unit(h, DRAW_HINT_UNKNOWN) < 0.1) { /* there is no such hint to correct */
        jwrite_key(w, "9");
        jwrite_cstr(w, "Look at small cases first.");
    }
    jwrite_end(w);
    sbuf_release(&better);
}

static void checker_initial(struct brain *b, const struct checker_task *task, uint64_t h,
                            enum checker_slip slip, struct sbuf *text) {
    const struct item *it = &b->item;
    const struct family *f = truth_find(b->truth, task->problem, &b->item);
    bool right = f == NULL || form_find(it->right, it->right_n, task->answer) >= 0;
    bool valid = right ? brain_unit(h, DRAW_STRICT) >= b->options->strict
                       : brain_unit(h, DRAW_LENIENT) < b->options->lenient;
    char reason[512];
    int n;
    if (valid) {
        n = snprintf(reason, sizeof reason,
                     "I solved it on my own and reach the stated answer; the statement is complete "
                     "and has one answer.");
    } else if (right) {
        n = snprintf(reason, sizeof reason,
                     "The statement can be read in two ways, so the answer is not unique.");
    } else {
        n = snprintf(reason, sizeof reason,
                     "My own solution gives $%.*s$, not the stated answer $%.*s$.",
                     (int)MIN(it->right[0].n, (size_t)180), it->right[0].p,
                     (int)MIN(task->answer.n, (size_t)180), task->answer.p);
    }
    struct jwrite w;
    jwrite_init(&w, text);
    jwrite_object(&w);
    checker_verdict(&w, slip, valid);
    checker_reason(&w, slip, (struct str){reason, (size_t)n});
    checker_hints(b, h, f != NULL, &w);
    jwrite_end(&w);
}

/* By value where the problem is ours, by text otherwise. */
static bool checker_same(struct brain *b, const struct checker_task *task) {
    const struct item *it = &b->item;
    if (form_same(task->true_answer, task->model_answer)) {
        return true;
    }
    return truth_find(b->truth, task->problem, &b->item) != NULL &&
           form_find(it->right, it->right_n, task->true_answer) >= 0 &&
           form_find(it->right, it->right_n, task->model_answer) >= 0;
}

static void checker_equivalence(struct brain *b, const struct checker_task *task, uint64_t h,
                                enum checker_slip slip, struct sbuf *text) {
    bool same = checker_same(b, task);
    same = brain_unit(h, DRAW_JUDGE) < b->options->judge_error ? !same : same;
    double doubt = (double)brain_pick(h, DRAW_CONFIDENCE, 12) / 100;
    struct jwrite w;
    jwrite_init(&w, text);
    jwrite_object(&w);
    checker_verdict(&w, slip, same);
    checker_reason(&w, slip,
                   same ? S("Both are the same value; they differ in form at most.")
                        : S("The two answers have different values."));
    jwrite_key(&w, "equivalence_confidence");
    jwrite_real(&w, same ? 1 - doubt : doubt);
    jwrite_end(&w);
}

void brain_checker(struct brain *b, struct sim_request *q, uint64_t h, bool malformed,
                   struct sbuf *text) {
    struct checker_task task;
    enum checker_slip slip = SLIP_NONE;
    if (malformed) {
        slip = SLIP_NO_VERDICT + (enum checker_slip)brain_pick(h, DRAW_MALFORMED, SLIP_PROSE);
    }
    if (!checker_task(q, &task)) {
        sbuf_add_cstr(text, "I need a JSON object with validation_type, problem and the answers.");
    } else if (slip == SLIP_PROSE) {
        sbuf_add_cstr(text, "I went through it twice and it looks all right to me, more or less.");
    } else if (str_eq(task.type, S("equivalence_check"))) {
        checker_equivalence(b, &task, h, slip, text);
    } else {
        checker_initial(b, &task, h, slip, text);
    }
}
