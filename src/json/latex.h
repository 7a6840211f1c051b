/* latex.h - which backslashes in a model's JSON string belong to LaTeX and were not escaped.
 *
 * A strict parser reads "\frac" as a form feed and "rac" and says nothing. The rule here decides,
 * backslash by backslash, from the text alone:
 *
 *   \ and no JSON escape, \u without four hex digits       doubled
 *   \b \f \n \r \t, its letter run a LaTeX word              doubled: \frac \beta \neq \rho \times
 *   the same, but the word may be a control and a word       doubled only inside $…$, or when the
 *   ("\nu": newline + "u")                                   value showed a bare LaTeX backslash
 * before everything else, \\ above all                            left alone
 */
#ifndef STUMPER_JSON_LATEX_H
#define STUMPER_JSON_LATEX_H

#include "base/str.h"

/* What was seen so far of one JSON value. Zero-initialise it at the value's start. */
struct jlatex {
    bool shown; /* a backslash of LaTeX was found unescaped */
    bool math;  /* an odd number of $ in this string */
};

/** A new string of the value begins. */
void jlatex_string(struct jlatex *l);

/** Read past the "$" or "$$" at @at; returns its length. */
size_t jlatex_dollar(struct jlatex *l, struct str text, size_t at);

/**
 * Judge the backslash at @at inside a string.
 *
 * @ret_bare  set to whether it must be doubled
 * @return    how many bytes were judged, the backslash included: 1 when bare (2 for "\$"), else the
 *            whole escape; never past the end of @text
 */
size_t jlatex_escape(struct jlatex *l, struct str text, size_t at, bool *ret_bare);

/** True if four hex digits start at @at; then *@ret_code is their value. */
bool jlatex_hex4(struct str text, size_t at, unsigned *ret_code);

#endif
