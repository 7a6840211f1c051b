/* Which of the things in brackets is the answer?
 *
 * A reply is searched once from left to right. At every bracket mend.h tries to read a value: what
 * it reads is skipped as a whole; prose in brackets ("\frac{1}{2}", "{x | x > 0}", "[see below]")
 * fails within a few bytes and the search goes on behind the bracket. A quoted key with a colon
 * makes a value *structured*: from there on it is meant as JSON, and failing is a fault, not prose.
 *
 * Of the structured values the last one counts, for drafts come before the answer; the same for
 * plain ones (arrays of scalars) if there is no structured one. It is an error instead
 *   - if a structured value behind it is broken or cut off: that one was meant to be the answer;
 *   - if another value differs, and nothing was said that makes the first one a draft;
 *   - if the text goes on as if the value had not ended.
 *
 * All looking is paid from one purse (so much for each byte of the text), which keeps the time
 * linear. */
#include "json/repair.h"

#include "json/mend.h"
#include "json/scan.h"

#include <string.h>

#define JREPAIR_EFFORT_PER_BYTE 24
#define JREPAIR_EFFORT_MIN 4096
#define JREPAIR_UNPACK_EFFORT 8              /* for each byte: it is copied, parsed and searched */
#define JREPAIR_LEVELS_MAX 2                 /* JSON in a string of JSON in a string */
#define JREPAIR_GROWTH 6                     /* a control character becomes \u00XX */
#define JREPAIR_FENCE_BYTES_MAX ((size_t)32) /* of "```json" and its like */
/* Far above what JREPAIR_BYTES_MAX needs. */
#define JREPAIR_SCRATCH_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* A value that could be read. */
struct jrepair_found {
    bool there;
    bool opening; /* no word stood before the first value: there is no reason to call it a draft */
    bool contested;  /* another value says otherwise */
    size_t from, to; /* in the searched text */
    unsigned notes;
    struct sbuf json; /* strict JSON */
};

struct jrepair_search {
    struct str text;
    size_t *effort;
    int level;     /* how many strings the text was unpacked from */
    bool reasoned; /* reasoning stood before the text */
    size_t at;
    size_t plain_from;          /* before it, a plain value is a part of something that failed */
    struct sbuf mended, strict; /* of the value that is being read */
    struct jrepair_found structured, plain;
    struct jmend_fault fault; /* of a structured value behind all that were found */
    struct jmend_fault cut;   /* the same, of what was cut off too early to tell */
    struct jmend_fault hint;  /* the most telling one of what looked like prose */
};

static void jrepair_search_init(struct jrepair_search *s, struct str text, int level,
                                size_t *effort) {
    size_t bytes_max = JREPAIR_GROWTH * text.n + 64;
    *s = (struct jrepair_search){.text = text, .level = level, .effort = effort};
    sbuf_init(&s->mended, bytes_max);
    sbuf_init(&s->strict, bytes_max);
    sbuf_init(&s->structured.json, bytes_max);
    sbuf_init(&s->plain.json, bytes_max);
}

static void jrepair_search_release(struct jrepair_search *s) {
    sbuf_release(&s->mended);
    sbuf_release(&s->strict);
    sbuf_release(&s->structured.json);
    sbuf_release(&s->plain.json);
}

static struct str jrepair_slice(struct str text, size_t from, size_t to) {
    return str_take(str_skip(text, from), to - from);
}

static void jrepair_spend(struct jrepair_search *s, size_t bytes) {
    *s->effort -= MIN(*s->effort, bytes);
}

/* ---- what stands around a value ---- */

/* Nothing before @at but the first line of a code fence, or the quote around it all. */
static bool jrepair_is_opening(struct str text, size_t at) {
    struct str before = str_trim(str_take(text, at));
    if (before.n <= JREPAIR_FENCE_BYTES_MAX &&
        (str_starts(before, S("```")) || str_starts(before, S("~~~")))) {
        return str_find_char(before, '\n') == STR_NPOS && str_find_char(before, ' ') == STR_NPOS;
    }
    return before.n == 0 || str_eq(before, S("\""));
}

static bool jrepair_starts_line(struct str text, size_t at) {
    while (at > 0 && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t')) {
        at--;
    }
    return at == 0 || text.p[at - 1] == '\n';
}

/* At most white space and a comma between two values. */
static bool jrepair_adjoins(struct str text, size_t from, size_t to) {
    struct str between = str_trim(jrepair_slice(text, from, to));
    return between.n == 0 || str_eq(between, S(","));
}

