/*
 * quote.c
 *		The guard of sales_crm.quote: which status may follow which, and that nothing else of a quote
 *		changes once it was sent.
 *
 * The rules are the table below; the view sales_crm.quote_rule shows it. A rule asks for what must
 * be there: an answer is a row that says who gave it, so that no status can be claimed by an UPDATE
 * alone, whoever makes it. What verbs write is for verbs: a role that does not own the table edits
 * drafts and no more.
 *
 * Lock order of all that works on quotes: opportunity, quotes in the order of their keys, their
 * links, events, answers.
 *
 * This module decides and writes nothing.
 *
 * Memory: the executor's per-tuple context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "configuration.h"
#include "digest.h"
#include "error.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_guard);
PG_FUNCTION_INFO_V1(scrm_quote_rules);

typedef enum QuoteStatus
{
	QUOTE_DRAFT,
	QUOTE_SENT,
	QUOTE_VIEWED,
	QUOTE_SIGNED,
	QUOTE_CHANGE_REQUESTED,
	QUOTE_DECLINED,
	QUOTE_EXPIRED,
	QUOTE_WITHDRAWN,
	QUOTE_SUPERSEDED,
} QuoteStatus;

static const char *const status_names[] = {
	[QUOTE_DRAFT] = "draft",
	[QUOTE_SENT] = "sent",
	[QUOTE_VIEWED] = "viewed",
	[QUOTE_SIGNED] = "signed",
	[QUOTE_CHANGE_REQUESTED] = "change_requested",
	[QUOTE_DECLINED] = "declined",
	[QUOTE_EXPIRED] = "expired",
	[QUOTE_WITHDRAWN] = "withdrawn",
	[QUOTE_SUPERSEDED] = "superseded",
};

/* Sets of statuses */
#define IN(status) (1 << (status))
#define IN_OPEN (IN(QUOTE_SENT) | IN(QUOTE_VIEWED))
#define IN_ANSWERED (IN(QUOTE_SIGNED) | IN(QUOTE_CHANGE_REQUESTED) | IN(QUOTE_DECLINED))

typedef enum QuoteCondition
{
	WHEN_ALWAYS,
	WHEN_FROZEN,
	WHEN_SIGNED,
	WHEN_SIGNED_ON_PAPER,
	WHEN_CHANGE_REQUESTED,
	WHEN_DECLINED,
	WHEN_UNVIEWED,
	WHEN_VIEWED,
	WHEN_PAST,
	WHEN_FOLLOWED,
} QuoteCondition;

static const char *const condition_names[] = {
	[WHEN_ALWAYS] = "always",
	[WHEN_FROZEN] = "snapshot and document are there, with their hashes",
	[WHEN_SIGNED] = "its row of signature is there, of this snapshot; valid_until is not over",
	[WHEN_SIGNED_ON_PAPER] = "its row of signature is there, of this snapshot and on paper",
	[WHEN_CHANGE_REQUESTED] = "its row of change_request is there; valid_until is not over",
	[WHEN_DECLINED] = "its row of refusal is there; valid_until is not over",
	[WHEN_UNVIEWED] = "valid_until is not over; nobody has looked",
	[WHEN_VIEWED] = "valid_until is not over; somebody has looked",
	[WHEN_PAST] = "valid_until is over",
	[WHEN_FOLLOWED] = "its next version is there, or another signed quote of the opportunity",
};

typedef struct QuoteRule
{
	const char *name;
	int from;
	QuoteStatus to;
	QuoteCondition condition;
	const char *description;
} QuoteRule;

