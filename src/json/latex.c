#include "json/latex.h"

#include <string.h>

/* How far a $ may be from the one that closes it; keeps the look ahead constant. */
#define JLATEX_MATH_BYTES_MAX ((size_t)512)
#define JLATEX_WORD_BYTES_MAX ((size_t)24)

/* By their first letter. Words that nothing but LaTeX explains: what remains after the control
 * character is no word. */
static const char *const jlatex_words[] = {
    ['b'] = (" backepsilon backprime backsim backsimeq backslash bar barwedge bcancel because"
             " begin beta beth between bfseries big bigcap bigcirc bigcup bigg biggl biggm biggr"
             " bigl bigm bigodot bigoplus bigotimes bigr bigskip bigsqcup bigstar bigtriangledown"
             " bigtriangleup biguplus bigvee bigwedge binom blacklozenge blacksquare blacktriangle"
             " blacktriangledown blacktriangleleft blacktriangleright bm bmatrix bmod boldmath"
             " boldsymbol bot bowtie boxdot boxed boxminus boxplus boxtimes bra braket breve"
             " bullet bumpeq "),
    ['f'] = (" fallingdotseq fbox fcolorbox fint flat floor flushleft flushright footnote"
             " footnotesize forall frac frak framebox frown "),
    ['n'] =
        (" nabla natural ncong nearrow neq newcommand newline ngeq ngeqq ngeqslant ngtr"
         " nLeftarrow nleftarrow nLeftrightarrow nleftrightarrow nleq nleqq nleqslant noindent"
         " nolimits nonumber norm normalsize not notag notin nRightarrow nrightarrow nshortmid"
         " nshortparallel nsubseteq nsubseteqq nsupseteq nsupseteqq ntriangleleft"
         " ntrianglelefteq ntriangleright ntrianglerighteq nVDash nVdash nvDash nvdash nwarrow "),
    ['r'] = (" raisebox rangle rbrace rbrack rceil restriction rfloor rgroup rho right rightarrow"
             " rightarrowtail rightharpoondown rightharpoonup rightleftarrows rightleftharpoons"
             " rightrightarrows rightsquigarrow risingdotseq rlap rmoustache rtimes ruled rVert"
             " rvert "),
    ['t'] = (" tanh tau tbinom text textbf textcolor textit textnormal textrm textsc textsf"
             " textstyle texttt textup tfrac therefore theta thickapprox thicksim thinspace tilde"
             " times triangle triangledown triangleleft trianglelefteq triangleq triangleright"
             " trianglerighteq twoheadleftarrow twoheadrightarrow "),
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
    l->rows = 0;
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

/* "\\" in an environment that a bare \begin opened is the end of a row, unless what follows makes
 * it a command that was escaped rightly ("\\frac", "\\{", "\\,") or a row end that was ("\\\\"). */
static bool jlatex_is_row_end(const struct jlatex *l, struct str text, size_t behind) {
    char c = behind < text.n ? text.p[behind] : '\0';
    char next = behind + 1 < text.n ? text.p[behind + 1] : '\0';
    bool digit = (c == '[' ? next : c) >= '0' && (c == '[' ? next : c) <= '9';
    bool escape = c == '\\' && next != '\0' && strchr("\\\"/u", next) == NULL;
    return l->rows > 0 && (digit || escape || (c != '\0' && strchr(" \t\r\n-+=&", c) != NULL));
}

/* The pair of backslashes at @at: its length with what belongs to it. */
static size_t jlatex_pair(const struct jlatex *l, struct str text, size_t at, size_t *missing) {
    struct str behind = str_skip(text, at + 2);
    if (jlatex_is_row_end(l, text, at + 2)) {
        *missing = 2;
        return 2;
    }
    return str_starts(behind, S("$"))      ? 3 /* an escaped dollar sign opens no formula */
           : str_starts(behind, S("\\\\")) ? 4
                                           : 2;
}

/* A bare backslash was found before @c, which begins @word if it is a letter. */
static void jlatex_note(struct jlatex *l, struct str word, char c) {
    l->shown = l->shown || word.n > 0 || (c != '\0' && strchr("()[]{}|,;!", c) != NULL);
    if (str_eq(word, S("begin"))) {
        l->rows++;
    } else if (str_eq(word, S("end")) && l->rows > 0) {
        l->rows--;
    }
}

size_t jlatex_escape(struct jlatex *l, struct str text, size_t at, size_t *ret_missing) {
    unsigned code;
    char c = at + 1 < text.n ? text.p[at + 1] : '\0';
    *ret_missing = 0;
    if (at + 1 >= text.n) {
        return 1;
    }
    if (c == '\\') {
        return jlatex_pair(l, text, at, ret_missing);
    }
    if (c == 'u' && jlatex_hex4(text, at + 2, &code)) {
        return 6;
    }
    bool control = c != '\0' && strchr("bfnrt", c) != NULL;
    if (control ? !jlatex_is_word(l, text, at + 1) : c == '"' || c == '/') {
        return 2;
    }
    jlatex_note(l, jlatex_run(text, at + 1), c);
    *ret_missing = 1;
    return c == '$' ? 2 : 1;
}
