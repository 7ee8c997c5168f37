/*
 * configuration.c
 *		Keeps a copy of the configuration tables per session until one changes, and looks into it.
 *
 * A statement trigger on each of these tables invalidates the table's relcache entry, which
 * reaches every session, this one included, at commit, and is undone by rollback. The callback
 * only marks the copy; the next configuration_get() fills a new one (configuration_load.c), with
 * the latest snapshot, since rules hold from their commit on, whatever older snapshot a transaction
 * reads data with. The copy counts as valid before it is loaded, so that a change in the middle of
 * loading wins.
 *
 * Changes that decide about transitions also lock sales_crm.opportunity against writers, before
 * any row: a writer then either has committed, and is counted, or has not begun, and will know
 * the new rules. Lock order: sales_crm.opportunity, then rows of configuration tables.
 *
 * Memory: a context below CacheMemoryContext; a replaced copy moves below TopTransactionContext,
 * because a caller further up may still hold pointers into it.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/datetime.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "configuration.h"
#include "configuration_load.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_configuration_lock);
PG_FUNCTION_INFO_V1(scrm_configuration_invalidate);
PG_FUNCTION_INFO_V1(scrm_local_date);
PG_FUNCTION_INFO_V1(scrm_setup_version);

/* The tables that make up the configuration */
static const char *const configuration_tables[] = {
	"company",		  "currency", "pipeline", "phase",	"phase_transition",
	"follow_up_rule", "holiday",  "tax_rate", "source", "schema_version",
};

static Configuration *current = NULL;
static MemoryContext current_context = NULL;
static bool current_valid = false;
static Oid table_oids[lengthof(configuration_tables)];

static void renew(void);
static void relcache_callback(Datum arg, Oid relid);
static int compare_pipeline(const void *key, const void *element);
static int compare_phase(const void *key, const void *element);
static int compare_tax_rate(const void *key, const void *element);
static int compare_source(const void *key, const void *element);

void
configuration_init(void)
{
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
}

const Configuration *
configuration_get(void)
{
	if (!current_valid)
		renew();
	return current;
}

const Pipeline *
configuration_find_pipeline(const Configuration *configuration, int64 pipeline_id)
{
	return bsearch(&pipeline_id, configuration->pipelines, configuration->npipelines,
				   sizeof(Pipeline), compare_pipeline);
}

const Phase *
configuration_find_phase(const Configuration *configuration, int64 phase_id)
{
	return bsearch(&phase_id, configuration->phases, configuration->nphases, sizeof(Phase),
				   compare_phase);
}

/* configuration_first_phase returns the first open, active phase of a pipeline, or NULL. */
const Phase *
configuration_first_phase(const Configuration *configuration, const Pipeline *pipeline)
{
	for (int i = 0; i < configuration->nphases; i++)
	{
		const Phase *phase = configuration->ordered_phases[i];

		if (phase->pipeline == pipeline && phase->outcome == OUTCOME_OPEN && phase->active)
			return phase;
	}
	return NULL;
}

/* configuration_default_pipeline returns the default pipeline, or NULL where there is none. */
const Pipeline *
configuration_default_pipeline(const Configuration *configuration)
{
	for (int i = 0; i < configuration->npipelines; i++)
	{
		if (configuration->pipelines[i].is_default)
			return &configuration->pipelines[i];
	}
	return NULL;
}

const PhaseTransition *
configuration_find_transition(const Configuration *configuration, int64 from_phase_id,
							  int64 to_phase_id)
{
	for (int i = 0; i < configuration->ntransitions; i++)
	{
		const PhaseTransition *transition = &configuration->transitions[i];

		if (transition->from_phase_id == from_phase_id && transition->to_phase_id == to_phase_id)
			return transition;
	}
	return NULL;
}

