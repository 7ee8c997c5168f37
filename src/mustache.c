/*
 * mustache.c
 *		Templates: Mustache, as its specification says, over a tree of values.
 *
 * A template is parsed into a flat list of nodes, where a section knows the node behind its end;
 * then the nodes are walked with a stack of the values that names are looked for in. A partial is
 * parsed when it is met: one that stands alone on an indented line has each of its lines
 * indented first. Its bytes count, so that a loop over a large partial is bounded like any output.
 *
 * Choices that the specification leaves open: the apostrophe is escaped, too, so that a value may
 * stand in an attribute with quotes of either kind; a list or an object where text is asked for
 * is an error; names have no white space inside.
 */
#include "mustache.h"

#include <stdint.h>
#include <string.h>

/* How often pause() is called: once in so many steps */
#define STEPS_BETWEEN_PAUSES 1024

#define FIRST_NODES 64
#define FIRST_OUTPUT 4096

typedef struct Span
{
	const char *at;
	size_t length;
} Span;

typedef enum NodeKind
{
	NODE_TEXT,
	NODE_ESCAPED,
	NODE_RAW,
	NODE_SECTION,
	NODE_INVERTED,
	NODE_END,
	NODE_PARTIAL,
} NodeKind;

typedef struct Node
{
	NodeKind kind;
	Span span;	   /* the text, or the name in the tag */
	size_t tag;	   /* where the tag begins in the source */
	size_t next;   /* of a section: the node behind its end */
	size_t indent; /* of a partial that stands alone: bytes of white space before its tag */
} Node;

/* A template or a partial. The source of one that was indented is a copy */
typedef struct Template
{
	Span source;
	Span partial;  /* its name; NULL for the template itself */
	size_t indent; /* bytes put before each line */
	Node *nodes;
	size_t count;
	size_t capacity;
} Template;

typedef struct Parser
{
	const MustacheCaller *caller;
	MustacheError *error;
	Template *template;
	Span opening; /* delimiters */
	Span closing;
	size_t at;	 /* bytes read */
	size_t text; /* where the text begins that is not a node yet */
	int depth;
	size_t sections[MUSTACHE_MAX_DEPTH]; /* the nodes of those that are open */
} Parser;

/* A tag as it stands in the source */
typedef struct Tag
{
	char sigil; /* or 0 */
	Span content;
	size_t begin;
	size_t end; /* behind the closing delimiter */
} Tag;

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

static bool parse(Parser *parser);
static bool read_tag(Parser *parser, Tag *tag);
static bool take_tag(Parser *parser, const Tag *tag);
static bool take_delimiters(Parser *parser, const Tag *tag);
static bool open_section(Parser *parser, Node node);
static bool close_section(Parser *parser, Node node);
static void find_standalone(const Parser *parser, const Tag *tag, size_t *begin, size_t *end);
static void add_text(Parser *parser, size_t end);
static void add_node(Parser *parser, Node node);
static bool render_template(Renderer *renderer, Span source, Span partial, size_t indent);
static bool render_nodes(Renderer *renderer, const Template *template, size_t from, size_t to);
static bool render_section(Renderer *renderer, const Template *template, size_t at);
static bool render_partial(Renderer *renderer, const Template *template, const Node *node);
static bool indent_lines(Renderer *renderer, Span source, Span indent, Span *indented);
static bool put_value(Renderer *renderer, const Node *node);
static bool put_escaped(Renderer *renderer, Span text);
static bool put(Renderer *renderer, const char *bytes, size_t length);
static const MustacheValue *find_value(const Renderer *renderer, Span name);
static const MustacheValue *find_member(const MustacheValue *object, Span key);
static bool is_false(const MustacheValue *value);
static bool fail(MustacheError *error, MustacheProblem problem, const Template *template,
				 size_t place, Span name);
