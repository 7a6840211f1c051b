/* lex.h - the words of an answer: LaTeX, plain ASCII and Unicode become one stream of tokens.
 * Inside the room only. */
#ifndef STUMPER_ANSWER_LEX_H
#define STUMPER_ANSWER_LEX_H

#include "answer/ast.h"

#define LEX_BYTES_MAX ((size_t)64 * 1024)
#define LEX_TOKENS_MAX ((size_t)24000)
#define LEX_DIGITS_MAX ((size_t)4000) /* of one number */

enum token_kind {
    TOKEN_END,
    TOKEN_NUM,   /* text: digits and at most one point */
    TOKEN_SYM,   /* text: the name */
    TOKEN_FUNC,  /* op: enum ast_func; text: as written, of a root its index */
    TOKEN_CONST, /* op: enum ast_const; text: as written */
    TOKEN_TEXT,  /* text: one word of prose */
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_PM, /* op: 1 or -1 */
    TOKEN_TIMES,
    TOKEN_DIV,
    TOKEN_COLON,
    TOKEN_CARET,
    TOKEN_UNDER,
    TOKEN_BANG,
    TOKEN_COMMA,
    TOKEN_SEMI,
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_LBRACK,
    TOKEN_RBRACK,
    TOKEN_LSET, /* \{ */
    TOKEN_RSET,
    TOKEN_LGROUP, /* { */
    TOKEN_RGROUP,
    TOKEN_BAR, /* op: 1 opening, 2 closing, 0 unknown */
    TOKEN_MID, /* "such that" */
    TOKEN_LFLOOR,
    TOKEN_RFLOOR,
    TOKEN_LCEIL,
    TOKEN_RCEIL,
    TOKEN_REL, /* op: enum ast_rel */
    TOKEN_CUP,
    TOKEN_CAP,
    TOKEN_SETMINUS,
    TOKEN_SETNAME, /* text */
    TOKEN_FRAC,
    TOKEN_SQRT,
    TOKEN_BINOM,
    TOKEN_CHOOSE,
    TOKEN_OVER, /* a \over b */
    TOKEN_BIG,  /* op: enum ast_big */
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_PERCENT,
    TOKEN_DEGREE,
    TOKEN_PRIME,
    TOKEN_ELLIPSIS,
    TOKEN_OVERLINE,
    TOKEN_ACCENT, /* text: vec, hat … */
    TOKEN_BEGIN,  /* text: environment */
    TOKEN_ENDENV,
    TOKEN_AMP,
    TOKEN_ROW,
    TOKEN_NOT,
    TOKEN_CURRENCY,
    TOKEN_BAD, /* has no reading: the answer cannot be parsed whole */
};

struct token {
    enum token_kind kind;
    int op;
    struct str text;
    bool space; /* white space before it */
};

/* How a text is read where it can be read in two ways. */
enum {
    LEX_COMMA_LIST = 1,     /* "1,234" is two numbers */
    LEX_COMMA_DECIMAL = 2,  /* "1,22" is 1.22 */
    LEX_LETTERS_SPLIT = 4,  /* "rate" is r·a·t·e */
    LEX_ROWS_JOINED = 8,    /* a one-column matrix is one broken line */
    LEX_TIGHT_PRODUCT = 16, /* 1/2x is 1/(2x); settled by the parser */
};

struct lexed {
    struct token *tokens; /* ends with TOKEN_END */
    size_t n;
    unsigned ambiguous; /* the readings that would make a difference */
};

/**
 * Read all of @text.
 *
 * @reading  LEX_* bits
 * @return   false if it is longer than the limits allow
 */
NODISCARD bool lex(struct str text, unsigned reading, struct arena *a, struct lexed *ret);

#endif
