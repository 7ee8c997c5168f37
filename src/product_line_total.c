/*
 * product_line_total.c
 *		What the product lines of an opportunity come to, and whether its member may give so much
 *		discount.
 *
 * Lines are read as they are now: their opportunity is locked, so that nobody changes them
 * meanwhile.
 *
 * Memory: the current context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "configuration.h"
#include "decimal.h"
#include "error.h"
#include "money.h"
#include "plan.h"
#include "product_line.h"
#include "product_line_total.h"

Terms
line_terms(int64 opportunity_id, Datum currency, NullableDatum method,
		   NullableDatum prices_include_tax)
{
	const Configuration *configuration = configuration_get();
	text *code = DatumGetTextPP(currency);
	text *name = method.isnull ? NULL : DatumGetTextPP(method.value);

	return (Terms){
		.opportunity_id = opportunity_id,
		.currency =
			configuration_find_currency(configuration, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code)),
		.method = name == NULL
					  ? configuration->vat_method
					  : configuration_vat_method(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)),
		.prices_include_tax = prices_include_tax.isnull ? configuration->prices_include_tax
														: DatumGetBool(prices_include_tax.value),
	};
}

bool
product_line_total(const OpportunityRow *row, Member member, bool new_discount, Datum *total)
{
	return line_total_of(row, member, new_discount, 0, total);
}

bool
line_total_of(const OpportunityRow *row, Member member, bool checked, int64 of_lines, Datum *total)
{
	int64 opportunity_id = opportunity_key(row, OPPORTUNITY_ID);
	Terms terms = line_terms(opportunity_id, opportunity_value(row, OPPORTUNITY_CURRENCY),
							 opportunity_nullable(row, OPPORTUNITY_VAT_METHOD),
							 opportunity_nullable(row, OPPORTUNITY_PRICES_INCLUDE_TAX));
	Offer *offer;
	bool found;

	terms.discount_percent = opportunity_nullable(row, OPPORTUNITY_DISCOUNT_PERCENT);
	terms.discount_amount = opportunity_nullable(row, OPPORTUNITY_DISCOUNT_AMOUNT);
	found = line_total(&terms, &offer);
	if (checked)
		line_check_discount(offer, opportunity_id, of_lines, member);
	if (found)
		*total = decimal_to_numeric(offer->net, terms.currency->minor_units);
	return found;
}

bool
line_total(const Terms *terms, Offer **offer)
{
	LookupScan scan;
	bool counts = false;

	*offer = money_offer(terms->currency, terms->method, terms->prices_include_tax, false);
	money_set_discount(*offer, terms->discount_percent, terms->discount_amount);
	line_scan_begin(&scan, terms->opportunity_id);
	while (lookup_next(&scan))
	{
		const LineRow *row = &scan.row;
		MoneyLine line;

		if (!line_is_item(row))
			continue;
		line = line_money(row, terms->currency);
		text_to_cstring_buffer(DatumGetTextPP(line_value(row, LINE_TAX_CATEGORY).value),
							   line.category, sizeof(line.category));
		line.optional = DatumGetBool(line_value(row, LINE_OPTIONAL).value);
		money_add_line(*offer, &line);
		counts |= !line.optional;
	}
	lookup_end(&scan);
	if (counts)
		money_compute(*offer);
	return counts;
}

void
line_check_discount(const Offer *offer, int64 opportunity_id, int64 of_lines, Member member)
{
	static ScrmPlan plan = {
		.sql = "SELECT coalesce(max(a.discount_percent) * 10000, 0)::int8"
			   " FROM sales_crm.discount_approval a"
			   " WHERE a.opportunity_id = $1 AND a.status = 'approved'",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	int64 limit = configuration_get()->max_discount[member.is_manager ? 1 : 0];
	int64 given = Max(money_percent(offer->list, offer->amount - offer->discount), of_lines);
	Datum values[1] = {Int64GetDatum(opportunity_id)};

	if (offer->given.kind == DISCOUNT_PERCENT)
		given = Max(given, offer->given.value);
	if (member.member_id == 0 || given <= limit)
		return;
	plan_begin();
	(void) plan_run(&plan, PLAN_READ_LATEST, values, NULL);
	limit = Max(limit, DatumGetInt64(plan_value(SPI_tuptable, 0, 1).value));
	plan_end();
	if (given > limit)
		ereport(ERROR, (errcode(ERRCODE_SCRM_NOT_PERMITTED), errmsg("discount is above the limit"),
						errdetail("Opportunity " INT64_FORMAT
								  " would have a discount of %.2f %%; member " INT64_FORMAT
								  " may give %.2f %%.",
								  opportunity_id, (double) given / 10000, member.member_id,
								  (double) limit / 10000),
						errhint("SELECT sales_crm.request_discount_approval(" INT64_FORMAT
								", discount_percent, reason) asks a manager.",
								opportunity_id)));
}
