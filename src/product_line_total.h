/*
 * product_line_total.h
 *		What the lines of an opportunity come to, for product_line.c.
 */
#ifndef SCRM_PRODUCT_LINE_TOTAL_H
#define SCRM_PRODUCT_LINE_TOTAL_H

#include "postgres.h"

#include "configuration.h"
#include "member.h"
#include "money.h"
#include "opportunity.h"

/* What of an opportunity decides about its total */
typedef struct Terms
{
	int64 opportunity_id;
	const Currency *currency;
	VatMethod method;
	bool prices_include_tax;
	NullableDatum discount_percent;
	NullableDatum discount_amount;
} Terms;

/* The terms but for the discount. What an opportunity written with triggers off lacks is NULL */
extern Terms line_terms(int64 opportunity_id, Datum currency, NullableDatum method,
						NullableDatum prices_include_tax);

/* Computes an opportunity that the session has locked; false when none of its lines counts */
extern bool line_total(const Terms *terms, Offer **offer);

/*
 * The total of a row that the session has locked, or false when no line counts; checked says
 * whether the limit of discounts holds for what it comes to, of_lines is the largest one of a line,
 * in ten-thousandths of a percent
 */
extern bool
line_total_of(const OpportunityRow *row, Member member, bool checked, int64 of_lines, Datum *total);

/*
 * Refuses a discount above the member's limit, unless a manager approved it: of a line, and of the
 * offer with its lines. A session without member has no limit. Errors: SC201
 */
extern void
line_check_discount(const Offer *offer, int64 opportunity_id, int64 of_lines, Member member);

#endif /* SCRM_PRODUCT_LINE_TOTAL_H */
