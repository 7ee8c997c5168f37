/*
 * quote.c
 *		The guard of sales_crm.quote: which status may follow which, and that nothing else of a quote
 *		changes once it was sent.
 *
 * The rules are the table below; the view sales_crm.quote_rule shows it. A rule asks for what must
 * be there: an answer is a row that says who gave it, so that no status can be claimed by an UPDATE
 * alone, whoever makes it.
 *
 * Lock order of all that works on quotes: opportunity, quotes in the order of their keys, their
 * links, events, answers.
 *
 * This module decides and writes nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "configuration.h"
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
	QUOTE_STATUSES
} QuoteStatus;

static const char *const status_names[QUOTE_STATUSES] = {
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

#define IN(status) (1 << (status))
#define IN_OPEN (IN(QUOTE_SENT) | IN(QUOTE_VIEWED))

typedef enum QuoteCondition
{
	WHEN_FROZEN,
	WHEN_UNSENT,
	WHEN_ALWAYS,
	WHEN_VALID,
	WHEN_PAST,
	WHEN_SIGNED,
	WHEN_SIGNED_ON_PAPER,
	WHEN_CHANGE_REQUESTED,
	WHEN_DECLINED,
	WHEN_SUPERSEDED,
} QuoteCondition;

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
	{"drop", IN(QUOTE_DRAFT), QUOTE_WITHDRAWN, WHEN_UNSENT, "is given up before it was sent"},
	{"view", IN(QUOTE_SENT), QUOTE_VIEWED, WHEN_ALWAYS, "a person has looked at it"},
	{"sign", IN_OPEN, QUOTE_SIGNED, WHEN_SIGNED, "is signed through a link while it is valid"},
	{"sign_on_paper", IN_OPEN | IN(QUOTE_EXPIRED), QUOTE_SIGNED, WHEN_SIGNED_ON_PAPER,
	 "was signed on paper, as a member recorded"},
	{"request_change", IN_OPEN, QUOTE_CHANGE_REQUESTED, WHEN_CHANGE_REQUESTED,
	 "the customer asks for a change"},
	{"decline", IN_OPEN, QUOTE_DECLINED, WHEN_DECLINED, "the customer declines"},
	{"expire", IN_OPEN, QUOTE_EXPIRED, WHEN_PAST, "its last day is over"},
	{"extend", IN(QUOTE_EXPIRED), QUOTE_SENT, WHEN_VALID, "is valid again; nobody had looked"},
	{"extend_viewed", IN(QUOTE_EXPIRED), QUOTE_VIEWED, WHEN_VALID, "is valid again"},
	{"withdraw", IN_OPEN | IN(QUOTE_CHANGE_REQUESTED) | IN(QUOTE_EXPIRED), QUOTE_WITHDRAWN,
	 WHEN_ALWAYS, "is taken back"},
	{"supersede",
	 IN_OPEN | IN(QUOTE_CHANGE_REQUESTED) | IN(QUOTE_DECLINED) | IN(QUOTE_EXPIRED) |
		 IN(QUOTE_WITHDRAWN),
	 QUOTE_SUPERSEDED, WHEN_SUPERSEDED, "has a next version, or another quote was signed"},
};

static const struct
{
	const char *name;
	bool of_draft; /* may change while the quote is a draft */
	bool of_sent;  /* may change afterwards, by a rule */
} quote_columns[] = {
	{"quote_id", false, false},
	{"number", false, false},
	{"version", false, false},
	{"opportunity_id", false, false},
	{"supersedes_id", false, false},
	{"created_at", false, false},
	{"created_by", false, false},
	{"currency", false, false},
	{"vat_method", false, false},
	{"prices_include_tax", false, false},
	{"quote_template_id", true, false},
	{"status", true, true},
	{"valid_until", true, true},
	{"locale", true, false},
	{"title", true, false},
	{"introduction", true, false},
	{"terms", true, false},
	{"discount_percent", true, false},
	{"discount_amount", true, false},
	{"contact_id", true, false},
	{"customer_name", true, false},
	{"customer_address", true, false},
	{"customer_vat_number", true, false},
	{"totals", true, false},
	{"snapshot", true, false},
	{"snapshot_sha256", true, false},
	{"html", true, false},
	{"html_sha256", true, false},
	{"sent_at", true, false},
	{"viewed_at", false, true},
	{"answered_at", false, true},
};

