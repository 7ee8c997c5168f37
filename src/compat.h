/*
 * compat.h
 *		What differs between PostgreSQL 15 and 19. The only file with PG_VERSION_NUM.
 */
#ifndef SCRM_COMPAT_H
#define SCRM_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "sales_crm needs PostgreSQL 15 or later"
#endif

/* 16 moved the variable-length macros out of postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 brought these, and later minor releases of 15 */
#ifndef palloc_object
#define palloc_object(type) ((type *) palloc(sizeof(type)))
#define palloc_array(type, count) ((type *) palloc(sizeof(type) * (count)))
#define palloc0_array(type, count) ((type *) palloc0(sizeof(type) * (count)))
#endif

/* 18 has it, in place of pg_attribute_noreturn() */
#ifndef pg_noreturn
#define pg_noreturn _Noreturn
#endif

/* 18 lets a module tell its name and version to pg_get_loaded_modules() */
#if PG_VERSION_NUM >= 180000
#define SCRM_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "sales_crm", .version = "1.0")
#else
#define SCRM_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 18 renamed the compiled CHECK constraints of a table that a statement writes to */
#if PG_VERSION_NUM >= 180000
#define RESULT_CHECKS ri_CheckConstraintExprs
#else
#define RESULT_CHECKS ri_ConstraintExprs
#endif

/* 18 has constraints that are not enforced, and columns that are computed when they are read */
#if PG_VERSION_NUM >= 180000
#define HAS_VIRTUAL(constr) ((constr) != NULL && (constr)->has_generated_virtual)
#define CHECK_IS_PLAIN(constr, i) ((constr)->check[i].ccenforced && !HAS_VIRTUAL(constr))
#else
#define HAS_VIRTUAL(constr) ((void) (constr), false)
#define CHECK_IS_PLAIN(constr, i) true
#endif

/* 18 can count what a scan of an index reads */
#if PG_VERSION_NUM >= 180000
#define INDEX_BEGINSCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#else
#define INDEX_BEGINSCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, nkeys, 0)
#endif

/* 16 has the columns that a statement sets in a list of their own, 18 knows pruned tables */
#if PG_VERSION_NUM >= 160000
#define ENTRY_PERMISSIONS(entry, permissions) addRTEPermissionInfo(permissions, entry)
#else
#define ENTRY_PERMISSIONS(entry, permissions) ((void) (permissions), (entry))
#endif
#if PG_VERSION_NUM >= 180000
#define INIT_RANGE_TABLE(estate, entries, permissions) \
	ExecInitRangeTable(estate, entries, permissions, bms_make_singleton(1))
#elif PG_VERSION_NUM >= 160000
#define INIT_RANGE_TABLE(estate, entries, permissions) \
	ExecInitRangeTable(estate, entries, permissions)
#else
#define INIT_RANGE_TABLE(estate, entries, permissions) ExecInitRangeTable(estate, entries)
#endif

/* 16 and 18 tell a trigger's caller more */
#if PG_VERSION_NUM >= 180000
#define BEFORE_ROW_UPDATE(estate, epq, result, place, row) \
	ExecBRUpdateTriggers(estate, epq, result, place, NULL, row, NULL, NULL, false)
#elif PG_VERSION_NUM >= 160000
#define BEFORE_ROW_UPDATE(estate, epq, result, place, row) \
	ExecBRUpdateTriggers(estate, epq, result, place, NULL, row, NULL, NULL)
#else
#define BEFORE_ROW_UPDATE(estate, epq, result, place, row) \
	ExecBRUpdateTriggers(estate, epq, result, place, NULL, row, NULL)
#endif

/* 16 knows indexes that only summarize */
#if PG_VERSION_NUM >= 160000
#define IndexesToUpdate TU_UpdateIndexes
#define UPDATE_INDEXES(result, row, estate, which) \
	ExecInsertIndexTuples(result, row, estate, true, false, NULL, NIL, (which) == TU_Summarizing)
#define INSERT_INDEXES(result, row, estate) \
	ExecInsertIndexTuples(result, row, estate, false, false, NULL, NIL, false)
#else
#define IndexesToUpdate bool
#define UPDATE_INDEXES(result, row, estate, which) \
	ExecInsertIndexTuples(result, row, estate, true, false, NULL, NIL)
#define INSERT_INDEXES(result, row, estate) \
	ExecInsertIndexTuples(result, row, estate, false, false, NULL, NIL)
#endif

/* 17 finds the sequence of an identity column by the table, not by its oid */
#if PG_VERSION_NUM >= 170000
#define IDENTITY_SEQUENCE(relation, attnum) getIdentitySequence(relation, attnum, false)
#else
#define IDENTITY_SEQUENCE(relation, attnum) \
	getIdentitySequence(RelationGetRelid(relation), attnum, false)
#endif

/* 18 has steps of their own for strict functions of one argument and of two */
#if PG_VERSION_NUM >= 180000
#define STEP_OF_STRICT_FUNCTION EEOP_FUNCEXPR_STRICT_1
#define STEP_OF_STRICT_OPERATOR EEOP_FUNCEXPR_STRICT_2
#else
#define STEP_OF_STRICT_FUNCTION EEOP_FUNCEXPR_STRICT
#define STEP_OF_STRICT_OPERATOR EEOP_FUNCEXPR_STRICT
#endif

#endif /* SCRM_COMPAT_H */
