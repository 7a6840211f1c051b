/* Anthropic's Message Batches: the order holds the questions; answers and errors come as the lines
 * of one document. Nothing of ours is shown with a batch: it is known by the ids in its results. */
#include "llm/batch_wire.h"

#include <stdio.h>
#include <time.h>

static struct str anthropic_make_url(const struct llm_provider *p, struct arena *a) {
    return wire_versioned_url(p->base_url, "/v1", "/messages/batches", a);
}

static struct str anthropic_list_url(const struct llm_provider *p, const char *after,
                                     struct arena *a) {
    return str_fmt(a, "%s?limit=100%s%s", anthropic_make_url(p, a).p,
                   after[0] != '\0' ? "&after_id=" : "", after);
}

static struct str anthropic_one_url(const struct llm_provider *p, const char *id, struct arena *a) {
    return str_fmt(a, "%s/%s", anthropic_make_url(p, a).p, id);
}

static struct str anthropic_cancel_url(const struct llm_provider *p, const char *id,
                                       struct arena *a) {
    return str_fmt(a, "%s/%s/cancel", anthropic_make_url(p, a).p, id);
}

/* --- requests -------------------------------------------------------------------------------- */

static const char *anthropic_content_type(const char *mark, struct arena *a) {
    (void)mark, (void)a;
    return "Content-Type: application/json";
}

static void anthropic_open(const char *mark, struct sbuf *out) {
    (void)mark;
    sbuf_add_cstr(out, "{\"requests\":[");
}

static void anthropic_add(const struct batch_wire *w, const char *custom_id, bool first,
                          struct str body, struct sbuf *out) {
    (void)w;
    sbuf_addf(out, "%s{\"custom_id\":\"%s\",\"params\":", first ? "" : ",", custom_id);
    sbuf_add(out, body);
    sbuf_add_char(out, '}');
}

static void anthropic_close(const char *mark, struct sbuf *out) {
    (void)mark;
    sbuf_add_cstr(out, "]}");
}

/* --- replies --------------------------------------------------------------------------------- */

/* "2026-11-26T18:37:24.100435Z" to the second; -1 if it is no time. */
static int64_t anthropic_time_ms(struct str text) {
    struct tm tm = {0};
    char buf[64];
    (void)snprintf(buf, sizeof buf, "%.*s", STR_ARG(text)); /* cut, it is none */
    return strptime(buf, "%Y-%m-%dT%H:%M:%S", &tm) == NULL ? -1 : (int64_t)timegm(&tm) * 1000;
}

static bool anthropic_told(const struct llm_provider *p, const struct jnode *doc, struct arena *a,
                           struct batch_told *ret) {
    static const char *const counts[] = {"processing", "succeeded", "errored", "canceled",
                                         "expired"};
    bool ended = str_eq(jnode_get_str(doc, "processing_status"), S("ended"));
    *ret = (struct batch_told){.progress = ended ? BATCH_ENDED : BATCH_UNDER_WAY,
                               .created_ms = anthropic_time_ms(jnode_get_str(doc, "created_at"))};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t n = jnode_get_int(jnode_get(doc, "request_counts"), counts[i], 0);
        ret->calls += MIN(MAX(n, 0), INT64_C(1000000));
    }
    bool good = batch_take_id(jnode_get_str(doc, "id"), ret->id);
    if (good && ended) {
        ret->results[0] = str_fmt(a, "%s/%s/results", anthropic_make_url(p, a).p, ret->id);
    }
    return good;
}

/* An error says by its name what it is, as one inside a 200 does. */
static bool anthropic_result(const struct jnode *line, struct arena *a, struct batch_result *ret) {
    const struct jnode *result = jnode_get(line, "result");
    struct str type = jnode_get_str(result, "type");
    bool good = str_eq(type, S("succeeded"));
    const struct jnode *body = jnode_get(result, good ? "message" : "error");
    *ret = (struct batch_result){.custom_id = jnode_get_str(line, "custom_id"),
                                 .answered = jnode_type(body) == JNODE_OBJECT,
                                 .status = 200,
                                 .reason = type};
    if (ret->answered) {
        ret->body = jnode_text(body, a);
    }
    return ret->custom_id.n > 0;
}

const struct batch_wire batch_anthropic = {.make_url = anthropic_make_url,
                                           .list_url = anthropic_list_url,
                                           .one_url = anthropic_one_url,
                                           .cancel_url = anthropic_cancel_url,
                                           .content_type = anthropic_content_type,
                                           .open = anthropic_open,
                                           .add = anthropic_add,
                                           .close = anthropic_close,
                                           .told = anthropic_told,
                                           .result = anthropic_result};
