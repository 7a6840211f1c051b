/* digest.h - inside the room: OpenSSL's hashes. */
#ifndef STUMPER_API_DIGEST_H
#define STUMPER_API_DIGEST_H

#include "base/str.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX_BYTES 65 /* with its NUL */

/** SHA-256 of @text in hex. */
void digest_hex(struct str text, char ret[DIGEST_HEX_BYTES]);

/** HMAC-SHA256 of @text. */
void digest_hmac(struct str secret, struct str text, unsigned char ret[DIGEST_BYTES]);

/** Compare in a time that does not depend on where they differ. */
bool digest_same(const char *a, const char *b, size_t n);

/** Base64 with padding: @text encoded into @ret, room for (n + 2) / 3 * 4 + 1 bytes / decoded;
 * false if it is none or longer than @ret_max. */
void digest_base64(const unsigned char *bytes, size_t n, char *ret);
NODISCARD bool digest_unbase64(struct str text, unsigned char *ret, size_t ret_max, size_t *ret_n);

#endif
