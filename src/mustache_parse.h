/*
 * mustache_parse.h
 *		A template as a flat list of nodes, where a section knows the node behind its end.
 */
#ifndef SCRM_MUSTACHE_PARSE_H
#define SCRM_MUSTACHE_PARSE_H

#include "mustache.h"

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
typedef struct MustacheTemplate
{
	Span source;
	Span partial;  /* its name; NULL for the template itself */
	size_t indent; /* bytes put before each line */
	Node *nodes;
	size_t count;
	size_t capacity;
} Template;

/*
 * Fills in the nodes of a template; false when it does not, and why. The caller has set the error to
 * MUSTACHE_FINE, and releases the nodes in any case, where there are some
 */
extern bool mustache_parse(const MustacheCaller *caller, Template *template, MustacheError *error);

/* Notes a problem at a place of a template's source, and returns false */
extern bool mustache_fail(MustacheError *error, MustacheProblem problem, const Template *template,
						  size_t place, Span name);

#endif /* SCRM_MUSTACHE_PARSE_H */
