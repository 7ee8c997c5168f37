/*
 * email_template.h
 *		Templates of e-mails, kept parsed.
 */
#ifndef SCRM_EMAIL_TEMPLATE_H
#define SCRM_EMAIL_TEMPLATE_H

#include "postgres.h"

#include "kept_row.h"
#include "mustache.h"

typedef enum EmailPart
{
	EMAIL_PART_SUBJECT,
	EMAIL_PART_TEXT,
	EMAIL_PART_HTML,
} EmailPart;

#define EMAIL_PARTS (EMAIL_PART_HTML + 1)

typedef struct EmailTemplate
{
	KeptRow kept;
	text *sources[EMAIL_PARTS];			   /* NULL: the template has no such part */
	MustacheTemplate *parsed[EMAIL_PARTS]; /* NULL until it was rendered */
} EmailTemplate;

/*
 * The key of the active template of an event for a locale, its language, the company's locale or
 * English; 0 when the event makes no e-mail. event and locale may be NULL
 */
extern int64 email_template_find(const char *event, const char *locale, const char *company_locale);

/* The template with a key that was found; valid until the next call */
extern EmailTemplate *email_template_get(int64 email_template_id);

/* What a part makes of data; NULL where there is no such part. Errors: SC110, 54000 */
extern char *
email_template_render(EmailTemplate *template, EmailPart part, const MustacheValue *data);

#endif /* SCRM_EMAIL_TEMPLATE_H */
