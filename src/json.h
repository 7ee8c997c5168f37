/*
 * json.h
 *		Members of jsonb objects: to write them into one that is being built, and to read them; and jsonb
 *		as text.
 *
 * jsonb keeps its keys by length and then by bytes; members pushed in that order need no sorting.
 */
#ifndef SCRM_JSON_H
#define SCRM_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

/* Texts are not copied: they live until the jsonb is made */
extern void json_push_key(JsonbParseState **state, const char *key);
extern void json_push_value(JsonbParseState **state, const char *key, JsonbValue *value);
extern void json_push_text(JsonbParseState **state, const char *key, const char *text);
extern void json_push_number(JsonbParseState **state, const char *key, Datum number);
extern void json_push_boolean(JsonbParseState **state, const char *key, bool boolean);

/* The member of an object, or NULL; there is none in NULL, nor in what is no object */
extern JsonbValue *json_find(JsonbContainer *object, const char *key);

/* The same as SQL's ->> gives it, and what is in an object or array */
extern char *json_text(JsonbContainer *object, const char *key);
extern JsonbContainer *json_container(JsonbContainer *object, const char *key);

/* The same of a value that was found; NULL for null, and for what is no container */
extern char *json_value_text(const JsonbValue *value);
extern JsonbContainer *json_value_container(const JsonbValue *value);

/* A key to read; its length is in bytes */
typedef struct JsonKey
{
	const char *text;
	int length;
} JsonKey;

#define JSON_KEY(key)                            \
	{                                            \
		.text = (key), .length = sizeof(key) - 1 \
	}

/*
 * Reads many members in one pass: keys come in the order in which jsonb keeps them. What is not there
 * is null
 */
extern void json_read(JsonbContainer *object, const JsonKey *keys, int count, JsonbValue *values);

/* The text, as jsonb_out() writes it, of a container of a size in bytes; in less time than that takes */
extern char *json_write(JsonbContainer *container, int size);

#endif /* SCRM_JSON_H */
