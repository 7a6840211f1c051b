/* latex.h - which backslashes in a model's JSON string belong to LaTeX and were not escaped.
 *
 * A strict parser reads "\frac" as a form feed and "rac" and says nothing. The rule here decides,
 * backslash by backslash, from the text alone:
 *
 * - a backslash that starts no JSON escape is doubled, \u without four hex digits too;
 * - \b \f \n \r \t whose letter run is a LaTeX word is doubled: \frac \beta \neq \rho \times;
 * - if the rest of that word is a word of its own ("\nu": newline + "u"), only inside $…$ or when
 * the value has shown a bare backslash of LaTeX before;
 * - \\ is left alone, but for the end of a row ("1 & 2 \\ 3") between a bare \begin and its \end;
 * - all other escapes are left alone.
 */
#ifndef STUMPER_JSON_LATEX_H
#define STUMPER_JSON_LATEX_H

#include "base/str.h"

/* What was seen so far of one JSON value. Zero-initialise it at the value's start. */
struct jlatex {
    bool shown; /* a backslash of LaTeX was found unescaped */
    bool math;  /* an odd number of $ in this string */
    int rows;   /* environments that a bare \begin opened in this string */
};

/** A new string of the value begins. */
void jlatex_string(struct jlatex *l);

/** Read past the "$" or "$$" at @at; returns its length. */
size_t jlatex_dollar(struct jlatex *l, struct str text, size_t at);

/**
 * Judge the backslash at @at inside a string.
 *
 * @ret_missing  how many backslashes must be added before it
 * @return       how many bytes were judged, the backslash included: the whole escape if it is one;
 *               never past the end of @text
 */
size_t jlatex_escape(struct jlatex *l, struct str text, size_t at, size_t *ret_missing);

/** True if four hex digits start at @at; then *@ret_code is their value. */
bool jlatex_hex4(struct str text, size_t at, unsigned *ret_code);

#endif
