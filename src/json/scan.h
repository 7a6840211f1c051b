/* scan.h - looking at JSON that a model wrote, without reading it: what is at this offset, where
 * does it end? Inside this room only.
 *
 * Offsets may lie past the end of the text; there is nothing there. Functions whose cost is not
 * bounded by a constant take it from *@effort (never below 0), so that repeated looking ahead runs
 * out of effort instead of time.
 */
#ifndef STUMPER_JSON_SCAN_H
#define STUMPER_JSON_SCAN_H

#include "base/sbuf.h"

enum jscan_quote {
    JSCAN_NOT_QUOTED,
    JSCAN_DOUBLE,
    JSCAN_SINGLE,
    JSCAN_CURLY_DOUBLE, /* “ ” „ */
    JSCAN_CURLY_SINGLE, /* ‘ ’ ‚ */
};

char jscan_char(struct str text, size_t at); /* NUL past the end */
bool jscan_has(struct str text, size_t at, const char *s);
bool jscan_is_digit(char c);
bool jscan_is_letter(char c); /* of a bare word: "_" and "$" too */

/** True at the end of the text and at the end of a code fence. */
bool jscan_is_over(struct str text, size_t at);

/** The quotation mark at @at and its length in bytes (0 if there is none). */
enum jscan_quote jscan_quote_at(struct str text, size_t at);
size_t jscan_quote_len(struct str text, size_t at);

/** Can the quote at @at close a string that @opening opened? */
bool jscan_closes(enum jscan_quote opening, struct str text, size_t at);

/** Behind the comment (slashes or #) at @at; @at if there is none. */
size_t jscan_past_comment(struct str text, size_t at);

/** Behind white space and comments. Escapes of white space count too ("\n" as two characters, in
 * JSON that was escaped as a whole). What was met is added to @notes, a set of jrepair_note. */
size_t jscan_past_space(struct str text, size_t at, unsigned *notes);

/** The same, looking ahead. */
size_t jscan_peek(struct str text, size_t at, size_t *effort, unsigned *notes);

/** Behind the bare word (a name or digits) at @at. */
size_t jscan_past_word(struct str text, size_t at);

/** True if a key and its colon are at @at. */
bool jscan_is_key(struct str text, size_t at, size_t *effort);

/** Length of the word or number at @at as a person sees it: up to white space, a comma, a bracket,
 * a colon or a quote. */
size_t jscan_token_len(struct str text, size_t at);

size_t jscan_number_len(struct str text, size_t at); /* of a JSON number; 0 if there is none */
size_t jscan_dots_len(struct str text, size_t at);   /* of "..." or "…"; 0 if there are none */

/**
 * The object or array at @at by its brackets and double quotes alone, with nothing mended but the
 * backslashes of LaTeX.
 *
 * @out      must be empty; it stays so when there was nothing to double
 * @ret_end  the offset behind the value
 * @return   false if the brackets do not balance or are nested too deeply
 */
NODISCARD bool jscan_balance(struct str text, size_t at, struct sbuf *out, size_t *ret_end);

#endif
