/*
 * mustache.c
 *		Templates: Mustache, as its specification says, over a tree of values.
 *
 * The nodes of a template (mustache_parse.c) are walked with a stack of the values that names are
 * looked for in. A partial is parsed when it is met: one that stands alone on an indented line has
 * each of its lines indented first. Its bytes count, so that a loop over a large partial is bounded
 * like any output.
 *
 * Choices that the specification leaves open: the apostrophe is escaped, too, so that a value may
 * stand in an attribute with quotes of either kind; a list or an object where text is asked for
 * is an error.
 *
 * Memory: from the caller; the output is the caller's, all else is released here.
 */
#include "mustache.h"

#include <limits.h>
#include <string.h>

#include "mustache_parse.h"

/* How often pause() is called: once in so many steps */
#define STEPS_BETWEEN_PAUSES 1024

#define FIRST_OUTPUT 4096

typedef struct Renderer
{
	const MustacheCaller *caller;
	MustacheError *error;
	const MustacheValue *partials;
	char *output;
	size_t length;
	size_t capacity;
	size_t read; /* bytes of partials */
	int steps;
	const Template *template; /* where it is */
	const Node *node;
	int depth; /* of sections and partials */
	int nvalues;
	const MustacheValue *values[MUSTACHE_MAX_DEPTH + 1]; /* the innermost last */
} Renderer;

/* What stands for a byte, and how many bytes more that has; 0 for all that stand for themselves */
typedef struct Entity
{
	const char *text;
	size_t more;
} Entity;

static const Entity entities[UCHAR_MAX + 1] = {
	['&'] = {"&amp;", 4},  ['<'] = {"&lt;", 3},	  ['>'] = {"&gt;", 3},
	['"'] = {"&quot;", 5}, ['\''] = {"&#39;", 4},
};

static bool render_source(Renderer *renderer, Span source, Span partial, size_t indent);
static bool render_nodes(Renderer *renderer, const Template *template, size_t from, size_t to);
static bool render_section(Renderer *renderer, const Template *template, size_t at);
static bool render_partial(Renderer *renderer, const Template *template, const Node *node);
static bool indent_lines(Renderer *renderer, Span source, Span indent, Span *indented);
static bool put_value(Renderer *renderer, const Node *node);
static bool put_escaped(Renderer *renderer, Span text);
static bool put(Renderer *renderer, const char *bytes, size_t length);
static bool reserve(Renderer *renderer, size_t length);
static const MustacheValue *find_value(const Renderer *renderer, Span name);
static const MustacheValue *find_member(const MustacheValue *object, Span key);
static bool is_false(const MustacheValue *value);
static bool fail_here(Renderer *renderer, MustacheProblem problem);

bool
mustache_render(const MustacheCaller *caller, const char *source, size_t length,
				const MustacheValue *data, const MustacheValue *partials, char **output,
				size_t *output_length, MustacheError *error)
{
	Template template = {.source = {source, length}};
	bool fine;

	*error = (MustacheError){.problem = MUSTACHE_FINE};
	fine =
		mustache_parse(caller, &template, error) &&
		mustache_render_prepared(caller, &template, data, partials, output, output_length, error);
	if (template.nodes != NULL)
		caller->release(template.nodes);
	return fine;
}

MustacheTemplate *
mustache_prepare(const MustacheCaller *caller, const char *source, size_t length,
				 MustacheError *error)
{
	MustacheTemplate *template = caller->allocate(sizeof(MustacheTemplate));

	*template = (MustacheTemplate){.source = {source, length}};
	*error = (MustacheError){.problem = MUSTACHE_FINE};
	if (mustache_parse(caller, template, error))
		return template;
	if (template->nodes != NULL)
		caller->release(template->nodes);
	caller->release(template);
	return NULL;
}

bool
mustache_render_prepared(const MustacheCaller *caller, const MustacheTemplate *template,
						 const MustacheValue *data, const MustacheValue *partials, char **output,
						 size_t *output_length, MustacheError *error)
{
	Renderer renderer = {.caller = caller, .error = error, .partials = partials};

	*error = (MustacheError){.problem = MUSTACHE_FINE};
	renderer.values[renderer.nvalues++] = data;
	renderer.capacity = FIRST_OUTPUT;
	renderer.output = caller->allocate(renderer.capacity);
	if (!render_nodes(&renderer, template, 0, template->count))
	{
		caller->release(renderer.output);
		return false;
	}
	*output = renderer.output;
	*output_length = renderer.length;
	return true;
}

