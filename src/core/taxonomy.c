#include "core/taxonomy.h"

#include <stdlib.h>
#include <string.h>

/* A taxonomy being read: room for all topics was made before the first is added. */
struct taxonomy_reader {
    struct jcheck *c;
    struct arena *a;
    struct taxonomy_topic *topics;
    size_t n;
};

static int str_compare(struct str x, struct str y) {
    size_t n = MIN(x.n, y.n);
    int order = n == 0 ? 0 : memcmp(x.p, y.p, n);
    return order != 0 ? order : (x.n > y.n) - (x.n < y.n);
}

static int topic_compare(const struct taxonomy_topic *x, const struct taxonomy_topic *y) {
    int order = str_compare(x->subject, y->subject);
    return order != 0 ? order : str_compare(x->topic, y->topic);
}

/* By name, then by text, so that which of two namesakes is kept does not depend on the sort. */
static int topic_sort_order(const void *vx, const void *vy) {
    const struct taxonomy_topic *x = vx, *y = vy;
    int order = topic_compare(x, y);
    order = order != 0 ? order : str_compare(y->description, x->description);
    return order != 0 ? order : str_compare(y->level, x->level);
}

static struct taxonomy taxonomy_of(struct taxonomy_topic *topics, size_t n) {
    size_t kept = 0;
    ASSERT(topics != NULL);
    qsort(topics, n, sizeof *topics, topic_sort_order);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || topic_compare(&topics[kept - 1], &topics[i]) != 0) {
            topics[kept++] = topics[i];
        }
    }
    return (struct taxonomy){.topics = topics, .n = kept};
}

/* A subject's or topic's name: trimmed, in the reader's arena; empty if it is none (told). */
static struct str taxonomy_name(struct taxonomy_reader *r, const char *pointer, struct str name) {
    name = str_trim(name);
    if (name.n == 0) {
        jcheck_fail(r->c, pointer, "a name must not be blank");
    } else if (name.n > TAXONOMY_NAME_BYTES_MAX) {
        jcheck_fail(r->c, pointer, "a name must be at most %zu bytes long, not %zu",
                    TAXONOMY_NAME_BYTES_MAX, name.n);
        name = (struct str){0};
    }
    return name.n == 0 ? name : str_dup(r->a, name);
}

static void taxonomy_add(struct taxonomy_reader *r, struct str subject, struct str topic,
                         struct jplace details) {
    struct str level = jcheck_str(r->c, details, "level", TAXONOMY_NAME_BYTES_MAX);
    struct str description =
        jcheck_str(r->c, details, "description", TAXONOMY_DESCRIPTION_BYTES_MAX);
    topic = taxonomy_name(r, details.pointer, topic);
    r->topics[r->n++] =
        (struct taxonomy_topic){.subject = subject,
                                .topic = topic,
                                .level = str_dup(r->a, str_trim(level)),
                                .description = str_dup(r->a, str_trim(description))};
}

/* ["Quadratics", {"topic": "Circles", "level": "…"}, …] */
static void taxonomy_read_array(struct taxonomy_reader *r, struct str subject,
                                struct jplace place) {
    for (size_t i = 0; i < jnode_len(place.node); i++) {
        struct jplace one = jcheck_element(r->c, place, i);
        enum jnode_type type = jnode_type(one.node);
        if (type == JNODE_STRING) {
            taxonomy_add(r, subject, jnode_str(one.node), (struct jplace){.pointer = one.pointer});
        } else if (type == JNODE_OBJECT &&
                   jcheck_is(r->c, jcheck_member(r->c, one, "topic"), JNODE_STRING, true)) {
            taxonomy_add(r, subject, jnode_get_str(one.node, "topic"), one);
        } else if (type != JNODE_OBJECT) {
            jcheck_fail(r->c, one.pointer,
                        "must be a topic's name or an object with \"topic\", not %s",
                        jnode_type_name(type));
        }
    }
}

/* {"Quadratics": {"level": "…", "description": "…"}, "Circles": null} */
static void taxonomy_read_object(struct taxonomy_reader *r, struct str subject,
                                 struct jplace place) {
    struct str topic;
    const struct jnode *details;
    void *i = NULL;
    while ((i = jnode_next(place.node, i, &topic, &details)) != NULL) {
        struct jplace one = jcheck_member(r->c, place, str_cstr(r->c->a, topic));
        (void)jcheck_is(r->c, one, JNODE_OBJECT, false); /* tells; null means no details */
        taxonomy_add(r, subject, topic, one);
    }
}

static void taxonomy_read_subject(struct taxonomy_reader *r, struct jplace place, struct str name) {
    struct str subject = taxonomy_name(r, place.pointer, name);
    enum jnode_type type = jnode_type(place.node);
    if (type != JNODE_ARRAY && type != JNODE_OBJECT) {
        jcheck_fail(r->c, place.pointer,
                    "must be an array of topics or an object of topic: {\"level\", "
                    "\"description\"}, not %s",
                    jnode_type_name(type));
    } else if (jnode_len(place.node) == 0) {
        jcheck_fail(r->c, place.pointer, "has no topics");
    } else if (type == JNODE_ARRAY) {
        taxonomy_read_array(r, subject, place);
    } else {
        taxonomy_read_object(r, subject, place);
    }
}