static const QuoteRule rules[] = {
	{"send", IN(QUOTE_DRAFT), QUOTE_SENT, WHEN_FROZEN, "is frozen and sent"},
	{"discard", IN(QUOTE_DRAFT), QUOTE_WITHDRAWN, WHEN_ALWAYS, "is given up unsent"},
	{"view", IN(QUOTE_SENT), QUOTE_VIEWED, WHEN_ALWAYS, "a person looks at it"},
	{"sign", IN_OPEN, QUOTE_SIGNED, WHEN_SIGNED, "the customer signs"},
	{"sign_on_paper", IN_OPEN | IN(QUOTE_EXPIRED), QUOTE_SIGNED, WHEN_SIGNED_ON_PAPER,
	 "a member records that it was signed"},
	{"request_change", IN_OPEN, QUOTE_CHANGE_REQUESTED, WHEN_CHANGE_REQUESTED,
	 "the customer asks for a change"},
	{"decline", IN_OPEN, QUOTE_DECLINED, WHEN_DECLINED, "the customer declines"},
	{"expire", IN_OPEN, QUOTE_EXPIRED, WHEN_PAST, "its last day is over"},
	{"extend", IN(QUOTE_EXPIRED), QUOTE_SENT, WHEN_UNVIEWED, "is valid again"},
	{"extend_viewed", IN(QUOTE_EXPIRED), QUOTE_VIEWED, WHEN_VIEWED, "is valid again"},
	{"withdraw", IN_OPEN | IN(QUOTE_EXPIRED) | IN(QUOTE_CHANGE_REQUESTED), QUOTE_WITHDRAWN,
	 WHEN_ALWAYS, "is taken back"},
	{"supersede",
	 IN_OPEN | IN(QUOTE_CHANGE_REQUESTED) | IN(QUOTE_DECLINED) | IN(QUOTE_EXPIRED) |
		 IN(QUOTE_WITHDRAWN),
	 QUOTE_SUPERSEDED, WHEN_FOLLOWED, "gives way to another quote"},
};

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

static const struct
{
	const char *name;
	QuoteColumnKind kind;
} columns[] = {
	{"quote_id", COLUMN_NEVER},
	{"number", COLUMN_NEVER},
	{"version", COLUMN_NEVER},
	{"opportunity_id", COLUMN_NEVER},
	{"supersedes_id", COLUMN_NEVER},
	{"currency", COLUMN_NEVER},
	{"created_at", COLUMN_NEVER},
	{"created_by", COLUMN_NEVER},
	{"quote_template_id", COLUMN_OF_DRAFT},
	{"locale", COLUMN_OF_DRAFT},
	{"title", COLUMN_OF_DRAFT},
	{"introduction", COLUMN_OF_DRAFT},
	{"terms", COLUMN_OF_DRAFT},
	{"discount_percent", COLUMN_OF_DRAFT},
	{"discount_amount", COLUMN_OF_DRAFT},
	{"vat_method", COLUMN_OF_DRAFT},
	{"prices_include_tax", COLUMN_OF_DRAFT},
	{"customer_name", COLUMN_OF_DRAFT},
	{"customer_address", COLUMN_OF_DRAFT},
	{"customer_vat_number", COLUMN_OF_DRAFT},
	{"totals", COLUMN_OF_TOTALS},
	{"snapshot", COLUMN_OF_SENDING},
	{"snapshot_sha256", COLUMN_OF_SENDING},
	{"html", COLUMN_OF_SENDING},
	{"html_sha256", COLUMN_OF_SENDING},
	{"sent_at", COLUMN_OF_SENDING},
	{"viewed_at", COLUMN_OF_VIEW},
	{"answered_at", COLUMN_OF_ANSWER},
	{"valid_until", COLUMN_OF_VALIDITY},
	{"contact_id", COLUMN_OF_CONTACT},
};

/* The two versions of a row; of an INSERT, only the new one */
typedef struct QuoteChange
{
	TupleDesc tupdesc;
	HeapTuple old_tuple;
	HeapTuple new_tuple;
	QuoteStatus from;
	QuoteStatus to;
} QuoteChange;

