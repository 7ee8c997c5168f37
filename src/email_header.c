/*
 * email_header.c
 *		Texts and addresses that may stand in the header of an e-mail.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/json.h"

#include "compat.h"
#include "digest.h"
#include "email_header.h"

PG_FUNCTION_INFO_V1(scrm_header_text);
PG_FUNCTION_INFO_V1(scrm_is_address);
PG_FUNCTION_INFO_V1(scrm_hidden_address);

#define MAX_CHARACTERS 400
#define MAX_ADDRESS_BYTES 254

/* Characters of a problem that its detail shows */
#define SHOWN_CHARACTERS 60

static pg_wchar next_character(const char **at);
static bool is_control(pg_wchar character);
static bool is_break(pg_wchar character);
static char *trim(char *text, int length);
static char *beginning(const char *text);

/* value text: text */
Datum
scrm_header_text(PG_FUNCTION_ARGS)
{
	char *line = PG_ARGISNULL(0) ? NULL : email_header_text(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (line == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(line));
}

/* value text: boolean */
Datum
scrm_is_address(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) &&
				   email_address_is_valid(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/* address text: text */
Datum
scrm_hidden_address(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(email_address_hidden(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

char *
email_header_text(const char *text)
{
	StringInfoData line;
	bool broken = false;

	if (text == NULL)
		return NULL;
	initStringInfo(&line);
	for (const char *at = text; *at != '\0';)
	{
		const char *from = at;
		bool breaks = is_break(next_character(&at));

		if (!breaks)
			appendBinaryStringInfo(&line, from, (int) (at - from));
		else if (!broken)
			appendStringInfoChar(&line, ' ');
		broken = breaks;
	}
	return trim(line.data, pg_mbcharcliplen(line.data, line.len, MAX_CHARACTERS));
}

char *
email_header_check(const char *field, const char *text)
{
	bool fits;

	if (text == NULL)
		return NULL;
	fits = pg_mbstrlen(text) <= MAX_CHARACTERS;
	for (const char *at = text; *at != '\0' && fits;)
		fits = !is_control(next_character(&at));
	if (!fits)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of an e-mail is not one line of up to %d characters", field,
							   MAX_CHARACTERS),
						errdetail("It begins with %s.", beginning(text)),
						errhint("Leave line breaks and other control characters out."),
						err_generic_string(PG_DIAG_COLUMN_NAME, field)));
	return trim(pstrdup(text), (int) strlen(text));
}

bool
email_address_is_valid(const char *text)
{
	const char *sign = NULL;
	const char *at = text;

	if (strlen(text) > MAX_ADDRESS_BYTES)
		return false;
	while (*at != '\0')
	{
		const char *from = at;
		pg_wchar character = next_character(&at);

		if (character == '@' && (sign != NULL || from == text))
			return false;
		if (character == '@')
			sign = from;
		else if (is_break(character) || character == 0xa0 ||
				 (character < 0x80 && strchr("<>()[]\\,;:\"", (int) character) != NULL))
			return false;
	}
	return sign != NULL && sign[1] != '\0';
}

void
email_address_check(const char *field, const char *text)
{
	if (text != NULL && !email_address_is_valid(text))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s of an e-mail is not an address", field),
				 errdetail("It begins with %s.", beginning(text)),
				 errhint("Give one address, such as name@example.com, without display name."),
				 err_generic_string(PG_DIAG_COLUMN_NAME, field)));
}

char *
email_address_lower(const char *address)
{
	return str_tolower(address, strlen(address), DEFAULT_COLLATION_OID);
}

char *
email_address_hidden(const char *address)
{
	char *lower = email_address_lower(address);

	return psprintf("sha256:%s", digest_hex(digest_of_string(lower, strlen(lower))));
}

/* next_character returns the character at a place of a text, and goes on to the next. */
static pg_wchar
next_character(const char **at)
{
	pg_wchar character[2] = {(unsigned char) **at};
	int length = 1;

	if (IS_HIGHBIT_SET(**at))
	{
		length = pg_mblen(*at);
		(void) pg_mb2wchar_with_len(*at, character, length);
	}
	*at += length;
	return character[0];
}

static bool
is_control(pg_wchar character)
{
	return character < 0x20 || (character >= 0x7f && character <= 0x9f);
}

/* is_break says whether a character is a control character, a blank, or ends a line or paragraph. */
static bool
is_break(pg_wchar character)
{
	return is_control(character) || character == ' ' || character == 0x2028 || character == 0x2029;
}

/* trim cuts a text to a length in bytes, and blanks around that off; NULL when nothing is left. */
static char *
trim(char *text, int length)
{
	while (length > 0 && text[length - 1] == ' ')
		length--;
	text[length] = '\0';
	text += strspn(text, " ");
	return *text == '\0' ? NULL : text;
}

static char *
beginning(const char *text)
{
	StringInfoData quoted;

	initStringInfo(&quoted);
	escape_json(&quoted,
				pnstrdup(text, pg_mbcharcliplen(text, (int) strlen(text), SHOWN_CHARACTERS)));
	return quoted.data;
}
