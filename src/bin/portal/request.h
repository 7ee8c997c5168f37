/*
 * request.h
 *		One request and the answer to it.
 */
#ifndef PORTAL_REQUEST_H
#define PORTAL_REQUEST_H

#include <netinet/in.h>
#include <stdbool.h>

#include <microhttpd.h>

#include "buffer.h"
#include "config.h"
#include "session.h"

#define MAX_PATH 200
#define MAX_HEADERS 8

/* Fields that forms may have; others are ignored */
typedef enum Field
{
	FIELD_CSRF,
	FIELD_REQUEST_KEY,
	FIELD_SNAPSHOT,
	FIELD_NAME,
	FIELD_EMAIL,
	FIELD_NOTE,
	FIELD_REASON,
	FIELD_CONSENT,
	FIELD_CONFIRM,
	FIELD_SIGNATURE,
	FIELD_CODE,
	FIELDS
} Field;

typedef struct FieldValue
{
	Buffer value;
	bool sent;
	bool too_long;
} FieldValue;

/* Which Content-Security-Policy an answer gets */
typedef enum Policy
{
	POLICY_NOTHING, /* what is no page */
	POLICY_PAGE,
	POLICY_DOCUMENT /* the quote, inside the page's frame */
} Policy;

typedef struct Header
{
	const char *name;
	char *value;
} Header;

struct Route;

typedef struct Request
{
	const Config *config;
	struct MHD_Connection *connection;
	long long started; /* microseconds */
	bool begun;		   /* its head has been looked at */

	/* Of its head */
	char method[12];
	char path[MAX_PATH];
	char query[MAX_PATH];
	bool path_is_good; /* nothing escaped, nothing odd, not too long */
	bool is_link;	   /* it begins like a customer's link, good or not */
	const struct Route *route;
	char token[MAX_PATH];	 /* what stands in its place; "" where the route has none */
	struct in6_addr address; /* the client's, through trusted proxies; zero for a UNIX socket */
	char address_text[INET6_ADDRSTRLEN];
	const char *address_sql; /* address_text, or NULL when there is none */
	bool is_local;			 /* straight from a trusted address, not through a proxy */
	const char *user_agent;
	const char *cookie; /* of the session; NULL or valid */
	const char *locale; /* what ?lang= asks for, or NULL */
	bool direct;		/* ?direct: on the seller's tablet */

	/* Of its body */
	struct MHD_PostProcessor *post;
	size_t received;
	bool malformed;
	bool too_large; /* as its head says: not to be read */
	FieldValue fields[FIELDS];

	/* The answer */
	int status; /* 0: none yet */
	const char *media_type;
	Policy policy;
	const char *cache_control;
	Header headers[MAX_HEADERS];
	int header_count;
	Buffer body;
	const void *fixed; /* instead of body: bytes that stay */
	size_t fixed_length;
	bool close; /* the connection, after it */
} Request;

/* Made when the first line has been read; uri is what stands there */
extern Request *request_create(const Config *config, const char *uri);
extern void request_free(Request *request);

/* Reads the head; an answer is set when there is nothing more to do */
extern void request_begin(Request *request, struct MHD_Connection *connection, const char *method);

/* A header of the request, or NULL */
extern const char *request_head(const Request *request, const char *name);

/* Gets ready for the body, or says at once that it is not wanted */
extern void request_begin_body(Request *request);

/* A part of the body; false when the connection is to be cut */
extern bool request_receive(Request *request, const char *data, size_t length);

/* When the body is there: false when it is malformed */
extern bool request_finish_body(Request *request);

/* What was sent in a field, without spaces around it; "" when nothing was */
extern const char *request_field(const Request *request, Field field);

/* Sets the status; the body is written to request->body */
extern void request_answer(Request *request, int status, const char *media_type);
extern void request_header(Request *request, const char *name, const char *value);
/* 303 to a path of this server */
extern void request_redirect(Request *request, const char *path);

/* Queues the answer, with the headers that all have */
extern enum MHD_Result request_send(Request *request);

/* Whether a language is one of the page's, and which: "en", "fr", "nl", "de" or NULL */
extern const char *locale_of(const char *text, size_t length);

#endif /* PORTAL_REQUEST_H */
