/* parse.h - an answer as a tree, read whole or not at all. Inside the room only. */
#ifndef STUMPER_ANSWER_PARSE_H
#define STUMPER_ANSWER_PARSE_H

#include "answer/lex.h"

struct parsed {
    struct node *root;   /* NULL: has no reading */
    unsigned ambiguous;  /* LEX_* readings that would give another tree */
    bool swallowed;      /* words were left out: a label, a unit nobody knows, a condition */
    bool condition;      /* … that may change what is meant ("if", "when", "not") */
    struct str words;    /* the words behind the value that were left out, first few, joined */
    struct str limits;   /* where it holds ("for k > 3", "x ≠ 1"), names of symbols aside */
    struct str currency; /* its sign, "\\$" for a dollar's; "mixed"; empty: none */
};

/** Read @text under @reading (LEX_* bits); everything lives in @a. */
struct parsed parse(struct str text, unsigned reading, struct arena *a);

#endif
