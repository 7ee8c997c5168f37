/*
 * standard_webhook.h
 *		Signs webhooks as the Standard Webhooks specification 1.0.0 says.
 */
#ifndef SCRM_STANDARD_WEBHOOK_H
#define SCRM_STANDARD_WEBHOOK_H

#include <glib.h>

/*
 * The value of the header webhook-signature: one signature per secret, in their order, with spaces
 * between. A secret is whsec_ and the base64 of 24 to 64 bytes (v1, HMAC-SHA256), or whsk_ and the
 * base64 of an ed25519 seed of 32 bytes, which its public key may follow (v1a).
 *
 * Returns NULL, and a sentence without the secret in *problem, where there is no secret, one
 * cannot be read, or the id could be mistaken for another part of what is signed.
 */
extern char *standard_webhook_sign(const char *const *secrets, const char *id, gint64 timestamp,
								   const char *body, gsize length, const char **problem);

#endif /* SCRM_STANDARD_WEBHOOK_H */
