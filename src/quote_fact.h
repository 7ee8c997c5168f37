/*
 * quote_fact.h
 *		The facts of a quote's snapshot, to be read by name in one pass, and as templates show them.
 *
 * A snapshot may be anybody's jsonb: facts that it lacks are null.
 */
#ifndef SCRM_QUOTE_FACT_H
#define SCRM_QUOTE_FACT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "json.h"
#include "mustache.h"

/* Of the snapshot; like all of these in the order of json_read() */
typedef enum Fact
{
	FACT_LINES,
	FACT_TERMS,
	FACT_TITLE,
	FACT_LOCALE,
	FACT_NUMBER,
	FACT_SELLER,
	FACT_TOTALS,
	FACT_COMPANY,
	FACT_SENT_ON,
	FACT_VERSION,
	FACT_CURRENCY,
	FACT_CUSTOMER,
	FACT_MINOR_UNITS,
	FACT_VALID_UNTIL,
	FACT_INTRODUCTION,
	FACT_DISCOUNT_PERCENT,
	FACT_PRICES_INCLUDE_TAX,
	FACTS,
} Fact;

/* Of its totals */
typedef enum TotalFact
{
	TOTAL_NET,
	TOTAL_VAT,
	TOTAL_GROSS,
	TOTAL_TAXES,
	TOTAL_AMOUNT,
	TOTAL_DISCOUNT,
	TOTAL_FACTS,
} TotalFact;

/* Of each line */
typedef enum LineFact
{
	LINE_KIND,
	LINE_NAME,
	LINE_UNIT,
	LINE_AMOUNT,
	LINE_NUMBER,
	LINE_OPTIONAL,
	LINE_QUANTITY,
	LINE_UNIT_NAME,
	LINE_UNIT_PRICE,
	LINE_DESCRIPTION,
	LINE_TAX_PERCENT,
	LINE_DISCOUNT_AMOUNT,
	LINE_DISCOUNT_PERCENT,
	LINE_EXTRA_DESCRIPTION,
	LINE_FACTS,
} LineFact;

/* Of each of the totals' taxes */
typedef enum TaxFact
{
	TAX_VAT,
	TAX_BASE,
	TAX_PERCENT,
	TAX_CATEGORY,
	TAX_FACTS,
} TaxFact;

extern const JsonKey fact_keys[FACTS];
extern const JsonKey total_keys[TOTAL_FACTS];
extern const JsonKey line_keys[LINE_FACTS];
extern const JsonKey tax_keys[TAX_FACTS];

/* A text as it is, and ->> of anything else; the second makes an empty text null */
extern MustacheValue fact_copy(const JsonbValue *fact);
extern MustacheValue fact_filled(const JsonbValue *fact);

/* A number in plain decimal notation, or NULL. Errors: 22P02 for a text that is none */
extern char *fact_digits(const JsonbValue *fact);

/* The same of a discount, where 0 is none, too */
extern char *fact_discount(const JsonbValue *fact);

/* False for null. Errors: 22P02 for a text that is no boolean */
extern bool fact_is_true(const JsonbValue *fact);

extern bool fact_is_text(const JsonbValue *fact, const char *text);

#endif /* SCRM_QUOTE_FACT_H */
