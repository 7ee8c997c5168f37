/*
 * quote_answer.c
 *		Keeps answers to quotes as they were given.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "compat.h"
#include "error.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_answer_frozen);

static bool is_answer(Oid relid);
static bool may_change(const char *column, bool was_null, bool is_null);

/* Row trigger of signature, change_request, refusal and quote_answer */
Datum
scrm_quote_answer_frozen(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_answer_frozen", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);
	bool kept = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);

	if (!is_answer(RelationGetRelid(trigger->tg_relation)))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("trigger \"%s\" is not on a table of answers to quotes",
							   trigger->tg_trigger->tgname)));
	for (int i = 0; kept && i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		bool was_null;
		bool is_null;
		Datum was = heap_getattr(trigger->tg_trigtuple, i + 1, tupdesc, &was_null);
		Datum is = heap_getattr(trigger->tg_newtuple, i + 1, tupdesc, &is_null);

		if (attribute->attisdropped || (was_null && is_null) ||
			(!was_null && !is_null && trigger_same_value(was, is, attribute)))
			continue;
		kept = may_change(NameStr(attribute->attname), was_null, is_null);
	}
	if (!kept)
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
						errmsg("answers to quotes are kept as they were given"),
						errdetail("The statement would %s a row of sales_crm.%s.",
								  TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ? "delete" : "update",
								  RelationGetRelationName(trigger->tg_relation))));
	return PointerGetDatum(trigger->tg_newtuple);
}

static bool
is_answer(Oid relid)
{
	static const char *const tables[] = {"signature", "change_request", "refusal", "quote_answer"};

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		if (relid == plan_relation(tables[i]))
			return true;
	}
	return false;
}

/* may_change: what an answer leads to is filled in after it, once; a task may go. */
static bool
may_change(const char *column, bool was_null, bool is_null)
{
	if (strcmp(column, "attachment_id") == 0)
		return was_null;
	if (strcmp(column, "task_id") == 0)
		return was_null || is_null;
	return false;
}
