/*
 * opportunity.h
 *		A row of sales_crm.opportunity, and its columns.
 */
#ifndef SCRM_OPPORTUNITY_H
#define SCRM_OPPORTUNITY_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "batch.h"
#include "row.h"

typedef enum OpportunityColumn
{
	OPPORTUNITY_ID,
	OPPORTUNITY_NAME,
	OPPORTUNITY_ACCOUNT_ID,
	OPPORTUNITY_CONTACT_ID,
	/* what the forecast counts by, in the order in which forecast.c takes changes apart */
	OPPORTUNITY_AMOUNT,
	OPPORTUNITY_CURRENCY,
	OPPORTUNITY_EXPECTED_ON,
	OPPORTUNITY_PROBABILITY_OVERRIDE,
	OPPORTUNITY_OWNER_ID,
	OPPORTUNITY_SOURCE_ID,
	OPPORTUNITY_PIPELINE_ID,
	OPPORTUNITY_PHASE_ID,
	OPPORTUNITY_LOST_REASON_ID,
	OPPORTUNITY_DISCOUNT_PERCENT,
	OPPORTUNITY_DISCOUNT_AMOUNT,
	OPPORTUNITY_PRICES_INCLUDE_TAX,
	OPPORTUNITY_VAT_METHOD,
	OPPORTUNITY_PHASE_SINCE,
	OPPORTUNITY_CLOSED_AT,
	OPPORTUNITY_CREATED_AT,
	OPPORTUNITY_CREATED_BY,
	OPPORTUNITY_UPDATED_AT,
	OPPORTUNITY_REVISION,
} OpportunityColumn;

#define OPPORTUNITY_COLUMNS (OPPORTUNITY_REVISION + 1)

extern const RowColumn opportunity_columns[OPPORTUNITY_COLUMNS];
extern RowMap opportunity_table;

typedef Row OpportunityRow;

/* The places of the columns in the table, and in any row type, as row.h has them */
extern const AttrNumber *opportunity_map(Relation relation);
extern void opportunity_map_fill(AttrNumber *attnums, TupleDesc tupdesc);

/* The opportunity with a key. Returns whether there is one */
extern bool opportunity_find(int64 opportunity_id, OpportunityRow *row);

static inline bool
opportunity_is_null(const OpportunityRow *row, OpportunityColumn column)
{
	return row_is_null(row, column);
}

static inline Datum
opportunity_value(const OpportunityRow *row, OpportunityColumn column)
{
	return row_value(row, column);
}

static inline NullableDatum
opportunity_nullable(const OpportunityRow *row, OpportunityColumn column)
{
	return row_nullable(row, column);
}

/* A time that is not NULL */
static inline TimestampTz
opportunity_time(const OpportunityRow *row, OpportunityColumn column)
{
	return DatumGetTimestampTz(opportunity_value(row, column));
}

/* The value of a key; 0 for NULL */
static inline int64
opportunity_key(const OpportunityRow *row, OpportunityColumn column)
{
	return opportunity_is_null(row, column) ? 0 : DatumGetInt64(opportunity_value(row, column));
}

static inline void
opportunity_set(OpportunityRow *row, OpportunityColumn column, Datum value)
{
	row->values[row->attnums[column] - 1] = value;
	row->nulls[row->attnums[column] - 1] = false;
}

static inline void
opportunity_set_null(OpportunityRow *row, OpportunityColumn column)
{
	row->values[row->attnums[column] - 1] = (Datum) 0;
	row->nulls[row->attnums[column] - 1] = true;
}

extern bool
opportunity_differs(const OpportunityRow *a, const OpportunityRow *b, OpportunityColumn column);

/* Adds the row's key to a batch of keys */
static inline void
opportunity_add_key(Batch *batch, const OpportunityRow *row)
{
	NullableDatum key = batch_value(opportunity_value(row, OPPORTUNITY_ID));

	batch_add(batch, &key);
}

#endif /* SCRM_OPPORTUNITY_H */
