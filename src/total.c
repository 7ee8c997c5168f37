/*
 * total.c
 *		compute_totals() and the aggregates totals() and totals_with_lines(): money.c for SQL, on
 *		JSON and on rows.
 *
 * Memory: the caller's context; of the aggregates, the aggregate's.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "decimal.h"
#include "json.h"
#include "money.h"
#include "total.h"

PG_FUNCTION_INFO_V1(scrm_compute_totals);
PG_FUNCTION_INFO_V1(scrm_totals_add);
PG_FUNCTION_INFO_V1(scrm_totals_add_with_lines);
PG_FUNCTION_INFO_V1(scrm_totals_final);

/* Codes of EN 16931; only the first few come with a percentage */
static const char *const taxed_categories[] = {"S", "L", "M"};
static const char *const other_categories[] = {"Z", "E", "AE", "K", "G", "O"};

static Datum totals_add(FunctionCallInfo fcinfo, bool wants_lines);
static void add_json_line(Offer *offer, JsonbContainer *line);
static void check_currency(const Offer *offer, const char *code, size_t length);
static void set_category(MoneyLine *line, const char *code, size_t length);

static NullableDatum
argument(FunctionCallInfo fcinfo, int number)
{
	return fcinfo->args[number];
}

Datum
scrm_compute_totals(PG_FUNCTION_ARGS)
{
	Jsonb *lines;
	Offer *offer = total_offer(argument(fcinfo, 3), argument(fcinfo, 4), argument(fcinfo, 5), true);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;

	lines = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	if (lines == NULL || !JB_ROOT_IS_ARRAY(lines) || JB_ROOT_IS_SCALAR(lines))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("lines are not an array"),
						errhint("Give a JSON array of objects with quantity, unit_price and "
								"tax_percent.")));
	money_set_discount(offer, argument(fcinfo, 1), argument(fcinfo, 2));
	iterator = JsonbIteratorInit(&lines->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a line is not an object"),
					 errhint("Give objects with quantity, unit_price and tax_percent.")));
		add_json_line(offer, value.val.binary.data);
	}
	money_compute(offer);
	return total_to_jsonb(offer, true);
}

Datum
scrm_totals_add(PG_FUNCTION_ARGS)
{
	return totals_add(fcinfo, false);
}

Datum
scrm_totals_add_with_lines(PG_FUNCTION_ARGS)
{
	return totals_add(fcinfo, true);
}

Datum
scrm_totals_final(PG_FUNCTION_ARGS)
{
	Offer *offer = PG_ARGISNULL(0) ? NULL : (Offer *) PG_GETARG_POINTER(0);

	if (offer == NULL)
		PG_RETURN_NULL();
	money_compute(offer);
	return total_to_jsonb(offer, offer->for_lines);
}

/* totals_add takes a row of the aggregates, whose first one says what the whole offer has. */
static Datum
totals_add(FunctionCallInfo fcinfo, bool wants_lines)
{
	MemoryContext aggregate;
	MemoryContext caller;
	Offer *offer = PG_ARGISNULL(0) ? NULL : (Offer *) PG_GETARG_POINTER(0);
	MoneyLine line;
	text *code;

	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "step of an aggregate called elsewhere");
	if (offer == NULL)
	{
		caller = MemoryContextSwitchTo(aggregate);
		offer = total_offer(argument(fcinfo, 10), argument(fcinfo, 11), argument(fcinfo, 12),
							wants_lines);
		money_set_discount(offer, argument(fcinfo, 8), argument(fcinfo, 9));
		MemoryContextSwitchTo(caller);
	}
	if (PG_ARGISNULL(1))
	{
		caller = MemoryContextSwitchTo(aggregate);
		money_add_text(offer);
		MemoryContextSwitchTo(caller);
		PG_RETURN_POINTER(offer);
	}
	line = money_line(offer->currency, argument(fcinfo, 1), argument(fcinfo, 2),
					  argument(fcinfo, 3), argument(fcinfo, 4), argument(fcinfo, 5));
	if (!PG_ARGISNULL(11))
	{
		code = PG_GETARG_TEXT_PP(11);
		check_currency(offer, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
	}
	total_set_category(&line, argument(fcinfo, 6));
	line.optional = !PG_ARGISNULL(7) && PG_GETARG_BOOL(7);
	caller = MemoryContextSwitchTo(aggregate);
	money_add_line(offer, &line);
	MemoryContextSwitchTo(caller);
	PG_RETURN_POINTER(offer);
}