static void check_update(const QuoteChange *change, bool by_owner);
static bool may_change(const QuoteChange *change, QuoteColumnKind kind, const char *name);
static const QuoteRule *find_rule(const QuoteChange *change);
static bool holds(QuoteCondition condition, const QuoteChange *change);
static bool is_there(ScrmPlan *plan, const QuoteChange *change);
static bool is_frozen(const QuoteChange *change);
static bool is_hash(NullableDatum given, const bytea *hash);
static bool is_past(const QuoteChange *change);
static bool differs(const QuoteChange *change, size_t column);
static int column_number(const QuoteChange *change, size_t column);
static int find_column(const QuoteChange *change, const char *name);
static QuoteStatus status_of(const QuoteChange *change, HeapTuple tuple);
static NullableDatum value_of(const QuoteChange *change, HeapTuple tuple, const char *name);
static char *describe(const QuoteChange *change);
static char *status_set(int set);
pg_noreturn static void refuse_column(const QuoteChange *change, const char *name);
pg_noreturn static void refuse_status(const QuoteChange *change);

Datum
scrm_quote_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	Relation relation = trigger->tg_relation;
	QuoteChange change = {.tupdesc = RelationGetDescr(relation)};

	if (RelationGetRelid(relation) != plan_relation("quote"))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function sales_crm.quote_guard() does not serve table \"%s\"",
							   RelationGetRelationName(relation)),
						errhint("Drop the trigger on that table.")));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		change.new_tuple = trigger->tg_trigtuple;
		change.from = change.to = status_of(&change, change.new_tuple);
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("quotes are not deleted"),
						errdetail("%s Numbers have no gaps, and what was sent is kept.",
								  describe(&change)),
						errhint("SELECT sales_crm.withdraw_quote(quote_id) takes one back.")));
	}
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		change.new_tuple = trigger->tg_trigtuple;
		change.from = change.to = status_of(&change, change.new_tuple);
		if (change.to != QUOTE_DRAFT)
			ereport(ERROR,
					(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("a quote begins as a draft"),
					 errdetail("The status given is %s.", status_names[change.to]),
					 errhint("Leave status out; sales_crm.send_quote() sends it.")));
		return PointerGetDatum(change.new_tuple);
	}
	change.old_tuple = trigger->tg_trigtuple;
	change.new_tuple = trigger->tg_newtuple;
	change.from = status_of(&change, change.old_tuple);
	change.to = status_of(&change, change.new_tuple);
	check_update(&change, has_privs_of_role(GetUserId(), relation->rd_rel->relowner));
	return PointerGetDatum(change.new_tuple);
}

Datum
scrm_quote_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		Datum values[5] = {
			CStringGetTextDatum(rules[i].name),
			CStringGetTextDatum(status_set(rules[i].from)),
			CStringGetTextDatum(status_names[rules[i].to]),
			CStringGetTextDatum(condition_names[rules[i].condition]),
			CStringGetTextDatum(rules[i].description),
		};
		bool nulls[5] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* check_update asks first what has changed and then whether the status may follow. */
static void
check_update(const QuoteChange *change, bool by_owner)
{
	for (size_t i = 0; i < lengthof(columns); i++)
	{
		bool verbs = columns[i].kind != COLUMN_OF_DRAFT && columns[i].kind != COLUMN_OF_CONTACT &&
					 (columns[i].kind != COLUMN_OF_VALIDITY || change->from != QUOTE_DRAFT);

		if (!differs(change, i))
			continue;
		if (!may_change(change, columns[i].kind, columns[i].name))
			refuse_column(change, columns[i].name);
		if (verbs && !by_owner)
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("column \"%s\" of quotes is written by functions only",
								   columns[i].name),
							errhint("Use sales_crm.send_quote(), revise_quote(), withdraw_quote() "
									"and extend_quote().")));
	}
	if (change->from == change->to)
		return;
	if (find_rule(change) == NULL)
		refuse_status(change);
	if (!by_owner)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("column \"status\" of quotes is written by functions only"),
						errhint("Use sales_crm.send_quote(), revise_quote(), withdraw_quote() and "
								"extend_quote().")));
}