/* render_source parses and renders a partial, whose lines are indented. */
static bool
render_source(Renderer *renderer, Span source, Span partial, size_t indent)
{
	Template template = {.source = source, .partial = partial, .indent = indent};
	bool fine = mustache_parse(renderer->caller, &template, renderer->error) &&
				render_nodes(renderer, &template, 0, template.count);

	if (template.nodes != NULL)
		renderer->caller->release(template.nodes);
	return fine;
}

static bool
render_nodes(Renderer *renderer, const Template *template, size_t from, size_t to)
{
	for (size_t at = from; at < to; at++)
	{
		const Node *node = &template->nodes[at];
		bool fine = true;

		renderer->template = template;
		renderer->node = node;
		if (++renderer->steps > MUSTACHE_MAX_STEPS)
			return fail_here(renderer, MUSTACHE_STEPS);
		if (renderer->steps % STEPS_BETWEEN_PAUSES == 0)
			renderer->caller->pause();
		switch (node->kind)
		{
			case NODE_TEXT:
				fine = put(renderer, node->span.at, node->span.length);
				break;
			case NODE_ESCAPED:
			case NODE_RAW:
				fine = put_value(renderer, node);
				break;
			case NODE_SECTION:
			case NODE_INVERTED:
				fine = render_section(renderer, template, at);
				at = node->next - 1;
				break;
			case NODE_PARTIAL:
				fine = render_partial(renderer, template, node);
				break;
			case NODE_END:
				break;
		}
		if (!fine)
			return false;
	}
	return true;
}

/* render_section renders what is between the section at a node and its end, as often as it says. */
static bool
render_section(Renderer *renderer, const Template *template, size_t at)
{
	const Node *node = &template->nodes[at];
	const MustacheValue *value = find_value(renderer, node->span);
	bool wanted = is_false(value) == (node->kind == NODE_INVERTED);
	bool fine = true;

	if (!wanted)
		return true;
	if (renderer->depth == MUSTACHE_MAX_DEPTH)
		return fail_here(renderer, MUSTACHE_DEPTH);
	renderer->depth++;
	if (node->kind == NODE_INVERTED)
		fine = render_nodes(renderer, template, at + 1, node->next - 1);
	else if (value->kind == MUSTACHE_LIST)
	{
		for (size_t i = 0; i < value->length && fine; i++)
		{
			/* With its end, so that each round is a step */
			renderer->values[renderer->nvalues++] = &value->members[i].value;
			fine = render_nodes(renderer, template, at + 1, node->next);
			renderer->nvalues--;
		}
	}
	else
	{
		renderer->values[renderer->nvalues++] = value;
		fine = render_nodes(renderer, template, at + 1, node->next - 1);
		renderer->nvalues--;
	}
	renderer->depth--;
	return fine;
}

static bool
render_partial(Renderer *renderer, const Template *template, const Node *node)
{
	const MustacheValue *found = find_member(renderer->partials, node->span);
	Span source;
	size_t indent = node->indent;
	bool fine;

	if (found == NULL || found->kind != MUSTACHE_TEXT)
		return true;
	if (renderer->depth == MUSTACHE_MAX_DEPTH)
		return fail_here(renderer, MUSTACHE_DEPTH);
	source = (Span){found->text, found->length};
	renderer->read += source.length;
	if (renderer->read > MUSTACHE_MAX_BYTES ||
		(indent > 0 &&
		 !indent_lines(renderer, source, (Span){template->source.at + node->tag - indent, indent},
					   &source)))
		return fail_here(renderer, MUSTACHE_TEMPLATE_BYTES);
	renderer->depth++;
	fine = render_source(renderer, source, node->span, indent);
	renderer->depth--;
	if (indent > 0)
		renderer->caller->release((void *) source.at);
	return fine;
}

/* indent_lines copies a source with the indent before each line; false when that is too much. */
static bool
indent_lines(Renderer *renderer, Span source, Span indent, Span *indented)
{
	const char *end = source.at + source.length;
	size_t lines = 0;
	char *copy;

	for (const char *at = source.at; at < end; lines++)
	{
		const char *line_end = memchr(at, '\n', end - at);

		at = line_end != NULL ? line_end + 1 : end;
	}
	if (indent.length > MUSTACHE_MAX_BYTES / (lines + 1))
		return false;
	renderer->read += lines * indent.length;
	if (renderer->read > MUSTACHE_MAX_BYTES)
		return false;

	copy = renderer->caller->allocate(source.length + lines * indent.length + 1);
	indented->at = copy;
	for (const char *at = source.at; at < end;)
	{
		const char *line_end = memchr(at, '\n', end - at);
		const char *next = line_end != NULL ? line_end + 1 : end;

		memcpy(copy, indent.at, indent.length);
		memcpy(copy + indent.length, at, next - at);
		copy += indent.length + (next - at);
		at = next;
	}
	indented->length = copy - indented->at;
	return true;
}

