/*
 * render.c
 *		sales_crm.render_template(): Mustache over jsonb. mustache.c does the work; here jsonb
 *		becomes its tree of values, and its problems become errors.
 *
 * Memory: all in the caller's context; texts of the tree point into the detoasted jsonb.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"
#include "error.h"
#include "mustache.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_render_template);
PG_FUNCTION_INFO_V1(scrm_check_template);

static JsonbValue *push_tree(JsonbParseState **state, const MustacheValue *tree);
static JsonbValue scalar_value(const MustacheValue *from);
static JsonbValue string_value(const char *text, size_t length);
pg_noreturn static void report_problem(const MustacheError *error);

static void *
allocate(size_t size)
{
	return palloc(size);
}

static void *
resize(void *memory, size_t size)
{
	return repalloc(memory, size);
}

static void
release(void *memory)
{
	pfree(memory);
}

static void
break_off(void)
{
	CHECK_FOR_INTERRUPTS();
}

static const MustacheCaller caller = {allocate, resize, release, break_off};

/* template text, data jsonb, partials jsonb: the output */
Datum
scrm_render_template(PG_FUNCTION_ARGS)
{
	MustacheValue data = render_tree(&PG_GETARG_JSONB_P(1)->root);
	MustacheValue partials = render_tree(&PG_GETARG_JSONB_P(2)->root);
	size_t length;
	char *output = render_data(PG_GETARG_TEXT_PP(0), &data, &partials, &length);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(output, length));
}

/* template text: true, or the error that rendering it would have */
Datum
scrm_check_template(PG_FUNCTION_ARGS)
{
	text *template = PG_GETARG_TEXT_PP(0);
	MustacheError error;

	if (!mustache_check(&caller, VARDATA_ANY(template), VARSIZE_ANY_EXHDR(template), &error))
		report_problem(&error);
	PG_RETURN_BOOL(true);
}

char *
render_data(const text *template, const MustacheValue *data, const MustacheValue *partials,
			size_t *length)
{
	MustacheError error;
	char *output;

	if (!mustache_render(&caller, VARDATA_ANY(template), VARSIZE_ANY_EXHDR(template), data,
						 partials, &output, length, &error))
		report_problem(&error);
	return output;
}

MustacheTemplate *
render_prepare(const text *template)
{
	MustacheError error;
	MustacheTemplate *prepared =
		mustache_prepare(&caller, VARDATA_ANY(template), VARSIZE_ANY_EXHDR(template), &error);

	if (prepared == NULL)
		report_problem(&error);
	return prepared;
}

char *
render_prepared(const MustacheTemplate *template, const MustacheValue *data,
				const MustacheValue *partials, size_t *length)
{
	MustacheError error;
	char *output;

	if (!mustache_render_prepared(&caller, template, data, partials, &output, length, &error))
		report_problem(&error);
	return output;
}

MustacheValue
render_value(const JsonbValue *from)
{
	MustacheValue value = {.kind = MUSTACHE_NULL};

	switch (from->type)
	{
		case jbvNull:
			break;
		case jbvBool:
			value.kind = from->val.boolean ? MUSTACHE_TRUE : MUSTACHE_FALSE;
			break;
		case jbvString:
			value.kind = MUSTACHE_TEXT;
			value.text = from->val.string.val;
			value.length = from->val.string.len;
			break;
		case jbvNumeric:
			value.kind = MUSTACHE_TEXT;
			value.number = true;
			value.text = DatumGetCString(
				DirectFunctionCall1(numeric_out, NumericGetDatum(from->val.numeric)));
			value.length = strlen(value.text);
			break;
		case jbvBinary:
			value = render_tree(from->val.binary.data);
			break;
		default:
			elog(ERROR, "jsonb value of type %d", (int) from->type);
	}
	return value;
}

/* render_tree reads an array, an object, or the scalar that jsonb keeps in an array. */
MustacheValue
render_tree(JsonbContainer *container)
{
	MustacheValue value = {.length = JsonContainerSize(container)};
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue item;
	size_t n = 0;

	check_stack_depth();
	value.kind = JsonContainerIsObject(container) ? MUSTACHE_OBJECT : MUSTACHE_LIST;
	value.members =
		MemoryContextAllocHuge(CurrentMemoryContext, sizeof(MustacheMember) * (value.length + 1));
	/* The order of an object's members is the one that mustache.h asks for */
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			value.members[n].key = item.val.string.val;
			value.members[n].key_length = item.val.string.len;
		}
		else if (token == WJB_VALUE || token == WJB_ELEM)
			value.members[n++].value = render_value(&item);
	}
	return JsonContainerIsScalar(container) ? value.members[0].value : value;
}

Jsonb *
render_jsonb(const MustacheValue *tree)
{
	JsonbParseState *state = NULL;

	return JsonbValueToJsonb(push_tree(&state, tree));
}

