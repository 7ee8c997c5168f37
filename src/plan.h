/*
 * plan.h
 *		Prepared statements, kept for the life of the session.
 *
 * A module that needs SQL declares a static ScrmPlan with the text and hands it to plan_run()
 * between plan_begin() and plan_end(). Everything in the text is written schema-qualified, except
 * operators and functions of pg_catalog.
 */
#ifndef SCRM_PLAN_H
#define SCRM_PLAN_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/relcache.h"

#define SCRM_PLAN_MAX_ARGS 20

typedef enum PlanMode
{
	PLAN_WRITE,			   /* as the tables' owner, seeing what the statement has done */
	PLAN_WRITE_LATEST,	   /* as the tables' owner, seeing what is committed now, and writing */
	PLAN_READ_LATEST,	   /* as the tables' owner, seeing what is committed now */
	PLAN_READ_AS_CALLER,   /* as the caller, seeing what the calling query sees */
	PLAN_READ_AS_SESSION,  /* as the session's role, also below functions that work as the owner */
	PLAN_CHECK_AS_SESSION, /* the same, seeing what the statement has done */
} PlanMode;

typedef struct ScrmPlan
{
	const char *sql;
	int nargs;
	Oid argtypes[SCRM_PLAN_MAX_ARGS];
	bool by_key;	 /* finds rows by keys, whatever the size of tables when it is planned */
	bool by_set;	 /* is planned anew for each set of rows that it gets */
	SPIPlanPtr kept; /* filled in by plan_run() */
} ScrmPlan;

/* Who and how somebody went on before plan_enter() */
typedef struct PlanRole
{
	Oid role;
	int sec_context;
	int nestlevel; /* of settings; 0: none were changed */
} PlanRole;

extern void plan_begin(void);
extern uint64 plan_run(ScrmPlan *plan, PlanMode mode, Datum *values, const char *nulls);
extern void plan_end(void);
extern void plan_enter(PlanRole *before, Oid role);
extern void plan_leave(const PlanRole *before);

/* A value of a row that a plan returned; columns count from 1 */
static inline NullableDatum
plan_value(SPITupleTable *table, uint64 row, int column)
{
	NullableDatum value;

	value.value = SPI_getbinval(table->vals[row], table->tupdesc, column, &value.isnull);
	return value;
}

extern Oid plan_namespace(void);
extern Oid plan_relation(const char *name);
extern bool plan_is_ours(Relation relation);
extern Oid plan_owner(void);

#endif /* SCRM_PLAN_H */