/* Room for @n topics; tells when there are none or too many. */
static bool taxonomy_make_room(struct taxonomy_reader *r, const char *pointer, size_t n) {
    if (n == 0 || n > TAXONOMY_TOPICS_MAX) {
        jcheck_fail(r->c, pointer, "must hold 1 to %d topics, not %zu", TAXONOMY_TOPICS_MAX, n);
        return false;
    }
    r->topics = ARENA_ARRAY(r->a, struct taxonomy_topic, n);
    return true;
}

static size_t taxonomy_count(const struct jnode *subjects) {
    struct str name;
    const struct jnode *topics;
    size_t n = 0;
    for (void *i = NULL; (i = jnode_next(subjects, i, &name, &topics)) != NULL;) {
        n += MAX((size_t)1, jnode_len(topics)); /* an empty or wrong one will tell */
    }
    return n;
}

bool taxonomy_read(struct jcheck *c, struct jplace place, struct arena *a, struct taxonomy *ret) {
    size_t errors = c->n;
    struct taxonomy_reader r = {.c = c, .a = a};
    if (!jcheck_is(c, place, JNODE_OBJECT, true)) {
        return false;
    }
    struct jplace inner = jcheck_member(c, place, "subjects");
    if (jnode_type(inner.node) == JNODE_OBJECT) {
        place = inner;
    }
    if (taxonomy_make_room(&r, place.pointer, taxonomy_count(place.node))) {
        struct str name;
        const struct jnode *topics;
        for (void *i = NULL; (i = jnode_next(place.node, i, &name, &topics)) != NULL;) {
            taxonomy_read_subject(&r, jcheck_member(c, place, str_cstr(c->a, name)), name);
        }
    }
    if (c->n == errors) {
        *ret = taxonomy_of(r.topics, r.n);
    }
    return c->n == errors;
}

bool taxonomy_read_list(struct jcheck *c, struct jplace place, struct arena *a,
                        struct taxonomy *ret) {
    size_t errors = c->n;
    struct taxonomy_reader r = {.c = c, .a = a};
    if (!jcheck_is(c, place, JNODE_ARRAY, true) ||
        !taxonomy_make_room(&r, place.pointer, jnode_len(place.node))) {
        return false;
    }
    for (size_t i = 0; i < jnode_len(place.node); i++) {
        struct jplace one = jcheck_element(c, place, i);
        struct taxonomy_topic topic = {0};
        struct errinfo info = {0};
        if (!jcheck_is(c, one, JNODE_STRING, true)) {
            continue;
        }
        if (taxonomy_topic_parse(jnode_str(one.node), &topic, &info) != ERR_OK) {
            jcheck_fail(c, one.pointer, "%s", info.text);
            continue;
        }
        taxonomy_add(&r, taxonomy_name(&r, one.pointer, topic.subject), topic.topic,
                     (struct jplace){.pointer = one.pointer});
    }
    if (c->n == errors) {
        *ret = taxonomy_of(r.topics, r.n);
    }
    return c->n == errors;
}

static void taxonomy_write_topic(const struct taxonomy_topic *t, struct jwrite *w) {
    jwrite_key_str(w, t->topic);
    jwrite_object(w);
    if (t->level.n > 0) {
        jwrite_key(w, "level");
        jwrite_str(w, t->level);
    }
    if (t->description.n > 0) {
        jwrite_key(w, "description");
        jwrite_str(w, t->description);
    }
    jwrite_end(w);
}

void taxonomy_write(const struct taxonomy *t, struct jwrite *w) {
    jwrite_object(w);
    jwrite_key(w, "subjects"); /* always, or a subject of that name would be read as the wrapping */
    jwrite_object(w);
    for (size_t i = 0; i < t->n;) {
        struct str subject = t->topics[i].subject;
        jwrite_key_str(w, subject);
        jwrite_object(w);
        for (; i < t->n && str_eq(t->topics[i].subject, subject); i++) {
            taxonomy_write_topic(&t->topics[i], w);
        }
        jwrite_end(w);
    }
    jwrite_end(w);
    jwrite_end(w);
}

bool taxonomy_eq(const struct taxonomy *x, const struct taxonomy *y) {
    bool same = x->n == y->n;
    for (size_t i = 0; same && i < x->n; i++) {
        const struct taxonomy_topic *s = &x->topics[i], *t = &y->topics[i];
        same = topic_compare(s, t) == 0 && str_eq(s->level, t->level) &&
               str_eq(s->description, t->description);
    }
    return same;
}

enum err taxonomy_topic_parse(struct str text, struct taxonomy_topic *ret, struct errinfo *reterr) {
    size_t slash = str_find_char(text, '/');
    struct str subject = str_trim(str_take(text, slash));
    struct str topic = slash == STR_NPOS ? S("") : str_trim(str_skip(text, slash + 1));
    if (subject.n == 0 || topic.n == 0) {
        return errinfo_set(reterr, ERR_INVALID,
                           "\"%.*s\" is not a topic: write Subject/Topic, such as "
                           "\"Algebra/Quadratics\"",
                           STR_ARG(str_take_utf8(text, 100)));
    }
    *ret = (struct taxonomy_topic){.subject = subject, .topic = topic};
    return ERR_OK;
}
