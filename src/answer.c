/*
 * answer.c
 *		What sign_quote(), request_change() and decline_quote() begin and end with: may this quote be
 *		answered, by whom, and was it asked before.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "batch.h"
#include "compat.h"
#include "digest.h"
#include "error.h"
#include "format.h"
#include "insert.h"
#include "json.h"
#include "lookup.h"
#include "quote.h"
#include "quote_link.h"
#include "quote_rule.h"
#include "quote_template.h"
#include "record.h"

PG_FUNCTION_INFO_V1(scrm_check_person);
PG_FUNCTION_INFO_V1(scrm_check_answer);
PG_FUNCTION_INFO_V1(scrm_remember_answer);

#define PERSON_NAME_MAX_CHARACTERS 200
#define EMAIL_MAX_CHARACTERS 320
#define REQUEST_KEY_MAX_CHARACTERS 200

/* Results of answers by their request_key */
typedef enum AnswerColumn
{
	ANSWER_QUOTE_ID,
	ANSWER_REQUEST_KEY,
	ANSWER_PAYLOAD_SHA256,
	ANSWER_STATUS,
	ANSWER_ANSWERED_AT,
} AnswerColumn;

#define ANSWER_COLUMNS (ANSWER_ANSWERED_AT + 1)

static const RowColumn answer_columns[ANSWER_COLUMNS] = {
	[ANSWER_QUOTE_ID] = {"quote_id", INT8OID},
	[ANSWER_REQUEST_KEY] = {"request_key", TEXTOID},
	[ANSWER_PAYLOAD_SHA256] = {"payload_sha256", BYTEAOID},
	[ANSWER_STATUS] = {"status", TEXTOID},
	[ANSWER_ANSWERED_AT] = {"answered_at", TIMESTAMPTZOID},
};
static RowMap answer_map = ROW_MAP("quote_answer", answer_columns);

/* What check_answer() returns, in the order of its arguments */
typedef enum CheckedColumn
{
	CHECKED_QUOTE_ID,
	CHECKED_QUOTE_LINK_ID,
	CHECKED_NUMBER,
	CHECKED_SNAPSHOT_SHA256,
	CHECKED_NEEDS_CODE,
	CHECKED_STATUS,
	CHECKED_ANSWERED_AT,
	CHECKED_IS_REPEATED,
} CheckedColumn;

#define CHECKED_COLUMNS (CHECKED_IS_REPEATED + 1)

static bool matches(Datum value, const char *pattern);
static int characters_of(const text *value);
static void check_request_key(NullableDatum request_key);
static bool find_answer(int64 quote_id, Datum request_key, Datum payload, Row *answer);
static void check_open(const Row *quote);
static bytea *payload_digest(Datum payload);
static char *moment_in_utc(TimestampTz at);

/* name text, email text, role text, required boolean */
Datum
scrm_check_person(PG_FUNCTION_ARGS)
{
	answer_check_person(fcinfo->args[0], fcinfo->args[1], text_to_cstring(PG_GETARG_TEXT_PP(2)),
						PG_GETARG_BOOL(3));
	PG_RETURN_VOID();
}

void
answer_check_person(NullableDatum name, NullableDatum email, const char *role, bool required)
{
	if ((required && (name.isnull || !matches(name.value, "\\S"))) ||
		(!name.isnull && (characters_of(DatumGetTextPP(name.value)) > PERSON_NAME_MAX_CHARACTERS ||
						  matches(name.value, "[[:cntrl:]]"))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name of the %s is missing or not possible", role),
						errhint("Give a name of up to %d characters, without control characters.",
								PERSON_NAME_MAX_CHARACTERS),
						err_generic_string(PG_DIAG_COLUMN_NAME, psprintf("%s_name", role))));
	if (!email.isnull && matches(email.value, "\\S") &&
		(characters_of(DatumGetTextPP(email.value)) > EMAIL_MAX_CHARACTERS ||
		 !matches(DirectFunctionCall1(btrim1, email.value),
				  "^[^@[:space:][:cntrl:]<>,;]+@[^@[:space:][:cntrl:]<>,;]+$")))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("e-mail address of the %s is not possible", role),
						errhint("Give one address, such as an@example.com, or none."),
						err_generic_string(PG_DIAG_COLUMN_NAME, psprintf("%s_email", role))));
}

