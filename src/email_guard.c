/*
 * email_guard.c
 *		Completes e-mails as they are filed: member, thread and account.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "batch.h"
#include "member.h"
#include "opportunity.h"
#include "row.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_email_guard);

typedef enum EmailColumn
{
	EMAIL_ID,
	EMAIL_OPPORTUNITY_ID,
	EMAIL_ACCOUNT_ID,
	EMAIL_THREAD_ID,
	EMAIL_CREATED_BY,
} EmailColumn;

static const RowColumn columns[] = {
	[EMAIL_ID] = {"email_id", INT8OID},
	[EMAIL_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[EMAIL_ACCOUNT_ID] = {"account_id", INT8OID},
	[EMAIL_THREAD_ID] = {"thread_id", INT8OID},
	[EMAIL_CREATED_BY] = {"created_by", INT8OID},
};
static AttrNumber attnums[lengthof(columns)];
static RowMap table_map = {
	.table = "email",
	.columns = columns,
	.ncolumns = lengthof(columns),
	.attnums = attnums,
};

static NullableDatum account_of(const Row *email);

Datum
scrm_email_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "email_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	static const EmailColumn filled[] = {EMAIL_ACCOUNT_ID, EMAIL_THREAD_ID, EMAIL_CREATED_BY};
	const AttrNumber *places = row_map_get(&table_map, trigger->tg_relation);
	bool is_new = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	HeapTuple tuple = is_new ? trigger->tg_trigtuple : trigger->tg_newtuple;
	Row email;
	NullableDatum given[lengthof(filled)];
	int attributes[lengthof(filled)];
	Datum values[lengthof(filled)];
	bool nulls[lengthof(filled)];
	bool changes = false;

	if (!is_new && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(tuple);
	email = row_in_slot(places, is_new ? trigger->tg_trigslot : trigger->tg_newslot);
	for (size_t i = 0; i < lengthof(filled); i++)
		given[i] = row_nullable(&email, filled[i]);
	if (given[0].isnull)
		given[0] = account_of(&email);
	if (is_new && given[1].isnull)
		given[1] = row_nullable(&email, EMAIL_ID);
	if (is_new && given[2].isnull)
		given[2] = batch_key(member_current().member_id);
	for (size_t i = 0; i < lengthof(filled); i++)
	{
		attributes[i] = places[filled[i]];
		values[i] = given[i].value;
		nulls[i] = given[i].isnull;
		changes = changes || nulls[i] != row_is_null(&email, filled[i]);
	}
	if (changes)
		tuple = heap_modify_tuple_by_cols(tuple, email.tupdesc, lengthof(filled), attributes,
										  values, nulls);
	return PointerGetDatum(tuple);
}

/* account_of returns the account of an e-mail's opportunity, NULL where there is none. */
static NullableDatum
account_of(const Row *email)
{
	OpportunityRow opportunity;

	if (row_is_null(email, EMAIL_OPPORTUNITY_ID))
		return batch_null();
	/* The statement may have written the opportunity, too */
	CommandCounterIncrement();
	if (!opportunity_find(DatumGetInt64(row_value(email, EMAIL_OPPORTUNITY_ID)), &opportunity))
		return batch_null();
	return opportunity_nullable(&opportunity, OPPORTUNITY_ACCOUNT_ID);
}