/* "x[0]" and "\sqrt[3]" hold no values. */
static bool jrepair_is_index(struct str text, size_t at) {
    char c = at > 0 ? text.p[at - 1] : ' ';
    bool joined =
        jscan_is_digit(c) || jscan_is_letter(c) || (c != '\0' && strchr("^\\)]}", c) != NULL);
    return joined && !jrepair_is_opening(text, at);
}

/* Superfluous closing brackets behind a value belong to it. */
static size_t jrepair_past_closers(const struct jrepair_search *s, size_t at, unsigned *notes) {
    unsigned met = 0;
    for (size_t next = at;; next++) {
        next = jscan_peek(s->text, next, s->effort, &met);
        char c = jscan_char(s->text, next);
        if (met != 0 || (c != '}' && c != ']')) {
            return at;
        }
        at = next + 1;
        *notes |= JREPAIR_CLOSERS;
    }
}

/* Does the text behind a value read as if the value went on? */
static bool jrepair_goes_on(const struct jrepair_search *s, size_t from, size_t to) {
    unsigned notes = 0;
    size_t next = jscan_peek(s->text, to, s->effort, &notes);
    if (jscan_char(s->text, next) == ',') {
        next = jscan_peek(s->text, next + 1, s->effort, &notes);
        return jscan_quote_len(s->text, next) > 0 && jscan_is_key(s->text, next, s->effort);
    }
    bool quoted = from > 0 && (jscan_quote_len(s->text, from - 1) > 0 ||
                               (from > 2 && jscan_quote_len(s->text, from - 3) > 0));
    return jscan_quote_len(s->text, next) > 0 && !quoted;
}

/* ---- what becomes of a value ---- */

/* @json is the value from @from to @to; it is swapped for an unused buffer. */
static void jrepair_keep(struct jrepair_search *s, size_t from, size_t to, unsigned notes,
                         bool structured, struct sbuf *json) {
    struct jrepair_found *f = structured ? &s->structured : &s->plain;
    struct sbuf previous = f->json;
    bool differs = f->there && !str_eq(sbuf_str(&previous), sbuf_str(json));
    if (!f->there) {
        f->opening = !s->reasoned && jrepair_is_opening(s->text, from);
    }
    f->contested = (f->contested && f->opening) ||
                   (differs && (f->opening || jrepair_adjoins(s->text, f->to, from)));
    f->there = true;
    f->from = from;
    f->to = to;
    f->notes = notes;
    f->json = *json;
    *json = previous;
    if (structured) {
        s->fault = s->cut = (struct jmend_fault){0};
    }
}

static void jrepair_take(struct jrepair_search *s, size_t from, size_t to, unsigned notes,
                         bool structured, struct sbuf *json) {
    to = jrepair_past_closers(s, to, &notes);
    s->at = to;
    if (jrepair_goes_on(s, from, to)) {
        *(structured ? &s->fault : &s->hint) = (struct jmend_fault){
            .code = ERR_MALFORMED,
            .at = to,
            .reason = "the value ends here, but the text goes on as if it did not"};
    } else if (structured || (from >= s->plain_from && !jrepair_is_index(s->text, from))) {
        jrepair_keep(s, from, to, notes, structured, json);
    }
}

/* Too short to tell, but prose does not begin so: a bracket that begins a line, or a quote behind
 * it. */
static bool jrepair_is_meant(const struct jrepair_search *s, size_t at) {
    unsigned notes = 0;
    size_t next = jscan_peek(s->text, at + 1, s->effort, &notes);
    return jrepair_starts_line(s->text, at) || jscan_is_over(s->text, next) ||
           jscan_quote_len(s->text, next) > 0;
}

/* A value that could not be read: a fault, or prose in brackets? */
static void jrepair_miss(struct jrepair_search *s, const struct jmend *m, size_t from) {
    size_t end;
    if (m->structured || m->guess) { /* no part of it is an answer either */
        *(m->structured ? &s->fault : &s->hint) = m->fault;
        sbuf_clear(&s->strict);
        bool balanced = jscan_balance(s->text, from, &s->strict, &end);
        s->at = balanced ? end : m->structured ? s->text.n : from + 1;
        jrepair_spend(s, (balanced ? end : s->text.n) - from);
        return;
    }
    s->at = from + 1;
    s->plain_from = MAX(s->plain_from, m->at);
    if (m->fault.code == ERR_TRUNCATED && jrepair_is_meant(s, from)) {
        s->cut = m->fault;
    } else if (m->fault.code == ERR_TRUNCATED ||
               (s->hint.code == ERR_OK && jrepair_starts_line(s->text, from))) {
        s->hint = s->hint.code == ERR_TRUNCATED ? s->hint : m->fault;
    }
}

