/*
 * configuration.h
 *		The session's copy of the configuration tables.
 */
#ifndef SCRM_CONFIGURATION_H
#define SCRM_CONFIGURATION_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/date.h"

/* Version of the tables that setup() makes; sql/data/ changes it */
#define SCRM_SCHEMA_VERSION 1

typedef enum PhaseOutcome
{
	OUTCOME_OPEN,
	OUTCOME_WON,
	OUTCOME_LOST,
	OUTCOME_EXPIRED,
} PhaseOutcome;

typedef enum TransitionPolicy
{
	POLICY_FREE,
	POLICY_FORWARD,
	POLICY_LISTED,
} TransitionPolicy;

typedef enum FollowUpAssignee
{
	ASSIGNEE_OWNER,
	ASSIGNEE_CREATOR,
	ASSIGNEE_MEMBER,
} FollowUpAssignee;

typedef enum VatMethod
{
	VAT_EN16931,
	VAT_PER_LINE,
} VatMethod;

typedef struct Pipeline
{
	int64 pipeline_id;
	char *name;
	bool is_default;
	bool active;
	TransitionPolicy policy;
} Pipeline;

typedef struct Phase
{
	int64 phase_id;
	const Pipeline *pipeline;
	char *name;
	int32 position;
	PhaseOutcome outcome;
	Datum probability; /* numeric */
	bool active;
	bool on_quote_signed;
	int nrequired;
	char **required; /* columns of opportunity */
} Phase;

typedef struct PhaseTransition
{
	int64 from_phase_id;
	int64 to_phase_id;
	bool managers_only;
} PhaseTransition;

typedef struct FollowUpRule
{
	int64 follow_up_rule_id;
	int64 pipeline_id; /* 0 = every pipeline */
	int64 phase_id;	   /* 0 = on creation */
	char *subject;
	int32 due_in_days;
	bool working_days;
	FollowUpAssignee assignee;
	int64 member_id; /* for ASSIGNEE_MEMBER */
} FollowUpRule;

typedef struct Currency
{
	char *code;
	int16 minor_units;
} Currency;

typedef struct TaxRate
{
	int64 tax_rate_id;
	Datum percent; /* numeric */
	char *category;
	bool is_default;
} TaxRate;

typedef struct Source
{
	int64 source_id;
	char *name;
	bool active;
} Source;

typedef struct Configuration
{
	char *currency;	  /* the company's */
	char *locale;	  /* the company's */
	bool sends_email; /* the company has an address to send from */
	bool signing_supersedes_others;
	pg_tz *time_zone; /* the company's */
	VatMethod vat_method;
	bool prices_include_tax;
	int64 max_discount[2]; /* ten-thousandths of a percent, of members and of managers */
	int ntax_rates;
	TaxRate *tax_rates; /* by tax_rate_id */
	int npipelines;
	Pipeline *pipelines; /* by pipeline_id */
	int nphases;
	Phase *phases;			/* by phase_id */
	Phase **ordered_phases; /* by pipeline_id, position, phase_id */
	int ntransitions;
	PhaseTransition *transitions; /* by from_phase_id, to_phase_id */
	int nrules;
	FollowUpRule *rules; /* active ones, by follow_up_rule_id */
	int ncurrencies;
	Currency *currencies; /* by code */
	int nsources;
	Source *sources; /* by source_id */
	int nholidays;
	DateADT *holidays; /* ascending */
} Configuration;

extern void configuration_init(void);

/* Valid until the end of the transaction, whatever happens to the tables meanwhile */
extern const Configuration *configuration_get(void);

extern const Pipeline *
configuration_find_pipeline(const Configuration *configuration, int64 pipeline_id);
extern const Phase *configuration_find_phase(const Configuration *configuration, int64 phase_id);
extern const Phase *
configuration_first_phase(const Configuration *configuration, const Pipeline *pipeline);
extern const Pipeline *configuration_default_pipeline(const Configuration *configuration);
extern const PhaseTransition *configuration_find_transition(const Configuration *configuration,
															int64 from_phase_id, int64 to_phase_id);
extern const Currency *
configuration_find_currency(const Configuration *configuration, const char *code, size_t length);
extern const TaxRate *
configuration_find_tax_rate(const Configuration *configuration, int64 tax_rate_id);
extern const TaxRate *configuration_default_tax_rate(const Configuration *configuration);
extern VatMethod configuration_vat_method(const char *name, size_t length);
extern const char *configuration_vat_method_name(VatMethod method);
extern const Source *configuration_find_source(const Configuration *configuration, int64 source_id);
extern DateADT configuration_local_date(const Configuration *configuration, TimestampTz at);

#endif /* SCRM_CONFIGURATION_H */