/* configuration_find_currency finds a currency by its code, which need not end with a zero. */
const Currency *
configuration_find_currency(const Configuration *configuration, const char *code, size_t length)
{
	int low = 0;
	int high = configuration->ncurrencies - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		const Currency *currency = &configuration->currencies[middle];
		int order = strncmp(code, currency->code, length);

		if (order == 0 && currency->code[length] == '\0')
			return currency;
		if (order > 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return NULL;
}

const TaxRate *
configuration_find_tax_rate(const Configuration *configuration, int64 tax_rate_id)
{
	return bsearch(&tax_rate_id, configuration->tax_rates, configuration->ntax_rates,
				   sizeof(TaxRate), compare_tax_rate);
}

/* configuration_default_tax_rate returns the rate of lines that name none, or NULL. */
const TaxRate *
configuration_default_tax_rate(const Configuration *configuration)
{
	for (int i = 0; i < configuration->ntax_rates; i++)
	{
		if (configuration->tax_rates[i].is_default)
			return &configuration->tax_rates[i];
	}
	return NULL;
}

/* configuration_vat_method reads a vat_method. Errors: 22023 for an unknown one */
VatMethod
configuration_vat_method(const char *name, size_t length)
{
	if (length == strlen("en16931") && strncmp(name, "en16931", length) == 0)
		return VAT_EN16931;
	if (length == strlen("per_line") && strncmp(name, "per_line", length) == 0)
		return VAT_PER_LINE;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("method of computing VAT is not known"),
					errdetail("It is \"%s\".", pnstrdup(name, Min(length, 20))),
					errhint("Use en16931 or per_line.")));
}

const char *
configuration_vat_method_name(VatMethod method)
{
	return method == VAT_EN16931 ? "en16931" : "per_line";
}

const Source *
configuration_find_source(const Configuration *configuration, int64 source_id)
{
	return bsearch(&source_id, configuration->sources, configuration->nsources, sizeof(Source),
				   compare_source);
}

/* configuration_local_date returns the day of a finite moment in the company's time zone. */
DateADT
configuration_local_date(const Configuration *configuration, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t fsec;
	int offset;

	if (TIMESTAMP_IS_NOBEGIN(at))
		return DATEVAL_NOBEGIN;
	if (TIMESTAMP_IS_NOEND(at))
		return DATEVAL_NOEND;
	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, configuration->time_zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
}

Datum
scrm_configuration_lock(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "configuration_lock", TRIGGER_EVENT_BEFORE, 0);

	LockRelationOid(plan_relation(trigger->tg_trigger->tgnargs > 0 ? trigger->tg_trigger->tgargs[0]
																   : "opportunity"),
					ShareRowExclusiveLock);
	return PointerGetDatum(NULL);
}

Datum
scrm_configuration_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "configuration_invalidate", TRIGGER_EVENT_AFTER, 0);

	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	return PointerGetDatum(NULL);
}

Datum
scrm_local_date(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATEADT(configuration_local_date(configuration_get(), PG_GETARG_TIMESTAMPTZ(0)));
}

Datum
scrm_setup_version(PG_FUNCTION_ARGS pg_attribute_unused())
{
	PG_RETURN_INT32(SCRM_SCHEMA_VERSION);
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	if (relid == InvalidOid)
		current_valid = false;
	for (size_t i = 0; current_valid && i < lengthof(table_oids); i++)
	{
		if (table_oids[i] == relid)
			current_valid = false;
	}
}

/* renew replaces the copy, unless reading the tables fails: then the next one to ask tries again. */
static void
renew(void)
{
	MemoryContext context = AllocSetContextCreate(CurTransactionContext, "sales_crm configuration",
												  ALLOCSET_SMALL_SIZES);
	Configuration *loading = MemoryContextAllocZero(context, sizeof(Configuration));
	MemoryContext caller;

	for (size_t i = 0; i < lengthof(table_oids); i++)
		table_oids[i] = plan_relation(configuration_tables[i]);

	current_valid = true;
	PG_TRY();
	{
		plan_begin();
		caller = MemoryContextSwitchTo(context);
		configuration_load(loading);
		MemoryContextSwitchTo(caller);
		plan_end();
	}
	PG_CATCH();
	{
		current_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();

	if (current_context != NULL)
		MemoryContextSetParent(current_context, TopTransactionContext);
	MemoryContextSetParent(context, CacheMemoryContext);
	current = loading;
	current_context = context;
}

static int
compare_int64(int64 a, int64 b)
{
	return (a > b) - (a < b);
}

static int
compare_pipeline(const void *key, const void *element)
{
	return compare_int64(*(const int64 *) key, ((const Pipeline *) element)->pipeline_id);
}

static int
compare_phase(const void *key, const void *element)
{
	return compare_int64(*(const int64 *) key, ((const Phase *) element)->phase_id);
}

static int
compare_tax_rate(const void *key, const void *element)
{
	return compare_int64(*(const int64 *) key, ((const TaxRate *) element)->tax_rate_id);
}

static int
compare_source(const void *key, const void *element)
{
	return compare_int64(*(const int64 *) key, ((const Source *) element)->source_id);
}
