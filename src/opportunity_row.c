/*
 * opportunity_row.c
 *		The columns of sales_crm.opportunity, and single rows of it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"

#include "lookup.h"
#include "opportunity.h"
#include "row.h"

const RowColumn opportunity_columns[OPPORTUNITY_COLUMNS] = {
	[OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[OPPORTUNITY_NAME] = {"name", TEXTOID},
	[OPPORTUNITY_ACCOUNT_ID] = {"account_id", INT8OID},
	[OPPORTUNITY_CONTACT_ID] = {"contact_id", INT8OID},
	[OPPORTUNITY_PIPELINE_ID] = {"pipeline_id", INT8OID},
	[OPPORTUNITY_PHASE_ID] = {"phase_id", INT8OID},
	[OPPORTUNITY_OWNER_ID] = {"owner_id", INT8OID},
	[OPPORTUNITY_SOURCE_ID] = {"source_id", INT8OID},
	[OPPORTUNITY_AMOUNT] = {"amount", NUMERICOID},
	[OPPORTUNITY_CURRENCY] = {"currency", TEXTOID},
	[OPPORTUNITY_EXPECTED_ON] = {"expected_on", DATEOID},
	[OPPORTUNITY_PROBABILITY_OVERRIDE] = {"probability_override", NUMERICOID},
	[OPPORTUNITY_LOST_REASON_ID] = {"lost_reason_id", INT8OID},
	[OPPORTUNITY_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID},
	[OPPORTUNITY_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID},
	[OPPORTUNITY_PRICES_INCLUDE_TAX] = {"prices_include_tax", BOOLOID},
	[OPPORTUNITY_VAT_METHOD] = {"vat_method", TEXTOID},
	[OPPORTUNITY_PHASE_SINCE] = {"phase_since", TIMESTAMPTZOID},
	[OPPORTUNITY_CLOSED_AT] = {"closed_at", TIMESTAMPTZOID},
	[OPPORTUNITY_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	[OPPORTUNITY_CREATED_BY] = {"created_by", INT8OID},
	[OPPORTUNITY_UPDATED_AT] = {"updated_at", TIMESTAMPTZOID},
	[OPPORTUNITY_REVISION] = {"revision", INT8OID},
};

RowMap opportunity_table = ROW_MAP("opportunity", opportunity_columns);

const AttrNumber *
opportunity_map(Relation relation)
{
	return row_map_get(&opportunity_table, relation);
}

void
opportunity_map_fill(AttrNumber *attnums, TupleDesc tupdesc)
{
	row_map_fill(&opportunity_table, attnums, tupdesc);
}

bool
opportunity_find(int64 opportunity_id, OpportunityRow *row)
{
	static Lookup lookup = {.map = &opportunity_table, .ncolumns = 1, .columns = {OPPORTUNITY_ID}};
	Datum key[] = {Int64GetDatum(opportunity_id)};

	return lookup_row(&lookup, LOOKUP_STATEMENT, key, row);
}

/* opportunity_differs compares a column of two rows of the same type. */
bool
opportunity_differs(const OpportunityRow *a, const OpportunityRow *b, OpportunityColumn column)
{
	int i = a->attnums[column] - 1;
	Form_pg_attribute attribute = TupleDescAttr(a->tupdesc, i);

	if (a->nulls[i] || b->nulls[i])
		return a->nulls[i] != b->nulls[i];
	if (attribute->atttypid == NUMERICOID) /* 100 is 100.00 */
		return !DatumGetBool(DirectFunctionCall2(numeric_eq, a->values[i], b->values[i]));
	return !datum_image_eq(a->values[i], b->values[i], attribute->attbyval, attribute->attlen);
}
