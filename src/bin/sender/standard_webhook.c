/*
 * standard_webhook.c
 *		Signs webhooks as the Standard Webhooks specification 1.0.0 says.
 *
 * What is signed is ID.TIMESTAMP.BODY: the bytes that are sent, never a second serialization of
 * them. Several secrets are for changing them without a gap; receivers take any that they know.
 */
#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "standard_webhook.h"

#define SYMMETRIC_PREFIX "whsec_"
#define ASYMMETRIC_PREFIX "whsk_"
#define MIN_SYMMETRIC 24
#define MAX_SYMMETRIC 64
#define ED25519_SEED 32
#define ED25519_PUBLIC 32
#define ED25519_SIGNATURE 64

static bool is_plain_id(const char *id);
static bool
append_signature(GString *header, const char *secret, const GString *content, const char **problem);
static guchar *decode(const char *text, gsize *length);
static bool
sign_symmetric(GString *header, const guchar *key, gsize length, const GString *content);
static bool
sign_asymmetric(GString *header, const guchar *key, gsize length, const GString *content);

char *
standard_webhook_sign(const char *const *secrets, const char *id, gint64 timestamp,
					  const char *body, gsize length, const char **problem)
{
	GString *content;
	GString *header;
	bool signed_all = true;

	if (secrets == NULL || secrets[0] == NULL)
	{
		*problem = "The webhook has no secret.";
		return NULL;
	}
	if (!is_plain_id(id))
	{
		*problem = "The id of the event has characters that a webhook-id must not have.";
		return NULL;
	}
	content = g_string_sized_new(length + 128);
	g_string_append_printf(content, "%s.%" G_GINT64_FORMAT ".", id, timestamp);
	g_string_append_len(content, body, length);
	header = g_string_new(NULL);
	for (int i = 0; secrets[i] != NULL && signed_all; i++)
		signed_all = append_signature(header, secrets[i], content, problem);
	g_string_free(content, TRUE);
	return g_string_free(header, !signed_all);
}

/* is_plain_id: a full stop would move the border between the id and what follows. */
static bool
is_plain_id(const char *id)
{
	for (const char *at = id; *at != '\0'; at++)
	{
		if (!g_ascii_isalnum(*at) && strchr("_-:", *at) == NULL)
			return false;
	}
	return *id != '\0';
}

static bool
append_signature(GString *header, const char *secret, const GString *content, const char **problem)
{
	bool symmetric = g_str_has_prefix(secret, SYMMETRIC_PREFIX);
	bool asymmetric = g_str_has_prefix(secret, ASYMMETRIC_PREFIX);
	gsize length = 0;
	guchar *key = NULL;
	bool done = false;

	if (symmetric || asymmetric)
		key = decode(secret + strlen(symmetric ? SYMMETRIC_PREFIX : ASYMMETRIC_PREFIX), &length);
	if (header->len > 0)
		g_string_append_c(header, ' ');
	if (key == NULL)
		*problem = "A secret of the webhook is neither whsec_ nor whsk_ with base64 behind it.";
	else if (symmetric && (length < MIN_SYMMETRIC || length > MAX_SYMMETRIC))
		*problem = "A secret whsec_ of the webhook has not between 24 and 64 bytes.";
	else if (asymmetric && length != ED25519_SEED && length != ED25519_SEED + ED25519_PUBLIC)
		*problem = "A secret whsk_ of the webhook is no ed25519 key.";
	else
	{
		done = symmetric ? sign_symmetric(header, key, length, content)
						 : sign_asymmetric(header, key, length, content);
		if (!done)
			*problem = "A secret of the webhook does not sign.";
	}
	if (key != NULL)
		OPENSSL_cleanse(key, length);
	g_free(key);
	return done;
}

/* decode reads base64 strictly: g_base64_decode leaves out what it does not know. */
static guchar *
decode(const char *text, gsize *length)
{
	gsize size = strlen(text);
	gsize padding = 0;
	guchar *bytes;

	while (padding < 2 && size > padding && text[size - 1 - padding] == '=')
		padding++;
	if (size == 0 || size % 4 != 0)
		return NULL;
	for (gsize i = 0; i < size - padding; i++)
	{
		if (!g_ascii_isalnum(text[i]) && text[i] != '+' && text[i] != '/')
			return NULL;
	}
	bytes = g_base64_decode(text, length);
	if (*length == size / 4 * 3 - padding)
		return bytes;
	g_free(bytes);
	return NULL;
}

static void
append_base64(GString *header, const char *version, const guchar *signature, gsize length)
{
	char *text = g_base64_encode(signature, length);

	g_string_append_printf(header, "%s,%s", version, text);
	g_free(text);
}

static bool
sign_symmetric(GString *header, const guchar *key, gsize length, const GString *content)
{
	guchar signature[EVP_MAX_MD_SIZE];
	unsigned int size = 0;

	if (HMAC(EVP_sha256(), key, (int) length, (const guchar *) content->str, content->len,
			 signature, &size) == NULL)
		return false;
	append_base64(header, "v1", signature, size);
	return true;
}

static bool
sign_asymmetric(GString *header, const guchar *key, gsize length, const GString *content)
{
	EVP_PKEY *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, ED25519_SEED);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	guchar signature[ED25519_SIGNATURE];
	guchar public[ED25519_PUBLIC];
	size_t size = sizeof(signature);
	size_t public_size = sizeof(public);
	bool done;

	/* A key whose two halves do not fit would sign what nobody can verify */
	done =
		pair != NULL && context != NULL &&
		EVP_PKEY_get_raw_public_key(pair, public, &public_size) == 1 &&
		(length == ED25519_SEED || memcmp(public, key + ED25519_SEED, ED25519_PUBLIC) == 0) &&
		EVP_DigestSignInit(context, NULL, NULL, NULL, pair) == 1 &&
		EVP_DigestSign(context, signature, &size, (const guchar *) content->str, content->len) == 1;
	if (done)
		append_base64(header, "v1a", signature, size);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pair);
	return done;
}
