/*
 * quote_view.c
 *		quote_view_data(): the facts of a quote's snapshot, as readers of its locale write them, for
 *		templates to be filled with.
 *
 * A snapshot may be anybody's jsonb: what it lacks is null here. Members are pushed in the order in
 * which jsonb keeps them.
 *
 * Memory: SPI's, where the words come from; the result is made in the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "color.h"
#include "compat.h"
#include "format.h"
#include "json.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(scrm_quote_view_data);

#define DEFAULT_COLOR "#1f4e79"

typedef struct QuoteView
{
	JsonbParseState *state;
	JsonbContainer *snapshot;
	JsonbContainer *totals;
	Jsonb *words;
	const char *locale;
	const Language *language;
	const char *currency; /* NULL = there is none, nor any amount */
	int minor_units;
	int64 items; /* lines so far that are items */
	bool has_discounts;
	bool has_options;
} QuoteView;

static void read_locale(QuoteView *view);
static void push_view(QuoteView *view);
static void push_lines(QuoteView *view);
static void push_line(QuoteView *view, JsonbContainer *line);
static void push_unit(QuoteView *view, JsonbContainer *line);
static void push_taxes(QuoteView *view);
static void push_discount(QuoteView *view);
static void push_party(QuoteView *view, const char *name, const char *color);
static void push_copy(QuoteView *view, const char *key, JsonbContainer *from);
static void push_filled(QuoteView *view, const char *key, JsonbContainer *from);
static void push_date(QuoteView *view, const char *key);
static void push_amount(QuoteView *view, const char *key, JsonbContainer *from);
static char *amount_text(const QuoteView *view, const char *digits);
static char *percent_text(const QuoteView *view, const char *digits);
static char *digits_of(JsonbContainer *from, const char *key);
static char *digits_of_discount(JsonbContainer *from, const char *key);
static bool is_true(JsonbContainer *from, const char *key);
static JsonbContainer *array_of(JsonbContainer *from, const char *key);

/* snapshot jsonb: jsonb */
Datum
scrm_quote_view_data(PG_FUNCTION_ARGS)
{
	static ScrmPlan words = {
		.sql = "SELECT sales_crm.quote_words($1)",
		.nargs = 1,
		.argtypes = {TEXTOID},
	};
	QuoteView view = {.snapshot = &PG_GETARG_JSONB_P(0)->root};
	MemoryContext caller = CurrentMemoryContext;
	JsonbValue *made;
	Datum result;
	Datum values[1];
	bool isnull;

	read_locale(&view);
	values[0] = CStringGetTextDatum(view.locale);
	plan_begin();
	(void) plan_run(&words, PLAN_READ_AS_CALLER, values, NULL);
	view.words =
		DatumGetJsonbP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	pushJsonbValue(&view.state, WJB_BEGIN_OBJECT, NULL);
	push_view(&view);
	made = pushJsonbValue(&view.state, WJB_END_OBJECT, NULL);
	MemoryContextSwitchTo(caller);
	result = PointerGetDatum(JsonbValueToJsonb(made));
	plan_end();
	return result;
}

static void
read_locale(QuoteView *view)
{
	const char *minor_units = json_text(view->snapshot, "minor_units");

	view->totals = json_container(view->snapshot, "totals");
	view->locale = json_text(view->snapshot, "locale");
	if (view->locale == NULL)
		view->locale = "en";
	view->language = format_language(view->locale, strlen(view->locale));
	if (minor_units != NULL)
	{
		view->minor_units = pg_strtoint32(minor_units);
		view->currency = json_text(view->snapshot, "currency");
	}
}

static void
push_view(QuoteView *view)
{
	JsonbContainer *snapshot = view->snapshot;
	JsonbValue words = {.type = jbvBinary};
	const char *version = json_text(snapshot, "version");
	const char *color = json_text(json_container(snapshot, "company"), "brand_color");

	words.val.binary.data = &view->words->root;
	words.val.binary.len = (int) VARSIZE(view->words) - VARHDRSZ;
	push_amount(view, "net", view->totals);
	push_amount(view, "vat", view->totals);
	json_push_boolean(&view->state, "draft", json_text(snapshot, "sent_on") == NULL);
	push_amount(view, "gross", view->totals);
	push_lines(view);
	push_taxes(view);
	push_filled(view, "terms", snapshot);
	push_filled(view, "title", snapshot);
	json_push_value(&view->state, "words", &words);
	json_push_text(&view->state, "locale", view->locale);
	push_copy(view, "number", snapshot);
	push_party(view, "seller", NULL);
	push_party(view, "company", color != NULL && color_is_valid(color) ? color : DEFAULT_COLOR);
	push_date(view, "sent_on");
	json_push_text(&view->state, "version",
				   version == NULL || strcmp(version, "1") == 0 ? NULL : version);
	push_copy(view, "currency", snapshot);
	push_party(view, "customer", NULL);
	push_discount(view);
	json_push_text(&view->state, "language",
				   pnstrdup(view->locale, pg_mbcharcliplen(view->locale, strlen(view->locale), 2)));
	json_push_boolean(&view->state, "has_options", view->has_options);
	push_date(view, "valid_until");
	push_filled(view, "introduction", snapshot);
	json_push_boolean(&view->state, "has_discounts", view->has_discounts);
	json_push_boolean(&view->state, "prices_include_tax", is_true(snapshot, "prices_include_tax"));
}

