#include "sim/form.h"

#include <ctype.h>
#include <string.h>

/* Offset behind the brace that closes the one before @from; text.n if none does. */
static size_t form_close(struct str text, size_t from) {
    int depth = 1;
    for (size_t i = from; i < text.n; i++) {
        if (text.p[i] == '\\') {
            i++;
        } else if (text.p[i] == '{') {
            depth++;
        } else if (text.p[i] == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return text.n + 1;
}

struct str form_final(struct str text) {
    size_t at = str_rfind(text, S("\\boxed{"));
    if (at == STR_NPOS) {
        return str_trim(text);
    }
    size_t from = at + sizeof "\\boxed{" - 1;
    return str_trim(str_take(str_skip(text, from), form_close(text, from) - 1 - from));
}

/* Length of what does not count at the start of @s, or 0. */
static size_t form_noise(struct str s) {
    static const char *const commands[] = {"\\left", "\\right", "\\displaystyle", "\\,", "\\;",
                                           "\\!",    "\\ "};
    if (s.p[0] != '\\') {
        return s.p[0] == '$' || s.p[0] == ' ' || s.p[0] == '\n';
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct str command = str_of(commands[i]);
        bool word = command.n > 2; /* and not the beginning of a longer one */
        if (str_starts(s, command) &&
            !(word && s.n > command.n && isalpha((unsigned char)s.p[command.n]))) {
            return command.n;
        }
    }
    return 0;
}

static bool form_is_frac(struct str s) {
    return s.p[0] == '\\' && (str_starts(s, S("\\dfrac")) || str_starts(s, S("\\tfrac")));
}

/* Behind "x=", "(x,y)=" or "f(x)=", if one of them comes first and there is one "=" only. */
static struct str form_without_name(struct str s) {
    size_t at = str_find_char(s, '=');
    if (at == STR_NPOS || at > 6 || str_find_char(str_skip(s, at + 1), '=') != STR_NPOS) {
        return s;
    }
    for (size_t i = 0; i < at; i++) {
        if (!isalpha((unsigned char)s.p[i]) && strchr("(),'", s.p[i]) == NULL) {
            return s;
        }
    }
    return str_skip(s, at + 1);
}

struct str form_plain(struct str answer, char buf[FORM_BYTES_MAX]) {
    struct str s = form_final(answer);
    size_t n = 0;
    while (s.n > 0 && n < FORM_BYTES_MAX) {
        size_t skip = form_noise(s);
        if (skip == 0) {
            buf[n++] = s.p[0];
            skip = form_is_frac(s) ? 2 : 1;
        }
        s = str_skip(s, skip);
    }
    while (n > 0 && buf[n - 1] == '.') {
        n--;
    }
    return form_without_name((struct str){buf, n});
}

bool form_same(struct str a, struct str b) {
    return form_find(&a, 1, b) == 0;
}

int form_find(const struct str *forms, size_t n, struct str answer) {
    char wanted_buf[FORM_BYTES_MAX], buf[FORM_BYTES_MAX];
    struct str wanted = form_plain(answer, wanted_buf);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(form_plain(forms[i], buf), wanted)) {
            return (int)i;
        }
    }
    return -1;
}