bool
answer_says_something(NullableDatum value, int max_characters)
{
	return !value.isnull && matches(value.value, "\\S") &&
		   characters_of(DatumGetTextPP(value.value)) <= max_characters;
}

/* token text, request_key text, payload jsonb: see CheckedColumn */
Datum
scrm_check_answer(PG_FUNCTION_ARGS)
{
	Answer answer = answer_check(fcinfo->args[0], fcinfo->args[1], PG_GETARG_DATUM(2));
	Datum values[CHECKED_COLUMNS] = {
		[CHECKED_QUOTE_ID] = Int64GetDatum(answer.quote_id),
		[CHECKED_QUOTE_LINK_ID] = Int64GetDatum(answer.quote_link_id),
		[CHECKED_NUMBER] = answer.number,
		[CHECKED_SNAPSHOT_SHA256] = answer.snapshot_sha256,
		[CHECKED_NEEDS_CODE] = BoolGetDatum(answer.needs_code),
		[CHECKED_STATUS] = answer.status,
		[CHECKED_ANSWERED_AT] = TimestampTzGetDatum(answer.answered_at),
		[CHECKED_IS_REPEATED] = BoolGetDatum(answer.is_repeated),
	};
	bool nulls[CHECKED_COLUMNS] = {
		[CHECKED_NUMBER] = answer.is_repeated,
		[CHECKED_SNAPSHOT_SHA256] = answer.is_repeated,
		[CHECKED_NEEDS_CODE] = answer.is_repeated,
	};

	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

Answer
answer_check(NullableDatum token, NullableDatum request_key, Datum payload)
{
	QuoteLink link = quote_link_find(token.isnull ? NULL : DatumGetTextPP(token.value), true);
	Answer answer = {.quote_id = link.quote_id, .quote_link_id = link.quote_link_id};
	Row before;
	Row quote;

	check_request_key(request_key);
	answer.is_repeated = find_answer(link.quote_id, request_key.value, payload, &before);
	if (answer.is_repeated)
	{
		answer.status = row_value(&before, ANSWER_STATUS);
		answer.answered_at = DatumGetTimestampTz(row_value(&before, ANSWER_ANSWERED_AT));
		return answer;
	}
	if (!quote_find(link.quote_id, LOOKUP_STATEMENT, &quote))
		elog(ERROR, "quote " INT64_FORMAT " of a link is not there", link.quote_id);
	check_open(&quote);
	answer.number = row_value(&quote, QUOTE_COLUMN_NUMBER);
	answer.snapshot_sha256 = row_value(&quote, QUOTE_COLUMN_SNAPSHOT_SHA256);
	answer.needs_code = answer_needs_code(&quote);
	answer.status = row_value(&quote, QUOTE_COLUMN_STATUS);
	answer.answered_at = GetCurrentTimestamp();
	return answer;
}

/* quote_id bigint, request_key text, payload jsonb, status text, answered_at timestamptz */
Datum
scrm_remember_answer(PG_FUNCTION_ARGS)
{
	answer_remember(PG_GETARG_INT64(0), fcinfo->args[1], PG_GETARG_DATUM(2), PG_GETARG_DATUM(3),
					PG_GETARG_TIMESTAMPTZ(4));
	PG_RETURN_VOID();
}

void
answer_remember(int64 quote_id, NullableDatum request_key, Datum payload, Datum status,
				TimestampTz answered_at)
{
	static Insert insert = {.map = &answer_map};
	NullableDatum answer[ANSWER_COLUMNS] = {
		[ANSWER_QUOTE_ID] = batch_value(Int64GetDatum(quote_id)),
		[ANSWER_REQUEST_KEY] = request_key,
		[ANSWER_PAYLOAD_SHA256] = batch_value(PointerGetDatum(payload_digest(payload))),
		[ANSWER_STATUS] = batch_value(status),
		[ANSWER_ANSWERED_AT] = batch_value(TimestampTzGetDatum(answered_at)),
	};

	(void) insert_row(&insert, answer, NULL);
}

/* matches says whether a text matches a regular expression, as ~ does. */
static bool
matches(Datum value, const char *pattern)
{
	return DatumGetBool(DirectFunctionCall2Coll(textregexeq, DEFAULT_COLLATION_OID, value,
												CStringGetTextDatum(pattern)));
}

static int
characters_of(const text *value)
{
	return pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static void
check_request_key(NullableDatum request_key)
{
	int length = request_key.isnull ? 0 : characters_of(DatumGetTextPP(request_key.value));

	if (length < 1 || length > REQUEST_KEY_MAX_CHARACTERS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("request_key is missing or too long"),
						errhint("Give each answer a key of its own, of up to %d characters, and "
								"the same when repeating it.",
								REQUEST_KEY_MAX_CHARACTERS),
						err_generic_string(PG_DIAG_COLUMN_NAME, "request_key")));
}

/* find_answer finds the result of the same request. Errors: SC107 when it said something else. */
static bool
find_answer(int64 quote_id, Datum request_key, Datum payload, Row *answer)
{
	static Lookup lookup = {
		.map = &answer_map,
		.ncolumns = 2,
		.columns = {ANSWER_QUOTE_ID, ANSWER_REQUEST_KEY},
	};
	Datum key[] = {Int64GetDatum(quote_id), request_key};

	if (!lookup_row(&lookup, LOOKUP_STATEMENT, key, answer))
		return false;
	if (!DatumGetBool(DirectFunctionCall2(byteaeq, row_value(answer, ANSWER_PAYLOAD_SHA256),
										  PointerGetDatum(payload_digest(payload)))))
		ereport(ERROR, (errcode(ERRCODE_SCRM_REQUEST_KEY_USED),
						errmsg("request_key was used for another answer"),
						errhint("Repeat a request as it was, or use a new key.")));
	return true;
}

/* check_open: errors SC106, SC104 and SC102 for a quote that nobody can answer. */
static void
check_open(const Row *quote)
{
	QuoteStatus status = quote_status(quote);
	char *number = TextDatumGetCString(row_value(quote, QUOTE_COLUMN_NUMBER));
	DateADT valid_until = DatumGetDateADT(row_value(quote, QUOTE_COLUMN_VALID_UNTIL));
	bool is_open = (IN(status) & IN_OPEN) != 0;

	if ((IN(status) & IN_ANSWERED) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_ANSWERED), errmsg("quote %s was answered", number),
				 errdetail("It is %s since %s.", quote_status_names[status],
						   moment_in_utc(
							   DatumGetTimestampTz(row_value(quote, QUOTE_COLUMN_ANSWERED_AT))))));
	if (status == QUOTE_EXPIRED || (is_open && quote_is_past(quote)))
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_EXPIRED), errmsg("quote %s has expired", number),
						errdetail("Its last day was %s.", format_iso_day(valid_until)),
						errhint("Ask the seller for a new one.")));
	if (!is_open)
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_OPEN),
						errmsg("quote %s is not open for an answer", number),
						errdetail("It is %s.", quote_status_names[status]),
						errhint("Ask the seller for the present one.")));
}

