/*
 * quote_freeze.c
 *		Freezes a draft when it is sent: its snapshot and document, with their hashes.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "digest.h"
#include "member.h"
#include "money.h"
#include "plan.h"
#include "quote.h"
#include "quote_freeze.h"
#include "quote_line.h"
#include "quote_rule.h"
#include "quote_snapshot.h"
#include "quote_template.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_freeze_quote);

static void require_items(const Row *quote, const Row *lines, int count);
static void check_discount(int64 quote_id);

/* quote_id bigint, of a draft that is locked */
Datum
scrm_freeze_quote(PG_FUNCTION_ARGS)
{
	Row quote = quote_require(fcinfo->args[0]);

	quote_freeze(&quote);
	PG_RETURN_VOID();
}

void
quote_freeze(const Row *quote)
{
	static Update update = {
		.lookup = {.map = &quote_table, .ncolumns = 1, .columns = {QUOTE_COLUMN_ID}},
		.ncolumns = 6,
		.columns = {QUOTE_COLUMN_STATUS, QUOTE_COLUMN_SENT_AT, QUOTE_COLUMN_SNAPSHOT,
					QUOTE_COLUMN_SNAPSHOT_SHA256, QUOTE_COLUMN_HTML, QUOTE_COLUMN_HTML_SHA256},
	};
	Datum quote_id = row_value(quote, QUOTE_COLUMN_ID);
	DateADT today =
		configuration_local_date(configuration_get(), GetCurrentTransactionStartTimestamp());
	Row *lines;
	int count = quote_line_rows(DatumGetInt64(quote_id), LOOKUP_STATEMENT, &lines);
	Jsonb *snapshot;
	text *html;
	NullableDatum values[6];

	require_items(quote, lines, count);
	check_discount(DatumGetInt64(quote_id));
	snapshot = quote_snapshot_make(quote, lines, count, batch_value(DateADTGetDatum(today)));
	html = quote_template_render(DatumGetInt64(row_value(quote, QUOTE_COLUMN_QUOTE_TEMPLATE_ID)),
								 snapshot);
	values[0] = batch_value(CStringGetTextDatum(quote_status_names[QUOTE_SENT]));
	values[1] = batch_value(TimestampTzGetDatum(GetCurrentTimestamp()));
	values[2] = batch_value(JsonbPGetDatum(snapshot));
	values[3] = batch_value(PointerGetDatum(digest_of_jsonb(snapshot)));
	values[4] = batch_value(PointerGetDatum(html));
	values[5] = batch_value(PointerGetDatum(digest_of_text(html)));
	(void) update_row(&update, quote_id, values);
}

static void
require_items(const Row *quote, const Row *lines, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (quote_line_is_item(&lines[i]))
			return;
	}
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("quote has no items"),
					errdetail("It is quote %s.",
							  TextDatumGetCString(row_value(quote, QUOTE_COLUMN_NUMBER))),
					errhint("Add lines to sales_crm.quote_line first.")));
}

/* check_discount asks only where there is a limit for the member. */
static void
check_discount(int64 quote_id)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.check_quote_discount($1)",
		.nargs = 1,
		.argtypes = {INT8OID},
	};
	Member member = member_current();
	Datum values[] = {Int64GetDatum(quote_id)};

	if (member.member_id == 0 ||
		configuration_get()->max_discount[member.is_manager ? 1 : 0] >= MONEY_HUNDRED_PERCENT)
		return;
	plan_begin();
	(void) plan_run(&plan, PLAN_WRITE, values, NULL);
	plan_end();
}
