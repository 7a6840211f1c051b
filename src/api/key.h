/* key.h - API keys as text: "sk-stumper-" and 256 random bits, of which the store keeps only a
 * digest. */
#ifndef STUMPER_API_KEY_H
#define STUMPER_API_KEY_H

#include "store/store_key.h"

#define KEY_PREFIX "sk-stumper-"
#define KEY_TEXT_BYTES 64 /* of a whole key with its NUL */

/** A new key. Shown once, to whoever asked for it. */
void key_new(char ret[KEY_TEXT_BYTES]);

/** Its digest as the store keeps it: SHA-256 in hex. A plain hash will do: nobody guesses 256
 * random bits. */
void key_hash(struct str key, char ret[STORE_KEY_HASH_BYTES]);

/** "submit", "read", "admin" / the scope of a name, 0 if there is none. */
const char *key_scope_name(unsigned scope);
unsigned key_scope_from_name(struct str name);

#endif
