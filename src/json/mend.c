/* A recursive descent (at most JNODE_DEPTH_MAX deep) over JSON and its usual misspellings. Commas
 * and quotes are not copied but written anew, so what comes out is strict whatever went in.
 *
 * The hard part is where a string ends, because models forget to escape quotes inside. A quote is
 * judged by what stands behind it:
 *
 *   nothing of JSON                    it is part of the string
 *   , and a key with its colon         it ends the string: prose does not look like that
 *   , ] } or a value                   it ends the string, unless an inner quote is still open
 *   a colon (behind a value's quote)   the reading has lost its step: give up
 *
 * Whatever is looked at ahead is charged to *effort, so a text made to be looked at again and again
 * runs out of it instead of time. */
#include "json/mend.h"

#include "json/scan.h"

#include <string.h>

enum jmend_role { JMEND_KEY, JMEND_MEMBER, JMEND_ELEMENT, JMEND_WHOLE };
enum jmend_verdict { JMEND_INNER, JMEND_WEAK, JMEND_STRONG, JMEND_LOST };

void jmend_init(struct jmend *m, struct str text, size_t at, struct sbuf *out, size_t *effort) {
    *m =
        (struct jmend){.text = text, .at = at, .out = out, .effort = effort, .number_at = STR_NPOS};
}

/* ---- failing: each returns false ---- */

static bool jmend_fail(struct jmend *m, enum err code, size_t at, const char *reason) {
    if (m->fault.code == ERR_OK) {
        m->fault = (struct jmend_fault){.code = code, .at = at, .reason = reason};
    }
    return false;
}

static bool jmend_fail_showing(struct jmend *m, size_t at, size_t n, const char *reason) {
    struct str shown = str_take_utf8(str_take(str_skip(m->text, at), n), sizeof m->fault.shown - 1);
    (void)jmend_fail(m, ERR_MALFORMED, at, reason); /* always false */
    memcpy(m->fault.shown, shown.p, shown.n);
    m->fault.shown[shown.n] = '\0';
    m->guess = true;
    return false;
}

/* ---- strings ---- */

/* What the literals of JSON, Python and JavaScript are in JSON; NULL for any other word. */
static const char *jmend_literal(struct str word, bool sign) {
    static const struct {
        const char *word, *json;
        bool sign; /* may have one */
    } words[] = {
        {"true", "true", false}, {"false", "false", false},    {"null", "null", false},
        {"True", "true", false}, {"False", "false", false},    {"None", "null", false},
        {"TRUE", "true", false}, {"FALSE", "false", false},    {"NULL", "null", false},
        {"Null", "null", false}, {"undefined", "null", false}, {"NaN", "null", false},
        {"nan", "null", false},  {"Infinity", "null", true},   {"inf", "null", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(word, str_of(words[i].word)) && (!sign || words[i].sign)) {
            return words[i].json;
        }
    }
    return NULL;
}

static struct str jmend_word_at(const struct jmend *m, size_t at) {
    return str_take(str_skip(m->text, at), jscan_past_word(m->text, at) - at);
}

/* Are there only brackets, or a key, or a value, to be read on from @at, behind a comma? */
static enum jmend_verdict jmend_after_comma(struct jmend *m, enum jmend_role role, size_t at) {
    unsigned notes = 0;
    at = jscan_peek(m->text, at, m->effort, &notes);
    char c = jscan_char(m->text, at);
    if (role == JMEND_MEMBER && jscan_is_key(m->text, at, m->effort)) {
        return notes == 0 && jscan_quote_len(m->text, at) > 0 ? JMEND_STRONG : JMEND_WEAK;
    }
    bool value = role == JMEND_ELEMENT &&
                 (jscan_quote_len(m->text, at) > 0 || jscan_is_digit(c) || c == '-' || c == '{' ||
                  c == '[' || jmend_literal(jmend_word_at(m, at), false) != NULL);
    return value || jscan_is_over(m->text, at) || c == ']' || c == '}' || c == ',' ||
                   jscan_dots_len(m->text, at) > 0
               ? JMEND_WEAK
               : JMEND_INNER;
}

