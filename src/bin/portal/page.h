/*
 * page.h
 *		The pages that customers see. All text of users is escaped by buffer.h.
 */
#ifndef PORTAL_PAGE_H
#define PORTAL_PAGE_H

#include <stdbool.h>

#include "buffer.h"
#include "text.h"

typedef enum PageState
{
	PAGE_OPEN,
	PAGE_SIGNED,
	PAGE_CHANGE_REQUESTED,
	PAGE_DECLINED,
	PAGE_EXPIRED,
	PAGE_SUPERSEDED,
	PAGE_WITHDRAWN,
} PageState;

typedef enum PageForm
{
	PAGE_NO_FORM,
	PAGE_SIGN,
	PAGE_CHANGE,
	PAGE_DECLINE,
} PageForm;

/* What was typed into a field, and what is wrong with it */
typedef struct PageField
{
	const char *value; /* NULL: nothing was; of a checkbox "" or NULL: not checked */
	Text problem;	   /* TEXT_NONE: nothing */
} PageField;

/* Of every page */
typedef struct PageFrame
{
	Language language;
	const char *css; /* addresses of the assets, with their versions */
	const char *js;
} PageFrame;

/* Texts may be NULL where there is none; dates are YYYY-MM-DD, moments YYYY-MM-DD HH:MM */
typedef struct PageData
{
	PageFrame frame;
	const char *path;	   /* /q/TOKEN */
	const char *brand_css; /* address of page_brand_css(); NULL: no colour */
	bool direct;		   /* on the seller's tablet */
	PageState state;

	const char *number;
	int version;
	const char *title;
	const char *gross; /* with its currency */
	const char *valid_until;
	const char *company;
	const char *company_logo; /* a data URI */
	const char *company_email;
	const char *seller;
	const char *seller_email;
	const char *seller_phone;
	const char *recipient_email; /* what the field for it begins with */
	const char *signer;
	const char *answered_at;
	bool has_successor; /* superseded, and there is a version to go on to: POST PATH/follow */
	bool has_pdf;		/* false: not offered */

	/* What all forms carry */
	const char *csrf;
	const char *request_key;
	const char *snapshot; /* SHA-256 in hex */

	/* The form that was sent and not accepted, with what was in it */
	PageForm form;
	Text alert; /* what is wrong with the whole of it */
	PageField name;
	PageField email;
	PageField note;
	PageField reason;
	PageField consent;
	PageField confirm;
	PageField signature; /* base64 of a PNG */
	bool needs_code;	 /* signing asks for the e-mailed code */
	bool code_sent;
	PageField code;
} PageData;

/* Pages without a quote */
typedef enum PageMessage
{
	MESSAGE_UNKNOWN,	 /* 404: unknown, revoked or malformed link */
	MESSAGE_NOT_FOUND,	 /* 404: any other address */
	MESSAGE_METHOD,		 /* 405 */
	MESSAGE_BAD_REQUEST, /* 400, 413, 415 */
	MESSAGE_FORM_OLD,	 /* 403: a form without a valid CSRF token; path leads back */
	MESSAGE_TOO_MANY,	 /* 429 */
	MESSAGE_UNAVAILABLE, /* 503 */
	MESSAGE_ERROR,		 /* 500 */
	MESSAGE_PDF_WAIT,	 /* 202: loads itself again */
	MESSAGE_HANDED_BACK, /* after an answer on the seller's tablet */
} PageMessage;

extern void page_write(Buffer *out, const PageData *data);

/* path is where a link leads, or NULL */
extern void
page_write_message(Buffer *out, const PageFrame *frame, PageMessage message, const char *path);

/* What a signer agrees to, as the page shows it: plain text, to be stored */
extern void page_consent(Buffer *out, const PageData *data);

/* The style sheet with the company's colour; color is #rrggbb, or anything else for none */
extern void page_brand_css(Buffer *out, const char *color);

#endif /* PORTAL_PAGE_H */
