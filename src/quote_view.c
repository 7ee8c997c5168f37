/*
 * quote_view.c
 *		quote_view_data(): the facts of a quote's snapshot, as readers of its locale write them, for
 *		templates to be filled with.
 *
 * They are made as the tree that templates are rendered with; the SQL function makes jsonb of it, for
 * those who write templates. A snapshot may be anybody's jsonb: what it lacks is null here. Members
 * are in the order of mustache.h.
 *
 * Memory: the caller's context; texts point into the snapshot where they are as it has them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "color.h"
#include "compat.h"
#include "format.h"
#include "json.h"
#include "quote_fact.h"
#include "quote_view.h"
#include "quote_words.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_quote_view_data);

#define DEFAULT_COLOR "#1f4e79"

/* Members that a company gets beyond those that the snapshot has */
#define COLORS 2

typedef struct QuoteView
{
	JsonbValue facts[FACTS];
	JsonbValue totals[TOTAL_FACTS];
	const QuoteWords *words;
	const char *locale;
	const Language *language;
	const char *currency; /* NULL = there is none, nor any amount */
	int minor_units;
	int64 items; /* lines so far that are items */
	bool has_discounts;
	bool has_options;
} QuoteView;

/* Makes a member of the list of lines or taxes; NULL when that is no container */
typedef MustacheValue (*ReadMember)(QuoteView *view, JsonbContainer *from);

static void read_facts(QuoteView *view, Jsonb *facts);
static MustacheValue view_value(QuoteView *view, MustacheValue lines);
static MustacheValue
read_list(QuoteView *view, const char *name, const JsonbValue *list, ReadMember read);
static MustacheValue read_line(QuoteView *view, JsonbContainer *line);
static MustacheValue
line_value(const QuoteView *view, const JsonbValue *fact, MustacheValue discount);
static MustacheValue number_value(const QuoteView *view, const JsonbValue *number);
static MustacheValue unit_value(const JsonbValue *fact);
static MustacheValue read_tax(QuoteView *view, JsonbContainer *tax);
static MustacheValue tax_value(const QuoteView *view, const JsonbValue *fact);
static MustacheValue note_value(const QuoteView *view, const char *category);
static MustacheValue discount_value(const QuoteView *view);
static MustacheValue discount_parts(const QuoteView *view, const char *amount);
static MustacheValue party_value(const JsonbValue *given);
static MustacheValue company_value(const JsonbValue *given);
static void set_member(MustacheValue *object, MustacheMember new);
static MustacheValue version_value(const JsonbValue *value);
static MustacheValue language_value(const char *locale);
static MustacheValue date_value(const QuoteView *view, const JsonbValue *value);
static MustacheValue amount_value(const QuoteView *view, const char *digits);
static MustacheValue percent_value(const QuoteView *view, const char *digits);
static MustacheValue quantity_value(const QuoteView *view, const char *digits);

/* snapshot jsonb: jsonb */
Datum
scrm_quote_view_data(PG_FUNCTION_ARGS)
{
	MustacheValue tree = quote_view_tree(PG_GETARG_JSONB_P(0));

	PG_RETURN_JSONB_P(render_jsonb(&tree));
}

MustacheValue
quote_view_tree(Jsonb *facts)
{
	QuoteView view = {.locale = "en"};

	read_facts(&view, facts);
	return view_value(&view, read_list(&view, "lines", &view.facts[FACT_LINES], read_line));
}

static void
read_facts(QuoteView *view, Jsonb *facts)
{
	const JsonbValue *fact = view->facts;

	json_read(&facts->root, fact_keys, FACTS, view->facts);
	json_read(json_value_container(&fact[FACT_TOTALS]), total_keys, TOTAL_FACTS, view->totals);
	if (fact[FACT_LOCALE].type != jbvNull)
		view->locale = json_value_text(&fact[FACT_LOCALE]);
	view->language = format_language(view->locale, strlen(view->locale));
	view->words = quote_words_get(view->locale);
	if (fact[FACT_MINOR_UNITS].type != jbvNull)
	{
		view->minor_units = pg_strtoint32(json_value_text(&fact[FACT_MINOR_UNITS]));
		view->currency = json_value_text(&fact[FACT_CURRENCY]);
	}
}

