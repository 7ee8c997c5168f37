/*
 * quote_fact.c
 *		The facts of a quote's snapshot, to be read by name in one pass, and as templates show them.
 *
 * Memory: the caller's context; texts of trees point into the snapshot where they are as it has them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "format.h"
#include "json.h"
#include "quote_fact.h"
#include "render.h"

const JsonKey fact_keys[FACTS] = {
	[FACT_LINES] = JSON_KEY("lines"),
	[FACT_TERMS] = JSON_KEY("terms"),
	[FACT_TITLE] = JSON_KEY("title"),
	[FACT_LOCALE] = JSON_KEY("locale"),
	[FACT_NUMBER] = JSON_KEY("number"),
	[FACT_SELLER] = JSON_KEY("seller"),
	[FACT_TOTALS] = JSON_KEY("totals"),
	[FACT_COMPANY] = JSON_KEY("company"),
	[FACT_SENT_ON] = JSON_KEY("sent_on"),
	[FACT_VERSION] = JSON_KEY("version"),
	[FACT_CURRENCY] = JSON_KEY("currency"),
	[FACT_CUSTOMER] = JSON_KEY("customer"),
	[FACT_MINOR_UNITS] = JSON_KEY("minor_units"),
	[FACT_VALID_UNTIL] = JSON_KEY("valid_until"),
	[FACT_INTRODUCTION] = JSON_KEY("introduction"),
	[FACT_DISCOUNT_PERCENT] = JSON_KEY("discount_percent"),
	[FACT_PRICES_INCLUDE_TAX] = JSON_KEY("prices_include_tax"),
};

const JsonKey total_keys[TOTAL_FACTS] = {
	[TOTAL_NET] = JSON_KEY("net"),		 [TOTAL_VAT] = JSON_KEY("vat"),
	[TOTAL_GROSS] = JSON_KEY("gross"),	 [TOTAL_TAXES] = JSON_KEY("taxes"),
	[TOTAL_AMOUNT] = JSON_KEY("amount"), [TOTAL_DISCOUNT] = JSON_KEY("discount"),
};

const JsonKey line_keys[LINE_FACTS] = {
	[LINE_KIND] = JSON_KEY("kind"),
	[LINE_NAME] = JSON_KEY("name"),
	[LINE_UNIT] = JSON_KEY("unit"),
	[LINE_AMOUNT] = JSON_KEY("amount"),
	[LINE_NUMBER] = JSON_KEY("number"),
	[LINE_OPTIONAL] = JSON_KEY("optional"),
	[LINE_QUANTITY] = JSON_KEY("quantity"),
	[LINE_UNIT_NAME] = JSON_KEY("unit_name"),
	[LINE_UNIT_PRICE] = JSON_KEY("unit_price"),
	[LINE_DESCRIPTION] = JSON_KEY("description"),
	[LINE_TAX_PERCENT] = JSON_KEY("tax_percent"),
	[LINE_DISCOUNT_AMOUNT] = JSON_KEY("discount_amount"),
	[LINE_DISCOUNT_PERCENT] = JSON_KEY("discount_percent"),
	[LINE_EXTRA_DESCRIPTION] = JSON_KEY("extra_description"),
};

const JsonKey tax_keys[TAX_FACTS] = {
	[TAX_VAT] = JSON_KEY("vat"),
	[TAX_BASE] = JSON_KEY("base"),
	[TAX_PERCENT] = JSON_KEY("percent"),
	[TAX_CATEGORY] = JSON_KEY("category"),
};

MustacheValue
fact_copy(const JsonbValue *fact)
{
	if (fact->type == jbvString)
		return render_value(fact);
	return render_text(json_value_text(fact));
}

MustacheValue
fact_filled(const JsonbValue *fact)
{
	return fact_is_text(fact, "") ? render_text(NULL) : fact_copy(fact);
}

char *
fact_digits(const JsonbValue *fact)
{
	char *text = json_value_text(fact);

	return text == NULL ? NULL : format_digits(text);
}

char *
fact_discount(const JsonbValue *fact)
{
	char *digits = fact_digits(fact);

	return digits == NULL || digits[strspn(digits, "0.")] == '\0' ? NULL : digits;
}

bool
fact_is_true(const JsonbValue *fact)
{
	const char *text;

	if (fact->type == jbvBool)
		return fact->val.boolean;
	text = json_value_text(fact);
	return text != NULL && DatumGetBool(DirectFunctionCall1(boolin, CStringGetDatum(text)));
}

bool
fact_is_text(const JsonbValue *fact, const char *text)
{
	return fact->type == jbvString && fact->val.string.len == (int) strlen(text) &&
		   memcmp(fact->val.string.val, text, fact->val.string.len) == 0;
}