static void
push_lines(QuoteView *view)
{
	JsonbContainer *lines = array_of(view->snapshot, "lines");
	JsonbIterator *iterator = lines == NULL ? NULL : JsonbIteratorInit(lines);
	JsonbValue value;

	json_push_key(&view->state, "lines");
	pushJsonbValue(&view->state, WJB_BEGIN_ARRAY, NULL);
	while (iterator != NULL)
	{
		if (JsonbIteratorNext(&iterator, &value, true) == WJB_ELEM)
			push_line(view, value.type == jbvBinary ? value.val.binary.data : NULL);
	}
	pushJsonbValue(&view->state, WJB_END_ARRAY, NULL);
}

static void
push_line(QuoteView *view, JsonbContainer *line)
{
	const char *kind = json_text(line, "kind");
	const char *number = json_text(line, "number");
	const char *quantity = digits_of(line, "quantity");
	char *discount = percent_text(view, digits_of_discount(line, "discount_percent"));
	bool optional = is_true(line, "optional");
	bool item = kind != NULL && strcmp(kind, "item") == 0;

	if (item)
		view->items++;
	if (discount == NULL)
		discount = amount_text(view, digits_of_discount(line, "discount_amount"));
	view->has_discounts |= discount != NULL;
	view->has_options |= optional;

	pushJsonbValue(&view->state, WJB_BEGIN_OBJECT, NULL);
	json_push_boolean(&view->state, "item", item);
	push_copy(view, "name", line);
	json_push_boolean(&view->state, "text", kind != NULL && strcmp(kind, "text") == 0);
	push_unit(view, line);
	push_amount(view, "amount", line);
	json_push_text(&view->state, "number",
				   number != NULL ? number : psprintf(INT64_FORMAT, view->items));
	json_push_boolean(&view->state, "heading", kind != NULL && strcmp(kind, "heading") == 0);
	json_push_text(&view->state, "discount", discount);
	json_push_boolean(&view->state, "optional", optional);
	json_push_text(&view->state, "quantity",
				   quantity == NULL ? NULL : format_number(quantity, view->language, 0));
	push_amount(view, "unit_price", line);
	push_filled(view, "description", line);
	json_push_text(&view->state, "vat_percent", percent_text(view, digits_of(line, "tax_percent")));
	push_filled(view, "extra_description", line);
	pushJsonbValue(&view->state, WJB_END_OBJECT, NULL);
}

/* push_unit leaves out pieces and lump sums, which go without saying. */
static void
push_unit(QuoteView *view, JsonbContainer *line)
{
	const char *unit = json_text(line, "unit");
	const char *name = json_text(line, "unit_name");

	if (unit != NULL && (strcmp(unit, "C62") == 0 || strcmp(unit, "LS") == 0))
		unit = NULL;
	json_push_text(&view->state, "unit", unit != NULL && name != NULL ? name : unit);
}

