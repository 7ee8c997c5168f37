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

/* A walk through the members of an object, or the elements of an array, as they are stored */
typedef struct Members
{
	const JEntry *keys; /* NULL for an array */
	const JEntry *values;
	const char *base; /* of what entries tell the places of */
	int count;
	int next;
	uint32 key_end;
	uint32 value_begin; /* of the present one, as what follows */
	uint32 value_end;
	const char *key;
	int key_length;
} Members;

static void begin_members(Members *members, const JsonbContainer *container);
static bool next_member(Members *members);
static inline uint32 end_of(JEntry entry, uint32 begin);
static JsonbValue member_value(const Members *members);
static void write_container(StringInfo to, const JsonbContainer *container);
static void write_value(StringInfo to, const JsonbValue *value);
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
	Members members;
	int at = 0;

	for (int i = 0; i < count; i++)
		values[i].type = jbvNull;
	if (object == NULL || !JsonContainerIsObject(object))
		return;
	begin_members(&members, object);
	while (at < count && next_member(&members))
	{
		int order = -1;

		for (; at < count; at++)
		{
			order = mustache_compare_keys(keys[at].text, keys[at].length, members.key,
										  members.key_length);
			if (order >= 0)
				break;
		}
		if (order == 0)
			values[at++] = member_value(&members);
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

static void
write_container(StringInfo to, const JsonbContainer *container)
{
	bool is_object = JsonContainerIsObject(container);
	bool is_scalar = JsonContainerIsScalar(container);
	Members members;

	check_stack_depth();
	if (!is_scalar)
		appendStringInfoCharMacro(to, is_object ? '{' : '[');
	begin_members(&members, container);
	while (next_member(&members))
	{
		JsonbValue value = member_value(&members);

		if (members.next > 1)
			append(to, ", ", 2);
		if (is_object)
		{
			write_string(to, members.key, members.key_length);
			append(to, ": ", 2);
		}
		write_value(to, &value);
	}
	if (!is_scalar)
		appendStringInfoCharMacro(to, is_object ? '}' : ']');
}

static void
write_value(StringInfo to, const JsonbValue *value)
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
			append(to, "null", 4);
			break;
		default:
			write_container(to, value->val.binary.data);
	}
}

/* begin_members begins before the first: keys are stored before all values; see jsonb.h. */
static void
begin_members(Members *members, const JsonbContainer *container)
{
	bool is_object = JsonContainerIsObject(container);

	members->count = (int) JsonContainerSize(container);
	members->keys = is_object ? container->children : NULL;
	members->values = container->children + (is_object ? members->count : 0);
	members->base = (const char *) (members->values + members->count);
	members->next = 0;
	members->key_end = 0;
	members->value_end = 0;
	for (const JEntry *key = container->children; key < members->values; key++)
		members->value_end = end_of(*key, members->value_end);
}

static bool
next_member(Members *members)
{
	int i = members->next;

	if (i == members->count)
		return false;
	if (members->keys != NULL)
	{
		uint32 begin = members->key_end;

		members->key = members->base + begin;
		members->key_end = end_of(members->keys[i], begin);
		members->key_length = (int) (members->key_end - begin);
	}
	members->value_begin = members->value_end;
	members->value_end = end_of(members->values[i], members->value_begin);
	members->next++;
	return true;
}

/* end_of returns where a key or value ends that begins at a place: some entries say how long it is. */
static inline uint32
end_of(JEntry entry, uint32 begin)
{
	return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : begin + JBE_OFFLENFLD(entry);
}

static JsonbValue
member_value(const Members *members)
{
	JEntry entry = members->values[members->next - 1];
	char *stored = (char *) members->base + members->value_begin;
	char *aligned = (char *) members->base + INTALIGN(members->value_begin);
	JsonbValue value = {.type = jbvNull};

	if (JBE_ISSTRING(entry))
	{
		value.type = jbvString;
		value.val.string.val = stored;
		value.val.string.len = (int) (members->value_end - members->value_begin);
	}
	else if (JBE_ISCONTAINER(entry))
	{
		value.type = jbvBinary;
		value.val.binary.data = (JsonbContainer *) aligned;
		value.val.binary.len = (int) (members->base + members->value_end - aligned);
	}
	else if (JBE_ISNUMERIC(entry))
	{
		value.type = jbvNumeric;
		value.val.numeric = (Numeric) aligned;
	}
	else if (JBE_ISBOOL(entry))
	{
		value.type = jbvBool;
		value.val.boolean = JBE_ISBOOL_TRUE(entry);
	}
	return value;
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
