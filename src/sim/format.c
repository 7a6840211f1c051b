#include "sim/format.h"

#include <inttypes.h>
#include <stdio.h>

void event_begin(const char *name, struct jwrite *w, struct sbuf *out) {
    if (name != NULL) {
        sbuf_addf(out, "event: %s\n", name);
    }
    sbuf_add_cstr(out, "data: ");
    jwrite_init(w, out);
    jwrite_object(w);
}

void event_end(struct jwrite *w) {
    jwrite_end(w);
    sbuf_add_cstr(w->out, "\n\n");
}

void event_error(const struct sim_error *e, enum dialect d, const char *name, bool stream,
                 struct sbuf *out) {
    if (stream && name != NULL) {
        sbuf_addf(out, "event: %s\n", name);
    }
    sbuf_add_cstr(out, stream ? "data: " : "");
    sim_error_write(e, d, NULL, out);
    sbuf_add_cstr(out, stream ? "\n\n" : "");
}

void format_str(struct jwrite *w, const char *key, const char *value) {
    jwrite_key(w, key);
    jwrite_cstr(w, value);
}

void format_int(struct jwrite *w, const char *key, int64_t value) {
    jwrite_key(w, key);
    jwrite_int(w, value);
}

void format_id(struct jwrite *w, const char *key, const char *prefix, const struct said *s) {
    char id[64];
    (void)snprintf(id, sizeof id, "%s%016" PRIx64 "%08" PRIx64, prefix, s->reply.luck,
                   s->reply.request_hash & UINT32_MAX);
    format_str(w, key, id);
}