static void
push_taxes(QuoteView *view)
{
	JsonbContainer *taxes = array_of(view->totals, "taxes");
	JsonbIterator *iterator = taxes == NULL ? NULL : JsonbIteratorInit(taxes);
	JsonbValue value;

	json_push_key(&view->state, "taxes");
	pushJsonbValue(&view->state, WJB_BEGIN_ARRAY, NULL);
	while (iterator != NULL)
	{
		JsonbContainer *tax;
		const char *category;

		if (JsonbIteratorNext(&iterator, &value, true) != WJB_ELEM)
			continue;
		tax = value.type == jbvBinary ? value.val.binary.data : NULL;
		category = json_text(tax, "category");
		pushJsonbValue(&view->state, WJB_BEGIN_OBJECT, NULL);
		push_amount(view, "vat", tax);
		push_amount(view, "base", tax);
		json_push_text(
			&view->state, "note",
			category == NULL ? NULL : json_text(&view->words->root, psprintf("note_%s", category)));
		json_push_text(&view->state, "percent", percent_text(view, digits_of(tax, "percent")));
		json_push_text(&view->state, "category", category);
		pushJsonbValue(&view->state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&view->state, WJB_END_ARRAY, NULL);
}

/* push_discount tells of a discount on the whole offer, as a negative amount. */
static void
push_discount(QuoteView *view)
{
	const char *discount = digits_of_discount(view->totals, "discount");

	if (discount == NULL)
	{
		json_push_text(&view->state, "discount", NULL);
		return;
	}
	json_push_key(&view->state, "discount");
	pushJsonbValue(&view->state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&view->state, "amount",
				   amount_text(view, *discount == '-' ? discount + 1 : psprintf("-%s", discount)));
	json_push_text(&view->state, "before", amount_text(view, digits_of(view->totals, "amount")));
	json_push_text(&view->state, "percent",
				   percent_text(view, digits_of_discount(view->snapshot, "discount_percent")));
	pushJsonbValue(&view->state, WJB_END_OBJECT, NULL);
}

/* push_party copies what is known of the company, the seller or the customer; with its colours. */
static void
push_party(QuoteView *view, const char *name, const char *color)
{
	JsonbContainer *party = json_container(view->snapshot, name);
	JsonbIterator *iterator = party == NULL ? NULL : JsonbIteratorInit(party);
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	if (party == NULL)
	{
		json_push_text(&view->state, name, NULL);
		return;
	}
	json_push_key(&view->state, name);
	pushJsonbValue(&view->state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvNull)
			continue;
		pushJsonbValue(&view->state, WJB_KEY, &key);
		pushJsonbValue(&view->state, WJB_VALUE, &value);
	}
	if (color != NULL)
	{
		json_push_text(&view->state, "brand_color", color);
		json_push_text(&view->state, "readable_color", color_readable(color));
	}
	pushJsonbValue(&view->state, WJB_END_OBJECT, NULL);
}

static void
push_copy(QuoteView *view, const char *key, JsonbContainer *from)
{
	JsonbValue *value = json_find(from, key);

	if (value != NULL && value->type == jbvString)
		json_push_value(&view->state, key, value);
	else
		json_push_text(&view->state, key, json_text(from, key));
}

/* push_filled does the same; an empty text is null. */
static void
push_filled(QuoteView *view, const char *key, JsonbContainer *from)
{
	JsonbValue *value = json_find(from, key);

	if (value != NULL && value->type == jbvString && value->val.string.len == 0)
		json_push_value(&view->state, key, NULL);
	else
		push_copy(view, key, from);
}

static void
push_date(QuoteView *view, const char *key)
{
	char *text = json_text(view->snapshot, key);

	if (text != NULL)
	{
		Datum day = DirectFunctionCall1(date_in, CStringGetDatum(text));

		text = format_date(DatumGetDateADT(day), view->language);
	}
	json_push_text(&view->state, key, text);
}

static void
push_amount(QuoteView *view, const char *key, JsonbContainer *from)
{
	json_push_text(&view->state, key, amount_text(view, digits_of(from, key)));
}

/* amount_text and percent_text return NULL for NULL. */
static char *
amount_text(const QuoteView *view, const char *digits)
{
	if (digits == NULL || view->currency == NULL)
		return NULL;
	return format_amount(digits, view->currency, view->language, view->minor_units);
}

static char *
percent_text(const QuoteView *view, const char *digits)
{
	return digits == NULL ? NULL : format_percent(digits, view->language);
}

/* digits_of returns a number in plain decimal notation. Errors: 22P02 for a text that is none */
static char *
digits_of(JsonbContainer *from, const char *key)
{
	const char *text = json_text(from, key);
	Datum number;

	if (text == NULL)
		return NULL;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

/* digits_of_discount returns NULL for 0, too: that is none. */
static char *
digits_of_discount(JsonbContainer *from, const char *key)
{
	char *digits = digits_of(from, key);

	return digits == NULL || digits[strspn(digits, "0.")] == '\0' ? NULL : digits;
}

/* is_true is false for what is not there. Errors: 22P02 for a text that is no boolean */
static bool
is_true(JsonbContainer *from, const char *key)
{
	const char *text = json_text(from, key);

	return text != NULL && DatumGetBool(DirectFunctionCall1(boolin, CStringGetDatum(text)));
}

/* array_of returns NULL for what is not there. Errors: 22023 for what is no array */
static JsonbContainer *
array_of(JsonbContainer *from, const char *key)
{
	JsonbValue *value = json_find(from, key);

	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of a snapshot are not an array", key),
						errhint("Take what sales_crm.quote_snapshot() gives.")));
	return value->val.binary.data;
}
