/*
 * value.h
 *		What the values of an opportunity may be.
 */
#ifndef SCRM_VALUE_H
#define SCRM_VALUE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "compat.h"
#include "configuration.h"
#include "opportunity.h"

/* Each raises 23514, naming the column, or 23503 for an unknown currency */
extern void value_check_name(Datum name);
extern const Currency *value_check_currency(const Configuration *configuration, Datum currency);
extern void value_check_expected_on(Datum expected_on);
extern void value_check_probability(Datum probability);

/* A time of the row, not NULL: finite, and not later than the present moment */
extern void
value_check_time(const OpportunityRow *row, OpportunityColumn column, TimestampTz clock);
extern void
value_check_order(const OpportunityRow *row, OpportunityColumn earlier, OpportunityColumn later);

/* The amount with no more decimals than the currency has */
extern Datum value_check_amount(Datum amount, const Currency *currency);

/* Raises 23514 for a column of opportunity */
pg_noreturn extern void
value_refuse(const char *column, const char *message, const char *detail, const char *hint);

/* Names a column of opportunity in an ereport() */
extern int value_column(const char *column);

#endif /* SCRM_VALUE_H */
