/*
 * json.c
 *		Members of jsonb objects, and jsonb as text.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "json.h"
#include "mustache.h"

/* Whether one of eight bytes is less than an ASCII character, or equal to it */
#define ALL_BYTES(c) (UINT64CONST(0x0101010101010101) * (c))
#define HAS_BYTE_BELOW(eight, c) ((((eight) -ALL_BYTES(c)) & ~(eight) &ALL_BYTES(0x80)) != 0)
#define HAS_BYTE(eight, c) HAS_BYTE_BELOW((eight) ^ ALL_BYTES(c), 1)

static void write_container(StringInfo to, const JsonbContainer *container);
static uint32 end_of(JEntry entry, uint32 at);
static void write_value(StringInfo to, JEntry entry, const char *base, uint32 at);
static void write_string(StringInfo to, const char *from, int length);
static int plain_length(const char *from, const char *end);
static inline void append(StringInfo to, const char *bytes, int length);
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
	StringInfoData to;

	initStringInfo(&to);
	enlargeStringInfo(&to, size);
	write_container(&to, container);
	appendStringInfoChar(&to, '\0');
	return to.data;
}

/* write_container reads what is stored itself: keys come first, then as many values; see jsonb.h. */
static void
write_container(StringInfo to, const JsonbContainer *container)
{
	bool is_object = JsonContainerIsObject(container);
	bool is_scalar = JsonContainerIsScalar(container);
	int count = (int) JsonContainerSize(container);
	const JEntry *values = container->children + (is_object ? count : 0);
	const char *base = (const char *) (values + count);
	uint32 key_at = 0;
	uint32 at = 0;

	check_stack_depth();
	for (const JEntry *key = container->children; key < values; key++)
		at = end_of(*key, at);
	if (!is_scalar)
		appendStringInfoCharMacro(to, is_object ? '{' : '[');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			append(to, ", ", 2);
		if (is_object)
		{
			uint32 end = end_of(container->children[i], key_at);

			write_string(to, base + key_at, (int) (end - key_at));
			append(to, ": ", 2);
			key_at = end;
		}
		write_value(to, values[i], base, at);
		at = end_of(values[i], at);
	}
	if (!is_scalar)
		appendStringInfoCharMacro(to, is_object ? '}' : ']');
}

/* end_of returns where a key or value ends that begins at a place: some entries say how long it is. */
static uint32
end_of(JEntry entry, uint32 at)
{
	return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : at + JBE_OFFLENFLD(entry);
}

static void
write_value(StringInfo to, JEntry entry, const char *base, uint32 at)
{
	if (JBE_ISSTRING(entry))
		write_string(to, base + at, (int) (end_of(entry, at) - at));
	else if (JBE_ISCONTAINER(entry))
		write_container(to, (const JsonbContainer *) (base + INTALIGN(at)));
	else if (JBE_ISNUMERIC(entry))
		appendStringInfoString(to, DatumGetCString(DirectFunctionCall1(
									   numeric_out, PointerGetDatum(base + INTALIGN(at)))));
	else if (JBE_ISNULL(entry))
		append(to, "null", 4);
	else if (JBE_ISBOOL_TRUE(entry))
		append(to, "true", 4);
	else
		append(to, "false", 5);
}

/* write_string copies what needs no escape in one go. */
static void
write_string(StringInfo to, const char *from, int length)
{
	const char *end = from + length;

	appendStringInfoCharMacro(to, '"');
	for (;;)
	{
		int plain = plain_length(from, end);

		append(to, from, plain);
		from += plain;
		if (from == end)
			break;
		write_escape(to, (unsigned char) *from++);
	}
	appendStringInfoCharMacro(to, '"');
}

/* plain_length returns how many bytes need no escape, which it looks for eight at a time. */
static int
plain_length(const char *from, const char *end)
{
	const char *at = from;
	uint64 eight;

	while (end - at >= (int) sizeof(eight))
	{
		memcpy(&eight, at, sizeof(eight));
		if (HAS_BYTE_BELOW(eight, ' ') || HAS_BYTE(eight, '"') || HAS_BYTE(eight, '\\'))
			break;
		at += sizeof(eight);
	}
	while (at < end && (unsigned char) *at >= ' ' && *at != '"' && *at != '\\')
		at++;
	return (int) (at - from);
}

/* append is appendBinaryStringInfo() without its call for each word; the end is not marked. */
static inline void
append(StringInfo to, const char *bytes, int length)
{
	if (to->maxlen - to->len <= length)
		enlargeStringInfo(to, length);
	memcpy(to->data + to->len, bytes, length);
	to->len += length;
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