/* view_value puts all together, once the lines are read and counted. */
static MustacheValue
view_value(QuoteView *view, MustacheValue lines)
{
	const JsonbValue *fact = view->facts;
	const JsonbValue *total = view->totals;
	MustacheMember members[] = {
		RENDER_MEMBER("net", amount_value(view, fact_digits(&total[TOTAL_NET]))),
		RENDER_MEMBER("vat", amount_value(view, fact_digits(&total[TOTAL_VAT]))),
		RENDER_MEMBER("draft", render_boolean(fact[FACT_SENT_ON].type == jbvNull)),
		RENDER_MEMBER("gross", amount_value(view, fact_digits(&total[TOTAL_GROSS]))),
		RENDER_MEMBER("lines", lines),
		RENDER_MEMBER("taxes", read_list(view, "taxes", &total[TOTAL_TAXES], read_tax)),
		RENDER_MEMBER("terms", fact_filled(&fact[FACT_TERMS])),
		RENDER_MEMBER("title", fact_filled(&fact[FACT_TITLE])),
		RENDER_MEMBER("words", view->words->tree),
		RENDER_MEMBER("locale", render_text(view->locale)),
		RENDER_MEMBER("number", fact_copy(&fact[FACT_NUMBER])),
		RENDER_MEMBER("seller", party_value(&fact[FACT_SELLER])),
		RENDER_MEMBER("company", company_value(&fact[FACT_COMPANY])),
		RENDER_MEMBER("sent_on", date_value(view, &fact[FACT_SENT_ON])),
		RENDER_MEMBER("version", version_value(&fact[FACT_VERSION])),
		RENDER_MEMBER("currency", fact_copy(&fact[FACT_CURRENCY])),
		RENDER_MEMBER("customer", party_value(&fact[FACT_CUSTOMER])),
		RENDER_MEMBER("discount", discount_value(view)),
		RENDER_MEMBER("language", language_value(view->locale)),
		RENDER_MEMBER("has_options", render_boolean(view->has_options)),
		RENDER_MEMBER("valid_until", date_value(view, &fact[FACT_VALID_UNTIL])),
		RENDER_MEMBER("introduction", fact_filled(&fact[FACT_INTRODUCTION])),
		RENDER_MEMBER("has_discounts", render_boolean(view->has_discounts)),
		RENDER_MEMBER("prices_include_tax",
					  render_boolean(fact_is_true(&fact[FACT_PRICES_INCLUDE_TAX]))),
	};

	return render_object(members, lengthof(members));
}

/* read_list reads what is not there as empty. Errors: 22023 for what is no array */
static MustacheValue
read_list(QuoteView *view, const char *name, const JsonbValue *list, ReadMember read)
{
	MustacheValue value = {.kind = MUSTACHE_LIST};
	JsonbContainer *array = json_value_container(list);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;

	if (list->type == jbvNull)
		return value;
	if (array == NULL || !JsonContainerIsArray(array))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s of a snapshot are not an array", name),
						errhint("Take what sales_crm.quote_snapshot() gives.")));
	value.members = MemoryContextAllocHuge(CurrentMemoryContext,
										   sizeof(MustacheMember) * (JsonContainerSize(array) + 1));
	iterator = JsonbIteratorInit(array);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			value.members[value.length++].value = read(view, json_value_container(&item));
	}
	return value;
}

/* read_line counts a line, and notes what the table of lines needs. */
static MustacheValue
read_line(QuoteView *view, JsonbContainer *line)
{
	JsonbValue fact[LINE_FACTS];
	MustacheValue discount;

	json_read(line, line_keys, LINE_FACTS, fact);
	if (fact_is_text(&fact[LINE_KIND], "item"))
		view->items++;
	discount = percent_value(view, fact_discount(&fact[LINE_DISCOUNT_PERCENT]));
	if (discount.kind == MUSTACHE_NULL)
		discount = amount_value(view, fact_discount(&fact[LINE_DISCOUNT_AMOUNT]));
	view->has_discounts |= discount.kind != MUSTACHE_NULL;
	view->has_options |= fact_is_true(&fact[LINE_OPTIONAL]);
	return line_value(view, fact, discount);
}

