/*
 * opportunity_row.c
 *		The columns of sales_crm.opportunity, found by name.
 *
 * Memory: the map of columns lives as long as the session, and a relcache callback marks it when
 * the table changes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "opportunity.h"
#include "plan.h"

const OpportunityColumnInfo opportunity_columns[OPPORTUNITY_COLUMNS] = {
	[OPPORTUNITY_ID] = {"opportunity_id", INT8OID, false},
	[OPPORTUNITY_NAME] = {"name", TEXTOID, true},
	[OPPORTUNITY_ACCOUNT_ID] = {"account_id", INT8OID, true},
	[OPPORTUNITY_CONTACT_ID] = {"contact_id", INT8OID, true},
	[OPPORTUNITY_PIPELINE_ID] = {"pipeline_id", INT8OID, true},
	[OPPORTUNITY_PHASE_ID] = {"phase_id", INT8OID, true},
	[OPPORTUNITY_OWNER_ID] = {"owner_id", INT8OID, true},
	[OPPORTUNITY_SOURCE_ID] = {"source_id", INT8OID, true},
	[OPPORTUNITY_AMOUNT] = {"amount", NUMERICOID, true},
	[OPPORTUNITY_CURRENCY] = {"currency", TEXTOID, true},
	[OPPORTUNITY_EXPECTED_ON] = {"expected_on", DATEOID, true},
	[OPPORTUNITY_PROBABILITY_OVERRIDE] = {"probability_override", NUMERICOID, true},
	[OPPORTUNITY_LOST_REASON_ID] = {"lost_reason_id", INT8OID, true},
	[OPPORTUNITY_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID, true},
	[OPPORTUNITY_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID, true},
	[OPPORTUNITY_PRICES_INCLUDE_TAX] = {"prices_include_tax", BOOLOID, true},
	[OPPORTUNITY_VAT_METHOD] = {"vat_method", TEXTOID, true},
	[OPPORTUNITY_PHASE_SINCE] = {"phase_since", TIMESTAMPTZOID, false},
	[OPPORTUNITY_CLOSED_AT] = {"closed_at", TIMESTAMPTZOID, false},
	[OPPORTUNITY_CREATED_AT] = {"created_at", TIMESTAMPTZOID, false},
	[OPPORTUNITY_CREATED_BY] = {"created_by", INT8OID, false},
	[OPPORTUNITY_UPDATED_AT] = {"updated_at", TIMESTAMPTZOID, false},
	[OPPORTUNITY_REVISION] = {"revision", INT8OID, false},
};

/* The map of the table itself */
static OpportunityMap table_map;
static Oid table_map_oid = InvalidOid;
static bool table_map_valid = false;

static void relcache_callback(Datum arg, Oid relid);

void
opportunity_init(void)
{
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
}

void
opportunity_map_fill(OpportunityMap *map, TupleDesc tupdesc)
{
	for (int column = 0; column < OPPORTUNITY_COLUMNS; column++)
	{
		const OpportunityColumnInfo *wanted = &opportunity_columns[column];
		AttrNumber attnum = InvalidAttrNumber;

		for (int i = 0; i < tupdesc->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

			if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), wanted->name) == 0)
				attnum = attribute->attnum;
		}
		if (attnum == InvalidAttrNumber)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("sales_crm.opportunity has no column \"%s\"", wanted->name),
							errdetail("The functions of sales_crm work with it."),
							errhint("Add or rename it back; columns of your own are welcome.")));
		if (TupleDescAttr(tupdesc, attnum - 1)->atttypid != wanted->type)
			ereport(
				ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg(
					 "column \"%s\" of sales_crm.opportunity has another type than sales_crm gave it",
					 wanted->name),
				 errdetail("It has type %s instead of %s.",
						   format_type_be(TupleDescAttr(tupdesc, attnum - 1)->atttypid),
						   format_type_be(wanted->type)),
				 errhint("ALTER the column back to its type.")));
		map->attnums[column] = attnum;
	}
}

const OpportunityMap *
opportunity_map(Relation relation)
{
	if (!table_map_valid || RelationGetRelid(relation) != table_map_oid)
	{
		if (RelationGetRelid(relation) != plan_relation("opportunity"))
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("trigger functions of sales_crm.opportunity do not serve table \"%s\"",
							RelationGetRelationName(relation)),
					 errhint("Drop the trigger on that table.")));
		table_map_oid = RelationGetRelid(relation);
		opportunity_map_fill(&table_map, RelationGetDescr(relation));
		table_map_valid = true;
	}
	return &table_map;
}

/* opportunity_differs compares a column of two rows of the same type. */
bool
opportunity_differs(const OpportunityRow *a, const OpportunityRow *b, OpportunityColumn column)
{
	int i = a->map->attnums[column] - 1;
	Form_pg_attribute attribute = TupleDescAttr(a->tupdesc, i);

	if (a->nulls[i] || b->nulls[i])
		return a->nulls[i] != b->nulls[i];
	if (attribute->atttypid == NUMERICOID) /* 100 is 100.00 */
		return !DatumGetBool(DirectFunctionCall2(numeric_eq, a->values[i], b->values[i]));
	return !datum_image_eq(a->values[i], b->values[i], attribute->attbyval, attribute->attlen);
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	if (relid == InvalidOid || relid == table_map_oid)
		table_map_valid = false;
}