/* may_change says whether the status, and where it goes, allow another value of a column. */
static bool
may_change(const QuoteChange *change, QuoteColumnKind kind, const char *name)
{
	bool draft = change->from == QUOTE_DRAFT;
	bool moves = change->from != change->to;

	switch (kind)
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
				   value_of(change, change->old_tuple, name).isnull;
		case COLUMN_OF_ANSWER:
			return moves && (IN(change->to) & IN_ANSWERED) != 0;
		case COLUMN_OF_VALIDITY:
			return draft || ((IN(change->from) & (IN_OPEN | IN(QUOTE_EXPIRED))) != 0 &&
							 (IN(change->to) & IN_OPEN) != 0 &&
							 DatumGetDateADT(value_of(change, change->new_tuple, name).value) >
								 DatumGetDateADT(value_of(change, change->old_tuple, name).value));
		case COLUMN_OF_CONTACT:
			return draft || value_of(change, change->new_tuple, name).isnull;
	}
	return false;
}

static const QuoteRule *
find_rule(const QuoteChange *change)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].from & IN(change->from)) != 0 && rules[i].to == change->to &&
			holds(rules[i].condition, change))
			return &rules[i];
	}
	return NULL;
}

static bool
holds(QuoteCondition condition, const QuoteChange *change)
{
	static ScrmPlan signature = {
		.sql = "SELECT 1 FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id)"
			   " WHERE s.quote_id = $1 AND s.snapshot_sha256 = q.snapshot_sha256 AND NOT s.paper",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan paper = {
		.sql = "SELECT 1 FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id)"
			   " WHERE s.quote_id = $1 AND s.snapshot_sha256 = q.snapshot_sha256 AND s.paper",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan refusal = {
		.sql = "SELECT 1 FROM sales_crm.refusal r WHERE r.quote_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan change_request = {
		.sql = "SELECT 1 FROM sales_crm.change_request r WHERE r.quote_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan follower = {
		.sql = "SELECT 1 FROM sales_crm.quote n WHERE n.supersedes_id = $1"
			   " UNION ALL"
			   " SELECT 1 FROM sales_crm.quote q JOIN sales_crm.quote o USING (opportunity_id)"
			   " WHERE q.quote_id = $1 AND o.quote_id <> $1 AND o.status = 'signed'",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};

	switch (condition)
	{
		case WHEN_ALWAYS:
			return true;
		case WHEN_FROZEN:
			return is_frozen(change);
		case WHEN_SIGNED:
			return !is_past(change) && is_there(&signature, change);
		case WHEN_SIGNED_ON_PAPER:
			return is_there(&paper, change);
		case WHEN_CHANGE_REQUESTED:
			return !is_past(change) && is_there(&change_request, change);
		case WHEN_DECLINED:
			return !is_past(change) && is_there(&refusal, change);
		case WHEN_UNVIEWED:
			return !is_past(change) && value_of(change, change->new_tuple, "viewed_at").isnull;
		case WHEN_VIEWED:
			return !is_past(change) && !value_of(change, change->new_tuple, "viewed_at").isnull;
		case WHEN_PAST:
			return is_past(change);
		case WHEN_FOLLOWED:
			return is_there(&follower, change);
	}
	return false;
}

static bool
is_there(ScrmPlan *plan, const QuoteChange *change)
{
	Datum values[1] = {value_of(change, change->old_tuple, "quote_id").value};
	uint64 rows;

	plan_begin();
	rows = plan_run(plan, PLAN_WRITE, values, NULL);
	plan_end();
	return rows > 0;
}

/* is_frozen says whether what is sent is there and has its hashes. */
static bool
is_frozen(const QuoteChange *change)
{
	NullableDatum snapshot = value_of(change, change->new_tuple, "snapshot");
	NullableDatum html = value_of(change, change->new_tuple, "html");

	return !snapshot.isnull && !html.isnull &&
		   is_hash(value_of(change, change->new_tuple, "snapshot_sha256"),
				   digest_of_jsonb(DatumGetJsonbP(snapshot.value))) &&
		   is_hash(value_of(change, change->new_tuple, "html_sha256"),
				   digest_of_text(DatumGetTextPP(html.value)));
}

static bool
is_hash(NullableDatum given, const bytea *hash)
{
	return !given.isnull && datum_image_eq(given.value, PointerGetDatum(hash), false, -1);
}

static bool
is_past(const QuoteChange *change)
{
	DateADT last = DatumGetDateADT(value_of(change, change->new_tuple, "valid_until").value);

	return configuration_local_date(configuration_get(), GetCurrentTimestamp()) > last;
}

/* differs takes the place of a name in columns[]. */
static bool
differs(const QuoteChange *change, size_t column)
{
	int number = column_number(change, column);
	bool was_null;
	bool is_null;
	Datum was = heap_getattr(change->old_tuple, number, change->tupdesc, &was_null);
	Datum is = heap_getattr(change->new_tuple, number, change->tupdesc, &is_null);

	if (was_null || is_null)
		return was_null != is_null;
	return !trigger_same_value(was, is, TupleDescAttr(change->tupdesc, number - 1));
}

/* column_number remembers where each column was found, and looks again where it is not any more. */
static int
column_number(const QuoteChange *change, size_t column)
{
	static int known[lengthof(columns)];
	int number = known[column];

	if (number <= 0 || number > change->tupdesc->natts ||
		strcmp(NameStr(TupleDescAttr(change->tupdesc, number - 1)->attname),
			   columns[column].name) != 0)
		number = known[column] = find_column(change, columns[column].name);
	return number;
}

/* find_column finds a column by its name. Errors: 42703 when it is not there any more */
static int
find_column(const QuoteChange *change, const char *name)
{
	int number = SPI_fnumber(change->tupdesc, name);

	if (number <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("sales_crm.quote has no column \"%s\"", name),
						errdetail("The functions of sales_crm work with it."),
						errhint("Add or rename it back; columns of your own are welcome.")));
	return number;
}

static QuoteStatus
status_of(const QuoteChange *change, HeapTuple tuple)
{
	NullableDatum value = value_of(change, tuple, "status");
	char *name = value.isnull ? NULL : TextDatumGetCString(value.value);

	for (size_t i = 0; name != NULL && i < lengthof(status_names); i++)
	{
		if (strcmp(name, status_names[i]) == 0)
			return (QuoteStatus) i;
	}
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("status of a quote is not known"),
					errdetail("It is \"%s\".", name == NULL ? "NULL" : name),
					errhint("Known are %s.", status_set(IN(lengthof(status_names)) - 1))));
}

