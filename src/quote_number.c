/*
 * quote_number.c
 *		Numbers quotes, year by year.
 *
 * Whoever numbers one takes the row of the year, so that whoever comes second waits, and gets the
 * number again that a rollback gives back. The year is that of now(), as in created_at.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "batch.h"
#include "company_row.h"
#include "compat.h"
#include "configuration.h"
#include "lookup.h"
#include "plan.h"
#include "quote.h"
#include "quote_number.h"
#include "row_lock.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_format_quote_number);

typedef enum CounterColumn
{
	COUNTER_YEAR,
	COUNTER_LAST,
} CounterColumn;

static const RowColumn columns[] = {
	[COUNTER_YEAR] = {"year", INT4OID},
	[COUNTER_LAST] = {"last", INT8OID},
};
static RowMap table_map = ROW_MAP("quote_counter", columns);

static int32 this_year(void);
static int64 count_up(int32 year);
static int64 begin_year(int32 year);
static bool is_taken(text *number);
static char *write_number(const char *format, int32 year, int64 number);
static bool find_zeros(const char *format, const char **zeros, size_t *length);

/* format text, year integer, number bigint: text; NULL where the format has no place for the number */
Datum
scrm_format_quote_number(PG_FUNCTION_ARGS)
{
	char *number =
		write_number(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT32(1), PG_GETARG_INT64(2));

	if (number == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(number));
}

text *
quote_number_next(void)
{
	Row company = company_get();
	char *format = row_text(&company, COMPANY_QUOTE_NUMBER_FORMAT);
	int32 year = this_year();
	text *number;

	/* An import may have brought it */
	do
		number = cstring_to_text(write_number(format, year, count_up(year)));
	while (is_taken(number));
	return number;
}

static int32
this_year(void)
{
	DateADT today =
		configuration_local_date(configuration_get(), GetCurrentTransactionStartTimestamp());
	int year;
	int month;
	int day;

	j2date(today + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return year;
}

/* count_up returns the next number of a year, whose row is locked from now on. */
static int64
count_up(int32 year)
{
	static Update update = {
		.lookup = {.map = &table_map, .ncolumns = 1, .columns = {COUNTER_YEAR}},
		.ncolumns = 1,
		.columns = {COUNTER_LAST},
	};
	Row counter;
	NullableDatum next;

	if (!row_lock(&update.lookup, Int32GetDatum(year), LockTupleNoKeyExclusive, &counter))
		return begin_year(year);
	next = batch_value(Int64GetDatum(DatumGetInt64(row_value(&counter, COUNTER_LAST)) + 1));
	if (!update_row(&update, Int32GetDatum(year), &next))
		elog(ERROR, "counter of quotes was not written");
	return DatumGetInt64(next.value);
}

/* begin_year makes the row of a year, unless somebody else did it meanwhile. */
static int64
begin_year(int32 year)
{
	static ScrmPlan plan = {
		.sql = "INSERT INTO sales_crm.quote_counter AS c (year, last) VALUES ($1, 1)"
			   " ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING c.last",
		.nargs = 1,
		.argtypes = {INT4OID},
	};
	Datum values[] = {Int32GetDatum(year)};
	int64 number;

	plan_begin();
	(void) plan_run(&plan, PLAN_WRITE, values, NULL);
	number = DatumGetInt64(plan_value(SPI_tuptable, 0, 1).value);
	plan_end();
	return number;
}

static bool
is_taken(text *number)
{
	static Lookup lookup = {.map = &quote_table, .ncolumns = 1, .columns = {QUOTE_COLUMN_NUMBER}};
	Datum key[] = {PointerGetDatum(number)};
	Row quote;

	return lookup_row(&lookup, LOOKUP_STATEMENT, key, &quote);
}

/* write_number puts year and number in their places, NULL without a place for the number. */
static char *
write_number(const char *format, int32 year, int64 number)
{
	static const char year_place[] = "{year}";
	const char *zeros;
	size_t length;
	StringInfoData text;

	if (!find_zeros(format, &zeros, &length))
		return NULL;
	initStringInfo(&text);
	for (const char *next = format; *next != '\0';)
	{
		if (strncmp(next, zeros, length) == 0)
		{
			appendStringInfo(&text, "%0*lld", (int) length - 2, (long long) number);
			next += length;
		}
		else if (strncmp(next, year_place, sizeof(year_place) - 1) == 0)
		{
			appendStringInfo(&text, "%d", year);
			next += sizeof(year_place) - 1;
		}
		else
			appendStringInfoChar(&text, *next++);
	}
	return text.data;
}

/* find_zeros finds the first place for a number: {0}, {00} and so on. */
static bool
find_zeros(const char *format, const char **zeros, size_t *length)
{
	for (const char *brace = strchr(format, '{'); brace != NULL; brace = strchr(brace + 1, '{'))
	{
		size_t digits = strspn(brace + 1, "0");

		if (digits > 0 && brace[1 + digits] == '}')
		{
			*zeros = brace;
			*length = digits + 2;
			return true;
		}
	}
	return false;
}
