/*
 * field.h
 *		Members of payloads that the claim gives in columns of their own.
 *
 * Those of e-mails, and whatever may be long: in JSON the database would escape them, and the sender
 * take them apart again, character by character, which was half of what it did.
 */
#ifndef SCRM_FIELD_H
#define SCRM_FIELD_H

typedef enum Field
{
	FIELD_TEXT,
	FIELD_HTML,
	FIELD_BODY,
	FIELD_FROM,
	FIELD_FROM_NAME,
	FIELD_REPLY_TO,
	FIELD_REPLY_TO_NAME,
	FIELD_TO,
	FIELD_TO_NAME,
	FIELD_SUBJECT,
	FIELD_MESSAGE_ID,
	FIELD_IN_REPLY_TO,
	FIELD_REFERENCES, /* JSON */
	FIELD_ENVELOPE_FROM,
	FIELD_DATE,
	FIELD_AUTO_SUBMITTED, /* "true" */
	FIELD_ATTACHMENTS,	  /* JSON */
	FIELD_COUNT,
} Field;

/* As the payload has them */
extern const char *const field_names[FIELD_COUNT];

#endif /* SCRM_FIELD_H */
