/*
 * email_thread.h
 *		Conversations by e-mail.
 */
#ifndef SCRM_EMAIL_THREAD_H
#define SCRM_EMAIL_THREAD_H

#include "postgres.h"

#include "utils/jsonb.h"

/* The e-mail that another one answers */
typedef struct EmailThread
{
	NullableDatum thread_id;
	char *message_id; /* NULL: there is none */
} EmailThread;

/* The last e-mail from or to an address about an opportunity, which may be NULL */
extern EmailThread email_thread_find(NullableDatum opportunity_id, const char *address);

/* Adds a member with the Message-IDs of the thread, as the header References has them */
extern void email_thread_push(JsonbParseState **state, const char *key, const EmailThread *thread);

/* An e-mail that is queued, to be filed with its opportunity */
typedef struct FiledEmail
{
	NullableDatum opportunity_id;
	const char *message_id;
	const char *from_address;
	const char *to_address;
	const char *from_name;
	const char *body_text;
	const char *body_html;
	const char *subject;
} FiledEmail;

/*
 * Files an e-mail in a thread, or in one of its own. Returns its key; NULL where a trigger of somebody
 * left it out
 */
extern NullableDatum email_thread_file(const EmailThread *thread, const FiledEmail *email);

#endif /* SCRM_EMAIL_THREAD_H */
