/*
 * token.c
 *		Secrets for links: shown once, kept as a hash.
 */
#include "postgres.h"

#include "common/base64.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "token.h"

PG_FUNCTION_INFO_V1(scrm_make_token);
PG_FUNCTION_INFO_V1(scrm_make_signing_code);

#define TOKEN_BYTES 32
/* base64 of 32 bytes: 43 characters and one of padding */
#define TOKEN_CHARACTERS 43
#define SIGNING_CODES 1000000

Datum
scrm_make_token(PG_FUNCTION_ARGS pg_attribute_unused())
{
	PG_RETURN_TEXT_P(token_make());
}

/* 32 random bytes in base64url (RFC 4648, section 5), without padding */
text *
token_make(void)
{
	uint8 bytes[TOKEN_BYTES];
	char token[TOKEN_CHARACTERS + 2];

	if (!pg_strong_random(bytes, TOKEN_BYTES))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("the system gives no random bytes")));
	if (pg_b64_encode((const void *) bytes, TOKEN_BYTES, token, TOKEN_CHARACTERS + 1) !=
		TOKEN_CHARACTERS + 1)
		elog(ERROR, "base64 of a token has another length");
	for (int i = 0; i < TOKEN_CHARACTERS; i++)
	{
		if (token[i] == '+')
			token[i] = '-';
		else if (token[i] == '/')
			token[i] = '_';
	}
	return cstring_to_text_with_len(token, TOKEN_CHARACTERS);
}

/* Six digits. Numbers above the last whole million are thrown away: they would favour the low ones */
Datum
scrm_make_signing_code(PG_FUNCTION_ARGS pg_attribute_unused())
{
	uint32 number;

	do
	{
		if (!pg_strong_random(&number, sizeof(number)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR), errmsg("the system gives no random bytes")));
	} while (number >= PG_UINT32_MAX / SIGNING_CODES * SIGNING_CODES);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%06u", number % SIGNING_CODES)));
}
