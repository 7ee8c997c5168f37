/*
 * quote_rule.c
 *		The rules about the status of quotes.
 *
 * They are the table below; the view sales_crm.quote_rule shows it. A rule asks for what must be
 * there: an answer is a row that says who gave it, so that no status can be claimed by an UPDATE
 * alone, whoever makes it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

#include "configuration.h"
#include "digest.h"
#include "plan.h"
#include "quote.h"
#include "quote_rule.h"
#include "signature.h"

PG_FUNCTION_INFO_V1(scrm_quote_rules);

const char *const quote_status_names[QUOTE_STATUSES] = {
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

static bool holds(QuoteCondition condition, const QuoteChange *change);
static bool is_signed(const QuoteChange *change, bool on_paper);
static bool is_there(ScrmPlan *plan, const QuoteChange *change);
static bool is_frozen(const QuoteChange *change);
static bool is_hash(NullableDatum given, const bytea *hash);

QuoteStatus
quote_status(const Row *quote)
{
	return quote_status_named(row_text(quote, QUOTE_COLUMN_STATUS));
}

QuoteStatus
quote_status_named(const char *name)
{
	for (int i = 0; name != NULL && i < QUOTE_STATUSES; i++)
	{
		if (strcmp(name, quote_status_names[i]) == 0)
			return (QuoteStatus) i;
	}
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("status of a quote is not known"),
					errdetail("It is \"%s\".", name == NULL ? "NULL" : name),
					errhint("Known are %s.", quote_status_list(IN(QUOTE_STATUSES) - 1))));
}

bool
quote_is_past(const Row *quote)
{
	return !row_is_null(quote, QUOTE_COLUMN_VALID_UNTIL) &&
		   configuration_local_date(configuration_get(), GetCurrentTimestamp()) >
			   DatumGetDateADT(row_value(quote, QUOTE_COLUMN_VALID_UNTIL));
}

char *
quote_status_list(int set)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < QUOTE_STATUSES; i++)
	{
		if ((set & IN(i)) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", quote_status_names[i]);
	}
	return names.data;
}

bool
quote_may_become(const QuoteChange *change)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].from & IN(change->from)) != 0 && rules[i].to == change->to &&
			holds(rules[i].condition, change))
			return true;
	}
	return false;
}

int
quote_next_statuses(QuoteStatus from)
{
	int next = 0;

	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].from & IN(from)) != 0)
			next |= IN(rules[i].to);
	}
	return next;
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
			CStringGetTextDatum(quote_status_list(rules[i].from)),
			CStringGetTextDatum(quote_status_names[rules[i].to]),
			CStringGetTextDatum(condition_names[rules[i].condition]),
			CStringGetTextDatum(rules[i].description),
		};
		bool nulls[5] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static bool
holds(QuoteCondition condition, const QuoteChange *change)
{
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
			return !quote_is_past(&change->new_row) && is_signed(change, false);
		case WHEN_SIGNED_ON_PAPER:
			return is_signed(change, true);
		case WHEN_CHANGE_REQUESTED:
			return !quote_is_past(&change->new_row) && is_there(&change_request, change);
		case WHEN_DECLINED:
			return !quote_is_past(&change->new_row) && is_there(&refusal, change);
		case WHEN_UNVIEWED:
			return !quote_is_past(&change->new_row) &&
				   quote_value(&change->new_row, QUOTE_COLUMN_VIEWED_AT).isnull;
		case WHEN_VIEWED:
			return !quote_is_past(&change->new_row) &&
				   !quote_value(&change->new_row, QUOTE_COLUMN_VIEWED_AT).isnull;
		case WHEN_PAST:
			return quote_is_past(&change->new_row);
		case WHEN_FOLLOWED:
			return is_there(&follower, change);
	}
	return false;
}

/* is_signed says whether there is a signature, on paper or not, of what the quote says. */
static bool
is_signed(const QuoteChange *change, bool on_paper)
{
	NullableDatum hash = quote_value(&change->old_row, QUOTE_COLUMN_SNAPSHOT_SHA256);
	Row signature;

	/* That the statement itself has written counts */
	CommandCounterIncrement();
	return !hash.isnull &&
		   signature_find(DatumGetInt64(quote_value(&change->old_row, QUOTE_COLUMN_ID).value),
						  LOOKUP_STATEMENT, &signature) &&
		   DatumGetBool(row_value(&signature, SIGNATURE_PAPER)) == on_paper &&
		   datum_image_eq(row_value(&signature, SIGNATURE_SNAPSHOT_SHA256), hash.value, false, -1);
}

static bool
is_there(ScrmPlan *plan, const QuoteChange *change)
{
	Datum values[1] = {quote_value(&change->old_row, QUOTE_COLUMN_ID).value};
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
	NullableDatum snapshot = quote_value(&change->new_row, QUOTE_COLUMN_SNAPSHOT);
	NullableDatum html = quote_value(&change->new_row, QUOTE_COLUMN_HTML);

	return !snapshot.isnull && !html.isnull &&
		   is_hash(quote_value(&change->new_row, QUOTE_COLUMN_SNAPSHOT_SHA256),
				   digest_of_jsonb(DatumGetJsonbP(snapshot.value))) &&
		   is_hash(quote_value(&change->new_row, QUOTE_COLUMN_HTML_SHA256),
				   digest_of_text(DatumGetTextPP(html.value)));
}

static bool
is_hash(NullableDatum given, const bytea *hash)
{
	return !given.isnull && datum_image_eq(given.value, PointerGetDatum(hash), false, -1);
}