/* What the text behind a quote, from @at on, says about the quote. */
static enum jmend_verdict jmend_judge(struct jmend *m, enum jmend_role role, size_t at) {
    unsigned notes = 0;
    size_t next = jscan_peek(m->text, at, m->effort, &notes);
    char c = jscan_char(m->text, next);
    enum jmend_verdict strong = notes == 0 ? JMEND_STRONG : JMEND_WEAK; /* comments are weak */
    if (jscan_is_over(m->text, next)) {
        return strong;
    }
    if (c == ':') {
        return JMEND_LOST;
    }
    if (c == ',') {
        return MIN(strong, jmend_after_comma(m, role, next + 1));
    }
    if (c == '}' || c == ']') {
        return JMEND_WEAK;
    }
    if (jscan_quote_len(m->text, next) > 0 && next > at) { /* a comma is missing? */
        return role == JMEND_ELEMENT                    ? JMEND_WEAK
               : jscan_is_key(m->text, next, m->effort) ? strong
                                                        : JMEND_INNER;
    }
    return JMEND_INNER;
}

/* @inner  quotes met inside so far. An odd number means that one of them is still open. */
static enum jmend_verdict jmend_judge_quote(struct jmend *m, enum jmend_role role,
                                            enum jscan_quote quote, size_t inner, size_t behind) {
    if (role == JMEND_KEY || role == JMEND_WHOLE) {
        return role == JMEND_KEY ? JMEND_STRONG : JMEND_INNER;
    }
    enum jmend_verdict verdict = jmend_judge(m, role, behind);
    return verdict == JMEND_WEAK && quote == JSCAN_DOUBLE && inner % 2 != 0 ? JMEND_INNER : verdict;
}

static void jmend_copy(struct jmend *m, size_t n) {
    sbuf_add(m->out, str_take(str_skip(m->text, m->at), n));
    m->at += n;
}

/* \uXXXX: halves of surrogate pairs and NUL are nothing that a string may hold. */
static bool jmend_unicode(struct jmend *m) {
    unsigned code = 0, low = 0;
    if (!jlatex_hex4(m->text, m->at + 2, &code) || code == 0) {
        return jmend_fail_showing(m, m->at, 6, "is the NUL character, which no text may hold");
    }
    bool high = code >= 0xD800 && code <= 0xDBFF;
    bool paired = high && jscan_has(m->text, m->at + 6, "\\u") &&
                  jlatex_hex4(m->text, m->at + 8, &low) && low >= 0xDC00 && low <= 0xDFFF;
    if ((high && !paired) || (code >= 0xDC00 && code <= 0xDFFF)) {
        return jmend_fail_showing(m, m->at, 6, "is only half of a surrogate pair");
    }
    jmend_copy(m, paired ? 12 : 6);
    return true;
}

static bool jmend_escape(struct jmend *m, enum jscan_quote quote) {
    size_t missing;
    if ((quote == JSCAN_SINGLE || quote == JSCAN_CURLY_SINGLE) &&
        jscan_char(m->text, m->at + 1) == '\'') {
        m->at++;
        jmend_copy(m, 1);
        return true;
    }
    size_t n = jlatex_escape(&m->latex, m->text, m->at, &missing);
    if (n == 6) {
        return jmend_unicode(m);
    }
    if (n == 1 && missing == 0) { /* the last byte of the text */
        m->at++;
        return true;
    }
    if (missing > 0) {
        sbuf_add(m->out, str_take(S("\\\\"), missing));
        m->notes |= JREPAIR_LATEX;
    }
    jmend_copy(m, n);
    return true;
}

