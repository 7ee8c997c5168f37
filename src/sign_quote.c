/*
 * sign_quote.c
 *		The customer signs.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "batch.h"
#include "compat.h"
#include "digest.h"
#include "error.h"
#include "insert.h"
#include "json.h"
#include "plan.h"
#include "quote_rule.h"
#include "record.h"
#include "signature.h"
#include "signature_png.h"

PG_FUNCTION_INFO_V1(scrm_sign_quote);

#define CONSENT_MAX_CHARACTERS 10000
#define USER_AGENT_MAX_CHARACTERS 1000

/* The arguments of sign_quote() */
enum
{
	SIGN_TOKEN,
	SIGN_SNAPSHOT_SHA256,
	SIGN_SIGNER_NAME,
	SIGN_SIGNER_EMAIL,
	SIGN_SIGNATURE_PNG,
	SIGN_IP,
	SIGN_USER_AGENT,
	SIGN_REQUEST_KEY,
	SIGN_CONSENT_TEXT,
	SIGN_CODE,
};

/* What is written of them, and when it was */
static const RowColumn columns[] = {
	{"quote_id", INT8OID},
	{"quote_link_id", INT8OID},
	{"signer_name", TEXTOID},
	{"signer_email", TEXTOID},
	{"image", BYTEAOID},
	{"consent_text", TEXTOID},
	{"ip", INETOID},
	{"user_agent", TEXTOID},
	{"signed_at", TIMESTAMPTZOID},
	{"snapshot_sha256", BYTEAOID},
	{"attachment_id", INT8OID},
};
static RowMap signature_map = ROW_MAP("signature", columns);

static Datum request_payload(const NullableDatum *arguments);
static void check_signature(const NullableDatum *arguments, const Answer *answer);
static void use_code(int64 quote_link_id, NullableDatum code);
static void write_signature(const NullableDatum *arguments, const Answer *answer);
static NullableDatum trimmed(NullableDatum value);
static NullableDatum beginning(NullableDatum value, int max_characters);
static char *hex_or_null(NullableDatum bytes);
static char *text_or_null(NullableDatum value);

/* See the enum: status text, answered_at timestamptz */
Datum
scrm_sign_quote(PG_FUNCTION_ARGS)
{
	NullableDatum arguments[SIGN_CODE + 1];
	PlanRole before;
	Datum payload;
	Answer answer;
	Datum values[2];
	bool nulls[2] = {false, false};

	memcpy(arguments, fcinfo->args, sizeof(arguments));
	/* Once, instead of for each row that is written */
	plan_enter(&before, plan_owner());
	payload = request_payload(arguments);
	answer = answer_check(arguments[SIGN_TOKEN], arguments[SIGN_REQUEST_KEY], payload);
	if (!answer.is_repeated)
	{
		check_signature(arguments, &answer);
		write_signature(arguments, &answer);
		answer.status = CStringGetTextDatum(quote_status_names[QUOTE_SIGNED]);
		answer_remember(answer.quote_id, arguments[SIGN_REQUEST_KEY], payload, answer.status,
						answer.answered_at);
	}
	plan_leave(&before);
	values[0] = answer.status;
	values[1] = TimestampTzGetDatum(answer.answered_at);
	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

/* request_payload is what makes a request the same one. */
static Datum
request_payload(const NullableDatum *arguments)
{
	NullableDatum image = arguments[SIGN_SIGNATURE_PNG];
	JsonbParseState *state = NULL;

	if (!image.isnull)
		image.value = DirectFunctionCall1(sha256_bytea, image.value);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "name", text_or_null(arguments[SIGN_SIGNER_NAME]));
	json_push_text(&state, "email", text_or_null(arguments[SIGN_SIGNER_EMAIL]));
	json_push_text(&state, "image", hex_or_null(image));
	json_push_text(&state, "answer", "sign");
	json_push_text(&state, "consent", text_or_null(arguments[SIGN_CONSENT_TEXT]));
	json_push_text(&state, "snapshot", hex_or_null(arguments[SIGN_SNAPSHOT_SHA256]));
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* check_signature: errors SC105, 22023, SC108. */
static void
check_signature(const NullableDatum *arguments, const Answer *answer)
{
	NullableDatum hash = arguments[SIGN_SNAPSHOT_SHA256];

	if (hash.isnull ||
		!DatumGetBool(DirectFunctionCall2(byteaeq, hash.value, answer->snapshot_sha256)))
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_READ),
						errmsg("quote %s is not the one that was read",
							   TextDatumGetCString(answer->number)),
						errdetail("The hash given is not that of the quote."),
						errhint("Read it again, then sign.")));
	answer_check_person(arguments[SIGN_SIGNER_NAME], arguments[SIGN_SIGNER_EMAIL], "signer", true);
	if (!answer_says_something(arguments[SIGN_CONSENT_TEXT], CONSENT_MAX_CHARACTERS))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("what the signer agrees to is missing or too long"),
						errhint("Give the sentence as it was shown, of up to 10,000 characters."),
						err_generic_string(PG_DIAG_COLUMN_NAME, "consent_text")));
	if (!arguments[SIGN_SIGNATURE_PNG].isnull)
		(void) signature_png_check(DatumGetByteaPP(arguments[SIGN_SIGNATURE_PNG].value));
	if (answer->needs_code)
		use_code(answer->quote_link_id, arguments[SIGN_CODE]);
}

