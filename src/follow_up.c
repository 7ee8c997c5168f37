/*
 * follow_up.c
 *		Tasks that appear and disappear by themselves, once per statement.
 *
 * An opportunity inserted in an open phase gets the tasks of the rules for creation and of those
 * for that phase; one that enters a phase later, the tasks of the rules for it. Entering a final
 * phase closes what rules had opened before.
 *
 * Memory: batches in the context of the trigger call.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "insert.h"
#include "member.h"
#include "opportunity.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_opportunity_follow_up);
PG_FUNCTION_INFO_V1(scrm_add_working_days);

#define MAX_DAYS 3650

/* Columns in the order of the plan's arguments, and what is the same for all */
static const RowColumn task_columns[] = {
	{"opportunity_id", INT8OID}, {"assignee_id", INT8OID}, {"follow_up_rule_id", INT8OID},
	{"subject", TEXTOID},		 {"due_on", DATEOID},	   {"created_by", INT8OID},
	{"origin", TEXTOID},
};
static RowMap task_map = ROW_MAP("task", task_columns);

static void write_task(const NullableDatum *values);

static BatchPlan task_plan = {
	.sql =
		"INSERT INTO sales_crm.task"
		" (opportunity_id, assignee_id, follow_up_rule_id, subject, due_on, origin, created_by)"
		" SELECT n.opportunity_id, n.assignee_id, n.rule_id, n.subject, n.due_on, 'follow_up', $6"
		" FROM @rows AS n (opportunity_id, assignee_id, rule_id, subject, due_on)",
	.ncolumns = 5,
	.nargs = 6,
	.types = {INT8OID, INT8OID, INT8OID, TEXTOID, DATEOID, INT8OID},
	.write_one = write_task,
};

/*
 * Tasks are found by their opportunity alone: in this form the condition on done_at suits no index,
 * of which the open tasks of everybody would be read.
 */
static BatchPlan close_plan = {
	.sql = "UPDATE sales_crm.task t SET done_at = now() FROM @rows AS n (opportunity_id)"
		   " WHERE t.opportunity_id = n.opportunity_id AND t.origin = 'follow_up'"
		   "  AND (t.done_at IS NULL) IS TRUE",
	.ncolumns = 1,
	.nargs = 1,
	.types = {INT8OID},
};

/* Closes the tasks of opportunities that have been completed meanwhile */
static BatchPlan settle_plan = {
	.sql = "UPDATE sales_crm.task t SET done_at = now()"
		   " FROM @rows AS n (opportunity_id) JOIN sales_crm.opportunity o USING (opportunity_id)"
		   " WHERE t.opportunity_id = n.opportunity_id AND t.origin = 'follow_up'"
		   "  AND (t.done_at IS NULL) IS TRUE AND o.closed_at IS NOT NULL"
		   "  AND NOT EXISTS (SELECT FROM sales_crm.follow_up_rule r"
		   "   WHERE r.follow_up_rule_id = t.follow_up_rule_id AND r.phase_id = o.phase_id)",
	.ncolumns = 1,
	.nargs = 1,
	.types = {INT8OID},
};

/* The rules, with what they mean for this statement */
typedef struct FollowUp
{
	const Configuration *configuration;
	Datum *subjects;
	Datum *due_on;
	Batch tasks;
} FollowUp;

static void follow_up_open(FollowUp *follow_up, int64 member_id);
static void
follow_up_add(FollowUp *follow_up, const OpportunityRow *row, const Phase *phase, bool creation);
static DateADT add_working_days(const Configuration *configuration, DateADT from, int days);
static bool is_working_day(const Configuration *configuration, DateADT day);

Datum
scrm_opportunity_follow_up(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "opportunity_follow_up", TRIGGER_EVENT_AFTER, 0);
	const AttrNumber *map = opportunity_map(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	TriggerRows rows;
	FollowUp follow_up;
	bool late = trigger_may_be_late(trigger);
	Batch closed;
	Batch settled;

	follow_up_open(&follow_up, member_current().member_id);
	batch_open(&closed, &close_plan);
	batch_open(&settled, &settle_plan);

	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		OpportunityRow new = row_in_slot(map, rows.new_row);
		const Phase *phase = configuration_find_phase(follow_up.configuration,
													  opportunity_key(&new, OPPORTUNITY_PHASE_ID));

		if (phase == NULL)
			elog(ERROR, "phase " INT64_FORMAT " does not exist",
				 opportunity_key(&new, OPPORTUNITY_PHASE_ID));
		if (inserting)
		{
			if (phase->outcome != OUTCOME_OPEN)
				continue;
		}
		else
		{
			OpportunityRow old = row_in_slot(map, rows.old_row);

			if (!opportunity_differs(&old, &new, OPPORTUNITY_PHASE_ID))
				continue;
			if (phase->outcome != OUTCOME_OPEN)
				opportunity_add_key(&closed, &new);
		}
		follow_up_add(&follow_up, &new, phase, inserting);
		if (late)
			opportunity_add_key(&settled, &new);
	}
	trigger_close_rows(&rows);

	/* Tasks that a final phase asks for are to stay: close first */
	batch_close(&closed);
	batch_close(&follow_up.tasks);
	batch_close(&settled);
	return PointerGetDatum(NULL);
}