/* put_value writes the value of a name. */
static bool
put_value(Renderer *renderer, const Node *node)
{
	const MustacheValue *value = find_value(renderer, node->span);

	if (value == NULL)
		return true;
	switch (value->kind)
	{
		case MUSTACHE_NULL:
			return true;
		case MUSTACHE_FALSE:
			return put(renderer, "false", 5);
		case MUSTACHE_TRUE:
			return put(renderer, "true", 4);
		case MUSTACHE_TEXT:
			return node->kind == NODE_RAW
					   ? put(renderer, value->text, value->length)
					   : put_escaped(renderer, (Span){value->text, value->length});
		default:
			return fail_here(renderer, MUSTACHE_NOT_TEXT);
	}
}

/* put_escaped makes room once: texts such as JSON have an entity every few bytes. */
static bool
put_escaped(Renderer *renderer, Span text)
{
	size_t length = text.length;
	char *to;

	for (size_t i = 0; i < text.length; i++)
		length += entities[(unsigned char) text.at[i]].more;
	if (length == text.length)
		return put(renderer, text.at, length);
	if (!reserve(renderer, length))
		return false;
	to = renderer->output + renderer->length;
	for (size_t i = 0; i < text.length; i++)
	{
		const Entity *entity = &entities[(unsigned char) text.at[i]];

		if (entity->more == 0)
			*to = text.at[i];
		else
			memcpy(to, entity->text, 1 + entity->more);
		to += 1 + entity->more;
	}
	renderer->length += length;
	return true;
}

/* put appends to the output. */
static bool
put(Renderer *renderer, const char *bytes, size_t length)
{
	if (!reserve(renderer, length))
		return false;
	if (length > 0)
		memcpy(renderer->output + renderer->length, bytes, length);
	renderer->length += length;
	return true;
}

/* reserve makes room for more output. */
static bool
reserve(Renderer *renderer, size_t length)
{
	size_t needed = renderer->length + length;

	if (needed > MUSTACHE_MAX_BYTES)
		return fail_here(renderer, MUSTACHE_OUTPUT_BYTES);
	if (needed > renderer->capacity)
	{
		while (renderer->capacity < needed)
			renderer->capacity *= 2;
		renderer->output = renderer->caller->resize(renderer->output, renderer->capacity);
	}
	return true;
}

/*
 * find_value looks for the first part of a name from the innermost value outwards, and for the
 * other parts in what it found; NULL when there is none.
 */
static const MustacheValue *
find_value(const Renderer *renderer, Span name)
{
	const char *end = name.at + name.length;
	const char *dot;
	const MustacheValue *found = NULL;
	Span part;

	if (name.length == 1 && name.at[0] == '.')
		return renderer->values[renderer->nvalues - 1];
	dot = memchr(name.at, '.', name.length);
	part = (Span){name.at, (dot != NULL ? dot : end) - name.at};
	for (int i = renderer->nvalues - 1; i >= 0 && found == NULL; i--)
		found = find_member(renderer->values[i], part);
	while (found != NULL && dot != NULL)
	{
		const char *from = dot + 1;

		dot = memchr(from, '.', end - from);
		part = (Span){from, (dot != NULL ? dot : end) - from};
		found = find_member(found, part);
	}
	return found;
}

static const MustacheValue *
find_member(const MustacheValue *object, Span key)
{
	size_t low = 0;
	size_t high = object->kind == MUSTACHE_OBJECT ? object->length : 0;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;
		const MustacheMember *member = &object->members[middle];
		int order = mustache_compare_keys(key.at, key.length, member->key, member->key_length);

		if (order == 0)
			return &member->value;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

int
mustache_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return a_length == 0 ? 0 : memcmp(a, b, a_length);
}

/* is_false says whether a section of the value is left out: null, false, an empty list, nothing. */
static bool
is_false(const MustacheValue *value)
{
	return value == NULL || value->kind == MUSTACHE_NULL || value->kind == MUSTACHE_FALSE ||
		   (value->kind == MUSTACHE_LIST && value->length == 0);
}

static bool
fail_here(Renderer *renderer, MustacheProblem problem)
{
	const Node *node = renderer->node;

	return mustache_fail(renderer->error, problem, renderer->template, node->tag,
						 node->kind == NODE_TEXT ? (Span){NULL, 0} : node->span);
}