/* push_tree adds a list or an object, which is all that there is or part of another. */
static JsonbValue *
push_tree(JsonbParseState **state, const MustacheValue *tree)
{
	bool is_object = tree->kind == MUSTACHE_OBJECT;

	check_stack_depth();
	pushJsonbValue(state, is_object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	for (size_t i = 0; i < tree->length; i++)
	{
		const MustacheMember *member = &tree->members[i];
		JsonbValue value;

		if (is_object)
		{
			value = string_value(member->key, member->key_length);
			pushJsonbValue(state, WJB_KEY, &value);
		}
		if (member->value.kind == MUSTACHE_LIST || member->value.kind == MUSTACHE_OBJECT)
			(void) push_tree(state, &member->value);
		else
		{
			value = scalar_value(&member->value);
			pushJsonbValue(state, is_object ? WJB_VALUE : WJB_ELEM, &value);
		}
	}
	return pushJsonbValue(state, is_object ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
}

static JsonbValue
scalar_value(const MustacheValue *from)
{
	JsonbValue value = {.type = jbvNull};

	if (from->kind == MUSTACHE_TEXT && from->number)
	{
		value.type = jbvNumeric;
		value.val.numeric = DatumGetNumeric(
			DirectFunctionCall3(numeric_in, CStringGetDatum(pnstrdup(from->text, from->length)),
								ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
	else if (from->kind == MUSTACHE_TEXT)
		value = string_value(from->text, from->length);
	else if (from->kind != MUSTACHE_NULL)
	{
		value.type = jbvBool;
		value.val.boolean = from->kind == MUSTACHE_TRUE;
	}
	return value;
}

static JsonbValue
string_value(const char *text, size_t length)
{
	JsonbValue value = {.type = jbvString};

	value.val.string.val = (char *) text;
	value.val.string.len = (int) length;
	return value;
}

MustacheValue
render_object(const MustacheMember *members, size_t count)
{
	size_t size = sizeof(MustacheMember) * count;

	return (MustacheValue){
		.kind = MUSTACHE_OBJECT,
		.length = count,
		.members = memcpy(palloc(size), members, size),
	};
}

MustacheValue
render_text(const char *text)
{
	if (text == NULL)
		return (MustacheValue){.kind = MUSTACHE_NULL};
	return (MustacheValue){.kind = MUSTACHE_TEXT, .length = strlen(text), .text = text};
}

MustacheValue
render_boolean(bool boolean)
{
	return (MustacheValue){.kind = boolean ? MUSTACHE_TRUE : MUSTACHE_FALSE};
}

/* report_problem raises what mustache.c found wrong. */
static void
report_problem(const MustacheError *error)
{
	int code = ERRCODE_SCRM_TEMPLATE_NOT_VALID;
	const char *primary = "template is not valid";
	const char *fact = NULL;
	const char *hint = NULL;
	StringInfoData where;

	switch (error->problem)
	{
		case MUSTACHE_FINE:
			elog(ERROR, "template fails without a problem");
			break;
		case MUSTACHE_TAG_OPEN:
			fact = "The tag does not end";
			hint = "Write its closing delimiter, \"}}\" unless another was set.";
			break;
		case MUSTACHE_TAG_NAME:
			fact = "The tag needs a name without white space";
			hint = "Parts of a name are joined by dots, as in {{customer.name}}.";
			break;
		case MUSTACHE_DELIMITERS:
			fact = "The tag needs two delimiters without white space and =";
			hint = "Set them as in {{=<% %>=}}.";
			break;
		case MUSTACHE_SECTION_OPEN:
			fact = "The section is not closed";
			hint = "Close it with {{/name}}, within the section that it stands in.";
			break;
		case MUSTACHE_SECTION_CLOSED:
			fact = "The tag closes no section that is open, or not the innermost";
			hint = "Sections close in the reverse order, with the name they were opened with.";
			break;
		case MUSTACHE_NOT_TEXT:
			fact = "The value is a list or an object";
			hint = "Open a section for it, or name one of its members.";
			break;
		case MUSTACHE_DEPTH:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			primary = "template goes too deep";
			fact = psprintf("Sections and partials go at most %d deep", MUSTACHE_MAX_DEPTH);
			hint = "A partial that contains itself needs a section that ends it.";
			break;
		case MUSTACHE_TEMPLATE_BYTES:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			primary = "template is too large";
			fact = psprintf("A template, and what it reads of partials, has at most %d bytes",
							MUSTACHE_MAX_BYTES);
			break;
		case MUSTACHE_OUTPUT_BYTES:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			primary = "output of the template is too large";
			fact = psprintf("It has at most %d bytes", MUSTACHE_MAX_BYTES);
			break;
		case MUSTACHE_STEPS:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			primary = "template takes too long";
			fact = psprintf("It has more than %d tags and texts to put out", MUSTACHE_MAX_STEPS);
			break;
	}

	initStringInfo(&where);
	if (error->partial[0] != '\0')
		appendStringInfo(&where, "partial \"%s\", ", error->partial);
	appendStringInfo(&where, "line %d, column %d", error->line, error->column);
	if (error->name[0] != '\0')
		appendStringInfo(&where, ", tag \"%s\"", error->name);
	ereport(ERROR, (errcode(code), errmsg("%s: %s", primary, where.data), errdetail("%s.", fact),
					hint != NULL ? errhint("%s", hint) : 0));
}