static MustacheValue
line_value(const QuoteView *view, const JsonbValue *fact, MustacheValue discount)
{
	MustacheMember members[] = {
		RENDER_MEMBER("item", render_boolean(fact_is_text(&fact[LINE_KIND], "item"))),
		RENDER_MEMBER("name", fact_copy(&fact[LINE_NAME])),
		RENDER_MEMBER("text", render_boolean(fact_is_text(&fact[LINE_KIND], "text"))),
		RENDER_MEMBER("unit", unit_value(fact)),
		RENDER_MEMBER("amount", amount_value(view, fact_digits(&fact[LINE_AMOUNT]))),
		RENDER_MEMBER("number", number_value(view, &fact[LINE_NUMBER])),
		RENDER_MEMBER("heading", render_boolean(fact_is_text(&fact[LINE_KIND], "heading"))),
		RENDER_MEMBER("discount", discount),
		RENDER_MEMBER("optional", render_boolean(fact_is_true(&fact[LINE_OPTIONAL]))),
		RENDER_MEMBER("quantity", quantity_value(view, fact_digits(&fact[LINE_QUANTITY]))),
		RENDER_MEMBER("unit_price", amount_value(view, fact_digits(&fact[LINE_UNIT_PRICE]))),
		RENDER_MEMBER("description", fact_filled(&fact[LINE_DESCRIPTION])),
		RENDER_MEMBER("vat_percent", percent_value(view, fact_digits(&fact[LINE_TAX_PERCENT]))),
		RENDER_MEMBER("extra_description", fact_filled(&fact[LINE_EXTRA_DESCRIPTION])),
	};

	return render_object(members, lengthof(members));
}

/* number_value is that of the line, or else how many items there were. */
static MustacheValue
number_value(const QuoteView *view, const JsonbValue *number)
{
	if (number->type != jbvNull)
		return fact_copy(number);
	return render_text(psprintf(INT64_FORMAT, view->items));
}

/* unit_value leaves out pieces and lump sums, which go without saying. */
static MustacheValue
unit_value(const JsonbValue *fact)
{
	const JsonbValue *unit = &fact[LINE_UNIT];
	const JsonbValue *name = &fact[LINE_UNIT_NAME];

	if (unit->type == jbvNull || fact_is_text(unit, "C62") || fact_is_text(unit, "LS"))
		return render_text(NULL);
	return fact_copy(name->type == jbvNull ? unit : name);
}

static MustacheValue
read_tax(QuoteView *view, JsonbContainer *tax)
{
	JsonbValue fact[TAX_FACTS];

	json_read(tax, tax_keys, TAX_FACTS, fact);
	return tax_value(view, fact);
}

static MustacheValue
tax_value(const QuoteView *view, const JsonbValue *fact)
{
	MustacheMember members[] = {
		RENDER_MEMBER("vat", amount_value(view, fact_digits(&fact[TAX_VAT]))),
		RENDER_MEMBER("base", amount_value(view, fact_digits(&fact[TAX_BASE]))),
		RENDER_MEMBER("note", note_value(view, json_value_text(&fact[TAX_CATEGORY]))),
		RENDER_MEMBER("percent", percent_value(view, fact_digits(&fact[TAX_PERCENT]))),
		RENDER_MEMBER("category", fact_copy(&fact[TAX_CATEGORY])),
	};

	return render_object(members, lengthof(members));
}

/* note_value says why there is no VAT in a category, if so. */
static MustacheValue
note_value(const QuoteView *view, const char *category)
{
	if (category == NULL)
		return render_text(NULL);
	return render_text(json_text(&view->words->words->root, psprintf("note_%s", category)));
}

