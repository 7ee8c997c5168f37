/*
 * answer.h
 *		What a customer does: every one of these needs a form that this server gave to this browser.
 */
#ifndef PORTAL_ANSWER_H
#define PORTAL_ANSWER_H

#include "request.h"

extern void answer_viewed(Request *request);
extern void answer_sign(Request *request);
extern void answer_change(Request *request);
extern void answer_decline(Request *request);
extern void answer_code(Request *request);
extern void answer_follow(Request *request);

#endif /* PORTAL_ANSWER_H */
