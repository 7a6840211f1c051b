/* OpenAI's Batch API: the questions are the lines of a file that is uploaded first; answers come as
 * one file, errors as another. Our mark is in its metadata. */
#include "llm/batch_wire.h"

#include <string.h>

static struct str openai_upload_url(const struct llm_provider *p, struct arena *a) {
    return str_fmt(a, "%s/files", p->base_url);
}

static struct str openai_make_url(const struct llm_provider *p, struct arena *a) {
    return str_fmt(a, "%s/batches", p->base_url);
}

static struct str openai_list_url(const struct llm_provider *p, const char *after,
                                  struct arena *a) {
    return str_fmt(a, "%s/batches?limit=100%s%s", p->base_url, after[0] != '\0' ? "&after=" : "",
                   after);
}

static struct str openai_one_url(const struct llm_provider *p, const char *id, struct arena *a) {
    return str_fmt(a, "%s/batches/%s", p->base_url, id);
}

static struct str openai_cancel_url(const struct llm_provider *p, const char *id, struct arena *a) {
    return str_fmt(a, "%s/batches/%s/cancel", p->base_url, id);
}

/* --- requests -------------------------------------------------------------------------------- */

static const char *openai_content_type(const char *mark, struct arena *a) {
    return str_fmt(a, "Content-Type: multipart/form-data; boundary=%s", mark).p;
}

/* The mark ends no part too early: in the lines it does not stand in full. */
static void openai_open(const char *mark, struct sbuf *out) {
    sbuf_addf(out,
              "--%s\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
              "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s.jsonl\"\r\n"
              "Content-Type: application/jsonl\r\n\r\n",
              mark, mark, mark);
}

static void openai_add(const struct batch_wire *w, const char *custom_id, bool first,
                       struct str body, struct sbuf *out) {
    (void)first;
    sbuf_addf(out, "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"%s\",\"body\":", custom_id,
              w->endpoint);
    sbuf_add(out, body);
    sbuf_add_cstr(out, "}\n");
}

static void openai_close(const char *mark, struct sbuf *out) {
    sbuf_addf(out, "\r\n--%s--\r\n", mark);
}

static void openai_order(const struct batch_wire *w, const char *file, const char *mark,
                         struct sbuf *out) {
    sbuf_addf(out,
              "{\"input_file_id\":\"%s\",\"endpoint\":\"%s\",\"completion_window\":\"24h\","
              "\"metadata\":{\"stumper\":\"%s\"}}",
              file, w->endpoint, mark);
}

/* --- replies --------------------------------------------------------------------------------- */

static enum batch_progress openai_progress(struct str status) {
    static const char *const ends[] = {"completed", "expired", "cancelled"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_eq(status, str_of(ends[i]))) {
            return BATCH_ENDED;
        }
    }
    return str_eq(status, S("failed")) ? BATCH_REFUSED : BATCH_UNDER_WAY;
}

static bool openai_told(const struct llm_provider *p, const struct jnode *doc, struct arena *a,
                        struct batch_told *ret) {
    static const char *const files[BATCH_RESULTS_MAX] = {"output_file_id", "error_file_id"};
    const struct jnode *error = jnode_at(jnode_get(jnode_get(doc, "errors"), "data"), 0);
    struct str reason = jnode_get_str(error, "message");
    int64_t created_s = jnode_get_int(doc, "created_at", -1);
    *ret = (struct batch_told){
        .mark = jnode_get_str(jnode_get(doc, "metadata"), "stumper"),
        .progress = openai_progress(jnode_get_str(doc, "status")),
        .created_ms = created_s > 0 && created_s < INT64_MAX / 1000 ? created_s * 1000 : -1,
        .calls = jnode_get_int(jnode_get(doc, "request_counts"), "total", -1),
        .crowded = str_eq(jnode_get_str(error, "code"), S("token_limit_exceeded")),
        .reason = reason.n > 0 ? reason : S("the provider refused it and does not say why")};
    for (size_t i = 0; i < BATCH_RESULTS_MAX; i++) {
        char file[BATCH_ID_BYTES];
        if (batch_take_id(jnode_get_str(doc, files[i]), file)) {
            ret->results[i] = str_fmt(a, "%s/files/%s/content", p->base_url, file);
        }
    }
    return batch_take_id(jnode_get_str(doc, "id"), ret->id);
}

static bool openai_result(const struct jnode *line, struct arena *a, struct batch_result *ret) {
    const struct jnode *response = jnode_get(line, "response"), *error = jnode_get(line, "error");
    const struct jnode *body = jnode_get(response, "body");
    struct str reason = jnode_get_str(error, "message");
    *ret = (struct batch_result){.custom_id = jnode_get_str(line, "custom_id"),
                                 .answered = jnode_type(body) == JNODE_OBJECT,
                                 .reason = reason.n > 0 ? reason : jnode_get_str(error, "code")};
    if (ret->answered) {
        ret->status = (int)MIN(MAX(jnode_get_int(response, "status_code", 0), 0), 999);
        ret->body = jnode_text(body, a);
    }
    return ret->custom_id.n > 0;
}

#define OPENAI_BATCHES(endpoint_)                                                                  \
    {                                                                                              \
        .endpoint = (endpoint_), .keeps_marks = true, .upload_url = openai_upload_url,             \
        .make_url = openai_make_url, .list_url = openai_list_url, .one_url = openai_one_url,       \
        .cancel_url = openai_cancel_url, .content_type = openai_content_type, .open = openai_open, \
        .add = openai_add, .close = openai_close, .order = openai_order, .told = openai_told,      \
        .result = openai_result                                                                    \
    }

const struct batch_wire batch_openai_chat = OPENAI_BATCHES("/v1/chat/completions");
const struct batch_wire batch_openai_responses = OPENAI_BATCHES("/v1/responses");
