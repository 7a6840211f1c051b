/* Whatever a taxonomy holds, its errors are told, or it is sorted, each topic once, and written and
 * read back as the same one. */
#include "core/taxonomy.h"
#include "fuzz.h"
#include "json/yaml.h"

#include <string.h>

#define TREE_BYTES_MAX ((size_t)64 * 1024 * 1024)

static int compare(struct str x, struct str y) {
    size_t n = MIN(x.n, y.n);
    int order = n > 0 ? memcmp(x.p, y.p, n) : 0;
    return order != 0 ? order : (x.n > y.n) - (x.n < y.n);
}

static void in_order(const struct taxonomy *t) {
    ASSERT(t->n >= 1 && t->n <= TAXONOMY_TOPICS_MAX);
    for (size_t i = 0; i < t->n; i++) {
        const struct taxonomy_topic *one = &t->topics[i];
        ASSERT(one->subject.n > 0 && one->subject.n <= TAXONOMY_NAME_BYTES_MAX);
        ASSERT(one->topic.n > 0 && one->topic.n <= TAXONOMY_NAME_BYTES_MAX);
        ASSERT(one->description.n <= TAXONOMY_DESCRIPTION_BYTES_MAX);
        if (i > 0) {
            int order = compare(t->topics[i - 1].subject, one->subject);
            ASSERT(order < 0 || (order == 0 && compare(t->topics[i - 1].topic, one->topic) < 0));
        }
    }
}

static void read_back(const struct taxonomy *t, struct arena *a) {
    struct sbuf text;
    struct jwrite w;
    struct jcheck check;
    struct taxonomy again;
    const struct jnode *doc;
    sbuf_init(&text, TREE_BYTES_MAX);
    jwrite_init(&w, &text);
    taxonomy_write(t, &w);
    ASSERT(jnode_parse(sbuf_str(&text), a, &doc, NULL) == ERR_OK);
    jcheck_init(&check, a);
    ASSERT(taxonomy_read(&check, (struct jplace){.node = doc, .pointer = ""}, a, &again));
    ASSERT(taxonomy_eq(t, &again));
    sbuf_release(&text);
}

static void read_as(bool (*read)(struct jcheck *c, struct jplace place, struct arena *a,
                                 struct taxonomy *ret),
                    const struct jnode *doc, struct arena *a) {
    struct jcheck check;
    struct taxonomy t;
    jcheck_init(&check, a);
    if (read(&check, (struct jplace){.node = doc, .pointer = ""}, a, &t)) {
        ASSERT(check.n == 0);
        in_order(&t);
        read_back(&t, a);
    } else {
        ASSERT(check.n > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    const struct jnode *doc;
    struct taxonomy_topic topic;
    struct errinfo why = {0};
    struct str text = {(const char *)data, size};
    arena_init(&a, TREE_BYTES_MAX);
    if (jnode_parse(text, &a, &doc, NULL) == ERR_OK || yaml_parse(text, &a, &doc, NULL) == ERR_OK) {
        read_as(taxonomy_read, doc, &a);
        read_as(taxonomy_read_list, doc, &a);
    }
    if (taxonomy_topic_parse(text, &topic, &why) == ERR_OK) {
        ASSERT(topic.subject.n > 0 && topic.topic.n > 0);
    } else {
        ASSERT(why.text[0] != '\0');
    }
    arena_release(&a);
    return 0;
}
