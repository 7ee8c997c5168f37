/*
 * json.c
 *		Members of jsonb objects.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "json.h"

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
			return JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
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
