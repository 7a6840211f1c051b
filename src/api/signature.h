/* signature.h - inside the room: signing webhooks as Standard Webhooks says. */
#ifndef STUMPER_API_SIGNATURE_H
#define STUMPER_API_SIGNATURE_H

#include "base/err.h"
#include "base/str.h"

#define SIGNATURE_SECRETS_MAX 4
#define SIGNATURE_SECRET_BYTES_MIN ((size_t)24)
#define SIGNATURE_SECRET_BYTES_MAX ((size_t)64)
#define SIGNATURE_HEADER_BYTES 256
#define SIGNATURE_TEXT_BYTES 96 /* of one as text */

struct signature_secrets {
    unsigned char bytes[SIGNATURE_SECRETS_MAX][SIGNATURE_SECRET_BYTES_MAX];
    size_t sizes[SIGNATURE_SECRETS_MAX];
    size_t n;
};

/** Read "whsec_… whsec_…". ERR_INVALID, without telling them. */
NODISCARD enum err signature_read(struct str text, struct signature_secrets *ret,
                                  struct errinfo *reterr);

/** The secrets of the API key of public id @key_id: each of @service's makes one; "": @service's.
 */
void signature_derive(const struct signature_secrets *service, const char *key_id,
                      struct signature_secrets *ret);

/** The first of them, "whsec_…". */
void signature_text(const struct signature_secrets *secrets, char ret[SIGNATURE_TEXT_BYTES]);

/** "v1,… v1,…": HMAC-SHA256 of "id.seconds.body" with each secret. */
void signature_make(const struct signature_secrets *secrets, const char *id, int64_t seconds,
                    struct str body, struct arena *a, char ret[SIGNATURE_HEADER_BYTES]);

/** Seconds until the try after @tries of them, with up to a tenth more by @luck (0..1): -1 if there
 * is none. */
int64_t signature_retry_s(int64_t tries, double luck);

#endif
