/*
 * message.h
 *		An e-mail, taken apart. All text is UTF-8 without zero bytes; NULL is what is not there.
 */
#ifndef SCRM_MESSAGE_H
#define SCRM_MESSAGE_H

#include <stdbool.h>

#include <glib.h>

typedef struct Attachment
{
	char *file_name;
	char *media_type;
	GByteArray *content;
} Attachment;

typedef struct Message
{
	char *message_id; /* of the bytes, where the message names none */
	char *in_reply_to;
	GPtrArray *references; /* of char * */
	char *from_address;
	char *from_name;
	GPtrArray *to;
	GPtrArray *cc;
	char *subject;
	GDateTime *sent_at;
	GString *body_text;
	GString *body_html;
	GPtrArray *attachments; /* of Attachment */
	GString *calendar;		/* the first part of type text/calendar */
	GString *problem;		/* what is missing of it; empty when nothing is */
} Message;

extern void message_init(void);

/* Never fails: what cannot be read is left out, and said in problem */
extern Message *message_parse(const char *bytes, gsize length);

/* A message of which nothing but its bytes is kept, as an attachment */
extern Message *message_unread(const char *bytes, gsize length, const char *problem);

extern void message_free(Message *message);

/* Finds what would keep the parser busy for long: endless headers, boundaries without number */
extern bool message_is_bomb(const char *bytes, gsize length, const char **problem);

/* Adds a sentence to problem */
extern void message_complain(Message *message, const char *sentence);

#endif /* SCRM_MESSAGE_H */
