/*
 * json.c
 *		Members of jsonb objects, and jsonb as text.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "json.h"

static void write_scalar(StringInfo to, const JsonbValue *value);
static void write_string(StringInfo to, const char *from, int length);
static void write_escape(StringInfo to, unsigned char c);

void
json_push_key(JsonbParseState **state, const char *key)
{
	JsonbValue value;

	value.type = jbvString;
	value.val.string.val = (char *) key;
	value.val.string.len = (int) strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
}

/* json_push_value adds a member; NULL is null. */
void
json_push_value(JsonbParseState **state, const char *key, JsonbValue *value)
{
	JsonbValue none = {.type = jbvNull};

	json_push_key(state, key);
	pushJsonbValue(state, WJB_VALUE, value == NULL ? &none : value);
}

void
json_push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue value = {.type = jbvNull};

	if (text != NULL)
	{
		value.type = jbvString;
		value.val.string.val = (char *) text;
		value.val.string.len = (int) strlen(text);
	}
	json_push_value(state, key, &value);
}

void
json_push_number(JsonbParseState **state, const char *key, Datum number)
{
	JsonbValue value;

	value.type = jbvNumeric;
	value.val.numeric = DatumGetNumeric(number);
	json_push_value(state, key, &value);
}

void
json_push_boolean(JsonbParseState **state, const char *key, bool boolean)
{
	JsonbValue value;

	value.type = jbvBool;
	value.val.boolean = boolean;
	json_push_value(state, key, &value);
}

JsonbValue *
json_find(JsonbContainer *object, const char *key)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, key, (int) strlen(key), NULL);
}

char *
json_text(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_find(object, key);

	if (value == NULL)
		return NULL;
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(
				DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvBinary:
			return json_write(value->val.binary.data, value->val.binary.len);
		default:
			return NULL;
	}
}

JsonbContainer *
json_container(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_find(object, key);

	return value == NULL || value->type != jbvBinary ? NULL : value->val.binary.data;
}

char *
json_write(JsonbContainer *container, int size)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	bool is_scalar = JsonContainerIsScalar(container);
	bool is_first = true;
	JsonbIteratorToken token;
	JsonbValue value;
	StringInfoData to;

	initStringInfo(&to);
	enlargeStringInfo(&to, size);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		bool opens = token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY;

		/* What follows a key, or opens, is the first thing there */
		if (!is_first && (opens || token == WJB_KEY || token == WJB_ELEM))
			appendBinaryStringInfo(&to, ", ", 2);
		is_first = opens || token == WJB_KEY;
		switch (token)
		{
			case WJB_BEGIN_OBJECT:
				appendStringInfoCharMacro(&to, '{');
				break;
			case WJB_END_OBJECT:
				appendStringInfoCharMacro(&to, '}');
				break;
			case WJB_BEGIN_ARRAY:
				if (!is_scalar)
					appendStringInfoCharMacro(&to, '[');
				break;
			case WJB_END_ARRAY:
				if (!is_scalar)
					appendStringInfoCharMacro(&to, ']');
				break;
			case WJB_KEY:
				write_string(&to, value.val.string.val, value.val.string.len);
				appendBinaryStringInfo(&to, ": ", 2);
				break;
			default:
				write_scalar(&to, &value);
		}
	}
	return to.data;
}

static void
write_scalar(StringInfo to, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			write_string(to, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			appendStringInfoString(to, DatumGetCString(DirectFunctionCall1(
										   numeric_out, NumericGetDatum(value->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(to, value->val.boolean ? "true" : "false");
			break;
		case jbvNull:
			appendStringInfoString(to, "null");
			break;
		default:
			elog(ERROR, "jsonb value of type %d", (int) value->type);
	}
}

/* write_string copies what needs no escape in one go. */
static void
write_string(StringInfo to, const char *from, int length)
{
	const char *end = from + length;

	appendStringInfoCharMacro(to, '"');
	for (const char *at = from; at < end; at++)
	{
		unsigned char c = (unsigned char) *at;

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		appendBinaryStringInfo(to, from, (int) (at - from));
		write_escape(to, c);
		from = at + 1;
	}
	appendBinaryStringInfo(to, from, (int) (end - from));
	appendStringInfoCharMacro(to, '"');
}

static void
write_escape(StringInfo to, unsigned char c)
{
	static const char letters[' '] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
	char letter = c >= ' ' ? (char) c : letters[c];

	if (letter == '\0')
		appendStringInfo(to, "\\u%04x", c);
	else
	{
		appendStringInfoCharMacro(to, '\\');
		appendStringInfoCharMacro(to, letter);
	}
}
