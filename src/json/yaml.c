/* libyaml's events, written out as JSON text and parsed by node.h: the tree, its limits and its
 * ownership are then those of every other JSON.
 *
 * Two of libyaml's costs grow with the square of the input: the size cap comes before its first
 * byte, and the depth cap stops "[[[[…" while it is still cheap (events are taken one at a time).
 * Duplicate keys are found when a mapping ends: its keys lie in the written JSON, one canonical
 * quoted text for one key, so sorting slices of it brings equal ones together. */
#include "json/yaml.h"

#include "base/mem.h"
#include "json/write.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A key as it stands in the written JSON, quotes included, and its place in the YAML. */
struct yaml_key {
    size_t from, n;
    yaml_mark_t mark;
};

struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    struct sbuf json;
    struct jwrite out;
    struct yaml_key *keys; /* of all open mappings, innermost last */
    size_t keys_n, keys_capacity;
    struct str text;
    struct errinfo *reterr;
};

static enum err yaml_fail(struct yaml_reader *r, yaml_mark_t at, const char *reason) {
    return errinfo_set(r->reterr, ERR_SYNTAX, "line %zu, column %zu: %s", at.line + 1,
                       at.column + 1, reason);
}

static enum err yaml_fail_here(struct yaml_reader *r, const char *reason) {
    return yaml_fail(r, r->event.start_mark, reason);
}

/* The reader of bytes gives an offset only. */
static yaml_mark_t yaml_mark_of_offset(struct str text, size_t offset) {
    yaml_mark_t mark = {.index = offset};
    struct str before = str_take(text, offset);
    for (size_t i = 0; i < before.n; i++) {
        mark.column = before.p[i] == '\n' ? 0 : mark.column + 1;
        mark.line += before.p[i] == '\n';
    }
    return mark;
}

static enum err yaml_parser_failed(struct yaml_reader *r) {
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem != NULL ? p->problem : "cannot be read";
    return yaml_fail(r,
                     p->error == YAML_READER_ERROR ? yaml_mark_of_offset(r->text, p->problem_offset)
                                                   : p->problem_mark,
                     problem);
}

/* What YAML can do and a configuration file has no need of. */
static const char *yaml_unwanted(const yaml_event_t *e) {
    bool anchor = false, tag = false;
    if (e->type == YAML_ALIAS_EVENT) {
        return "aliases (\"*name\") are not supported";
    }
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor != NULL;
        tag = e->data.scalar.tag != NULL;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor != NULL;
        tag = e->data.sequence_start.tag != NULL;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor != NULL;
        tag = e->data.mapping_start.tag != NULL;
    } else if (e->type == YAML_DOCUMENT_START_EVENT) {
        tag = e->data.document_start.tag_directives.start !=
              e->data.document_start.tag_directives.end;
    }
    return anchor ? "anchors (\"&name\") are not supported"
           : tag  ? "tags (\"!name\") are not supported"
                  : NULL;
}

static enum err yaml_next(struct yaml_reader *r) {
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        return yaml_parser_failed(r);
    }
    const char *unwanted = yaml_unwanted(&r->event);
    return unwanted == NULL ? ERR_OK : yaml_fail_here(r, unwanted);
}

static struct str yaml_scalar(const yaml_event_t *e) {
    return (struct str){(const char *)e->data.scalar.value, e->data.scalar.length};
}

static bool yaml_all_of(struct str s, const char *set) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL) {
            return false;
        }
    }
    return s.n > 0;
}

static bool yaml_is_one_of(struct str s, const char *const *words) {
    for (; *words != NULL; words++) {
        if (str_eq(s, str_of(*words))) {
            return true;
        }
    }
    return false;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? as the core schema has it. */
static bool yaml_is_real(struct str s) {
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
    size_t digits = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        digits++;
    }
    if (i < s.n && s.p[i] == '.') {
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            digits++;
        }
    }
    if (digits == 0 || i == s.n) {
        return digits > 0;
    }
    if (s.p[i] != 'e' && s.p[i] != 'E') {
        return false;
    }
    i++;
    i += i < s.n && (s.p[i] == '-' || s.p[i] == '+') ? 1 : 0;
    return yaml_all_of(str_skip(s, i), "0123456789");
}

