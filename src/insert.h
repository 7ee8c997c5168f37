/*
 * insert.h
 *		New rows of the tables of sales_crm, written without a statement.
 *
 * Most of what an INSERT of one row costs is the statement: its plan is checked, locked, set up and
 * taken down. Modules that write a row in each statement of somebody else's insert it as the executor
 * does for a subscription: with its BEFORE triggers, defaults, generated columns, constraints,
 * indexes, foreign keys and AFTER triggers, as the tables' owner. Tables to which somebody added
 * what this does not do (triggers per statement, rules) get an INSERT.
 */
#ifndef SCRM_INSERT_H
#define SCRM_INSERT_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "plan.h"
#include "row.h"

/* A module has a static one for the columns of its map; it is the caller who gives all of these */
typedef struct Insert
{
	RowMap *map;
	uint32 version;		   /* of the map, when what follows was filled in by insert_row() */
	MemoryContext context; /* of what follows */
	int ndefaults;		   /* columns that are not of the map and have a default */
	AttrNumber *attnums;   /* of these */
	ExprState **defaults;  /* compiled */
	AttrNumber key;		   /* of the table's primary key, if that is one bigint, or 0 */
	bool is_plain;		   /* needs no statement */
	bool is_plain_set; /* nor do many rows, for which insert_rows() fires triggers per statement */
	ScrmPlan plan;	   /* for when it does */
} Insert;

/*
 * Inserts a row of the map's columns. Returns whether it is there: triggers of others may skip it.
 * stored, unless NULL, gets the row as it was written, in the current memory context
 */
extern bool insert_row(Insert *insert, const NullableDatum *given, Row *stored);

/*
 * Inserts many rows as one statement does, with its triggers per statement: given has the columns of
 * each row after those of the row before it
 */
extern void insert_rows(Insert *insert, const NullableDatum *given, int count);

/* A row that is there, and whose foreign keys are not checked yet */
typedef struct OpenInsert
{
	Relation relation;
	EState *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot; /* with the row, unless a trigger skipped it */
	MemoryContext caller;
	PlanRole before;
} OpenInsert;

/*
 * Inserts a row that refers to one that follows from it: foreign keys and AFTER triggers wait for
 * insert_row_end(), as if all in between were of one statement. Returns false, and has done nothing,
 * for a table that needs a statement
 */
extern bool insert_row_begin(OpenInsert *open, Insert *insert, const NullableDatum *given);
extern void insert_row_end(OpenInsert *open);

/* The parts of these, for insert_rows.c */
extern void insert_open(OpenInsert *open, Insert *insert);
extern void insert_close(OpenInsert *open);
extern ResultRelInfo *insert_open_result(EState *estate, Relation relation);
extern void insert_fill_slot(const Insert *insert, EState *estate, TupleTableSlot *slot,
							 const NullableDatum *given);
extern bool insert_by_statement(Insert *insert, const NullableDatum *given, Row *stored);

#endif /* SCRM_INSERT_H */
