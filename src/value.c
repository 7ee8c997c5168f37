/*
 * value.c
 *		Checks the values of an opportunity, with errors that say what to do.
 *
 * CHECK constraints on the table say the same; they hold where triggers are off.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "mb/pg_wchar.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "value.h"

#define NAME_MAX_CHARACTERS 400

void
value_check_name(Datum name)
{
	struct varlena *text;
	const char *bytes;
	int length;
	int blanks = 0;

	if (toast_raw_datum_size(name) - VARHDRSZ > NAME_MAX_CHARACTERS * MAX_MULTIBYTE_CHAR_LEN)
		length = NAME_MAX_CHARACTERS + 1;
	else
	{
		text = PG_DETOAST_DATUM_PACKED(name);
		bytes = VARDATA_ANY(text);
		length = VARSIZE_ANY_EXHDR(text);
		while (blanks < length && strchr(" \t\r\n\f\v", bytes[blanks]) != NULL)
			blanks++;
		if (blanks == length)
			value_refuse("name", "name of an opportunity must not be blank",
						 "It is what people read in lists.",
						 "Give a name with at least one letter.");
		if (length > NAME_MAX_CHARACTERS)
			length = pg_mbstrlen_with_len(bytes, length);
	}
	if (length > NAME_MAX_CHARACTERS)
		value_refuse("name", "name of an opportunity is too long",
					 psprintf("It has %zu bytes; %d characters are allowed.",
							  toast_raw_datum_size(name) - VARHDRSZ, NAME_MAX_CHARACTERS),
					 "Put long texts into description.");
}

const Currency *
value_check_currency(const Configuration *configuration, Datum currency)
{
	struct varlena *code = PG_DETOAST_DATUM_PACKED(currency);
	const Currency *found =
		configuration_find_currency(configuration, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));

	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("currency is not known"),
				 errdetail("sales_crm.currency has no code \"%s\".",
						   pnstrdup(VARDATA_ANY(code), Min(VARSIZE_ANY_EXHDR(code), 20))),
				 errhint("Use a code of ISO 4217, such as EUR, or add it to sales_crm.currency."),
				 value_column("currency")));
	return found;
}

Datum
value_check_amount(Datum amount, const Currency *currency)
{
	Numeric value = DatumGetNumeric(amount);
	Datum limit;

	if (numeric_is_nan(value) || numeric_is_inf(value))
		value_refuse("amount", "amount is not a number", "NaN and Infinity cannot be summed.",
					 "Use NULL for an amount that is not known yet.");
	limit = NumericGetDatum(int64_to_numeric(INT64CONST(1000000000000000)));
	if (DatumGetBool(
			DirectFunctionCall2(numeric_lt, amount, NumericGetDatum(int64_to_numeric(0)))) ||
		DatumGetBool(DirectFunctionCall2(numeric_ge, amount, limit)))
		value_refuse("amount", "amount is out of range",
					 "An amount is at least 0 and less than 1,000,000,000,000,000.",
					 "Use NULL for an amount that is not known yet.");
	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, amount)) <= currency->minor_units)
		return amount;
	if (DatumGetInt32(DirectFunctionCall1(numeric_min_scale, amount)) > currency->minor_units)
		value_refuse("amount", "amount has too many decimals",
					 psprintf("%s has %d decimals, currency %s has %d.",
							  DatumGetCString(DirectFunctionCall1(numeric_out, amount)),
							  DatumGetInt32(DirectFunctionCall1(numeric_min_scale, amount)),
							  currency->code, currency->minor_units),
					 psprintf("Round it: round(amount, %d).", currency->minor_units));
	return DirectFunctionCall2(numeric_round, amount, Int32GetDatum(currency->minor_units));
}

void
value_check_expected_on(Datum expected_on)
{
	if (DATE_NOT_FINITE(DatumGetDateADT(expected_on)))
		value_refuse("expected_on", "expected_on must be a date of the calendar",
					 "It is infinite, and the forecast counts by month.",
					 "Use NULL for a date that is not known yet.");
}

void
value_check_probability(Datum probability)
{
	Numeric value = DatumGetNumeric(probability);

	/* NaN is greater than every number */
	if (DatumGetBool(
			DirectFunctionCall2(numeric_lt, probability, NumericGetDatum(int64_to_numeric(0)))) ||
		DatumGetBool(
			DirectFunctionCall2(numeric_gt, probability, NumericGetDatum(int64_to_numeric(100)))))
		value_refuse("probability_override", "probability_override must be between 0 and 100",
					 psprintf("It is %s.", numeric_normalize(value)),
					 "It counts in percent; NULL means the probability of the phase.");
}

void
value_check_time(const OpportunityRow *row, OpportunityColumn column, TimestampTz clock)
{
	const char *name = opportunity_columns[column].name;
	TimestampTz at = opportunity_time(row, column);

	if (TIMESTAMP_NOT_FINITE(at))
		value_refuse(name, psprintf("%s must be a moment of the calendar", name), "It is infinite.",
					 "Leave it out: it is filled in.");
	if (at > clock)
		value_refuse(name, psprintf("%s must not lie in the future", name),
					 psprintf("It is %s.", timestamptz_to_str(at)),
					 "Only the past can be stated; leave it out for now.");
}

void
value_check_order(const OpportunityRow *row, OpportunityColumn earlier, OpportunityColumn later)
{
	const char *earlier_name = opportunity_columns[earlier].name;
	const char *later_name = opportunity_columns[later].name;
	TimestampTz earlier_at = opportunity_time(row, earlier);
	TimestampTz later_at = opportunity_time(row, later);
	char *earlier_text;

	if (earlier_at <= later_at)
		return;
	earlier_text = pstrdup(timestamptz_to_str(earlier_at));
	value_refuse(later_name, psprintf("%s must not lie before %s", later_name, earlier_name),
				 psprintf("%s is %s, %s is %s.", later_name, timestamptz_to_str(later_at),
						  earlier_name, earlier_text),
				 "State both in their order, or leave one out.");
}

/* value_column names the column in an ereport(). */
int
value_column(const char *column)
{
	err_generic_string(PG_DIAG_SCHEMA_NAME, "sales_crm");
	err_generic_string(PG_DIAG_TABLE_NAME, "opportunity");
	return err_generic_string(PG_DIAG_COLUMN_NAME, column);
}

void
value_refuse(const char *column, const char *message, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg_internal("%s", message),
					errdetail_internal("%s", detail), errhint("%s", hint), value_column(column)));
}