/* ---- reading ---- */

/* Is the value at @at strict JSON but for LaTeX? Then its text is in s->strict. */
static bool jrepair_is_strict(struct jrepair_search *s, size_t at, size_t *ret_end,
                              unsigned *ret_notes) {
    struct arena scratch;
    const struct jnode *tree;
    sbuf_clear(&s->strict);
    if (!jscan_balance(s->text, at, &s->strict, ret_end)) {
        jrepair_spend(s, s->text.n - at);
        return false;
    }
    jrepair_spend(s, *ret_end - at);
    *ret_notes = s->strict.n > 0 ? JREPAIR_LATEX : 0u;
    if (s->strict.n == 0) {
        sbuf_add(&s->strict, jrepair_slice(s->text, at, *ret_end));
    }
    arena_init(&scratch, JREPAIR_SCRATCH_BYTES_MAX);
    bool strict = jnode_parse(sbuf_str(&s->strict), &scratch, &tree, NULL) == ERR_OK;
    arena_release(&scratch);
    return strict;
}

static enum err jrepair_search(struct jrepair_search *s, struct jrepair_found **ret,
                               struct jmend_fault *ret_fault);

/* Searches @unpacked, which stood between @from and @to as the inside of a string. */
static void jrepair_search_inside(struct jrepair_search *s, size_t from, size_t to,
                                  struct str unpacked) {
    struct jrepair_search inner;
    struct jrepair_found *found;
    struct jmend_fault fault = {0};
    jrepair_search_init(&inner, unpacked, s->level + 1, s->effort);
    enum err e = jrepair_search(&inner, &found, &fault);
    fault.at = from;
    if (e == ERR_OK) {
        s->at = to + (to < s->text.n ? 1 : 0); /* behind the closing quote */
        jrepair_keep(s, from, s->at, found->notes | JREPAIR_DECODED, found == &inner.structured,
                     &found->json);
    } else if (inner.fault.code != ERR_OK) {
        s->fault = fault;
        s->at = to;
    } else {
        s->hint = fault;
    }
    jrepair_search_release(&inner);
}

/* JSON that was escaped as a whole, with quotes around it or without. It ends at the first quote
 * that is not escaped. */
static void jrepair_unpack(struct jrepair_search *s, size_t from) {
    struct arena scratch;
    struct str unpacked;
    size_t to = from;
    while (to < s->text.n && s->text.p[to] != '"') {
        to += s->text.p[to] == '\\' ? 2 : 1;
    }
    to = MIN(to, s->text.n);
    s->at = from + 1;
    jrepair_spend(s, JREPAIR_UNPACK_EFFORT * (to - from));
    if (s->level == JREPAIR_LEVELS_MAX) {
        s->hint = (struct jmend_fault){
            .code = ERR_MALFORMED, .at = from, .reason = "JSON in strings in strings in strings"};
        return;
    }
    arena_init(&scratch, JREPAIR_SCRATCH_BYTES_MAX);
    sbuf_clear(&s->mended);
    if (jmend_unescape(jrepair_slice(s->text, from, to), &s->mended, s->effort, &scratch, &unpacked,
                       &s->hint)) {
        jrepair_search_inside(s, from, to, unpacked);
    } else {
        s->hint.at += from;
    }
    arena_release(&scratch);
}

static void jrepair_try(struct jrepair_search *s, size_t from) {
    struct jmend m;
    size_t end;
    unsigned notes;
    sbuf_clear(&s->mended);
    jmend_init(&m, s->text, from, &s->mended, s->effort);
    bool read = jmend_read(&m);
    bool doubtful = read ? (m.notes & JREPAIR_QUOTES) != 0 : m.structured;
    if (!read && m.fault.code == ERR_TOO_BIG) {
        s->fault = m.fault;
        *s->effort = 0;
    } else if (!read && m.escaped) {
        jrepair_unpack(s, from);
    } else if (doubtful && jrepair_is_strict(s, from, &end, &notes)) {
        jrepair_take(s, from, end, notes, m.structured, &s->strict);
    } else if (read) {
        jrepair_take(s, from, m.at, m.notes, m.structured, &s->mended);
    } else {
        jrepair_miss(s, &m, from);
    }
}