static bool jmend_control(struct jmend *m) {
    unsigned char c = (unsigned char)m->text.p[m->at];
    if (c == '\0') {
        return jmend_fail(m, ERR_MALFORMED, m->at, "a NUL character, which no text may hold");
    }
    if (c == '\n' || c == '\t' || c == '\r') {
        sbuf_add_cstr(m->out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
    } else {
        sbuf_addf(m->out, "\\u%04x", (unsigned)c);
    }
    m->at++;
    m->notes |= JREPAIR_CONTROLS;
    return true;
}

/* Bytes from m->at on that need no thought. */
static size_t jmend_plain_len(const struct jmend *m) {
    size_t at = m->at;
    while (at < m->text.n) {
        unsigned char c = (unsigned char)m->text.p[at];
        if (c < 0x20 || c == '"' || c == '\'' || c == '\\' || c == '$' || c == 0xE2) {
            break;
        }
        at++;
    }
    return at - m->at;
}

/* One piece of a string that does not close it. */
static bool jmend_piece(struct jmend *m, enum jscan_quote quote) {
    size_t plain = jmend_plain_len(m);
    char c = jscan_char(m->text, m->at);
    if (plain > 0) {
        jmend_copy(m, plain);
    } else if (c == '\\') {
        return jmend_escape(m, quote);
    } else if (c == '"') {
        sbuf_add_cstr(m->out, "\\\"");
        m->at++;
    } else if (c == '$') {
        jmend_copy(m, jlatex_dollar(&m->latex, m->text, m->at));
    } else if ((unsigned char)c < 0x20) {
        return jmend_control(m);
    } else {
        jmend_copy(m, 1);
    }
    return true;
}

/* The inside of a string, from behind its opening quote to behind its closing one. */
static bool jmend_content(struct jmend *m, enum jmend_role role, enum jscan_quote quote,
                          size_t opened_at) {
    size_t inner = 0;
    jlatex_string(&m->latex);
    while (m->at < m->text.n) {
        if (jscan_closes(quote, m->text, m->at)) {
            size_t n = jscan_quote_len(m->text, m->at);
            enum jmend_verdict v = jmend_judge_quote(m, role, quote, inner, m->at + n);
            if (*m->effort == 0) {
                return jmend_fail(m, ERR_TOO_BIG, m->at, "too tangled to be read");
            }
            if (v == JMEND_LOST) {
                return jmend_fail(m, ERR_MALFORMED, opened_at,
                                  "the string that starts here has a quotation mark inside that "
                                  "is not escaped, or no end");
            }
            if (v != JMEND_INNER) {
                m->at += n;
                return true;
            }
            inner++;
            m->notes |= quote == JSCAN_DOUBLE ? JREPAIR_QUOTES : 0u;
        }
        if (!jmend_piece(m, quote)) {
            return false;
        }
    }
    return role == JMEND_WHOLE ||
           jmend_fail(m, ERR_TRUNCATED, opened_at, "the string that starts here does not end");
}

static bool jmend_string(struct jmend *m, enum jmend_role role) {
    enum jscan_quote quote = jscan_quote_at(m->text, m->at);
    size_t opened_at = m->at;
    if (jscan_has(m->text, m->at, "\"\"\"")) {
        return jmend_fail(m, ERR_MALFORMED, m->at, "triple quotation marks are not JSON");
    }
    m->notes |= quote == JSCAN_DOUBLE ? 0u : JREPAIR_QUOTES;
    m->at += jscan_quote_len(m->text, m->at);
    sbuf_add_char(m->out, '"');
    if (!jmend_content(m, role, quote, opened_at)) {
        return false;
    }
    sbuf_add_char(m->out, '"');
    return true;
}

/* ---- numbers and words ---- */

/* A number must end where it ends: "50%", "1_000" and "1/2" are none. */
static bool jmend_number(struct jmend *m) {
    size_t n = jscan_number_len(m->text, m->at);
    size_t behind = m->at + n;
    bool ends =
        n > 0 && (behind >= m->text.n || jscan_token_len(m->text, behind) == 0 ||
                  jscan_past_comment(m->text, behind) > behind || jscan_is_over(m->text, behind) ||
                  jscan_has(m->text, behind, "...") || jscan_has(m->text, behind, "\\n"));
    if (!ends) {
        size_t token = jscan_token_len(m->text, m->at);
        return m->at + token >= m->text.n
                   ? jmend_fail(m, ERR_TRUNCATED, m->at, "the number that starts here does not end")
                   : jmend_fail_showing(m, m->at, token, "is not a JSON number");
    }
    m->number_at = m->at;
    jmend_copy(m, n);
    return true;
}

static bool jmend_word(struct jmend *m) {
    bool sign = !jscan_is_letter(m->text.p[m->at]);
    struct str word = jmend_word_at(m, m->at + sign);
    const char *json = jmend_literal(word, sign);
    size_t end = m->at + sign + word.n;
    if (json != NULL) {
        m->notes |= str_eq(word, str_of(json)) ? 0u : JREPAIR_LITERALS;
        sbuf_add_cstr(m->out, json);
        m->at = end;
        return true;
    }
    return end >= m->text.n
               ? jmend_fail(m, ERR_TRUNCATED, m->at, "the text ends in the middle of a word")
               : jmend_fail(m, ERR_MALFORMED, m->at, "text without quotation marks");
}

/* ---- objects and arrays ---- */

/* \" or, escaped again, \\\". */
static bool jmend_is_escaped_quote(const struct jmend *m) {
    return jscan_has(m->text, m->at, "\\\"") || jscan_has(m->text, m->at, "\\\\\\\"");
}

static bool jmend_container(struct jmend *m);

static bool jmend_value(struct jmend *m, enum jmend_role role) {
    char c = jscan_char(m->text, m->at);
    char next = jscan_char(m->text, m->at + 1);
    m->number_at = STR_NPOS;
    if (jscan_is_over(m->text, m->at)) {
        return jmend_fail(m, ERR_TRUNCATED, m->at, "the text ends where a value is due");
    }
    if (c == '{' || c == '[') {
        return jmend_container(m);
    }
    if (jscan_quote_len(m->text, m->at) > 0) {
        return jmend_string(m, role);
    }
    if (jscan_is_letter(c) || ((c == '-' || c == '+') && jscan_is_letter(next))) {
        return jmend_word(m);
    }
    if (jscan_is_digit(c) || c == '-' || ((c == '+' || c == '.') && jscan_is_digit(next))) {
        return jmend_number(m);
    }
    m->escaped = jmend_is_escaped_quote(m);
    return jmend_fail(m, ERR_MALFORMED, m->at, "a value is missing here");
}

static bool jmend_key(struct jmend *m) {
    unsigned *notes = &m->notes;
    bool quoted = jscan_quote_len(m->text, m->at) > 0;
    size_t word = jscan_past_word(m->text, m->at) - m->at;
    if (!quoted && word == 0) {
        m->escaped = jmend_is_escaped_quote(m);
        return jmend_fail(m, ERR_MALFORMED, m->at, "a key in quotation marks is missing here");
    }
    if (quoted) {
        if (!jmend_string(m, JMEND_KEY)) {
            return false;
        }
    } else {
        sbuf_add_char(m->out, '"');
        jmend_copy(m, word);
        sbuf_add_char(m->out, '"');
        m->notes |= JREPAIR_QUOTES;
    }
    m->at = jscan_past_space(m->text, m->at, notes);
    if (jscan_is_over(m->text, m->at)) {
        return jmend_fail(m, ERR_TRUNCATED, m->at, "the text ends behind a key");
    }
    if (m->text.p[m->at] != ':') {
        return jmend_fail(m, ERR_MALFORMED, m->at, "a colon is missing here");
    }
    m->structured = m->structured || quoted;
    sbuf_add_char(m->out, ':');
    m->at = jscan_past_space(m->text, m->at + 1, notes);
    return true;
}

/* What stands between two items, as far as it was read. */
enum jmend_between { JMEND_START, JMEND_COMMA, JMEND_ITEM, JMEND_DOTS };

/* May an item start here, and with what before it? Writes the comma. */
static bool jmend_separate(struct jmend *m, enum jmend_between between, bool object, bool first) {
    char c = m->text.p[m->at];
    bool number = jscan_is_digit(c) || c == '-' || c == '.' || c == '+';
    if (object && number && m->number_at != STR_NPOS && !jscan_is_key(m->text, m->at, m->effort)) {
        size_t behind = m->at + jscan_token_len(m->text, m->at);
        return jmend_fail_showing(m, m->number_at, behind - m->number_at, "is not a JSON number");
    }
    if (between == JMEND_ITEM) {
        if (number && m->number_at != STR_NPOS) {
            size_t behind = m->at + jscan_token_len(m->text, m->at);
            return jmend_fail_showing(m, m->number_at, behind - m->number_at,
                                      "is one number or two, which only a guess can tell");
        }
        m->notes |= JREPAIR_COMMAS;
    }
    if (!first) {
        sbuf_add_char(m->out, ',');
    }
    return true;
}

static bool jmend_item(struct jmend *m, bool object) {
    return (!object || jmend_key(m)) && jmend_value(m, object ? JMEND_MEMBER : JMEND_ELEMENT);
}

/* Reads what stands between items and moves *@between on; false when an item or the end is next. */
static bool jmend_between(struct jmend *m, char closer, enum jmend_between *between) {
    char c = m->text.p[m->at];
    size_t dots = jscan_dots_len(m->text, m->at);
    if (c == ',') {
        m->notes |= *between == JMEND_ITEM || *between == JMEND_DOTS ? 0u : JREPAIR_COMMAS;
        *between = JMEND_COMMA;
        m->at++;
    } else if (dots > 0) {
        m->notes |= JREPAIR_ELLIPSIS;
        *between = JMEND_DOTS;
        m->at += dots;
    } else if ((c == ']' || c == '}') && c != closer && (c == ']' ? m->arrays : m->objects) == 0) {
        m->notes |= JREPAIR_CLOSERS; /* it closes nothing */
        m->at++;
    } else {
        return false;
    }
    return true;
}

static bool jmend_items(struct jmend *m, size_t opened_at, char closer) {
    enum jmend_between between = JMEND_START;
    bool object = closer == '}', first = true;
    for (;;) {
        m->at = jscan_past_space(m->text, m->at, &m->notes);
        if (jscan_is_over(m->text, m->at)) {
            return jmend_fail(m, ERR_TRUNCATED, opened_at,
                              object ? "the object that starts here does not end"
                                     : "the array that starts here does not end");
        }
        if (m->text.p[m->at] == closer) {
            m->notes |= between == JMEND_COMMA ? JREPAIR_COMMAS : 0u;
            return true;
        }
        if (jmend_between(m, closer, &between)) {
            continue;
        }
        if (m->text.p[m->at] == ']' || m->text.p[m->at] == '}') {
            return jmend_fail(m, ERR_MALFORMED, m->at, "this bracket does not match the open one");
        }
        if (!jmend_separate(m, between, object, first) || !jmend_item(m, object)) {
            return false;
        }
        between = JMEND_ITEM;
        first = false;
    }
}

static bool jmend_container(struct jmend *m) {
    size_t opened_at = m->at;
    char opener = m->text.p[m->at];
    int *open = opener == '{' ? &m->objects : &m->arrays;
    if (m->objects + m->arrays >= JNODE_DEPTH_MAX) {
        return jmend_fail(m, ERR_TOO_BIG, opened_at, "nested too deeply");
    }
    ++*open;
    jmend_copy(m, 1);
    if (!jmend_items(m, opened_at, opener == '{' ? '}' : ']')) {
        return false;
    }
    --*open;
    jmend_copy(m, 1);
    m->number_at = STR_NPOS;
    return true;
}

bool jmend_read(struct jmend *m) {
    size_t from = m->at;
    bool ok = jmend_container(m);
    *m->effort -= MIN(*m->effort, m->at - from + 1);
    return ok;
}

bool jmend_unescape(struct str content, struct sbuf *out, size_t *effort, struct arena *a,
                    struct str *ret, struct jmend_fault *ret_fault) {
    struct jmend m;
    struct errinfo info = {0};
    const struct jnode *string = NULL;
    jmend_init(&m, content, 0, out, effort);
    sbuf_add_char(out, '"');
    if (!jmend_content(&m, JMEND_WHOLE, JSCAN_DOUBLE, 0)) {
        *ret_fault = m.fault;
        return false;
    }
    sbuf_add_char(out, '"');
    if (jnode_parse(sbuf_str(out), a, &string, &info) != ERR_OK) {
        *ret_fault = (struct jmend_fault){.code = ERR_MALFORMED,
                                          .reason = "the escaped text is not a JSON string"};
        return false;
    }
    *ret = jnode_str(string);
    return true;
}
