#include "api/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

void digest_hex(struct str text, char ret[DIGEST_HEX_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[DIGEST_BYTES];
    unsigned n = sizeof digest;
    ASSERT(EVP_Digest(text.p, text.n, digest, &n, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        ret[2 * i] = digits[digest[i] >> 4];
        ret[2 * i + 1] = digits[digest[i] & 15];
    }
    ret[2 * sizeof digest] = '\0';
}

void digest_hmac(struct str secret, struct str text, unsigned char ret[DIGEST_BYTES]) {
    unsigned n = DIGEST_BYTES;
    ASSERT(HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)text.p, text.n, ret,
                &n) != NULL);
}

bool digest_same(const char *a, const char *b, size_t n) {
    return CRYPTO_memcmp(a, b, n) == 0;
}

void digest_base64(const unsigned char *bytes, size_t n, char *ret) {
    (void)EVP_EncodeBlock((unsigned char *)ret, bytes, (int)n); /* cannot fail */
}

bool digest_unbase64(struct str text, unsigned char *ret, size_t ret_max, size_t *ret_n) {
    size_t padding = str_ends(text, S("==")) ? 2 : str_ends(text, S("=")) ? 1 : 0;
    size_t first = str_find_char(text, '=');
    if (text.n == 0 || text.n % 4 != 0 || text.n / 4 * 3 > ret_max ||
        (first != STR_NPOS && first + padding < text.n)) {
        return false;
    }
    int n = EVP_DecodeBlock(ret, (const unsigned char *)text.p, (int)text.n);
    if (n < 0) {
        return false;
    }
    *ret_n = (size_t)n - padding;
    return true;
}
