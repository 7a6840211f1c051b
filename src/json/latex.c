#include "json/latex.h"

#include <string.h>

/* How far a $ may be from the one that closes it; keeps the look ahead constant. */
#define JLATEX_MATH_BYTES_MAX ((size_t)512)
#define JLATEX_WORD_BYTES_MAX ((size_t)24)

/* By their first letter. Words that nothing but LaTeX explains: what remains after the control
 * character is no word. */
static const char *const jlatex_words[] = {
    ['b'] = " backepsilon backprime backsim backsimeq backslash bar barwedge bcancel because"
            " begin beta beth between bfseries big bigcap bigcirc bigcup bigg biggl biggm biggr"
            " bigl bigm bigodot bigoplus bigotimes bigr bigskip bigsqcup bigstar bigtriangledown"
            " bigtriangleup biguplus bigvee bigwedge binom blacklozenge blacksquare blacktriangle"
            " blacktriangledown blacktriangleleft blacktriangleright bm bmatrix bmod boldmath"
            " boldsymbol bot bowtie boxdot boxed boxminus boxplus boxtimes bra braket breve"
            " bullet bumpeq ",
    ['f'] = " fallingdotseq fbox fcolorbox fint flat floor flushleft flushright footnote"
            " footnotesize forall frac frak framebox frown ",
    ['n'] = " nabla natural ncong nearrow neq newcommand newline ngeq ngeqq ngeqslant ngtr"
            " nLeftarrow nleftarrow nLeftrightarrow nleftrightarrow nleq nleqq nleqslant noindent"
            " nolimits nonumber norm normalsize not notag notin nRightarrow nrightarrow nshortmid"
            " nshortparallel nsubseteq nsubseteqq nsupseteq nsupseteqq ntriangleleft"
            " ntrianglelefteq ntriangleright ntrianglerighteq nVDash nVdash nvDash nvdash nwarrow ",
    ['r'] = " raisebox rangle rbrace rbrack rceil restriction rfloor rgroup rho right rightarrow"
            " rightarrowtail rightharpoondown rightharpoonup rightleftarrows rightleftharpoons"
            " rightrightarrows rightsquigarrow risingdotseq rlap rmoustache rtimes ruled rVert"
            " rvert ",
    ['t'] = " tanh tau tbinom text textbf textcolor textit textnormal textrm textsc textsf"
            " textstyle texttt textup tfrac therefore theta thickapprox thicksim thinspace tilde"
            " times triangle triangledown triangleleft trianglelefteq triangleq triangleright"
            " trianglerighteq twoheadleftarrow twoheadrightarrow ",
};

/* Words that may as well be a control character and the rest: newline + "exists", tab + "op". */
static const char *const jlatex_ambiguous[] = {
    ['b'] = " bf ",
    ['f'] = "",
    ['n'] = " ne neg nexists ni nless nmid nparallel nprec nsim nsucc nu ",
    ['r'] = " rm ",
    ['t'] = " tag tan tiny to top tt ",
};

static bool jlatex_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The letters from @at on, cut when longer than any word. */
static struct str jlatex_run(struct str text, size_t at) {
    struct str rest = str_take(str_skip(text, at), JLATEX_WORD_BYTES_MAX);
    size_t n = 0;
    while (n < rest.n && jlatex_is_letter(rest.p[n])) {
        n++;
    }
    return str_take(rest, n);
}

/* @word begins with one of b, f, n, r, t. */
static bool jlatex_lists(const char *const words['t' + 1], struct str word) {
    char spaced[JLATEX_WORD_BYTES_MAX + 3] = " ";
    if (word.n == 0 || word.n >= JLATEX_WORD_BYTES_MAX) {
        return false;
    }
    memcpy(spaced + 1, word.p, word.n);
    spaced[word.n + 1] = ' ';
    return strstr(words[(unsigned char)word.p[0]], spaced) != NULL;
}

/* Is the $ that was opened before @at closed behind it, in the same string? */
static bool jlatex_in_math(const struct jlatex *l, struct str text, size_t at) {
    struct str rest = str_take(str_skip(text, at), JLATEX_MATH_BYTES_MAX);
    for (size_t i = 0; l->math && i < rest.n && rest.p[i] != '"'; i++) {
        if (rest.p[i] == '$') {
            return true;
        }
    }
    return false;
}

bool jlatex_hex4(struct str text, size_t at, unsigned *ret_code) {
    struct str digits = str_take(str_skip(text, at), 4);
    unsigned code = 0;
    for (size_t i = 0; i < digits.n; i++) {
        char c = digits.p[i];
        char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9') {
            code = code * 16 + (unsigned)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            code = code * 16 + (unsigned)(lower - 'a') + 10;
        } else {
            return false;
        }
    }
    if (digits.n == 4) {
        *ret_code = code;
    }
    return digits.n == 4;
}

void jlatex_string(struct jlatex *l) {
    l->math = false;
}

size_t jlatex_dollar(struct jlatex *l, struct str text, size_t at) {
    l->math = !l->math;
    return str_starts(str_skip(text, at), S("$$")) ? 2 : 1;
}

/* Does the backslash before the word at @at, which is an escape of JSON too, belong to LaTeX? */
static bool jlatex_is_word(const struct jlatex *l, struct str text, size_t at) {
    struct str word = jlatex_run(text, at);
    return jlatex_lists(jlatex_words, word) ||
           (jlatex_lists(jlatex_ambiguous, word) && (l->shown || jlatex_in_math(l, text, at)));
}

size_t jlatex_escape(struct jlatex *l, struct str text, size_t at, bool *ret_bare) {
    unsigned code;
    char c = at + 1 < text.n ? text.p[at + 1] : '\0';
    *ret_bare = false;
    if (at + 1 >= text.n) {
        return 1;
    }
    if (c == '\\') { /* "\\$" is an escaped dollar sign: it opens no formula */
        return at + 2 < text.n && text.p[at + 2] == '$' ? 3 : 2;
    }
    if (c == 'u' && jlatex_hex4(text, at + 2, &code)) {
        return 6;
    }
    if (c != '\0' && strchr("bfnrt", c) != NULL) {
        *ret_bare = jlatex_is_word(l, text, at + 1);
    } else {
        *ret_bare = c != '"' && c != '/';
    }
    l->shown =
        l->shown ||
        (*ret_bare && (jlatex_is_letter(c) || (c != '\0' && strchr("()[]{}|,;!", c) != NULL)));
    return !*ret_bare ? 2 : c == '$' ? 2 : 1;
}
