#include "api/key.h"

#include "api/digest.h"
#include "base/rng.h"

#include <string.h>

#define KEY_LETTERS 43 /* of 62 kinds: 256 bits */

/* Letters and digits only, so that a double click takes all of it. */
void key_new(char ret[KEY_TEXT_BYTES]) {
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const size_t prefix_n = sizeof KEY_PREFIX - 1, kinds = sizeof alphabet - 1;
    memcpy(ret, KEY_PREFIX, prefix_n);
    for (size_t i = 0; i < KEY_LETTERS;) {
        uint8_t b;
        rng_os(&b, sizeof b);
        if (b < 256 / kinds * kinds) { /* all letters equally likely */
            ret[prefix_n + i++] = alphabet[b % kinds];
        }
    }
    ret[prefix_n + KEY_LETTERS] = '\0';
}

void key_hash(struct str key, char ret[STORE_KEY_HASH_BYTES]) {
    digest_hex(key, ret);
}

static const struct {
    unsigned scope;
    const char *name;
} key_scopes[] = {
    {STORE_SCOPE_SUBMIT, "submit"}, {STORE_SCOPE_READ, "read"}, {STORE_SCOPE_ADMIN, "admin"}};

const char *key_scope_name(unsigned scope) {
    for (size_t i = 0; i < ARRAY_LEN(key_scopes); i++) {
        if (key_scopes[i].scope == scope) {
            return key_scopes[i].name;
        }
    }
    return "";
}

unsigned key_scope_from_name(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(key_scopes); i++) {
        if (str_eq(name, str_of(key_scopes[i].name))) {
            return key_scopes[i].scope;
        }
    }
    return 0;
}
