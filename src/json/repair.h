/* repair.h - JSON that a model wrote: find it in the text, mend what can be mended without
 * guessing, parse it. Why it mends what it mends: docs/adr/0007-json-that-models-write.md.
 *
 * The order: strip BOM, reasoning (<think>) and code fences; find the value; double the backslashes
 * of LaTeX, which strict parsers read silently wrong ("\frac" is a form feed and "rac"); parse
 * strictly; only then mend (commas, quotes, literals, comments, raw control characters, ellipses,
 * extra closers, double encoding), a note for each. Strict JSON without bare LaTeX comes back as it
 * is.
 *
 * Which value    behind reasoning or any preface the last complete one, for drafts come first;
 * objects and arrays that hold a key go before arrays of scalars.
 *
 * Never filled in    a value that was cut off (ERR_TRUNCATED, re-ask), even if a complete draft
 * stands before it.
 *
 * Never guessed (ERR_MALFORMED)    numbers such as "1,000", "007", "50%"; lone surrogates and NUL;
 * duplicate keys; inner quotes that leave two readings; two values that differ without a preface;
 * text that goes on behind the end of the value.
 */
#ifndef STUMPER_JSON_REPAIR_H
#define STUMPER_JSON_REPAIR_H

#include "json/node.h"

enum jrepair_note {
    JREPAIR_EXTRACTED = 1u << 0, /* text around the value was dropped (prose, fences, reasoning) */
    JREPAIR_LATEX = 1u << 1,     /* backslashes were doubled */
    JREPAIR_COMMAS = 1u << 2,    /* trailing or missing commas */
    JREPAIR_QUOTES = 1u << 3,    /* single, typographic or missing quotes; inner quotes escaped */
    JREPAIR_LITERALS = 1u << 4,  /* True, False, None, NaN → null … */
    JREPAIR_COMMENTS = 1u << 5,
    JREPAIR_CONTROLS = 1u << 6, /* raw line breaks and tabs inside strings */
    JREPAIR_ELLIPSIS = 1u << 7, /* "..." between elements dropped */
    JREPAIR_CLOSERS = 1u << 8,  /* superfluous closing brackets dropped */
    JREPAIR_DECODED = 1u << 9,  /* the value was JSON inside a JSON string */
};

#define JREPAIR_BYTES_MAX ((size_t)1024 * 1024)

/**
 * Read the one JSON object or array in @text.
 *
 * @a          owns the tree
 * @ret_notes  what was mended, a set of enum jrepair_note; 0 = it was clean
 * @return     ERR_TRUNCATED when the value does not end; ERR_MALFORMED with the exact reason
 *             otherwise; ERR_TOO_BIG over JREPAIR_BYTES_MAX; ERR_EMPTY when there is no value in it
 *             at all.
 *             Time and memory are linear in the text; no input makes it hang or crash.
 */
NODISCARD enum err jrepair_parse(struct str text, struct arena *a, const struct jnode **ret,
                                 unsigned *ret_notes, struct errinfo *reterr);

#endif
