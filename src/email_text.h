/*
 * email_text.h
 *		The texts of e-mails in their other forms.
 */
#ifndef SCRM_EMAIL_TEXT_H
#define SCRM_EMAIL_TEXT_H

#include "postgres.h"

/* A template whose plain tags do not escape for HTML, which plain text is not */
extern text *email_text_template(text *template);

/* The HTML of a text: in paragraphs, with links, in a colour; for a locale */
extern char *email_text_html(const char *body, const char *locale, const char *color);

/* A text whose links to quotes open nothing: of each secret the last four characters are left */
extern char *email_text_without_tokens(char *body);

#endif /* SCRM_EMAIL_TEXT_H */
