/*
 * quote.c
 *		The guard of sales_crm.quote: that its status follows the rules of quote_rule.c, and that
 *		nothing else of a quote changes once it was sent.
 *
 * What verbs write is for verbs: a role that does not own the table edits drafts and no more.
 *
 * Lock order of all that works on quotes: opportunity, quotes in the order of their keys, their
 * links, events, answers.
 *
 * This module decides and writes nothing.
 *
 * Memory: the executor's per-tuple context.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/rel.h"

#include "compat.h"
#include "error.h"
#include "quote.h"
#include "quote_rule.h"
#include "row.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_guard);

/* When a column may change */
typedef enum QuoteColumnKind
{
	COLUMN_NEVER,
	COLUMN_OF_DRAFT,
	COLUMN_OF_TOTALS,	/* of a draft, by its lines */
	COLUMN_OF_SENDING,	/* when a draft is sent */
	COLUMN_OF_VIEW,		/* when it becomes viewed */
	COLUMN_OF_ANSWER,	/* when it is answered */
	COLUMN_OF_VALIDITY, /* of a draft; later only, while it is open or expired */
	COLUMN_OF_CONTACT,	/* of a draft; else to NULL, when the contact is deleted */
} QuoteColumnKind;

static const QuoteColumnKind kinds[QUOTE_COLUMN_STATUS] = {
	[QUOTE_COLUMN_ID] = COLUMN_NEVER,
	[QUOTE_COLUMN_NUMBER] = COLUMN_NEVER,
	[QUOTE_COLUMN_VERSION] = COLUMN_NEVER,
	[QUOTE_COLUMN_OPPORTUNITY_ID] = COLUMN_NEVER,
	[QUOTE_COLUMN_SUPERSEDES_ID] = COLUMN_NEVER,
	[QUOTE_COLUMN_CURRENCY] = COLUMN_NEVER,
	[QUOTE_COLUMN_CREATED_AT] = COLUMN_NEVER,
	[QUOTE_COLUMN_CREATED_BY] = COLUMN_NEVER,
	[QUOTE_COLUMN_QUOTE_TEMPLATE_ID] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_LOCALE] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_TITLE] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_INTRODUCTION] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_TERMS] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_DISCOUNT_PERCENT] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_DISCOUNT_AMOUNT] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_VAT_METHOD] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_PRICES_INCLUDE_TAX] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_CUSTOMER_NAME] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_CUSTOMER_ADDRESS] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_CUSTOMER_VAT_NUMBER] = COLUMN_OF_DRAFT,
	[QUOTE_COLUMN_TOTALS] = COLUMN_OF_TOTALS,
	[QUOTE_COLUMN_SNAPSHOT] = COLUMN_OF_SENDING,
	[QUOTE_COLUMN_SNAPSHOT_SHA256] = COLUMN_OF_SENDING,
	[QUOTE_COLUMN_HTML] = COLUMN_OF_SENDING,
	[QUOTE_COLUMN_HTML_SHA256] = COLUMN_OF_SENDING,
	[QUOTE_COLUMN_SENT_AT] = COLUMN_OF_SENDING,
	[QUOTE_COLUMN_VIEWED_AT] = COLUMN_OF_VIEW,
	[QUOTE_COLUMN_ANSWERED_AT] = COLUMN_OF_ANSWER,
	[QUOTE_COLUMN_VALID_UNTIL] = COLUMN_OF_VALIDITY,
	[QUOTE_COLUMN_CONTACT_ID] = COLUMN_OF_CONTACT,
};

pg_noreturn static void refuse_delete(const Row *quote);
static void check_insert(const Row *quote);
static void check_update(const QuoteChange *change, bool by_owner);
static bool may_change(const QuoteChange *change, QuoteColumn column);
static bool differs(const QuoteChange *change, QuoteColumn column);
static char *describe(const Row *quote);
pg_noreturn static void refuse_column(const QuoteChange *change, QuoteColumn column);
pg_noreturn static void refuse_status(const QuoteChange *change);

Datum
scrm_quote_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	Relation relation = trigger->tg_relation;
	const AttrNumber *map = quote_map(relation);
	Row given = row_in_slot(map, trigger->tg_trigslot);
	QuoteChange change;

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		refuse_delete(&given);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		check_insert(&given);
		return PointerGetDatum(trigger->tg_trigtuple);
	}
	change.old_row = given;
	change.new_row = row_in_slot(map, trigger->tg_newslot);
	change.from = quote_status(&change.old_row);
	change.to = quote_status(&change.new_row);
	check_update(&change, has_privs_of_role(GetUserId(), relation->rd_rel->relowner));
	return PointerGetDatum(trigger->tg_newtuple);
}

static void
refuse_delete(const Row *quote)
{
	ereport(ERROR,
			(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("quotes are not deleted"),
			 errdetail("%s Numbers have no gaps, and what was sent is kept.", describe(quote)),
			 errhint("SELECT sales_crm.withdraw_quote(quote_id) takes one back.")));
}

