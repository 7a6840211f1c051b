/* mend.h - one JSON value that a model wrote, read with patience and written again in strict JSON.
 *
 * What it takes beyond JSON is listed with enum jrepair_note in repair.h. It mends where one
 * reading is left; where it would have to guess it gives up and says why. Inside this room only:
 * callers use repair.h.
 */
#ifndef STUMPER_JSON_MEND_H
#define STUMPER_JSON_MEND_H

#include "base/sbuf.h"
#include "json/latex.h"
#include "json/repair.h"

/* Why a value could not be read. The place becomes line and column only when it is told. */
struct jmend_fault {
    enum err code; /* ERR_OK, ERR_TRUNCATED, ERR_MALFORMED, ERR_TOO_BIG */
    size_t at;     /* offset in the text */
    const char *reason;
    char shown[48]; /* the piece of text that is meant, or "" */
};

struct jmend {
    struct str text;
    size_t at;        /* the next byte to read */
    struct sbuf *out; /* strict JSON */
    size_t *effort;   /* bytes that may still be looked at; shared, so that all work stays linear */
    unsigned notes;   /* enum jrepair_note */
    bool structured;  /* a quoted key and its colon were read: this is no prose in brackets */
    bool escaped;     /* failed on \" outside a string: JSON that is escaped as a whole */
    bool guess;       /* failed on something that only a guess can read: a number, a NUL … */
    struct jmend_fault fault;

    /* its own */
    struct jlatex latex;
    int objects, arrays; /* open ones */
    size_t number_at;    /* where the last value starts if it is a number, else STR_NPOS */
};

/** Read the object or array at @at of @text into the empty @out. */
void jmend_init(struct jmend *m, struct str text, size_t at, struct sbuf *out, size_t *effort);

/** True if the value was read; then m->at is behind it. False: m->fault says why. */
NODISCARD bool jmend_read(struct jmend *m);

/**
 * What @content, the inside of a JSON string that holds JSON itself, stands for.
 *
 * @out     must be empty; scratch
 * @return  false, with @ret_fault, for what no string may hold
 */
NODISCARD bool jmend_unescape(struct str content, struct sbuf *out, size_t *effort, struct arena *a,
                              struct str *ret, struct jmend_fault *ret_fault);

#endif
