#include "sim/brain.h"

#include "json/write.h"

enum { DRAW_PROBLEM = 200, DRAW_PLANT, DRAW_WRONG, DRAW_FORM, DRAW_FORM_WHICH, DRAW_MALFORMED };

#define ENGINEER_OTHER_FORM 0.3 /* how often the answer is not in canonical form */
#define ENGINEER_DRAW_MASK ((UINT64_C(1) << 48) - 1)
#define ENGINEER_SUBJECT_BYTES 2048 /* where in the prompt a subject is looked for */

static const char *engineer_subject(const struct sim_request *q) {
    for (size_t i = 0; i < q->messages_n; i++) {
        if (str_eq(q->messages[i].role, S("user"))) {
            return family_subject_in(str_take(q->messages[i].content, ENGINEER_SUBJECT_BYTES));
        }
    }
    return NULL;
}

static struct str engineer_answer(const struct brain *b, uint64_t h, bool *ret_planted) {
    const struct item *it = &b->item;
    *ret_planted = brain_unit(h, DRAW_PLANT) < b->options->wrong_answer;
    if (*ret_planted) {
        return it->wrong[brain_pick(h, DRAW_WRONG, it->wrong_n)];
    }
    bool other = brain_unit(h, DRAW_FORM) < ENGINEER_OTHER_FORM;
    size_t usual = MAX(it->right_n - 1, (size_t)1); /* the last one is the oddest */
    return it->right[other ? brain_pick(h, DRAW_FORM_WHICH, usual) : 0];
}

enum engineer_slip {
    SLIP_NONE,
    SLIP_NO_ANSWER,
    SLIP_TWO_HINTS,
    SLIP_BAD_HINTS,
    SLIP_BROKEN,
    SLIP_PROSE
};

static void engineer_hints(const struct item *it, enum engineer_slip slip, struct jwrite *w) {
    jwrite_key(w, "hints");
    if (slip == SLIP_BAD_HINTS) {
        jwrite_str(w, it->hints[0]);
        return;
    }
    size_t n = slip == SLIP_TWO_HINTS ? 2 : it->hints_n;
    jwrite_object(w);
    for (size_t i = 0; i < n; i++) {
        jwrite_key(w, (const char[]){(char)('0' + i), '\0'});
        jwrite_str(w, it->hints[i]);
    }
    jwrite_end(w);
}

static void engineer_write(const struct item *it, const struct family *f, struct str answer,
                           enum engineer_slip slip, struct sbuf *text) {
    struct jwrite w;
    jwrite_init(&w, text);
    jwrite_object(&w);
    jwrite_key(&w, "subject");
    jwrite_cstr(&w, f->subject);
    jwrite_key(&w, "topic");
    jwrite_cstr(&w, f->topic);
    jwrite_key(&w, "problem");
    jwrite_str(&w, it->problem);
    if (slip != SLIP_NO_ANSWER) {
        jwrite_key(&w, "answer");
        jwrite_str(&w, answer);
    }
    engineer_hints(it, slip, &w);
    jwrite_end(&w);
    if (slip == SLIP_BROKEN) { /* the first comma becomes noise that nobody can mend */
        text->p[str_find_char(sbuf_str(text), ',')] = '{';
    }
}

void brain_engineer(struct brain *b, const struct sim_request *q, uint64_t h, bool malformed,
                    struct sbuf *text) {
    struct rng r;
    bool planted;
    rng_init_stream(&r, h, DRAW_PROBLEM);
    const struct family *f = family_draw(engineer_subject(q), &r);
    uint64_t draw = (rng_u64(&r) & ENGINEER_DRAW_MASK) | 1;
    family_write(f, draw, &b->item);
    struct str answer = engineer_answer(b, h, &planted);
    enum engineer_slip slip = SLIP_NONE;
    if (malformed) {
        slip = SLIP_NO_ANSWER + (enum engineer_slip)brain_pick(h, DRAW_MALFORMED, SLIP_PROSE);
    }
    truth_add(b->truth, f, draw, &b->item, answer, planted);
    if (slip == SLIP_PROSE) {
        sbuf_addf(text, "Here is a problem for you: %.*s I am sure you will like it.",
                  STR_ARG(b->item.problem));
        return;
    }
    engineer_write(&b->item, f, answer, slip, text);
}
