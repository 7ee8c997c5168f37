/*
 * mustache_parse.c
 *		Reads a Mustache template into nodes, and says what is wrong with one.
 *
 * Choices that the specification leaves open: names have no white space inside.
 *
 * Memory: from the caller, who also frees it; nodes point into the source.
 */
#include "mustache_parse.h"

#include <string.h>

#define FIRST_NODES 64

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

static bool read_tag(Parser *parser, Tag *tag);
static bool take_tag(Parser *parser, const Tag *tag);
static bool take_delimiters(Parser *parser, const Tag *tag);
static bool open_section(Parser *parser, Node node);
static bool close_section(Parser *parser, Node node);
static void find_standalone(const Parser *parser, const Tag *tag, size_t *begin, size_t *end);
static void add_text(Parser *parser, size_t end);
static void add_node(Parser *parser, Node node);
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
mustache_check(const MustacheCaller *caller, const char *source, size_t length,
			   MustacheError *error)
{
	Template template = {.source = {source, length}};
	bool fine;

	*error = (MustacheError){.problem = MUSTACHE_FINE};
	fine = mustache_parse(caller, &template, error);
	if (template.nodes != NULL)
		caller->release(template.nodes);
	return fine;
}

bool
mustache_parse(const MustacheCaller *caller, Template *template, MustacheError *error)
{
	Parser parser = {.caller = caller, .error = error, .template = template};
	Tag tag = {0};

	if (template->source.length > MUSTACHE_MAX_BYTES)
		return mustache_fail(error, MUSTACHE_TEMPLATE_BYTES, template, 0, (Span){NULL, 0});
	parser.opening = (Span){"{{", 2};
	parser.closing = (Span){"}}", 2};
	while (read_tag(&parser, &tag))
	{
		if (!take_tag(&parser, &tag))
			return false;
	}
	if (error->problem != MUSTACHE_FINE)
		return false;
	add_text(&parser, template->source.length);
	if (parser.depth > 0)
	{
		const Node *section = &template->nodes[parser.sections[parser.depth - 1]];

		return mustache_fail(error, MUSTACHE_SECTION_OPEN, template, section->tag, section->span);
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
	return mustache_fail(parser->error, MUSTACHE_TAG_OPEN, parser->template, tag->begin,
						 (Span){NULL, 0});
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
			return mustache_fail(parser->error, MUSTACHE_TAG_NAME, parser->template, tag->begin,
								 tag->content);
	}
	if (tag->content.length == 0)
		return mustache_fail(parser->error, MUSTACHE_TAG_NAME, parser->template, tag->begin,
							 tag->content);
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
		return mustache_fail(parser->error, MUSTACHE_DELIMITERS, parser->template, tag->begin,
							 tag->content);
	for (size_t i = 0; i < tag->content.length; i++)
	{
		const char *c = tag->content.at + i;

		if (*c == '=' || (is_space(*c) && c > closing.at))
			return mustache_fail(parser->error, MUSTACHE_DELIMITERS, parser->template, tag->begin,
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
		return mustache_fail(parser->error, MUSTACHE_DEPTH, parser->template, node.tag, node.span);
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
		return mustache_fail(parser->error, MUSTACHE_SECTION_CLOSED, template, node.tag, node.span);
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

/* mustache_fail counts columns in characters of UTF-8. */
bool
mustache_fail(MustacheError *error, MustacheProblem problem, const Template *template, size_t place,
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