bool
answer_needs_code(const Row *quote)
{
	const QuoteTemplate *template =
		quote_template_get(DatumGetInt64(row_value(quote, QUOTE_COLUMN_QUOTE_TEMPLATE_ID)));
	Jsonb *snapshot;
	char *gross;
	Datum number;

	if (template->code_above.isnull || row_is_null(quote, QUOTE_COLUMN_SNAPSHOT))
		return false;
	snapshot = DatumGetJsonbP(row_value(quote, QUOTE_COLUMN_SNAPSHOT));
	gross = json_text(json_container(&snapshot->root, "totals"), "gross");
	if (gross == NULL)
		return false;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(gross), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	return DatumGetBool(DirectFunctionCall2(numeric_ge, number, template->code_above.value));
}

/* payload_digest is sha256(convert_to(payload::text, 'UTF8')). */
static bytea *
payload_digest(Datum payload)
{
	Jsonb *given = DatumGetJsonbP(payload);
	char *text = json_write(&given->root, VARSIZE(given));

	return digest_of_string(text, strlen(text));
}

static char *
moment_in_utc(TimestampTz at)
{
	struct pg_tm tm = {0};
	fsec_t fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("time of an answer is out of range")));
	return psprintf("%04d-%02d-%02d %02d:%02d UTC", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour,
					tm.tm_min);
}