static NullableDatum
value_of(const QuoteChange *change, HeapTuple tuple, const char *name)
{
	NullableDatum value;

	value.value = heap_getattr(tuple, find_column(change, name), change->tupdesc, &value.isnull);
	return value;
}

static char *
describe(const QuoteChange *change)
{
	NullableDatum number = value_of(
		change, change->old_tuple != NULL ? change->old_tuple : change->new_tuple, "number");

	return psprintf("Quote %s is %s.", number.isnull ? "" : TextDatumGetCString(number.value),
					status_names[change->from]);
}

static char *
status_set(int set)
{
	StringInfoData names;

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(status_names); i++)
	{
		if ((set & IN(i)) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", status_names[i]);
	}
	return names.data;
}

static void
refuse_column(const QuoteChange *change, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("quote is not editable"),
			 errdetail("%s The statement changes %s.", describe(change), name),
			 change->from == QUOTE_DRAFT
				 ? errhint("That column is not edited; withdraw the draft and make another one.")
				 : errhint("SELECT sales_crm.revise_quote(quote_id) makes its next version.")));
}

static void
refuse_status(const QuoteChange *change)
{
	int next = 0;
	int code = (IN(change->from) & IN_ANSWERED) != 0 ? ERRCODE_SCRM_QUOTE_ANSWERED
													 : ERRCODE_SCRM_QUOTE_NOT_OPEN;

	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].from & IN(change->from)) != 0)
			next |= IN(rules[i].to);
	}
	ereport(ERROR,
			(errcode(code), errmsg("quote cannot become %s", status_names[change->to]),
			 errdetail("%s", describe(change)),
			 next == 0 ? errhint("It stays as it is; sales_crm.create_quote() makes another one.")
					   : errhint("It may become %s, where what sales_crm.quote_rule asks for is "
								 "there.",
								 status_set(next))));
}
