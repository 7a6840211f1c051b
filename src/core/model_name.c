/* Names such as "openai/gpt-5.4-mini". Providers are looked up in lower case, so "OpenAI/…" works
 * too; the model is passed on exactly as it is spelled. */
#include "core/job.h"

#define MODEL_NAME_BYTES_MAX ((size_t)256)

static bool provider_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* The provider's name in lower case; empty if it is not one. */
static struct str provider_lower(struct str text, struct arena *a) {
    char *lower = arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (!provider_char(lower[i])) {
            return (struct str){0};
        }
    }
    return lower[0] == '_' || lower[0] == '-' ? (struct str){0} : (struct str){lower, text.n};
}

static bool model_is_clean(struct str model) {
    for (size_t i = 0; i < model.n; i++) {
        if ((unsigned char)model.p[i] <= ' ' || model.p[i] == 0x7f) {
            return false;
        }
    }
    return str_is_utf8(model);
}

enum err model_name_parse(struct str text, struct arena *a, struct model_name *ret,
                          struct errinfo *reterr) {
    text = str_trim(text);
    size_t slash = str_find_char(text, '/');
    if (text.n > MODEL_NAME_BYTES_MAX) {
        return errinfo_set(reterr, ERR_INVALID, "a model name has at most %zu bytes",
                           MODEL_NAME_BYTES_MAX);
    }
    if (slash == STR_NPOS) {
        return errinfo_set(reterr, ERR_INVALID,
                           "\"%.*s\" names no provider: write provider/model, such as "
                           "openai/gpt-5.4-mini",
                           STR_ARG(text));
    }
    struct str provider = provider_lower(str_take(text, slash), a);
    struct str model = str_dup(a, str_skip(text, slash + 1));
    if (provider.n == 0) {
        return errinfo_set(reterr, ERR_INVALID,
                           "\"%.*s\" does not begin with a provider's name (letters, digits, '-' "
                           "and '_', then a slash)",
                           STR_ARG(text));
    }
    if (model.n == 0 || !model_is_clean(model)) {
        return errinfo_set(reterr, ERR_INVALID, "\"%.*s\": %s", STR_ARG(text),
                           model.n == 0 ? "the model's name is missing after the slash"
                                        : "a model's name holds no white space");
    }
    *ret = (struct model_name){.provider = provider, .model = model};
    return ERR_OK;
}
