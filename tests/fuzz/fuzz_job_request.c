/* Whatever is posted as a job, it is refused with its errors named, or it is a job that is written
 * and read back as the same one, with and without its taxonomy. */
#include "core/job.h"
#include "fuzz.h"

#define TREE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define TEXT_BYTES_MAX ((size_t)64 * 1024 * 1024)

static const struct taxonomy_topic topic = {{"a", 1}, {"b", 1}, {NULL, 0}, {NULL, 0}};
static const struct taxonomy builtin = {&topic, 1};

static void read_back(const struct job_spec *spec, const struct taxonomy *taxonomy,
                      void (*write)(const struct job_spec *, struct jwrite *), struct arena *a) {
    struct sbuf text;
    struct jwrite w;
    struct jcheck check;
    struct job_spec again;
    const struct jnode *doc;
    sbuf_init(&text, TEXT_BYTES_MAX);
    jwrite_init(&w, &text);
    write(spec, &w);
    ASSERT(!sbuf_overflowed(&text));
    ASSERT(jnode_parse(sbuf_str(&text), a, &doc, NULL) == ERR_OK);
    jcheck_init(&check, a);
    ASSERT(job_spec_read(&check, doc, taxonomy, a, &again) && check.n == 0);
    ASSERT(job_spec_difference(spec, &again) == NULL);
    ASSERT(spec->priority == again.priority && str_eq(spec->webhook_url, again.webhook_url));
    sbuf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct jcheck check;
    struct job_spec spec;
    const struct jnode *doc;
    const struct job_models models[ROLE_COUNT] = {{.n = 1, .v[0] = {S("sim"), S("x")}}};
    struct errinfo why = {0};
    arena_init(&a, TREE_BYTES_MAX);
    if (jnode_parse((struct str){(const char *)data, size}, &a, &doc, &why) == ERR_OK) {
        jcheck_init(&check, &a);
        if (job_spec_read_over(&check, doc, &builtin, models, &a, &spec)) {
            ASSERT(check.n == 0);
            read_back(&spec, &builtin, job_spec_write, &a);
            read_back(&spec, &spec.taxonomy, job_spec_write_rest, &a);
        } else {
            ASSERT(check.n > 0 && check.first != NULL);
        }
    } else {
        ASSERT(why.text[0] != '\0');
    }
    arena_release(&a);
    return 0;
}
