/* write.h - writing JSON straight into a buffer: no tree in between.
 *
 *     struct jwrite w;
 *     jwrite_init(&w, &buf);
 *     jwrite_object(&w);
 *     jwrite_key(&w, "model");  jwrite_str(&w, model);
 *     jwrite_end(&w);
 *
 * Commas are placed by the writer. Text that is not UTF-8 has its bad bytes replaced by U+FFFD, and
 * so has NUL: what comes out is always valid and node.h reads it back. Size: the buffer's maximum
 * holds; check sbuf_overflowed() once at the end.
 */
#ifndef STUMPER_JSON_WRITE_H
#define STUMPER_JSON_WRITE_H

#include "base/sbuf.h"
#include "json/node.h"

#define JWRITE_DEPTH_MAX 64

struct jwrite {
    struct sbuf *out;
    uint64_t comma; /* one bit a level: a comma is due before the next item */
    uint64_t array; /* one bit a level: it is an array */
    int depth;
    bool after_key;
};

/** Begin one JSON value at the end of @out, which is borrowed. */
void jwrite_init(struct jwrite *w, struct sbuf *out);

/** Open an object / an array; at most JWRITE_DEPTH_MAX deep (asserted). */
void jwrite_object(struct jwrite *w);
void jwrite_array(struct jwrite *w);
void jwrite_end(struct jwrite *w); /* closes the innermost object or array */

/** @key is written as a string. */
void jwrite_key(struct jwrite *w, const char *key);
void jwrite_key_str(struct jwrite *w, struct str key);

/** Write one value: an array's next item, or the value of the key just written. */
void jwrite_str(struct jwrite *w, struct str s);
void jwrite_cstr(struct jwrite *w, const char *s); /* NULL writes null */
void jwrite_int(struct jwrite *w, int64_t v);
void jwrite_real(
    struct jwrite *w,
    double v); /* shortest text that reads back the same; NaN and infinities write null */
void jwrite_bool(struct jwrite *w, bool v);
void jwrite_null(struct jwrite *w);

/** @json must be one valid JSON value; it is copied as it is. */
void jwrite_raw(struct jwrite *w, struct str json);

/** Money: @nusd billionths of a dollar as a decimal number of dollars, exact ("0.00123"); negative
 * writes null (unknown). */
void jwrite_usd(struct jwrite *w, int64_t nusd);

#endif
