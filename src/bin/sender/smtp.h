/*
 * smtp.h
 *		The kind of delivery "email": by SMTP, or a local program such as sendmail.
 */
#ifndef SCRM_SMTP_H
#define SCRM_SMTP_H

/* Closes connections that are kept for later e-mails */
extern void smtp_finish(void);

#endif /* SCRM_SMTP_H */