Datum
scrm_add_working_days(PG_FUNCTION_ARGS)
{
	DateADT from = PG_GETARG_DATEADT(0);
	int32 days = PG_GETARG_INT32(1);

	if (days < 0 || days > MAX_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of working days is out of range"), errdetail("It is %d.", days),
				 errhint("Give a number from 0 to %d.", MAX_DAYS)));
	if (DATE_NOT_FINITE(from))
		PG_RETURN_DATEADT(from);
	if (!IS_VALID_DATE(from) || !IS_VALID_DATE(from + 2 * MAX_DAYS))
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("date out of range")));
	PG_RETURN_DATEADT(add_working_days(configuration_get(), from, days));
}

static void
follow_up_open(FollowUp *follow_up, int64 member_id)
{
	const Configuration *configuration = configuration_get();
	DateADT today = configuration_local_date(configuration, GetCurrentTransactionStartTimestamp());

	follow_up->configuration = configuration;
	follow_up->subjects = palloc_array(Datum, configuration->nrules);
	follow_up->due_on = palloc_array(Datum, configuration->nrules);
	for (int i = 0; i < configuration->nrules; i++)
	{
		const FollowUpRule *rule = &configuration->rules[i];
		DateADT due_on = rule->working_days
							 ? add_working_days(configuration, today, rule->due_in_days)
							 : today + rule->due_in_days;

		follow_up->subjects[i] = CStringGetTextDatum(rule->subject);
		follow_up->due_on[i] = DateADTGetDatum(due_on);
	}
	batch_open(&follow_up->tasks, &task_plan);
	batch_set_constant(&follow_up->tasks, 5, batch_key(member_id));
}

/* follow_up_add adds the tasks for a row that was created in a phase, or entered it. */
static void
follow_up_add(FollowUp *follow_up, const OpportunityRow *row, const Phase *phase, bool creation)
{
	for (int i = 0; i < follow_up->configuration->nrules; i++)
	{
		const FollowUpRule *rule = &follow_up->configuration->rules[i];
		int64 assignee_id = rule->member_id;

		if (rule->pipeline_id != 0 && rule->pipeline_id != phase->pipeline->pipeline_id)
			continue;
		if (rule->phase_id == 0 ? !creation : rule->phase_id != phase->phase_id)
			continue;
		if (rule->assignee == ASSIGNEE_OWNER)
			assignee_id = opportunity_key(row, OPPORTUNITY_OWNER_ID);
		else if (rule->assignee == ASSIGNEE_CREATOR)
			assignee_id = opportunity_key(row, OPPORTUNITY_CREATED_BY);
		{
			NullableDatum task[] = {
				batch_value(opportunity_value(row, OPPORTUNITY_ID)),
				batch_key(assignee_id),
				batch_key(rule->follow_up_rule_id),
				batch_value(follow_up->subjects[i]),
				batch_value(follow_up->due_on[i]),
			};

			batch_add(&follow_up->tasks, task);
		}
	}
}

static void
write_task(const NullableDatum *values)
{
	static Insert insert = {.map = &task_map};
	NullableDatum task[lengthof(task_columns)];

	memcpy(task, values, sizeof(NullableDatum) * task_plan.nargs);
	task[task_plan.nargs] = batch_value(CStringGetTextDatum("follow_up"));
	(void) insert_row(&insert, task, NULL);
}

/*
 * add_working_days counts working days forward, from the day after; 0 is the day itself or, when
 * nobody works then, the first working day after it.
 */
static DateADT
add_working_days(const Configuration *configuration, DateADT from, int days)
{
	DateADT day = from;

	while (days > 0 || !is_working_day(configuration, day))
	{
		day++;
		if (days > 0 && is_working_day(configuration, day))
			days--;
	}
	return day;
}

static int
compare_dates(const void *a, const void *b)
{
	DateADT day = *(const DateADT *) a;
	DateADT other = *(const DateADT *) b;

	return (day > other) - (day < other);
}

static bool
is_working_day(const Configuration *configuration, DateADT day)
{
	int weekday = j2day(day + POSTGRES_EPOCH_JDATE); /* 0 = Sunday */

	if (weekday == 0 || weekday == 6)
		return false;
	return bsearch(&day, configuration->holidays, configuration->nholidays, sizeof(DateADT),
				   compare_dates) == NULL;
}