/* discount_value tells of a discount on the whole offer, as a negative amount. */
static MustacheValue
discount_value(const QuoteView *view)
{
	const char *discount = fact_discount(&view->totals[TOTAL_DISCOUNT]);

	if (discount == NULL)
		return render_text(NULL);
	return discount_parts(view, *discount == '-' ? discount + 1 : psprintf("-%s", discount));
}

static MustacheValue
discount_parts(const QuoteView *view, const char *amount)
{
	MustacheMember members[] = {
		RENDER_MEMBER("amount", amount_value(view, amount)),
		RENDER_MEMBER("before", amount_value(view, fact_digits(&view->totals[TOTAL_AMOUNT]))),
		RENDER_MEMBER("percent",
					  percent_value(view, fact_discount(&view->facts[FACT_DISCOUNT_PERCENT]))),
	};

	return render_object(members, lengthof(members));
}

/* party_value copies what is known of the company, the seller or the customer; colours have room. */
static MustacheValue
party_value(const JsonbValue *given)
{
	JsonbContainer *container = json_value_container(given);
	MustacheValue party = {.kind = MUSTACHE_OBJECT};
	MustacheValue all;

	if (container == NULL)
		return render_text(NULL);
	all = render_tree(container);
	party.members = MemoryContextAllocHuge(CurrentMemoryContext,
										   sizeof(MustacheMember) * (all.length + COLORS));
	for (size_t i = 0; i < all.length && all.kind == MUSTACHE_OBJECT; i++)
	{
		if (all.members[i].value.kind != MUSTACHE_NULL)
			party.members[party.length++] = all.members[i];
	}
	return party;
}

/* company_value adds its colours, of which there always are some. */
static MustacheValue
company_value(const JsonbValue *given)
{
	MustacheValue company = party_value(given);
	char *color = json_text(json_value_container(given), "brand_color");

	if (company.kind != MUSTACHE_OBJECT)
		return company;
	if (color == NULL || !color_is_valid(color))
		color = DEFAULT_COLOR;
	set_member(&company, (MustacheMember) RENDER_MEMBER("brand_color", render_text(color)));
	set_member(&company, (MustacheMember) RENDER_MEMBER("readable_color",
														render_text(color_readable(color))));
	return company;
}

/* set_member adds a member to an object that has room, or gives it another value. */
static void
set_member(MustacheValue *object, MustacheMember new)
{
	MustacheMember *member = object->members;
	MustacheMember *end = object->members + object->length;
	int order = 1;

	for (; member < end; member++)
	{
		order = mustache_compare_keys(member->key, member->key_length, new.key, new.key_length);
		if (order >= 0)
			break;
	}
	if (member == end || order > 0)
	{
		memmove(member + 1, member, sizeof(MustacheMember) * (end - member));
		object->length++;
	}
	*member = new;
}

/* version_value names versions but the first. */
static MustacheValue
version_value(const JsonbValue *value)
{
	char *version = json_value_text(value);

	return render_text(version == NULL || strcmp(version, "1") == 0 ? NULL : version);
}

static MustacheValue
language_value(const char *locale)
{
	return render_text(pnstrdup(locale, pg_mbcharcliplen(locale, strlen(locale), 2)));
}

static MustacheValue
date_value(const QuoteView *view, const JsonbValue *value)
{
	char *text = json_value_text(value);
	Datum day;

	if (text == NULL)
		return render_text(NULL);
	day = DirectFunctionCall1(date_in, CStringGetDatum(text));
	return render_text(format_date(DatumGetDateADT(day), view->language));
}

/* These are null for NULL. */
static MustacheValue
amount_value(const QuoteView *view, const char *digits)
{
	if (digits == NULL || view->currency == NULL)
		return render_text(NULL);
	return render_text(format_amount(digits, view->currency, view->language, view->minor_units));
}

static MustacheValue
percent_value(const QuoteView *view, const char *digits)
{
	return render_text(digits == NULL ? NULL : format_percent(digits, view->language));
}

static MustacheValue
quantity_value(const QuoteView *view, const char *digits)
{
	return render_text(digits == NULL ? NULL : format_number(digits, view->language, 0));
}
