/* The target's page: some reasoning, then the answer in a box. The page is padded from a bank of
 * sentences up to the length that was drawn, so that answers weigh what real ones weigh. */
#include "sim/brain.h"

enum {
    DRAW_FAIL = 400,
    DRAW_WRONG,
    DRAW_FORM,
    DRAW_FORM_WHICH,
    DRAW_PAGE,
    DRAW_OPENING,
    DRAW_NUMBER,
    DRAW_END
};

#define TARGET_END_BYTES 64 /* kept free for the last line around the answer */

static const char *const target_openings[] = {
    "Let me work through this step by step.\n\n",
    "We first restate what is given and what is asked.\n\n",
    "**Setting up.** I write down the data before I compute anything.\n\n",
    "There are two natural ways to attack this; I take the more direct one.\n\n",
};

static const char *const target_sentences[] = {
    "Collecting terms on one side keeps the signs visible. ",
    "So far nothing depends on the order of the steps. ",
    "Let me double-check this: substituting small numbers gives the same pattern. ",
    "The relation $a + b = c$ is used twice here, once in each direction.\n\n",
    "A common slip at this point is to drop the factor in front; I carry it along. ",
    "Next, I simplify: $\\frac{ab}{ac} = \\frac{b}{c}$ for $a \\neq 0$. ",
    "Wait, that needs care, because the case of equality has to be looked at on its own. ",
    "It does not change the result.\n\n",
    "**Next step.** The remaining expression is now short enough to evaluate. ",
    "By symmetry the second part is handled in the same way. ",
    "Writing it out in full: $x = x_0 + t$, so $x^2 = x_0^2 + 2 x_0 t + t^2$. ",
    "Only the middle term matters for what follows.\n\n",
    "I compare this with an estimate of the size, and it is plausible. ",
    "Now the numbers: I keep them exact and cancel only at the end. ",
    "Both sides are integers after multiplying by the denominator. ",
    "This agrees with the direct computation.\n\n",
    "Let me verify the last line once more before going on. ",
    "The other branch leads to a contradiction, so it can be left out.\n\n",
    "Expanding and comparing coefficients gives the same equations again. ",
    "Hence the intermediate value is determined uniquely. ",
};

/* The problem that the prompt holds: ours are one line each, perhaps behind a label. */
static const struct family *target_find(struct brain *b, struct str prompt) {
    while (prompt.n > 0) {
        struct str line = str_split(&prompt, '\n');
        const struct family *f = line.n > 0 ? truth_find(b->truth, line, &b->item) : NULL;
        size_t colon = str_find(line, S(": "));
        if (f == NULL && colon != STR_NPOS) {
            f = truth_find(b->truth, str_skip(line, colon + 2), &b->item);
        }
        if (f != NULL) {
            return f;
        }
    }
    return NULL;
}

static struct str target_answer(struct brain *b, const struct sim_request *q, uint64_t h) {
    struct item *it = &b->item;
    const struct family *f = NULL;
    for (size_t i = 0; i < q->messages_n && f == NULL; i++) {
        if (str_eq(q->messages[i].role, S("user"))) {
            f = target_find(b, q->messages[i].content);
        }
    }
    if (f == NULL) { /* somebody else's problem */
        item_init(it);
        return item_fmt(it, "%zu", brain_pick(h, DRAW_NUMBER, 1000));
    }
    if (brain_unit(h, DRAW_FAIL) < b->options->target_fail) {
        return it->wrong[brain_pick(h, DRAW_WRONG, it->wrong_n)];
    }
    bool other = it->right_n > 1 && brain_unit(h, DRAW_FORM) < b->options->other_form;
    return it->right[other ? 1 + brain_pick(h, DRAW_FORM_WHICH, it->right_n - 1) : 0];
}

static void target_page(uint64_t h, size_t bytes, struct sbuf *text) {
    size_t at = brain_pick(h, DRAW_PAGE, ARRAY_LEN(target_sentences));
    struct str next =
        str_of(target_openings[brain_pick(h, DRAW_OPENING, ARRAY_LEN(target_openings))]);
    while (text->n + next.n <= bytes) {
        sbuf_add(text, next);
        next = str_of(target_sentences[at++ % ARRAY_LEN(target_sentences)]);
    }
}

void brain_target(struct brain *b, const struct sim_request *q, uint64_t h, struct sbuf *text) {
    static const char *const ends[][2] = {
        {"\n\nThe final answer is $\\boxed{", "}$."},
        {"\n\n**Final answer:** $\\boxed{", "}$"},
        {"\n\nTherefore\n\n\\[\\boxed{", "}\\]"},
        {"\n\n\\boxed{", "}"},
    };
    struct rng r;
    struct str answer = target_answer(b, q, h);
    rng_init_stream(&r, h, DRAW_PAGE);
    double tokens = spread_draw(&b->options->output_tokens, &r);
    size_t bytes = (size_t)MIN(tokens * 4, (double)text->bytes_max / 2);
    size_t end = brain_pick(h, DRAW_END, ARRAY_LEN(ends));
    target_page(h, bytes - MIN(bytes, answer.n + TARGET_END_BYTES), text);
    sbuf_add_cstr(text, ends[end][0]);
    sbuf_add(text, answer);
    sbuf_add_cstr(text, ends[end][1]);
}