/* The two versions of a row */
typedef struct QuoteChange
{
	TupleDesc tupdesc;
	HeapTuple old;
	HeapTuple new;
} QuoteChange;

static void guard_insert(const QuoteChange *change);
static void guard_update(const QuoteChange *change);
static void check_columns(const QuoteChange *change, bool draft);
static void check_validity(const QuoteChange *change, QuoteStatus status);
static const QuoteRule *find_rule(const QuoteChange *change, QuoteStatus from, QuoteStatus to);
static bool holds(QuoteCondition condition, const QuoteChange *change);
static bool is_there(ScrmPlan *plan, const QuoteChange *change);
static bool same_value(Datum a, Datum b, Form_pg_attribute attribute);
static QuoteStatus status_of(TupleDesc tupdesc, HeapTuple tuple);
static Datum value_of(TupleDesc tupdesc, HeapTuple tuple, const char *name, bool *isnull);
static char *quote_name(const QuoteChange *change);
static char *names_of(int set);
pg_noreturn static void refuse(const QuoteChange *change, QuoteStatus from, QuoteStatus to);

Datum
scrm_quote_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	QuoteChange change = {.tupdesc = RelationGetDescr(trigger->tg_relation)};

	if (RelationGetRelid(trigger->tg_relation) != plan_relation("quote"))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("trigger function quote_guard does not serve table \"%s\"",
							   RelationGetRelationName(trigger->tg_relation)),
						errhint("Drop the trigger on that table.")));
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		change.new = trigger->tg_trigtuple;
		guard_insert(&change);
		return PointerGetDatum(trigger->tg_trigtuple);
	}
	change.old = trigger->tg_trigtuple;
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		change.new = trigger->tg_trigtuple;
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
						errmsg("quote %s cannot be deleted", quote_name(&change)),
						errdetail("Numbers of quotes have no gaps, and what was sent is kept."),
						errhint("Take it back: SELECT sales_crm.withdraw_quote(…).")));
	}
	change.new = trigger->tg_newtuple;
	guard_update(&change);
	return PointerGetDatum(trigger->tg_newtuple);
}

Datum
scrm_quote_rules(PG_FUNCTION_ARGS)
{
	static const char *const conditions[] = {
		[WHEN_FROZEN] = "snapshot, its hash and the document are there",
		[WHEN_UNSENT] = "it was never sent",
		[WHEN_ALWAYS] = "always",
		[WHEN_VALID] = "valid_until is not over",
		[WHEN_PAST] = "valid_until is over",
		[WHEN_SIGNED] = "its row of signature is there, and valid_until is not over",
		[WHEN_SIGNED_ON_PAPER] = "its row of signature is there, on paper",
		[WHEN_CHANGE_REQUESTED] = "its row of change_request is there",
		[WHEN_DECLINED] = "its row of refusal is there",
		[WHEN_SUPERSEDED] = "the next version is there, or a signed quote of the opportunity",
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		Datum values[5] = {
			CStringGetTextDatum(rules[i].name),
			CStringGetTextDatum(names_of(rules[i].from)),
			CStringGetTextDatum(status_names[rules[i].to]),
			CStringGetTextDatum(conditions[rules[i].condition]),
			CStringGetTextDatum(rules[i].description),
		};
		bool nulls[5] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
guard_insert(const QuoteChange *change)
{
	static const char *const later[] = {"snapshot", "snapshot_sha256", "html",		 "html_sha256",
										"sent_at",	"viewed_at",	   "answered_at"};
	bool isnull;

	if (status_of(change->tupdesc, change->new) != QUOTE_DRAFT)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("a quote begins as a draft"),
				 errdetail("The status given is %s.",
						   status_names[status_of(change->tupdesc, change->new)]),
				 errhint("Leave status out, and send it: SELECT sales_crm.send_quote(…).")));
	for (size_t i = 0; i < lengthof(later); i++)
	{
		(void) value_of(change->tupdesc, change->new, later[i], &isnull);
		if (!isnull)
			ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
							errmsg("%s of a draft is filled in later", later[i]),
							errhint("Leave it out.")));
	}
}