Offer *
total_offer(NullableDatum method, NullableDatum currency, NullableDatum prices_include_tax,
			bool wants_lines)
{
	const Configuration *configuration = configuration_get();
	VatMethod vat_method = configuration->vat_method;
	const Currency *found;
	text *code =
		currency.isnull ? cstring_to_text(configuration->currency) : DatumGetTextPP(currency.value);

	if (!method.isnull)
	{
		text *name = DatumGetTextPP(method.value);

		vat_method = configuration_vat_method(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	found = configuration_find_currency(configuration, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
	if (found == NULL)
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("currency is not known"),
						errdetail("sales_crm.currency has no code \"%s\".",
								  pnstrdup(VARDATA_ANY(code), Min(VARSIZE_ANY_EXHDR(code), 20))),
						errhint("Use a code of ISO 4217, such as EUR.")));
	return money_offer(found, vat_method,
					   prices_include_tax.isnull ? configuration->prices_include_tax
												 : DatumGetBool(prices_include_tax.value),
					   wants_lines);
}

static JsonbValue *
json_value(JsonbContainer *line, const char *key, enum jbvType type, const char *type_name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(line, key, strlen(key), NULL);

	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type != type)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of a line is not a %s", key, type_name),
						errhint("Write it as a %s of JSON.", type_name)));
	return value;
}

static NullableDatum
json_number(JsonbContainer *line, const char *key)
{
	JsonbValue *value = json_value(line, key, jbvNumeric, "number");

	return value == NULL ? batch_null() : batch_value(NumericGetDatum(value->val.numeric));
}

static void
add_json_line(Offer *offer, JsonbContainer *json)
{
	JsonbValue *kind = json_value(json, "kind", jbvString, "string");
	JsonbValue *category = json_value(json, "tax_category", jbvString, "string");
	JsonbValue *currency = json_value(json, "currency", jbvString, "string");
	JsonbValue *optional = json_value(json, "optional", jbvBool, "boolean");
	NullableDatum tax_rate_id = json_number(json, "tax_rate_id");
	NullableDatum percent = json_number(json, "tax_percent");
	const TaxRate *rate = NULL;
	MoneyLine line;

	if (kind != NULL && (kind->val.string.len != 4 || memcmp(kind->val.string.val, "item", 4) != 0))
	{
		money_add_text(offer);
		return;
	}
	if (percent.isnull && !tax_rate_id.isnull)
	{
		int64 key = 0;

		if (decimal_from_numeric(tax_rate_id.value, 0, &key) == DECIMAL_FITS)
			rate = configuration_find_tax_rate(configuration_get(), key);
		if (rate == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("tax rate does not exist"),
					 errdetail("sales_crm.tax_rate has no key %s.",
							   numeric_normalize(DatumGetNumeric(tax_rate_id.value))),
					 errhint("SELECT tax_rate_id, name FROM sales_crm.tax_rate shows those there "
							 "are.")));
		percent = batch_value(rate->percent);
	}
	line = money_line(offer->currency, json_number(json, "quantity"),
					  json_number(json, "unit_price"), json_number(json, "discount_percent"),
					  json_number(json, "discount_amount"), percent);
	if (currency != NULL)
		check_currency(offer, currency->val.string.val, currency->val.string.len);
	if (rate != NULL)
		set_category(&line, rate->category, strlen(rate->category));
	else
		set_category(&line, category == NULL ? NULL : category->val.string.val,
					 category == NULL ? 0 : category->val.string.len);
	line.optional = optional != NULL && optional->val.boolean;
	money_add_line(offer, &line);
}

