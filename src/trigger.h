/*
 * trigger.h
 *		What all trigger functions begin with, and the walk through the rows of a statement.
 */
#ifndef SCRM_TRIGGER_H
#define SCRM_TRIGGER_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/tuplestore.h"

/*
 * The rows of one statement, from the transition tables. After trigger_next_row() old_row and
 * new_row hold the two versions of a row; old_row is NULL for INSERT, new_row for DELETE.
 */
typedef struct TriggerRows
{
	Tuplestorestate *old_table;
	Tuplestorestate *new_table;
	int old_pointer;
	int new_pointer;
	TupleTableSlot *old_row;
	TupleTableSlot *new_row;
} TriggerRows;

extern TriggerData *trigger_require(FunctionCallInfo fcinfo, const char *function,
									TriggerEvent timing, TriggerEvent level);
extern void trigger_require_table(const TriggerData *trigger, const char *table);
extern bool trigger_may_be_late(const TriggerData *trigger);

/* Whether two values of a column, not NULL, have the same image */
extern bool trigger_same_value(Datum a, Datum b, Form_pg_attribute attribute);

extern void trigger_open_rows(TriggerRows *rows, const TriggerData *trigger);
extern bool trigger_next_row(TriggerRows *rows);
extern void trigger_close_rows(TriggerRows *rows);

#endif /* SCRM_TRIGGER_H */
