/* Problems to start from. What Stumper does not know about a seed it keeps: the reference is the
 * whole seed, with sorted members, so that the same seed always gives the same text. */
#include "core/job.h"

#define SEED_ANSWER_BYTES_MAX ((size_t)16 * 1024)
#define SEED_SOURCE_BYTES_MAX ((size_t)1024)
#define SEED_SCRATCH_BYTES_MAX (2 * JOB_SEED_BYTES_MAX)

static bool seed_is_scalar(const struct jnode *j) {
    enum jnode_type type = jnode_type(j);
    return type == JNODE_STRING || type == JNODE_INT || type == JNODE_REAL;
}

/* A string or a number as text; absent or null gives the empty text. */
static struct str seed_scalar(struct jcheck *c, struct jplace seed, const char *key,
                              size_t bytes_max, struct arena *a) {
    const struct jnode *j = jnode_get(seed.node, key);
    if (seed_is_scalar(j) && jnode_type(j) != JNODE_STRING) {
        return jnode_text(j, a);
    }
    return str_dup(a, str_trim(jcheck_str(c, seed, key, bytes_max)));
}

static struct str seed_tags(struct jcheck *c, struct jplace seed, struct arena *a) {
    struct jplace tags = jcheck_member(c, seed, "tags");
    if (!jcheck_is(c, tags, JNODE_ARRAY, false)) {
        return S("");
    }
    for (size_t i = 0; i < jnode_len(tags.node); i++) {
        if (jnode_type(jnode_at(tags.node, i)) != JNODE_STRING) {
            (void)jcheck_is(c, jcheck_element(c, tags, i), JNODE_STRING, true);
        }
    }
    return jnode_text(tags.node, a);
}

/* @object, sorted JSON text that is not "{}", with one more member in its place. */
static struct str seed_add_member(struct str object, const char *key, struct str value,
                                  struct arena *a) {
    struct arena scratch;
    struct sbuf text;
    struct jwrite w;
    const struct jnode *tree = NULL;
    arena_init(&scratch, SEED_SCRATCH_BYTES_MAX);
    sbuf_init(&text, SEED_SCRATCH_BYTES_MAX);
    jwrite_init(&w, &text);
    jwrite_object(&w);
    jwrite_key(&w, key);
    jwrite_str(&w, value);
    sbuf_add_char(&text, ',');
    sbuf_add(&text, str_skip(object, 1)); /* its members and its closing brace */
    enum err e = jnode_parse(sbuf_str(&text), &scratch, &tree, NULL);
    ASSERT(e == ERR_OK); /* written from a parsed tree */
    struct str sorted = jnode_text_sorted(tree, a);
    sbuf_release(&text);
    arena_release(&scratch);
    return sorted;
}

/* The whole seed, with the benchmark's name where it has none. */
static struct str seed_reference(struct jplace seed, struct str benchmark_name, struct arena *a) {
    struct str text = jnode_text_sorted(seed.node, a);
    bool named = benchmark_name.n == 0 || jnode_get(seed.node, "benchmark_name") != NULL;
    if (named || text.n > JOB_SEED_BYTES_MAX) {
        return text;
    }
    return seed_add_member(text, "benchmark_name", benchmark_name, a);
}

bool job_seed_read(struct jcheck *c, struct jplace place, struct str benchmark_name,
                   struct arena *a, struct job_seed *ret) {
    size_t errors = c->n;
    if (!jcheck_is(c, place, JNODE_OBJECT, true)) {
        return false;
    }
    struct jplace problem = jcheck_member(c, place, "problem");
    struct job_seed seed = {
        .problem = str_trim(jcheck_str(c, place, "problem", JOB_SEED_PROBLEM_BYTES_MAX)),
        .answer = seed_scalar(c, place, "answer", SEED_ANSWER_BYTES_MAX, a),
        .source_id = seed_scalar(c, place, "source_id", SEED_SOURCE_BYTES_MAX, a),
        .tags = seed_tags(c, place, a),
    };
    if (c->n == errors && seed.problem.n == 0) {
        jcheck_fail(c, problem.pointer, "must be a problem's text, not empty");
    }
    if (c->n != errors) {
        return false;
    }
    seed.problem = str_dup(a, seed.problem);
    seed.reference = seed_reference(place, benchmark_name, a);
    if (seed.reference.n > JOB_SEED_BYTES_MAX) {
        jcheck_fail(c, place.pointer, "a seed must be at most %zu bytes long, not %zu",
                    JOB_SEED_BYTES_MAX, seed.reference.n);
        return false;
    }
    *ret = seed;
    return true;
}
