/*
 * digest.c
 *		SHA-256 of snapshots, documents and files.
 *
 * Whoever freezes a quote computes the hashes, and the guard of quote does not take anybody's word
 * for them; the bytes of the last snapshot and document are kept with their hashes, so that the
 * guard compares bytes instead of writing the jsonb as text and hashing once more. So does the CHECK of
 * attachment_content with the content that was hashed when it was attached.
 *
 * Memory: the caller's; what is remembered lives as long as the session.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "digest.h"
#include "json.h"

PG_FUNCTION_INFO_V1(scrm_document_sha256);
PG_FUNCTION_INFO_V1(scrm_snapshot_sha256);

/* Larger values are hashed each time */
#define MAX_REMEMBERED (256 * 1024)

typedef struct Remembered
{
	char *bytes; /* NULL = nothing */
	size_t length;
	uint8 hash[PG_SHA256_DIGEST_LENGTH];
} Remembered;

static bytea *hash_bytes(const char *bytes, size_t length);
static bytea *look_up(const Remembered *last, const char *bytes, size_t length);
static void remember(Remembered *last, const char *bytes, size_t length, const bytea *hash);

/* document text: bytea */
Datum
scrm_document_sha256(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(digest_of_text(PG_GETARG_TEXT_PP(0)));
}

/* snapshot jsonb: bytea */
Datum
scrm_snapshot_sha256(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(digest_of_jsonb(PG_GETARG_JSONB_P(0)));
}

bytea *
digest_of_string(const char *string, size_t length)
{
	char *utf8 = pg_server_to_any(string, (int) length, PG_UTF8);

	return hash_bytes(utf8, utf8 != string ? strlen(utf8) : length);
}

char *
digest_hex(const bytea *bytes)
{
	size_t length = VARSIZE_ANY_EXHDR(bytes);
	char *text = palloc(2 * length + 1);

	text[hex_encode(VARDATA_ANY(bytes), length, text)] = '\0';
	return text;
}

bytea *
digest_of_text(text *given)
{
	static Remembered last;
	const char *bytes = VARDATA_ANY(given);
	size_t length = VARSIZE_ANY_EXHDR(given);
	bytea *hash = look_up(&last, bytes, length);

	if (hash == NULL)
	{
		hash = digest_of_string(bytes, length);
		remember(&last, bytes, length, hash);
	}
	return hash;
}

bytea *
digest_of_jsonb(Jsonb *given)
{
	static Remembered last;
	size_t length = VARSIZE(given);
	bytea *hash = look_up(&last, (const char *) given, length);

	if (hash == NULL)
	{
		const char *string = json_write(&given->root, (int) length);

		hash = digest_of_string(string, strlen(string));
		remember(&last, (const char *) given, length, hash);
	}
	return hash;
}

bytea *
digest_of_bytes(const bytea *given)
{
	static Remembered last;
	const char *bytes = VARDATA_ANY(given);
	size_t length = VARSIZE_ANY_EXHDR(given);
	bytea *hash = look_up(&last, bytes, length);

	if (hash == NULL)
	{
		hash = hash_bytes(bytes, length);
		remember(&last, bytes, length, hash);
	}
	return hash;
}

/* bytea: bytea */
Datum
digest_sha256(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(digest_of_bytes(PG_GETARG_BYTEA_PP(0)));
}

static bytea *
hash_bytes(const char *bytes, size_t length)
{
	bytea *hash = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	SET_VARSIZE(hash, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) bytes, length) < 0 ||
		pg_cryptohash_final(context, (uint8 *) VARDATA(hash), PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256: %s", pg_cryptohash_error(context));
	pg_cryptohash_free(context);
	return hash;
}

static bytea *
look_up(const Remembered *last, const char *bytes, size_t length)
{
	bytea *hash;

	if (last->bytes == NULL || last->length != length || memcmp(last->bytes, bytes, length) != 0)
		return NULL;
	hash = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	SET_VARSIZE(hash, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	memcpy(VARDATA(hash), last->hash, PG_SHA256_DIGEST_LENGTH);
	return hash;
}

static void
remember(Remembered *last, const char *bytes, size_t length, const bytea *hash)
{
	if (last->bytes != NULL)
		pfree(last->bytes);
	last->bytes = NULL;
	if (length > MAX_REMEMBERED)
		return;
	last->bytes = MemoryContextAlloc(TopMemoryContext, Max(length, 1));
	last->length = length;
	memcpy(last->bytes, bytes, length);
	memcpy(last->hash, VARDATA(hash), PG_SHA256_DIGEST_LENGTH);
}
