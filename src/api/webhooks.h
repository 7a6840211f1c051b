/* webhooks.h - inside the room: telling others that a job has ended.
 *
 * By the rules of Standard Webhooks: signed with a secret of the job's API key (webhook-id,
 * webhook-timestamp, webhook-signature: HMAC-SHA256), at least once, tried again for three days.
 * Only a 2xx within WEBHOOK_TIMEOUT_MS counts; redirects are not followed; 410 ends it. A name is
 * looked up here, every address that is not public is refused (unless the operator allows them),
 * and the connection goes to the address that was checked.
 */
#ifndef STUMPER_API_WEBHOOKS_H
#define STUMPER_API_WEBHOOKS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_TIMEOUT_MS 20000
#define WEBHOOK_AT_ONCE 32

struct api;
struct webhooks;

struct webhooks *webhooks_new(struct api *api);

/** What signs the webhooks of the jobs of an API key, as text (SIGNATURE_TEXT_BYTES); false: none
 * are sent. */
bool webhooks_secret(const struct webhooks *w, const char *key_id, char *ret);

/** Something may be due: deliver it. */
void webhooks_wake(struct webhooks *w);

/** No more tries are begun, those under way are ended. */
void webhooks_stop(struct webhooks *w);
void webhooks_free(struct webhooks *w);

#endif