/* 0x1F and 0o17. */
static bool yaml_is_radix(struct str s, const char *prefix, const char *digits) {
    return str_starts(s, str_of(prefix)) && yaml_all_of(str_skip(s, 2), digits);
}

static enum err yaml_integer(struct yaml_reader *r, const char *digits, int base) {
    char *end;
    errno = 0;
    long long v = strtoll(digits, &end, base);
    if (errno != 0 || *end != '\0') {
        return yaml_fail_here(r, "the integer does not fit 64 bits");
    }
    jwrite_int(&r->out, v);
    return ERR_OK;
}

static enum err yaml_number(struct yaml_reader *r, struct str s) {
    struct str unsigned_part = str_skip(s, s.p[0] == '-' || s.p[0] == '+' ? 1 : 0);
    if (yaml_all_of(unsigned_part, "0123456789")) {
        return yaml_integer(r, s.p, 10);
    }
    double v = strtod(s.p, NULL);
    if (!isfinite(v)) {
        return yaml_fail_here(r, "the number is too large");
    }
    jwrite_real(&r->out, v);
    return ERR_OK;
}

/* A plain (unquoted) scalar means what it looks like: YAML 1.2 core schema. */
static enum err yaml_plain(struct yaml_reader *r, struct str s) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const not_json[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                           "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                           ".NaN",  ".NAN",  NULL};
    if (yaml_is_one_of(s, nulls)) {
        jwrite_null(&r->out);
    } else if (yaml_is_one_of(s, trues) || yaml_is_one_of(s, falses)) {
        jwrite_bool(&r->out, yaml_is_one_of(s, trues));
    } else if (yaml_is_one_of(s, not_json)) {
        return yaml_fail_here(r, "infinity and NaN are not supported");
    } else if (yaml_is_radix(s, "0x", "0123456789abcdefABCDEF")) {
        return yaml_integer(r, s.p + 2, 16);
    } else if (yaml_is_radix(s, "0o", "01234567")) {
        return yaml_integer(r, s.p + 2, 8);
    } else if (yaml_is_real(s)) {
        return yaml_number(r, s);
    } else {
        jwrite_str(&r->out, s);
    }
    return ERR_OK;
}

static enum err yaml_write_scalar(struct yaml_reader *r) {
    struct str s = yaml_scalar(&r->event);
    if (memchr(s.p, '\0', s.n) != NULL) {
        return yaml_fail_here(r, "a NUL character is not allowed");
    }
    if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        return yaml_plain(r, s);
    }
    jwrite_str(&r->out, s);
    return ERR_OK;
}

static enum err yaml_write_key(struct yaml_reader *r) {
    if (r->event.type != YAML_SCALAR_EVENT) {
        return yaml_fail_here(r, "a key must be a plain or quoted text");
    }
    struct str s = yaml_scalar(&r->event);
    if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL) {
        return yaml_fail_here(r, "a key must not be empty or hold a NUL character");
    }
    if (r->keys_n == r->keys_capacity) {
        r->keys_capacity = MAX((size_t)16, r->keys_capacity * 2);
        r->keys = mem_resize(r->keys, r->keys_capacity, sizeof *r->keys);
    }
    size_t before = r->json.n;
    jwrite_key_str(&r->out, s);
    size_t comma = r->json.n > before && r->json.p[before] == ',' ? 1 : 0;
    r->keys[r->keys_n++] = (struct yaml_key){
        .from = before + comma, .n = r->json.n - before - comma, .mark = r->event.start_mark};
    return ERR_OK;
}

/* Equal keys side by side, the later one in the file behind. */
static int yaml_key_compare(const void *a, const void *b, void *json) {
    const struct yaml_key *x = a, *y = b;
    int order = memcmp((const char *)json + x->from, (const char *)json + y->from, MIN(x->n, y->n));
    if (order == 0) {
        order = x->n != y->n ? (x->n > y->n) - (x->n < y->n)
                             : (x->from > y->from) - (x->from < y->from);
    }
    return order;
}

/* Checks the keys from @first on, which belong to the mapping that ends here, and drops them. */
static enum err yaml_close_keys(struct yaml_reader *r, size_t first) {
    size_t n = r->keys_n - first;
    r->keys_n = first;
    if (n < 2 || sbuf_overflowed(&r->json)) {
        return ERR_OK;
    }
    struct yaml_key *k = r->keys + first;
    qsort_r(k, n, sizeof *k, yaml_key_compare, r->json.p);
    for (size_t i = 1; i < n; i++) {
        if (k[i].n == k[i - 1].n &&
            memcmp(r->json.p + k[i].from, r->json.p + k[i - 1].from, k[i].n) == 0) {
            return yaml_fail(r, k[i].mark, "this key is there already");
        }
    }
    return ERR_OK;
}

