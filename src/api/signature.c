#include "api/signature.h"

#include "api/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE_PREFIX "whsec_"

enum err signature_read(struct str text, struct signature_secrets *ret, struct errinfo *reterr) {
    const struct str prefix = S(SIGNATURE_PREFIX);
    *ret = (struct signature_secrets){.n = 0};
    while (text.n > 0) {
        struct str one = str_trim(str_split(&text, ' '));
        size_t n = 0;
        if (one.n == 0) {
            continue;
        }
        if (ret->n == SIGNATURE_SECRETS_MAX) {
            return errinfo_set(reterr, ERR_INVALID, "there may be %d webhook secrets at most",
                               SIGNATURE_SECRETS_MAX);
        }
        if (!str_starts(one, prefix) ||
            !digest_unbase64(str_skip(one, prefix.n), ret->bytes[ret->n],
                             SIGNATURE_SECRET_BYTES_MAX, &n) ||
            n < SIGNATURE_SECRET_BYTES_MIN) {
            return errinfo_set(reterr, ERR_INVALID,
                               "a webhook secret must be \"whsec_\" and %zu to %zu bytes in base64",
                               SIGNATURE_SECRET_BYTES_MIN, SIGNATURE_SECRET_BYTES_MAX);
        }
        ret->sizes[ret->n++] = n;
    }
    return ret->n > 0 ? ERR_OK : errinfo_set(reterr, ERR_INVALID, "the webhook secret is empty");
}

void signature_derive(const struct signature_secrets *service, const char *key_id,
                      struct signature_secrets *ret) {
    *ret = *service;
    for (size_t i = 0; i < service->n && *key_id != '\0'; i++) {
        const struct str secret = {(const char *)service->bytes[i], service->sizes[i]};
        digest_hmac(secret, str_of(key_id), ret->bytes[i]);
        ret->sizes[i] = DIGEST_BYTES;
    }
}

void signature_text(const struct signature_secrets *secrets, char ret[SIGNATURE_TEXT_BYTES]) {
    digest_base64(secrets->bytes[0], secrets->sizes[0], stpcpy(ret, SIGNATURE_PREFIX));
}

void signature_make(const struct signature_secrets *secrets, const char *id, int64_t seconds,
                    struct str body, struct arena *a, char ret[SIGNATURE_HEADER_BYTES]) {
    struct str text = str_fmt(a, "%s.%" PRId64 ".%.*s", id, seconds, STR_ARG(body));
    size_t n = 0;
    for (size_t i = 0; i < secrets->n; i++) {
        unsigned char digest[DIGEST_BYTES];
        char base64[(DIGEST_BYTES + 2) / 3 * 4 + 1];
        struct str secret = {(const char *)secrets->bytes[i], secrets->sizes[i]};
        digest_hmac(secret, text, digest);
        digest_base64(digest, sizeof digest, base64);
        n += (size_t)snprintf(ret + n, SIGNATURE_HEADER_BYTES - n, "%sv1,%s", i > 0 ? " " : "",
                              base64);
        ASSERT(n < SIGNATURE_HEADER_BYTES);
    }
}

int64_t signature_retry_s(int64_t tries, double luck) {
    enum { MINUTE = 60, HOUR = 3600 };
    static const int64_t schedule_s[] = {5,         5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR,
                                         10 * HOUR, 14 * HOUR,  20 * HOUR,   24 * HOUR};
    if (tries < 1 || tries > (int64_t)ARRAY_LEN(schedule_s)) {
        return -1;
    }
    int64_t s = schedule_s[tries - 1];
    return s + (int64_t)((double)s * luck / 10);
}
