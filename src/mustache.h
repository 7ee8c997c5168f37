/*
 * mustache.h
 *		Templates: Mustache, as its specification says, over a tree of values.
 *
 * Nothing of the server is in here, so that the same files stand in the extension and in a
 * fuzzer. Memory comes from the caller, who also frees it.
 */
#ifndef SCRM_MUSTACHE_H
#define SCRM_MUSTACHE_H

#include <stdbool.h>
#include <stddef.h>

/* Sections and partials within each other, in a template and while it is rendered */
#define MUSTACHE_MAX_DEPTH 100
/* Bytes of a template, of its output, and of the partials read for it */
#define MUSTACHE_MAX_BYTES (16 * 1024 * 1024)
/* Tags and texts put out */
#define MUSTACHE_MAX_STEPS 2000000
/* Of names in errors, with the byte that ends them */
#define MUSTACHE_NAME_BYTES 64

typedef enum MustacheKind
{
	MUSTACHE_NULL,
	MUSTACHE_FALSE,
	MUSTACHE_TRUE,
	MUSTACHE_TEXT,
	MUSTACHE_LIST,
	MUSTACHE_OBJECT,
} MustacheKind;

typedef struct MustacheValue
{
	MustacheKind kind;
	bool number;					/* of a text: it is one where there are numbers */
	size_t length;					/* bytes of the text, or number of members */
	const char *text;				/* not terminated */
	struct MustacheMember *members; /* of a list or an object, where they are ascending by key */
} MustacheValue;

typedef struct MustacheMember
{
	const char *key; /* not terminated; NULL in a list */
	size_t key_length;
	MustacheValue value;
} MustacheMember;

typedef enum MustacheProblem
{
	MUSTACHE_FINE,
	MUSTACHE_TAG_OPEN,		 /* no closing delimiter follows */
	MUSTACHE_TAG_NAME,		 /* empty, or with white space inside */
	MUSTACHE_DELIMITERS,	 /* not two of them, or with white space or = in them */
	MUSTACHE_SECTION_OPEN,	 /* not closed; the place is where it opens */
	MUSTACHE_SECTION_CLOSED, /* nothing to close here, or another section */
	MUSTACHE_NOT_TEXT,		 /* a list or an object where its text is asked for */
	MUSTACHE_DEPTH,			 /* beyond the limits above */
	MUSTACHE_TEMPLATE_BYTES,
	MUSTACHE_OUTPUT_BYTES,
	MUSTACHE_STEPS,
} MustacheProblem;

/* What is wrong, and where; long names are cut */
typedef struct MustacheError
{
	MustacheProblem problem;
	char partial[MUSTACHE_NAME_BYTES]; /* empty in the template itself */
	char name[MUSTACHE_NAME_BYTES];	   /* that stands in the tag, if any */
	int line;						   /* counted from 1 */
	int column;
} MustacheError;

/* The caller's functions; they return or leave by a jump, but never NULL */
typedef struct MustacheCaller
{
	void *(*allocate)(size_t size);
	void *(*resize)(void *memory, size_t size);
	void (*release)(void *memory);
	void (*pause)(void); /* called now and then: may break off */
} MustacheCaller;

/*
 * The order of keys in an object: shorter ones first, bytes compared among those of one length,
 * as jsonb has it
 */
extern int mustache_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length);

/*
 * Renders a template; false when it does not, and why. The output is allocated, and not
 * terminated. Objects without members may stand for no data and no partials.
 */
extern bool mustache_render(const MustacheCaller *caller, const char *source, size_t length,
							const MustacheValue *data, const MustacheValue *partials, char **output,
							size_t *output_length, MustacheError *error);

/*
 * The same in two steps. A parsed template is allocated, and points into its source; NULL when it
 * cannot be parsed, and why
 */
typedef struct MustacheTemplate MustacheTemplate;

extern MustacheTemplate *mustache_prepare(const MustacheCaller *caller, const char *source,
										  size_t length, MustacheError *error);
extern bool mustache_render_prepared(const MustacheCaller *caller, const MustacheTemplate *template,
									 const MustacheValue *data, const MustacheValue *partials,
									 char **output, size_t *output_length, MustacheError *error);

/* Whether a template can be parsed; if not, why */
extern bool mustache_check(const MustacheCaller *caller, const char *source, size_t length,
						   MustacheError *error);

#endif /* SCRM_MUSTACHE_H */
