/*
 * fuzz_mustache.c
 *		Promise: mustache.c and mustache_parse.c neither read nor write where they must not, end, free
 *		all they took, and name a place for every problem, whatever the template, the partials and the
 *		data.
 *
 * Input: up to four texts, ended by a byte 0: template, partial a, partial b, data. Data is a byte
 * per value: what it is, and how many members it has.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/mustache.h"

#define MAX_VALUES 2000

static const char *const keys[] = {"a", "b", "c", "aa", "ab", "name"};

#define KEYS (sizeof(keys) / sizeof(*keys))

static void *
allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory == NULL)
		abort();
	return memory;
}

static void *
resize(void *memory, size_t size)
{
	memory = realloc(memory, size);
	if (memory == NULL)
		abort();
	return memory;
}

static void
pause(void)
{
}

static const MustacheCaller caller = {allocate, resize, free, pause};

typedef struct Input
{
	const char *at;
	const char *end;
	int values;
} Input;

static Input
next_text(Input *input)
{
	const char *end = memchr(input->at, 0, (size_t) (input->end - input->at));
	Input text = {input->at, end != NULL ? end : input->end, 0};

	input->at = end != NULL ? end + 1 : input->end;
	return text;
}

/* make_value reads a value; members of objects come in the order that is asked for. */
static MustacheValue
make_value(Input *input, int depth)
{
	MustacheValue value = {.kind = MUSTACHE_NULL};
	unsigned char byte;

	if (input->at == input->end || depth > 200 || ++input->values > MAX_VALUES)
		return value;
	byte = (unsigned char) *input->at++;
	value.kind = (MustacheKind) (byte % 6);
	byte /= 6;
	if (value.kind == MUSTACHE_TEXT)
	{
		value.length = byte < input->end - input->at ? byte : (size_t) (input->end - input->at);
		value.text = input->at;
		input->at += value.length;
	}
	else if (value.kind == MUSTACHE_LIST || value.kind == MUSTACHE_OBJECT)
	{
		value.length = byte % (KEYS + 1);
		value.members = allocate(sizeof(MustacheMember) * (value.length + 1));
		for (size_t i = 0; i < value.length; i++)
			value.members[i] = (MustacheMember){keys[i], strlen(keys[i]),
												make_value(input, depth + 1)};
	}
	return value;
}

static void
free_value(const MustacheValue *value)
{
	if (value->members == NULL)
		return;
	for (size_t i = 0; i < value->length; i++)
		free_value(&value->members[i].value);
	free(value->members);
}

/* A macro, so that the line shows */
#define require(condition) ((condition) ? (void) 0 : (fprintf(stderr, "line %d\n", __LINE__), abort()))

static void
require_place(const MustacheError *error)
{
	require(error->problem != MUSTACHE_FINE);
	require(error->line >= 1 && error->column >= 1);
	require(memchr(error->name, 0, MUSTACHE_NAME_BYTES) != NULL);
	require(memchr(error->partial, 0, MUSTACHE_NAME_BYTES) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	Input input = {(const char *) bytes, (const char *) bytes + size, 0};
	Input template = next_text(&input);
	Input a = next_text(&input);
	Input b = next_text(&input);
	MustacheMember members[] = {
		{"a", 1, {.kind = MUSTACHE_TEXT, .length = (size_t) (a.end - a.at), .text = a.at}},
		{"b", 1, {.kind = MUSTACHE_TEXT, .length = (size_t) (b.end - b.at), .text = b.at}},
	};
	MustacheValue partials = {.kind = MUSTACHE_OBJECT, .length = 2, .members = members};
	MustacheValue data = make_value(&input, 0);
	size_t length = (size_t) (template.end - template.at);
	MustacheError error;
	MustacheError checked;
	bool valid = mustache_check(&caller, template.at, length, &checked);
	char *output = NULL;
	size_t output_length = 0;

	if (mustache_render(&caller, template.at, length, &data, &partials, &output, &output_length,
						&error))
	{
		require(valid && error.problem == MUSTACHE_FINE);
		require(output_length <= MUSTACHE_MAX_BYTES);
		/* What cannot be rendered further is put out as it is */
		if (memchr(template.at, '{', length) == NULL)
			require(output_length == length && memcmp(output, template.at, length) == 0);
		free(output);
	}
	else
		require_place(&error);
	if (!valid)
	{
		require_place(&checked);
		require(error.problem == checked.problem && error.line == checked.line &&
				error.column == checked.column);
	}
	free_value(&data);
	return 0;
}