static void
guard_update(const QuoteChange *change)
{
	QuoteStatus from = status_of(change->tupdesc, change->old);
	QuoteStatus to = status_of(change->tupdesc, change->new);
	bool isnull;

	check_columns(change, from == QUOTE_DRAFT);
	if (from == QUOTE_DRAFT && to == QUOTE_DRAFT)
	{
		(void) value_of(change->tupdesc, change->new, "snapshot", &isnull);
		if (!isnull)
			ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
							errmsg("snapshot of a draft is filled in by sending it"),
							errhint("SELECT sales_crm.send_quote(…).")));
		return;
	}
	if (from == to)
		check_validity(change, to);
	else if (find_rule(change, from, to) == NULL)
		refuse(change, from, to);
}

/* check_columns refuses changes of columns that are frozen. */
static void
check_columns(const QuoteChange *change, bool draft)
{
	for (size_t i = 0; i < lengthof(quote_columns); i++)
	{
		const char *name = quote_columns[i].name;
		Form_pg_attribute attribute;
		Datum old;
		Datum new;
		bool old_null;
		bool new_null;

		if (draft ? quote_columns[i].of_draft : quote_columns[i].of_sent)
			continue;
		old = value_of(change->tupdesc, change->old, name, &old_null);
		new = value_of(change->tupdesc, change->new, name, &new_null);
		attribute = TupleDescAttr(change->tupdesc, SPI_fnumber(change->tupdesc, name) - 1);
		if (old_null == new_null && (old_null || same_value(old, new, attribute)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
				 errmsg("quote %s is not editable", quote_name(change)),
				 errdetail("Its status is %s; the statement changes %s.",
						   status_names[status_of(change->tupdesc, change->old)], name),
				 draft ? errhint("That column is never changed.")
					   : errhint("Make the next version: SELECT sales_crm.revise_quote(…).")));
	}
}

/* same_value compares without fetching what is stored out of line, as long as nobody has touched it. */
static bool
same_value(Datum a, Datum b, Form_pg_attribute attribute)
{
	if (attribute->attlen == -1)
	{
		const void *x = DatumGetPointer(a);
		const void *y = DatumGetPointer(b);

		if (VARATT_IS_EXTERNAL_ONDISK(x) && VARATT_IS_EXTERNAL_ONDISK(y) &&
			memcmp(x, y, VARSIZE_EXTERNAL(x)) == 0)
			return true;
	}
	return datum_image_eq(a, b, attribute->attbyval, attribute->attlen);
}

/* check_validity allows a quote that stays what it is another, later, last day, and nothing else. */
static void
check_validity(const QuoteChange *change, QuoteStatus status)
{
	static const char *const marks[] = {"viewed_at", "answered_at"};
	bool isnull;
	DateADT old = DatumGetDateADT(value_of(change->tupdesc, change->old, "valid_until", &isnull));
	DateADT new = DatumGetDateADT(value_of(change->tupdesc, change->new, "valid_until", &isnull));

	for (size_t i = 0; i < lengthof(marks); i++)
	{
		bool old_null;
		bool new_null;
		Datum was = value_of(change->tupdesc, change->old, marks[i], &old_null);
		Datum is = value_of(change->tupdesc, change->new, marks[i], &new_null);

		if (old_null != new_null || (!old_null && was != is))
			ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
							errmsg("quote %s is not editable", quote_name(change)),
							errdetail("%s changes with the status only.", marks[i]),
							errhint("Leave it out.")));
	}
	if (old == new)
		return;
	if ((IN(status) & IN_OPEN) == 0 || new < old)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
				 errmsg("validity of quote %s cannot be changed so", quote_name(change)),
				 errdetail("Its status is %s; what customers were told is not shortened.",
						   status_names[status]),
				 errhint("SELECT sales_crm.extend_quote(…) makes an open or expired quote valid "
						 "longer.")));
}

static const QuoteRule *
find_rule(const QuoteChange *change, QuoteStatus from, QuoteStatus to)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].from & IN(from)) != 0 && rules[i].to == to &&
			holds(rules[i].condition, change))
			return &rules[i];
	}
	return NULL;
}

static bool
is_past(const QuoteChange *change)
{
	bool isnull;
	DateADT last = DatumGetDateADT(value_of(change->tupdesc, change->new, "valid_until", &isnull));

	return configuration_local_date(configuration_get(), GetCurrentTimestamp()) > last;
}

