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
#include "mustache.h"

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

void
json_read(JsonbContainer *object, const JsonKey *keys, int count, JsonbValue *values)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;
	int at = 0;

	for (int i = 0; i < count; i++)
		values[i].type = jbvNull;
	if (object == NULL || !JsonContainerIsObject(object))
		return;
	iterator = JsonbIteratorInit(object);
	while (at < count && (token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		int order = -1;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		for (; at < count; at++)
		{
			order = mustache_compare_keys(keys[at].text, keys[at].length, key.val.string.val,
										  key.val.string.len);
			if (order >= 0)
				break;
		}
		if (order == 0)
			values[at++] = value;
	}
}

char *
json_text(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_find(object, key);

	return value == NULL ? NULL : json_value_text(value);
}

JsonbContainer *
json_container(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_find(object, key);

	return value == NULL ? NULL : json_value_container(value);
}

char *
json_value_text(const JsonbValue *value)
{
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
json_value_container(const JsonbValue *value)
{
	return value->type != jbvBinary ? NULL : value->val.binary.data;
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