/* @found, unless there is a reason not to. */
static enum err jrepair_settle(struct jrepair_found *found, struct jrepair_found **ret,
                               struct jmend_fault *ret_fault) {
    if (found->contested) {
        *ret_fault = (struct jmend_fault){
            .code = ERR_MALFORMED,
            .at = found->from,
            .reason = "a second JSON value, which differs from the one before it; one is wanted"};
        return ret_fault->code;
    }
    *ret = found;
    return ERR_OK;
}

/* @ret points into @s. */
static enum err jrepair_search(struct jrepair_search *s, struct jrepair_found **ret,
                               struct jmend_fault *ret_fault) {
    while (s->at<s->text.n && * s->effort> 0) {
        char c = s->text.p[s->at];
        if (c == '{' || c == '[') {
            jrepair_try(s, s->at);
        } else {
            s->at++;
        }
    }
    if (*s->effort == 0 && s->fault.code == ERR_OK) {
        s->fault = (struct jmend_fault){
            .code = ERR_TOO_BIG, .at = s->at, .reason = "too tangled to be read"};
    }
    bool broken = s->fault.code != ERR_OK || s->cut.code != ERR_OK;
    *ret_fault = s->fault.code != ERR_OK ? s->fault : broken ? s->cut : s->hint;
    if (!broken && s->structured.there) {
        return jrepair_settle(&s->structured, ret, ret_fault);
    }
    if (ret_fault->code == ERR_OK && s->plain.there) {
        return jrepair_settle(&s->plain, ret, ret_fault);
    }
    if (ret_fault->code == ERR_OK) {
        *ret_fault = (struct jmend_fault){.code = ERR_EMPTY};
    }
    return ret_fault->code;
}

/* ---- the reply ---- */

struct jrepair_reply {
    struct str text; /* as it came */
    struct str body; /* where the value is looked for: a part of @text */
    bool reasoned;   /* the body stands behind reasoning */
    size_t inside;   /* nonzero: only a value around this offset of @text counts */
};

static enum err jrepair_report(struct jrepair_reply *r, const struct jmend_fault *fault,
                               struct errinfo *reterr) {
    size_t line = 1, column = 1;
    size_t at = MIN((size_t)(r->body.p - r->text.p) + fault->at, r->text.n);
    if (fault->code == ERR_EMPTY) {
        return errinfo_set(reterr, ERR_EMPTY, "there is no JSON object or array in the text");
    }
    for (size_t i = 0; i < at; i++) {
        bool newline = r->text.p[i] == '\n';
        line += newline;
        column =
            newline ? 1 : column + ((unsigned char)r->text.p[i] >> 6 != 2); /* not inside UTF-8 */
    }
    const char *quote = fault->shown[0] != '\0' ? "\"" : "";
    return errinfo_set(reterr, fault->code == ERR_TRUNCATED ? ERR_TRUNCATED : ERR_MALFORMED,
                       "line %zu, column %zu: %s%s%s%s%s", line, column, quote, fault->shown, quote,
                       quote[0] != '\0' ? " " : "", fault->reason);
}

/* What was dropped around the value, as a note. */
static unsigned jrepair_extracted(const struct jrepair_reply *r, const struct jrepair_found *f) {
    struct str before = str_trim(str_take(r->body, f->from));
    struct str behind = str_trim(str_skip(r->body, f->to));
    bool quoted = (f->notes & JREPAIR_DECODED) != 0 && str_eq(before, S("\""));
    bool all = r->body.n == str_trim(r->text).n && (before.n == 0 || quoted) && behind.n == 0;
    return all ? 0u : JREPAIR_EXTRACTED;
}

/* Is r->inside in a string of the value, beyond doubt? */
static bool jrepair_holds(const struct jrepair_reply *r, const struct jrepair_found *f,
                          bool structured) {
    size_t base = (size_t)(r->body.p - r->text.p);
    return structured && (f->notes & JREPAIR_QUOTES) == 0 && base + f->from < r->inside &&
           r->inside < base + f->to;
}

static enum err jrepair_read_body(struct jrepair_reply *r, struct arena *a,
                                  const struct jnode **ret, unsigned *ret_notes,
                                  struct errinfo *reterr) {
    struct jrepair_search s;
    struct jrepair_found *found = NULL;
    struct jmend_fault fault = {0};
    size_t effort = JREPAIR_EFFORT_MIN + JREPAIR_EFFORT_PER_BYTE * r->body.n;
    jrepair_search_init(&s, r->body, 0, &effort);
    s.reasoned = r->reasoned;
    enum err e = jrepair_search(&s, &found, &fault);
    if (e == ERR_OK && r->inside > 0 && !jrepair_holds(r, found, found == &s.structured)) {
        fault.code = e = ERR_EMPTY;
    }
    if (e != ERR_OK) {
        e = jrepair_report(r, &fault, reterr);
    } else if ((e = jnode_parse(sbuf_str(&found->json), a, ret, reterr)) != ERR_OK) {
        e = errinfo_wrap(reterr, ERR_MALFORMED, "in the value, mended");
    } else {
        *ret_notes = found->notes | jrepair_extracted(r, found);
    }
    jrepair_search_release(&s);
    return e;
}