static void
check_currency(const Offer *offer, const char *code, size_t length)
{
	if (strlen(offer->currency->code) != length || memcmp(offer->currency->code, code, length) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION), errmsg("lines of an offer have one currency"),
				 errdetail("A line is in %s, the offer in %s.", pnstrdup(code, Min(length, 20)),
						   offer->currency->code),
				 errhint("Make an offer for each currency.")));
}

void
total_set_category(MoneyLine *line, NullableDatum category)
{
	text *code = category.isnull ? NULL : DatumGetTextPP(category.value);

	set_category(line, code == NULL ? NULL : VARDATA_ANY(code),
				 code == NULL ? 0 : VARSIZE_ANY_EXHDR(code));
}

/*
 * set_category sets the code of a line's VAT; without one, S with a percentage and Z without. As in
 * EN 16931, S has a percentage (BR-S-5), and all but S, L and M have none.
 */
static void
set_category(MoneyLine *line, const char *code, size_t length)
{
	if (code == NULL)
	{
		strcpy(line->category, line->tax_percent > 0 ? "S" : "Z");
		return;
	}
	for (size_t i = 0; length <= 2 && i < lengthof(taxed_categories); i++)
	{
		if (strlen(taxed_categories[i]) == length &&
			memcmp(code, taxed_categories[i], length) == 0 && (i > 0 || line->tax_percent > 0))
		{
			strcpy(line->category, taxed_categories[i]);
			return;
		}
	}
	for (size_t i = 0; line->tax_percent == 0 && i < lengthof(other_categories); i++)
	{
		if (strlen(other_categories[i]) == length && memcmp(code, other_categories[i], length) == 0)
		{
			strcpy(line->category, other_categories[i]);
			return;
		}
	}
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("tax category does not go with the percentage"),
					errdetail("The category is \"%s\".", pnstrdup(code, Min(length, 20))),
					errhint("Use a code of EN 16931: S above 0 %%, L or M; or Z, E, AE, K, G or O "
							"with 0 %%.")));
}

static void
push_amount(JsonbParseState **state, const char *key, int64 amount, const Offer *offer)
{
	json_push_number(state, key, decimal_to_numeric(amount, offer->currency->minor_units));
}

static void
push_rate(JsonbParseState **state, const OfferRate *rate, const Offer *offer)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_amount(state, "net", rate->net, offer);
	push_amount(state, "vat", rate->vat, offer);
	push_amount(state, "base", rate->base, offer);
	push_amount(state, "amount", rate->amount, offer);
	json_push_number(
		state, "percent",
		DirectFunctionCall1(numeric_trim_scale,
							decimal_to_numeric(rate->percent, MONEY_PERCENT_DECIMALS)));
	json_push_text(state, "category", rate->category);
	push_amount(state, "discount", rate->discount, offer);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_line(JsonbParseState **state, const OfferLine *line, const Offer *offer)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (line->rate >= 0)
	{
		push_amount(state, "net", line->net, offer);
		push_amount(state, "base", line->base, offer);
		push_amount(state, "amount", line->amount, offer);
		push_amount(state, "discount", line->discount, offer);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * offer_to_jsonb and its helpers push keys in the order in which jsonb keeps them, which spares the
 * sort.
 */
Datum
total_to_jsonb(const Offer *offer, bool with_lines)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_amount(&state, "net", offer->net, offer);
	push_amount(&state, "vat", offer->vat, offer);
	push_amount(&state, "list", offer->list, offer);
	push_amount(&state, "gross", offer->gross, offer);
	if (with_lines)
	{
		json_push_key(&state, "lines");
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		for (int i = 0; i < offer->nlines; i++)
			push_line(&state, &offer->lines[i], offer);
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	json_push_key(&state, "taxes");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < offer->nrates; i++)
		push_rate(&state, &offer->rates[i], offer);
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	push_amount(&state, "amount", offer->amount, offer);
	json_push_text(&state, "method", configuration_vat_method_name(offer->method));
	json_push_text(&state, "currency", offer->currency->code);
	push_amount(&state, "discount", offer->discount, offer);
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return PointerGetDatum(JsonbValueToJsonb(result));
}
