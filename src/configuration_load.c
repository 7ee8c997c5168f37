/*
 * configuration_load.c
 *		Reads the configuration tables into a copy that configuration.c keeps.
 *
 * Each function below runs one query and copies its rows. Their values come from columns that are
 * NOT NULL, unless said otherwise.
 *
 * Memory: the current context, which holds the copy.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "configuration.h"
#include "configuration_load.h"
#include "plan.h"

static void load_company(Configuration *loading);
static void load_currencies(Configuration *loading);
static void load_pipelines(Configuration *loading);
static void load_phases(Configuration *loading);
static void load_transitions(Configuration *loading);
static void load_rules(Configuration *loading);
static void load_holidays(Configuration *loading);
static void load_tax_rates(Configuration *loading);
static void load_sources(Configuration *loading);

void
configuration_load(Configuration *loading)
{
	load_company(loading);
	load_currencies(loading);
	load_pipelines(loading);
	load_phases(loading);
	load_transitions(loading);
	load_rules(loading);
	load_holidays(loading);
	load_tax_rates(loading);
	load_sources(loading);
}

static uint64
load_rows(ScrmPlan *plan)
{
	return plan_run(plan, PLAN_READ_LATEST, NULL, NULL);
}

static Datum
loaded(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static int64
loaded_int64(uint64 row, int column)
{
	bool isnull;
	Datum value = loaded(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static int32
loaded_int32(uint64 row, int column)
{
	bool isnull;

	return DatumGetInt32(loaded(row, column, &isnull));
}

static bool
loaded_bool(uint64 row, int column)
{
	bool isnull;

	return DatumGetBool(loaded(row, column, &isnull));
}

static char *
loaded_text(uint64 row, int column)
{
	bool isnull;
	Datum value = loaded(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
load_company(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql =
			"SELECT c.currency, c.time_zone, (SELECT max(v.version) FROM sales_crm.schema_version v),"
			" c.vat_method, c.prices_include_tax,"
			" (coalesce(c.max_discount_percent, 100) * 10000)::int8,"
			" (coalesce(c.max_discount_percent_of_managers, 100) * 10000)::int8,"
			" c.locale, c.sender_email IS NOT NULL, c.signing_supersedes_others"
			" FROM sales_crm.company c",
	};
	char *time_zone;
	char *vat_method;

	if (load_rows(&plan) != 1)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table sales_crm.company has no row"),
						errhint("INSERT INTO sales_crm.company DEFAULT VALUES.")));
	if (loaded_int32(0, 3) != SCRM_SCHEMA_VERSION)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the tables of sales_crm have another version than its code"),
						errdetail("The tables have version %d, the code works with version %d.",
								  loaded_int32(0, 3), SCRM_SCHEMA_VERSION),
						errhint("Install the matching version of the extension, then run CALL "
								"sales_crm.setup().")));
	loading->currency = loaded_text(0, 1);
	vat_method = loaded_text(0, 4);
	loading->vat_method = configuration_vat_method(vat_method, strlen(vat_method));
	loading->prices_include_tax = loaded_bool(0, 5);
	loading->max_discount[0] = loaded_int64(0, 6);
	loading->max_discount[1] = loaded_int64(0, 7);
	loading->locale = loaded_text(0, 8);
	loading->sends_email = loaded_bool(0, 9);
	loading->signing_supersedes_others = loaded_bool(0, 10);
	time_zone = loaded_text(0, 2);
	loading->time_zone = pg_tzset(time_zone);
	if (loading->time_zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" of sales_crm.company is not known", time_zone),
				 errhint("UPDATE sales_crm.company SET time_zone = one of pg_timezone_names.")));
}

static void
load_currencies(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT c.code, c.minor_units::int4 FROM sales_crm.currency c"
			   " ORDER BY c.code COLLATE \"C\"",
	};

	loading->ncurrencies = (int) load_rows(&plan);
	loading->currencies = palloc0_array(Currency, loading->ncurrencies);
	for (int i = 0; i < loading->ncurrencies; i++)
	{
		loading->currencies[i].code = loaded_text(i, 1);
		loading->currencies[i].minor_units = (int16) loaded_int32(i, 2);
	}
}

static void
load_pipelines(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT p.pipeline_id, p.name, p.is_default, p.active, p.transition_policy"
			   " FROM sales_crm.pipeline p ORDER BY p.pipeline_id",
	};

	loading->npipelines = (int) load_rows(&plan);
	loading->pipelines = palloc0_array(Pipeline, loading->npipelines);
	for (int i = 0; i < loading->npipelines; i++)
	{
		Pipeline *pipeline = &loading->pipelines[i];
		char *policy = loaded_text(i, 5);

		pipeline->pipeline_id = loaded_int64(i, 1);
		pipeline->name = loaded_text(i, 2);
		pipeline->is_default = loaded_bool(i, 3);
		pipeline->active = loaded_bool(i, 4);
		if (strcmp(policy, "forward") == 0)
			pipeline->policy = POLICY_FORWARD;
		else if (strcmp(policy, "listed") == 0)
			pipeline->policy = POLICY_LISTED;
		else
			pipeline->policy = POLICY_FREE;
	}
}

static PhaseOutcome
outcome_from_text(const char *outcome)
{
	if (outcome == NULL)
		return OUTCOME_OPEN;
	if (strcmp(outcome, "won") == 0)
		return OUTCOME_WON;
	if (strcmp(outcome, "lost") == 0)
		return OUTCOME_LOST;
	return OUTCOME_EXPIRED;
}

static void
load_phases(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT p.phase_id, p.pipeline_id, p.name, p.position, p.outcome, p.active,"
			   " p.required_fields,"
			   " (row_number() OVER (ORDER BY p.pipeline_id, p.position, p.phase_id))::int4,"
			   " p.probability, p.on_quote_signed"
			   " FROM sales_crm.phase p ORDER BY p.phase_id",
	};

	loading->nphases = (int) load_rows(&plan);
	loading->phases = palloc0_array(Phase, loading->nphases);
	loading->ordered_phases = palloc0_array(Phase *, loading->nphases);
	for (int i = 0; i < loading->nphases; i++)
	{
		Phase *phase = &loading->phases[i];
		Datum *fields;
		bool isnull;

		phase->phase_id = loaded_int64(i, 1);
		phase->pipeline = configuration_find_pipeline(loading, loaded_int64(i, 2));
		if (phase->pipeline == NULL)
			elog(ERROR, "phase " INT64_FORMAT " has no pipeline", phase->phase_id);
		phase->name = loaded_text(i, 3);
		phase->position = loaded_int32(i, 4);
		phase->outcome = outcome_from_text(loaded_text(i, 5));
		phase->active = loaded_bool(i, 6);
		deconstruct_array(DatumGetArrayTypePCopy(loaded(i, 7, &isnull)), TEXTOID, -1, false,
						  TYPALIGN_INT, &fields, NULL, &phase->nrequired);
		phase->required = palloc0_array(char *, phase->nrequired);
		for (int field = 0; field < phase->nrequired; field++)
			phase->required[field] = TextDatumGetCString(fields[field]);
		loading->ordered_phases[loaded_int32(i, 8) - 1] = phase;
		phase->probability = PointerGetDatum(PG_DETOAST_DATUM_COPY(loaded(i, 9, &isnull)));
		phase->on_quote_signed = loaded_bool(i, 10);
	}
}

static void
load_transitions(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT t.from_phase_id, t.to_phase_id, t.managers_only"
			   " FROM sales_crm.phase_transition t ORDER BY t.from_phase_id, t.to_phase_id",
	};

	loading->ntransitions = (int) load_rows(&plan);
	loading->transitions = palloc0_array(PhaseTransition, loading->ntransitions);
	for (int i = 0; i < loading->ntransitions; i++)
	{
		loading->transitions[i].from_phase_id = loaded_int64(i, 1);
		loading->transitions[i].to_phase_id = loaded_int64(i, 2);
		loading->transitions[i].managers_only = loaded_bool(i, 3);
	}
}

static void
load_rules(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT r.follow_up_rule_id, r.pipeline_id, r.phase_id, r.subject, r.due_in_days,"
			   " r.working_days, r.assignee, r.member_id"
			   " FROM sales_crm.follow_up_rule r WHERE r.active ORDER BY r.follow_up_rule_id",
	};

	loading->nrules = (int) load_rows(&plan);
	loading->rules = palloc0_array(FollowUpRule, loading->nrules);
	for (int i = 0; i < loading->nrules; i++)
	{
		FollowUpRule *rule = &loading->rules[i];
		char *assignee = loaded_text(i, 7);

		rule->follow_up_rule_id = loaded_int64(i, 1);
		rule->pipeline_id = loaded_int64(i, 2);
		rule->phase_id = loaded_int64(i, 3);
		rule->subject = loaded_text(i, 4);
		rule->due_in_days = loaded_int32(i, 5);
		rule->working_days = loaded_bool(i, 6);
		rule->member_id = loaded_int64(i, 8);
		if (strcmp(assignee, "owner") == 0)
			rule->assignee = ASSIGNEE_OWNER;
		else if (strcmp(assignee, "creator") == 0)
			rule->assignee = ASSIGNEE_CREATOR;
		else
			rule->assignee = ASSIGNEE_MEMBER;
	}
}

static void
load_holidays(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT h.holiday_on FROM sales_crm.holiday h ORDER BY h.holiday_on",
	};
	bool isnull;

	loading->nholidays = (int) load_rows(&plan);
	loading->holidays = palloc0_array(DateADT, loading->nholidays);
	for (int i = 0; i < loading->nholidays; i++)
		loading->holidays[i] = DatumGetDateADT(loaded(i, 1, &isnull));
}

static void
load_tax_rates(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT t.tax_rate_id, t.percent, t.category, t.is_default"
			   " FROM sales_crm.tax_rate t ORDER BY t.tax_rate_id",
	};
	bool isnull;

	loading->ntax_rates = (int) load_rows(&plan);
	loading->tax_rates = palloc0_array(TaxRate, loading->ntax_rates);
	for (int i = 0; i < loading->ntax_rates; i++)
	{
		TaxRate *rate = &loading->tax_rates[i];

		rate->tax_rate_id = loaded_int64(i, 1);
		rate->percent = PointerGetDatum(PG_DETOAST_DATUM_COPY(loaded(i, 2, &isnull)));
		rate->category = loaded_text(i, 3);
		rate->is_default = loaded_bool(i, 4);
	}
}

static void
load_sources(Configuration *loading)
{
	static ScrmPlan plan = {
		.sql = "SELECT s.source_id, s.name, s.active FROM sales_crm.source s ORDER BY s.source_id",
	};

	loading->nsources = (int) load_rows(&plan);
	loading->sources = palloc0_array(Source, loading->nsources);
	for (int i = 0; i < loading->nsources; i++)
	{
		loading->sources[i].source_id = loaded_int64(i, 1);
		loading->sources[i].name = loaded_text(i, 2);
		loading->sources[i].active = loaded_bool(i, 3);
	}
}