static enum err yaml_write_node(struct yaml_reader *r);

static enum err yaml_write_sequence(struct yaml_reader *r) {
    enum err e;
    jwrite_array(&r->out);
    while ((e = yaml_next(r)) == ERR_OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
        if ((e = yaml_write_node(r)) != ERR_OK) {
            return e;
        }
    }
    if (e == ERR_OK) {
        jwrite_end(&r->out);
    }
    return e;
}

static enum err yaml_write_mapping(struct yaml_reader *r) {
    enum err e;
    size_t first = r->keys_n;
    jwrite_object(&r->out);
    while ((e = yaml_next(r)) == ERR_OK && r->event.type != YAML_MAPPING_END_EVENT) {
        if ((e = yaml_write_key(r)) != ERR_OK || (e = yaml_next(r)) != ERR_OK ||
            (e = yaml_write_node(r)) != ERR_OK) {
            return e;
        }
    }
    if (e == ERR_OK) {
        jwrite_end(&r->out);
        e = yaml_close_keys(r, first);
    }
    return e;
}

/* Writes the node that starts with the current event; ends on its last event. */
static enum err yaml_write_node(struct yaml_reader *r) {
    if (r->event.type == YAML_SCALAR_EVENT) {
        return yaml_write_scalar(r);
    }
    if (r->out.depth >= YAML_DEPTH_MAX) {
        return errinfo_set(r->reterr, ERR_TOO_BIG, "line %zu, column %zu: nested deeper than %d",
                           r->event.start_mark.line + 1, r->event.start_mark.column + 1,
                           YAML_DEPTH_MAX);
    }
    return r->event.type == YAML_SEQUENCE_START_EVENT ? yaml_write_sequence(r)
                                                      : yaml_write_mapping(r);
}

static bool yaml_is_nothing(const yaml_event_t *e) {
    return e->type == YAML_SCALAR_EVENT && e->data.scalar.length == 0 &&
           e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static enum err yaml_write_document(struct yaml_reader *r) {
    enum err e = yaml_next(r); /* start of the stream */
    e = e != ERR_OK ? e : yaml_next(r);
    if (e == ERR_OK && r->event.type == YAML_DOCUMENT_START_EVENT) {
        e = yaml_next(r);
        if (e == ERR_OK && !yaml_is_nothing(&r->event)) {
            e = yaml_write_node(r);
        }
        e = e != ERR_OK ? e : yaml_next(r); /* end of the document */
        e = e != ERR_OK ? e : yaml_next(r);
    }
    if (e == ERR_OK && r->event.type != YAML_STREAM_END_EVENT) {
        e = yaml_fail_here(r, "only one document is allowed in a file");
    }
    if (e == ERR_OK && r->json.n == 0) {
        sbuf_add(&r->json, S("{}"));
    }
    return e != ERR_OK                 ? e
           : sbuf_overflowed(&r->json) ? errinfo_set(r->reterr, ERR_TOO_BIG, "too much YAML")
                                       : ERR_OK;
}

enum err yaml_parse(struct str text, struct arena *a, const struct jnode **ret,
                    struct errinfo *reterr) {
    struct yaml_reader r = {.text = text, .reterr = reterr};
    if (text.n > YAML_BYTES_MAX) {
        return errinfo_set(reterr, ERR_TOO_BIG, "larger than %zu KiB", YAML_BYTES_MAX / 1024);
    }
    if (!yaml_parser_initialize(&r.parser)) {
        return errinfo_set(reterr, ERR_INTERNAL, "libyaml does not start");
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n > 0 ? text.p : ""),
                                 text.n);
    sbuf_init(&r.json, 8 * YAML_BYTES_MAX); /* "{a,b,…" grows 4.5-fold */
    jwrite_init(&r.out, &r.json);
    enum err e = yaml_write_document(&r);
    e = e != ERR_OK ? e : jnode_parse(sbuf_str(&r.json), a, ret, reterr);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    sbuf_release(&r.json);
    free(r.keys);
    return e;
}
