/* words.h - the names that mean something: commands, functions, Greek letters, keywords.
 * Inside the room only. */
#ifndef STUMPER_ANSWER_WORDS_H
#define STUMPER_ANSWER_WORDS_H

#include "answer/lex.h"

enum word_role {
    WORD_TOKEN,    /* the token @kind with @op and @text */
    WORD_SPACE,    /* spacing and the like: nothing */
    WORD_FONT,     /* its argument is mathematics in another font */
    WORD_PROSE,    /* its argument is prose */
    WORD_SKIP_ARG, /* neither it nor its argument matters */
};

struct word {
    const char *name;
    enum word_role role;
    enum token_kind kind;
    int op;
    const char *text; /* of the token; NULL: the name itself */
};

/** A LaTeX command without its backslash; NULL if unknown. */
const struct word *word_command(struct str name);

/** A plain name such as sin, alpha, infinity, and; NULL if it means nothing in particular. */
const struct word *word_plain(struct str name);

/** A character beyond ASCII; NULL if unknown. */
const struct word *word_unicode(uint32_t code);

#endif