static void
check_insert(const Row *quote)
{
	QuoteStatus status = quote_status(quote);

	if (status != QUOTE_DRAFT)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("a quote begins as a draft"),
				 errdetail("The status given is %s.", quote_status_names[status]),
				 errhint("Leave status out; sales_crm.send_quote() sends it.")));
}

/* check_update asks first what has changed and then whether the status may follow. */
static void
check_update(const QuoteChange *change, bool by_owner)
{
	for (int i = 0; i < QUOTE_COLUMN_STATUS; i++)
	{
		bool verbs = kinds[i] != COLUMN_OF_DRAFT && kinds[i] != COLUMN_OF_CONTACT &&
					 (kinds[i] != COLUMN_OF_VALIDITY || change->from != QUOTE_DRAFT);

		if (!differs(change, i))
			continue;
		if (!may_change(change, i))
			refuse_column(change, i);
		if (verbs && !by_owner)
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("column \"%s\" of quotes is written by functions only",
								   quote_columns[i].name),
							errhint("Use sales_crm.send_quote(), revise_quote(), withdraw_quote() "
									"and extend_quote().")));
	}
	if (change->from == change->to)
		return;
	if (!quote_may_become(change))
		refuse_status(change);
	if (!by_owner)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("column \"status\" of quotes is written by functions only"),
						errhint("Use sales_crm.send_quote(), revise_quote(), withdraw_quote() and "
								"extend_quote().")));
}

/* may_change says whether the status, and where it goes, allow another value of a column. */
static bool
may_change(const QuoteChange *change, QuoteColumn column)
{
	bool draft = change->from == QUOTE_DRAFT;
	bool moves = change->from != change->to;

	switch (kinds[column])
	{
		case COLUMN_NEVER:
			return false;
		case COLUMN_OF_DRAFT:
		case COLUMN_OF_TOTALS:
			return draft;
		case COLUMN_OF_SENDING:
			return draft && change->to == QUOTE_SENT;
		case COLUMN_OF_VIEW:
			return moves && change->to == QUOTE_VIEWED &&
				   quote_value(&change->old_row, column).isnull;
		case COLUMN_OF_ANSWER:
			return moves && (IN(change->to) & IN_ANSWERED) != 0;
		case COLUMN_OF_VALIDITY:
			return draft || ((IN(change->from) & (IN_OPEN | IN(QUOTE_EXPIRED))) != 0 &&
							 (IN(change->to) & IN_OPEN) != 0 &&
							 DatumGetDateADT(quote_value(&change->new_row, column).value) >
								 DatumGetDateADT(quote_value(&change->old_row, column).value));
		case COLUMN_OF_CONTACT:
			return draft || quote_value(&change->new_row, column).isnull;
	}
	return false;
}

/* differs compares a column of the two rows. */
static bool
differs(const QuoteChange *change, QuoteColumn column)
{
	NullableDatum was = quote_value(&change->old_row, column);
	NullableDatum is = quote_value(&change->new_row, column);
	const Row *row = &change->new_row;

	if (was.isnull || is.isnull)
		return was.isnull != is.isnull;
	return !trigger_same_value(was.value, is.value,
							   TupleDescAttr(row->tupdesc, row->attnums[column] - 1));
}

static char *
describe(const Row *quote)
{
	NullableDatum number = quote_value(quote, QUOTE_COLUMN_NUMBER);

	return psprintf("Quote %s is %s.", number.isnull ? "" : TextDatumGetCString(number.value),
					quote_status_names[quote_status(quote)]);
}

static void
refuse_column(const QuoteChange *change, QuoteColumn column)
{
	ereport(ERROR,
			(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("quote is not editable"),
			 errdetail("%s The statement changes %s.", describe(&change->old_row),
					   quote_columns[column].name),
			 change->from == QUOTE_DRAFT
				 ? errhint("That column is not edited; withdraw the draft and make another one.")
				 : errhint("SELECT sales_crm.revise_quote(quote_id) makes its next version.")));
}

static void
refuse_status(const QuoteChange *change)
{
	int next = quote_next_statuses(change->from);
	int code = (IN(change->from) & IN_ANSWERED) != 0 ? ERRCODE_SCRM_QUOTE_ANSWERED
													 : ERRCODE_SCRM_QUOTE_NOT_OPEN;

	ereport(ERROR,
			(errcode(code), errmsg("quote cannot become %s", quote_status_names[change->to]),
			 errdetail("%s", describe(&change->old_row)),
			 next == 0 ? errhint("It stays as it is; sales_crm.create_quote() makes another one.")
					   : errhint("It may become %s, where what sales_crm.quote_rule asks for is "
								 "there.",
								 quote_status_list(next))));
}
