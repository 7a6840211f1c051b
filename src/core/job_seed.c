/* Problems to start from. What Stumper does not know about a seed it keeps: the reference is the
 * whole seed, with sorted members, so that the same seed always gives the same text. */
#include "core/job.h"

#define SEED_ANSWER_BYTES_MAX ((size_t)16 * 1024)
#define SEED_SOURCE_BYTES_MAX ((size_t)1024)

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

/* The seed's members as one object, with the benchmark's name put in front where it is missing. */
static struct str seed_reference(struct jplace seed, struct str benchmark_name, struct arena *a) {
    struct str text = jnode_text_sorted(seed.node, a);
    if (benchmark_name.n == 0 || jnode_get(seed.node, "benchmark_name") != NULL) {
        return text;
    }
    struct sbuf name;
    struct jwrite w;
    sbuf_init(&name, JOB_SEED_BYTES_MAX);
    jwrite_init(&w, &name);
    jwrite_str(&w, benchmark_name);
    struct str whole = str_fmt(a, "{\"benchmark_name\":%.*s,%.*s", STR_ARG(sbuf_str(&name)),
                               STR_ARG(str_skip(text, 1)));
    sbuf_release(&name);
    return whole; /* a seed has a problem, so something follows the comma */
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