static void
use_code(int64 quote_link_id, NullableDatum code)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.use_signing_code($1, $2)",
		.nargs = 2,
		.argtypes = {INT8OID, TEXTOID},
	};
	Datum values[] = {Int64GetDatum(quote_link_id), code.value};
	const char nulls[] = {' ', code.isnull ? 'n' : ' '};

	plan_begin();
	(void) plan_run(&plan, PLAN_WRITE, values, nulls);
	plan_end();
}

/* write_signature inserts the signature, and what follows from it. */
static void
write_signature(const NullableDatum *arguments, const Answer *answer)
{
	static Insert insert = {.map = &signature_map};
	NullableDatum signature[] = {
		batch_value(Int64GetDatum(answer->quote_id)),
		batch_value(Int64GetDatum(answer->quote_link_id)),
		trimmed(arguments[SIGN_SIGNER_NAME]),
		trimmed(arguments[SIGN_SIGNER_EMAIL]),
		arguments[SIGN_SIGNATURE_PNG],
		arguments[SIGN_CONSENT_TEXT],
		arguments[SIGN_IP],
		beginning(arguments[SIGN_USER_AGENT], USER_AGENT_MAX_CHARACTERS),
		batch_value(TimestampTzGetDatum(answer->answered_at)),
		arguments[SIGN_SNAPSHOT_SHA256],
		batch_value(Int64GetDatum(signature_next_document())),
	};
	OpenInsert open;

	if (insert_row_begin(&open, &insert, signature))
		signature_apply(answer->quote_id, &open);
	else
	{
		signature[lengthof(signature) - 1] = batch_null();
		(void) insert_row(&insert, signature, NULL);
		signature_apply(answer->quote_id, NULL);
	}
}

/* trimmed takes blanks off both ends; what is nothing then is NULL. */
static NullableDatum
trimmed(NullableDatum value)
{
	if (value.isnull)
		return value;
	value.value = DirectFunctionCall1(btrim1, value.value);
	value.isnull = VARSIZE_ANY_EXHDR(DatumGetTextPP(value.value)) == 0;
	return value;
}

static NullableDatum
beginning(NullableDatum value, int max_characters)
{
	const text *whole;

	if (value.isnull)
		return value;
	whole = DatumGetTextPP(value.value);
	value.value = PointerGetDatum(cstring_to_text_with_len(
		VARDATA_ANY(whole),
		pg_mbcharcliplen(VARDATA_ANY(whole), VARSIZE_ANY_EXHDR(whole), max_characters)));
	return value;
}

static char *
hex_or_null(NullableDatum bytes)
{
	return bytes.isnull ? NULL : digest_hex(DatumGetByteaPP(bytes.value));
}

static char *
text_or_null(NullableDatum value)
{
	return value.isnull ? NULL : TextDatumGetCString(value.value);
}
