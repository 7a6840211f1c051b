/* What models there are, as each provider lists them. */
#include "sim/exchange.h"

#include "base/clock.h"

#include <stdio.h>

static const char *const models_names[] = {"engineer", "checker", "target", EMBED_MODEL};

static void models_openai(const char *name, int64_t created_s, struct jwrite *w) {
    format_str(w, "id", name);
    format_str(w, "object", "model");
    format_int(w, "created", created_s);
    format_str(w, "owned_by", "stumper");
}

static void models_anthropic(const char *name, int64_t created_s, struct jwrite *w) {
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(created_s * 1000, time);
    format_str(w, "type", "model");
    format_str(w, "id", name);
    format_str(w, "display_name", name);
    format_str(w, "created_at", time);
    format_int(w, "max_input_tokens", 200000);
    format_int(w, "max_tokens", 64000);
}

static void models_gemini(const char *name, struct jwrite *w) {
    char path[80];
    (void)snprintf(path, sizeof path, "models/%s", name);
    format_str(w, "name", path);
    format_str(w, "version", "001");
    format_str(w, "displayName", name);
    format_int(w, "inputTokenLimit", 1048576);
    format_int(w, "outputTokenLimit", 65536);
    jwrite_key(w, "supportedGenerationMethods");
    jwrite_raw(w, S("[\"generateContent\"]"));
}

static void models_write(const struct exchange *x, const char *name, struct jwrite *w) {
    int64_t created_s = clock_wall_ms() / 1000;
    jwrite_object(w);
    if (x->dialect == DIALECT_OPENAI) {
        models_openai(name, created_s, w);
    } else if (x->dialect == DIALECT_ANTHROPIC) {
        models_anthropic(name, created_s, w);
    } else {
        models_gemini(name, w);
    }
    jwrite_end(w);
}

double models_list(struct exchange *x) {
    size_t n = ARRAY_LEN(models_names) - (x->dialect != DIALECT_OPENAI); /* who embeds */
    struct jwrite w;
    jwrite_init(&w, &x->answer.body->data);
    jwrite_object(&w);
    jwrite_key(&w, x->dialect == DIALECT_GEMINI ? "models" : "data");
    jwrite_array(&w);
    for (size_t i = 0; i < n; i++) {
        models_write(x, models_names[i], &w);
    }
    jwrite_end(&w);
    if (x->dialect == DIALECT_OPENAI) {
        format_str(&w, "object", "list");
    } else if (x->dialect == DIALECT_ANTHROPIC) {
        jwrite_key(&w, "has_more");
        jwrite_bool(&w, false);
        format_str(&w, "first_id", models_names[0]);
        format_str(&w, "last_id", models_names[n - 1]);
    }
    jwrite_end(&w);
    return 0;
}

double models_one(struct exchange *x) {
    struct jwrite w;
    jwrite_init(&w, &x->answer.body->data);
    for (size_t i = 0; i < ARRAY_LEN(models_names); i++) {
        if (str_eq(x->name, str_of(models_names[i]))) {
            models_write(x, models_names[i], &w);
            return 0;
        }
    }
    EXCHANGE_REFUSE(x, TROUBLE_MODEL, "model", NULL, "The model '%.*s' does not exist",
                    STR_ARG(str_take(x->name, 60)));
    return 0;
}
