/*
 * live_event.c
 *		Tells applications of the events that sales_crm.live_event has switched on.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "live_event.h"
#include "lookup.h"
#include "outbox.h"
#include "row.h"

PG_FUNCTION_INFO_V1(scrm_tell_live);

typedef enum LiveEventColumn
{
	LIVE_EVENT_EVENT,
	LIVE_EVENT_ACTIVE,
} LiveEventColumn;

#define LIVE_EVENT_COLUMNS (LIVE_EVENT_ACTIVE + 1)

static const RowColumn columns[LIVE_EVENT_COLUMNS] = {
	[LIVE_EVENT_EVENT] = {"event", TEXTOID},
	[LIVE_EVENT_ACTIVE] = {"active", BOOLOID},
};
static RowMap table_map = ROW_MAP("live_event", columns);

/* event text, id bigint */
Datum
scrm_tell_live(PG_FUNCTION_ARGS)
{
	live_event_tell(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT64(1));
	PG_RETURN_VOID();
}

void
live_event_tell(const char *event, int64 id)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {LIVE_EVENT_EVENT}};
	Datum key[] = {CStringGetTextDatum(event)};
	Row live;

	if (lookup_row(&lookup, LOOKUP_STATEMENT, key, &live) &&
		DatumGetBool(row_value(&live, LIVE_EVENT_ACTIVE)))
		outbox_tell(event, id);
}