static bool
holds(QuoteCondition condition, const QuoteChange *change)
{
	static ScrmPlan signature = {
		.sql = "SELECT 1 FROM sales_crm.signature WHERE quote_id = $1 AND NOT paper",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan paper = {
		.sql = "SELECT 1 FROM sales_crm.signature WHERE quote_id = $1 AND paper",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan request = {
		.sql = "SELECT 1 FROM sales_crm.change_request WHERE quote_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan refusal = {
		.sql = "SELECT 1 FROM sales_crm.refusal WHERE quote_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan successor = {
		.sql = "SELECT 1 FROM sales_crm.quote WHERE supersedes_id = $1 UNION ALL"
			   " SELECT 1 FROM sales_crm.quote q JOIN sales_crm.quote s USING (opportunity_id)"
			   " WHERE q.quote_id = $1 AND s.quote_id <> $1 AND s.status = 'signed'",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	bool isnull;

	switch (condition)
	{
		case WHEN_FROZEN:
			(void) value_of(change->tupdesc, change->new, "snapshot", &isnull);
			return !isnull;
		case WHEN_UNSENT:
			(void) value_of(change->tupdesc, change->new, "snapshot", &isnull);
			return isnull;
		case WHEN_ALWAYS:
			return true;
		case WHEN_VALID:
			return !is_past(change);
		case WHEN_PAST:
			return is_past(change);
		case WHEN_SIGNED:
			return !is_past(change) && is_there(&signature, change);
		case WHEN_SIGNED_ON_PAPER:
			return is_there(&paper, change);
		case WHEN_CHANGE_REQUESTED:
			return !is_past(change) && is_there(&request, change);
		case WHEN_DECLINED:
			return !is_past(change) && is_there(&refusal, change);
		case WHEN_SUPERSEDED:
			return is_there(&successor, change);
	}
	return false;
}

static bool
is_there(ScrmPlan *plan, const QuoteChange *change)
{
	Datum values[1];
	bool isnull;
	uint64 rows;

	values[0] = value_of(change->tupdesc, change->old, "quote_id", &isnull);
	plan_begin();
	rows = plan_run(plan, PLAN_WRITE, values, NULL);
	plan_end();
	return rows > 0;
}

static void
refuse(const QuoteChange *change, QuoteStatus from, QuoteStatus to)
{
	int next = 0;
	int code = ERRCODE_SCRM_QUOTE_NOT_OPEN;

	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].from & IN(from)) != 0)
			next |= IN(rules[i].to);
	}
	if (from == QUOTE_SIGNED || from == QUOTE_DECLINED || from == QUOTE_CHANGE_REQUESTED)
		code = ERRCODE_SCRM_QUOTE_ANSWERED;
	ereport(ERROR,
			(errcode(code),
			 errmsg("quote %s cannot become %s", quote_name(change), status_names[to]),
			 errdetail("Its status is %s.", status_names[from]),
			 next == 0 ? errhint("It is final; revise_quote() makes a next version of what was not "
								 "signed.")
					   : errhint("Possible next: %s, each with what it asks for; see "
								 "sales_crm.quote_rule.",
								 names_of(next))));
}

static QuoteStatus
status_of(TupleDesc tupdesc, HeapTuple tuple)
{
	bool isnull;
	Datum value = value_of(tupdesc, tuple, "status", &isnull);
	char *name = isnull ? pstrdup("NULL") : TextDatumGetCString(value);

	for (int i = 0; i < QUOTE_STATUSES; i++)
	{
		if (strcmp(status_names[i], name) == 0)
			return (QuoteStatus) i;
	}
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("status of a quote is not known"),
					errdetail("It is \"%s\".", name),
					errhint("Known are: %s.", names_of((1 << QUOTE_STATUSES) - 1))));
}

/* value_of reads a column by name. Errors: 42703 when somebody has dropped or renamed it */
static Datum
value_of(TupleDesc tupdesc, HeapTuple tuple, const char *name, bool *isnull)
{
	int column = SPI_fnumber(tupdesc, name);

	if (column <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("sales_crm.quote has no column \"%s\"", name),
						errdetail("The functions of sales_crm work with it."),
						errhint("Add or rename it back; columns of your own are welcome.")));
	return heap_getattr(tuple, column, tupdesc, isnull);
}

static char *
quote_name(const QuoteChange *change)
{
	bool isnull;
	Datum number = value_of(change->tupdesc, change->new, "number", &isnull);

	return isnull ? pstrdup("without number") : TextDatumGetCString(number);
}

static char *
names_of(int set)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < QUOTE_STATUSES; i++)
	{
		if ((set & IN(i)) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", status_names[i]);
	}
	return names.data;
}