static bool fail_here(Renderer *renderer, MustacheProblem problem);
static void copy_name(char *copy, Span name);
static Span trim(Span span);

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool
is_space(char c)
{
	return is_blank(c) || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static inline bool
is_same(Span a, Span b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

/* starts_with says whether a span stands at the place. */
static inline bool
starts_with(const char *at, const char *end, Span span)
{
	return (size_t) (end - at) >= span.length && memcmp(at, span.at, span.length) == 0;
}

bool
mustache_render(const MustacheCaller *caller, const char *source, size_t length,
				const MustacheValue *data, const MustacheValue *partials, char **output,
				size_t *output_length, MustacheError *error)
{
	Renderer renderer = {.caller = caller, .error = error, .partials = partials};

	*error = (MustacheError){.problem = MUSTACHE_FINE};
	renderer.values[renderer.nvalues++] = data;
	renderer.capacity = FIRST_OUTPUT;
	renderer.output = caller->allocate(renderer.capacity);
	if (!render_template(&renderer, (Span){source, length}, (Span){NULL, 0}, 0))
	{
		caller->release(renderer.output);
		return false;
	}
	*output = renderer.output;
	*output_length = renderer.length;
	return true;
}

bool
mustache_check(const MustacheCaller *caller, const char *source, size_t length,
			   MustacheError *error)
{
	Template template = {.source = {source, length}};
	Parser parser = {.caller = caller, .error = error, .template = &template};
	bool fine;

	*error = (MustacheError){.problem = MUSTACHE_FINE};
	fine = parse(&parser);
	if (template.nodes != NULL)
		caller->release(template.nodes);
	return fine;
}

/* parse fills the nodes of the parser's template, which the caller releases. */
static bool
parse(Parser *parser)
{
	const Template *template = parser->template;
	Tag tag = {0};

	if (template->source.length > MUSTACHE_MAX_BYTES)
		return fail(parser->error, MUSTACHE_TEMPLATE_BYTES, template, 0, (Span){NULL, 0});
	parser->opening = (Span){"{{", 2};
	parser->closing = (Span){"}}", 2};
	while (read_tag(parser, &tag))
	{
		if (!take_tag(parser, &tag))
			return false;
	}
	if (parser->error->problem != MUSTACHE_FINE)
		return false;
	add_text(parser, template->source.length);
	if (parser->depth > 0)
	{
		const Node *section = &template->nodes[parser->sections[parser->depth - 1]];

		return fail(parser->error, MUSTACHE_SECTION_OPEN, template, section->tag, section->span);
	}
	return true;
}

/* read_tag finds the next tag; false when there is none, or one that does not end. */
static bool
read_tag(Parser *parser, Tag *tag)
{
	const char *source = parser->template->source.at;
	const char *end = source + parser->template->source.length;
	const char *at = source + parser->at;
	bool triple;

	while (at < end && !starts_with(at, end, parser->opening))
	{
		const char *next = memchr(at + 1, parser->opening.at[0], end - at - 1);

		at = next != NULL ? next : end;
	}
	if (at == end)
		return false;
	*tag = (Tag){.begin = at - source};
	at += parser->opening.length;
	while (at < end && is_space(*at))
		at++;
	if (at < end && strchr("#^/>&!={", *at) != NULL && *at != '\0')
		tag->sigil = *at++;
	triple = tag->sigil == '{' || tag->sigil == '=';
	tag->content.at = at;
	/* {{{name}}} and {{=<% %>=}} end with one character more */
	for (; at < end; at++)
	{
		if (starts_with(at + triple, end, parser->closing) &&
			(!triple || *at == (tag->sigil == '{' ? '}' : '=')))
		{
			tag->content.length = at - tag->content.at;
			tag->end = at - source + triple + parser->closing.length;
			tag->content = trim(tag->content);
			return true;
		}
	}
	return fail(parser->error, MUSTACHE_TAG_OPEN, parser->template, tag->begin, (Span){NULL, 0});
}

/* take_tag adds the text before a tag and what the tag asks for. */
static bool
take_tag(Parser *parser, const Tag *tag)
{
	Node node = {.span = tag->content, .tag = tag->begin};
	size_t begin = tag->begin;
	size_t end = tag->end;

	if (tag->sigil != 0 && strchr("#^/>!=", tag->sigil) != NULL)
		find_standalone(parser, tag, &begin, &end);
	add_text(parser, begin);
	parser->at = tag->end;
	parser->text = end;
	if (tag->sigil == '!')
		return true;
	if (tag->sigil == '=')
		return take_delimiters(parser, tag);

	for (size_t i = 0; i < tag->content.length; i++)
	{
		if (is_space(tag->content.at[i]))
			return fail(parser->error, MUSTACHE_TAG_NAME, parser->template, tag->begin,
						tag->content);
	}
	if (tag->content.length == 0)
		return fail(parser->error, MUSTACHE_TAG_NAME, parser->template, tag->begin, tag->content);
	switch (tag->sigil)
	{
		case '#':
		case '^':
			node.kind = tag->sigil == '#' ? NODE_SECTION : NODE_INVERTED;
			return open_section(parser, node);
		case '/':
			node.kind = NODE_END;
			return close_section(parser, node);
		case '>':
			node.kind = NODE_PARTIAL;
			/* Only one that stands alone takes the rest of its line, or is the last of it */
			if (begin < tag->begin)
				node.indent = tag->begin - begin;
			break;
		case '&':
		case '{':
			node.kind = NODE_RAW;
			break;
		default:
			node.kind = NODE_ESCAPED;
	}
	add_node(parser, node);
	return true;
}

/* take_delimiters sets those that hold from here to the end of the template. */
static bool
take_delimiters(Parser *parser, const Tag *tag)
{
	Span opening = {tag->content.at, 0};
	Span closing;

	while (opening.length < tag->content.length && !is_space(opening.at[opening.length]))
		opening.length++;
	closing = trim((Span){opening.at + opening.length, tag->content.length - opening.length});
	if (opening.length == 0 || closing.length == 0)
		return fail(parser->error, MUSTACHE_DELIMITERS, parser->template, tag->begin, tag->content);
	for (size_t i = 0; i < tag->content.length; i++)
	{
		const char *c = tag->content.at + i;

		if (*c == '=' || (is_space(*c) && c > closing.at))
			return fail(parser->error, MUSTACHE_DELIMITERS, parser->template, tag->begin,
						tag->content);
	}
	parser->opening = opening;
	parser->closing = closing;
	return true;
}

static bool
open_section(Parser *parser, Node node)
{
	if (parser->depth == MUSTACHE_MAX_DEPTH)
		return fail(parser->error, MUSTACHE_DEPTH, parser->template, node.tag, node.span);
	parser->sections[parser->depth++] = parser->template->count;
	add_node(parser, node);
	return true;
}

static bool
close_section(Parser *parser, Node node)
{
	Template *template = parser->template;
	Node *section = NULL;

	if (parser->depth > 0)
		section = &template->nodes[parser->sections[parser->depth - 1]];
	if (section == NULL || !is_same(section->span, node.span))
		return fail(parser->error, MUSTACHE_SECTION_CLOSED, template, node.tag, node.span);
	parser->depth--;
	section->next = template->count + 1;
	add_node(parser, node);
	return true;
}

/*
 * find_standalone takes the whole line of a tag that has nothing but blanks beside it: begin
 * goes back to the beginning of the line, end forward behind its line break.
 */
static void
find_standalone(const Parser *parser, const Tag *tag, size_t *begin, size_t *end)
{
	Span source = parser->template->source;
	size_t before = tag->begin;
	size_t after = tag->end;

	while (before > 0 && is_blank(source.at[before - 1]))
		before--;
	if (before > 0 && source.at[before - 1] != '\n')
		return;
	while (after < source.length && is_blank(source.at[after]))
		after++;
	if (after < source.length)
	{
		if (source.at[after] == '\r' && after + 1 < source.length && source.at[after + 1] == '\n')
			after++;
		if (source.at[after] != '\n')
			return;
		after++;
	}
	*begin = before;
	*end = after;
}

static void
add_text(Parser *parser, size_t end)
{
	if (end > parser->text)
		add_node(parser,
				 (Node){.kind = NODE_TEXT,
						.tag = parser->text,
						.span = {parser->template->source.at + parser->text, end - parser->text}});
}

static void
add_node(Parser *parser, Node node)
{
	Template *template = parser->template;

	if (template->count == template->capacity)
	{
		template->capacity = template->capacity > 0 ? template->capacity * 2 : FIRST_NODES;
		template->nodes =
			template->nodes == NULL
				? parser->caller->allocate(sizeof(Node) * template->capacity)
				: parser->caller->resize(template->nodes, sizeof(Node) * template->capacity);
	}
	template->nodes[template->count++] = node;
}

/* render_template parses and renders the template, or a partial whose lines were indented. */
static bool
render_template(Renderer *renderer, Span source, Span partial, size_t indent)
{
	Template template = {.source = source, .partial = partial, .indent = indent};
	Parser parser = {.caller = renderer->caller, .error = renderer->error, .template = &template};
	bool fine = parse(&parser) && render_nodes(renderer, &template, 0, template.count);

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
	fine = render_template(renderer, source, node->span, indent);
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

static bool
put_escaped(Renderer *renderer, Span text)
{
	const char *from = text.at;
	const char *end = text.at + text.length;

	for (const char *at = from; at < end; at++)
	{
		const char *entity;

		switch (*at)
		{
			case '&':
				entity = "&amp;";
				break;
			case '<':
				entity = "&lt;";
				break;
			case '>':
				entity = "&gt;";
				break;
			case '"':
				entity = "&quot;";
				break;
			case '\'':
				entity = "&#39;";
				break;
			default:
				continue;
		}
		if (!put(renderer, from, at - from) || !put(renderer, entity, strlen(entity)))
			return false;
		from = at + 1;
	}
	return put(renderer, from, end - from);
}

/* put appends to the output. */
static bool
put(Renderer *renderer, const char *bytes, size_t length)
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
	if (length > 0)
		memcpy(renderer->output + renderer->length, bytes, length);
	renderer->length = needed;
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

/* fail notes a problem at a place of a template's source. Columns count characters of UTF-8. */
static bool
fail(MustacheError *error, MustacheProblem problem, const Template *template, size_t place,
	 Span name)
{
	size_t column = 1;

	*error = (MustacheError){.problem = problem, .line = 1};
	copy_name(error->partial, template->partial);
	copy_name(error->name, name);
	for (size_t i = 0; i < place; i++)
	{
		unsigned char c = template->source.at[i];

		if (c == '\n')
		{
			error->line++;
			column = 1;
		}
		else if ((c & 0xC0) != 0x80)
			column++;
	}
	error->column = (int) (column > template->indent ? column - template->indent : 1);
	return false;
}

static bool
fail_here(Renderer *renderer, MustacheProblem problem)
{
	const Node *node = renderer->node;

	return fail(renderer->error, problem, renderer->template, node->tag,
				node->kind == NODE_TEXT ? (Span){NULL, 0} : node->span);
}

/* copy_name keeps the beginning of a name, in whole characters. */
static void
copy_name(char *copy, Span name)
{
	size_t length = name.length;

	if (length >= MUSTACHE_NAME_BYTES)
	{
		length = MUSTACHE_NAME_BYTES - 1;
		while (length > 0 && ((unsigned char) name.at[length] & 0xC0) == 0x80)
			length--;
	}
	if (length > 0)
		memcpy(copy, name.at, length);
	copy[length] = '\0';
}

static Span
trim(Span span)
{
	while (span.length > 0 && is_space(span.at[0]))
	{
		span.at++;
		span.length--;
	}
	while (span.length > 0 && is_space(span.at[span.length - 1]))
		span.length--;
	return span;
}
