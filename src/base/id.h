/* id.h - opaque identifiers that sort by time: a prefix and a UUIDv7 (RFC 9562, section 5.7) in
 * hex. */
#ifndef STUMPER_BASE_ID_H
#define STUMPER_BASE_ID_H

#define ID_BYTES 48

/** A new id such as "job_0199f3a2…" (prefix, underscore, 32 hex digits). @prefix: at most 12
 * letters. */
void id_new(const char *prefix, char ret[ID_BYTES]);

#endif