/* Most replies are JSON and nothing else: one pass for LaTeX, one for the parser. */
static bool jrepair_read_strict(struct str text, struct arena *a, const struct jnode **ret,
                                unsigned *ret_notes) {
    struct sbuf doubled;
    size_t end;
    if (text.p[0] != '{' && text.p[0] != '[') {
        return false;
    }
    sbuf_init(&doubled, JREPAIR_GROWTH * text.n);
    bool ok = jscan_balance(text, 0, &doubled, &end) && end == text.n &&
              jnode_parse(doubled.n > 0 ? sbuf_str(&doubled) : text, a, ret, NULL) == ERR_OK;
    if (ok) {
        *ret_notes = doubled.n > 0 ? JREPAIR_LATEX : 0u;
    }
    sbuf_release(&doubled);
    return ok;
}

/* Where the last (@last) or first closing tag of reasoning is; sets *@behind. STR_NPOS without. */
static size_t jrepair_closing_tag(struct str text, bool last, size_t *behind) {
    static const char *const tags[] = {"</think>", "</thinking>", "</reasoning>", "</thought>"};
    size_t found = STR_NPOS;
    size_t n;
    for (size_t at = 0; (n = str_find(str_skip(text, at), S("</"))) != STR_NPOS; at += 2) {
        at += n;
        for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
            if (jscan_has(text, at, tags[i])) {
                found = at;
                *behind = at + strlen(tags[i]);
            }
        }
        if (found != STR_NPOS && !last) {
            break;
        }
    }
    return found;
}

static size_t jrepair_opening_tag_len(struct str text) {
    static const char *const tags[] = {"<think>", "<thinking>", "<reasoning>", "<thought>"};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (str_starts(text, str_of(tags[i]))) {
            return strlen(tags[i]);
        }
    }
    return 0;
}

/* The value is behind the last closing tag, unless that tag is text in a string of the value. */
static enum err jrepair_read_reply(struct jrepair_reply *r, struct arena *a,
                                   const struct jnode **ret, unsigned *ret_notes,
                                   struct errinfo *reterr) {
    struct str whole = r->body;
    size_t from = jrepair_opening_tag_len(whole), behind = from;
    size_t tag = jrepair_closing_tag(whole, true, &behind);
    r->reasoned = from > 0;
    if (tag != STR_NPOS) {
        if (from > 0) {
            (void)jrepair_closing_tag(whole, false, &from); /* there is one */
        }
        r->inside = (size_t)(whole.p - r->text.p) + tag;
        r->body = str_skip(whole, from);
        struct errinfo info = {0};
        enum err e = from <= tag ? jrepair_read_body(r, a, ret, ret_notes, &info) : ERR_EMPTY;
        if (e == ERR_OK) {
            return ERR_OK;
        }
        if (e == ERR_TRUNCATED && (whole.p[0] == '{' || whole.p[0] == '[')) { /* no reasoning */
            return errinfo_set(reterr, e, "%s", info.text);
        }
        r->inside = 0;
        r->reasoned = true;
    }
    r->body = str_skip(whole, behind);
    return jrepair_read_body(r, a, ret, ret_notes, reterr);
}

enum err jrepair_parse(struct str text, struct arena *a, const struct jnode **ret,
                       unsigned *ret_notes, struct errinfo *reterr) {
    if (text.n > JREPAIR_BYTES_MAX) {
        return errinfo_set(reterr, ERR_TOO_BIG, "larger than %zu KiB", JREPAIR_BYTES_MAX / 1024);
    }
    bool bom = str_starts(text, S("\xEF\xBB\xBF"));
    struct str body = str_trim(str_skip(text, bom ? 3 : 0));
    if (body.n == 0) {
        return errinfo_set(reterr, ERR_EMPTY, "the text is empty");
    }
    if (jrepair_read_strict(body, a, ret, ret_notes)) {
        *ret_notes |= bom ? JREPAIR_EXTRACTED : 0u;
        return ERR_OK;
    }
    struct jrepair_reply reply = {.text = text, .body = body};
    return jrepair_read_reply(&reply, a, ret, ret_notes, reterr);
}
