/*
 * answer.h
 *		What answers to quotes have in common.
 */
#ifndef SCRM_ANSWER_H
#define SCRM_ANSWER_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "row.h"

typedef struct Answer
{
	bool is_repeated; /* the same request was answered before */
	TimestampTz answered_at;
	Datum status; /* text: then, or what the quote is now */
	int64 quote_id;
	int64 quote_link_id;
	/* not of a repeated request */
	Datum number; /* text */
	Datum snapshot_sha256;
	bool needs_code;
} Answer;

/*
 * Locks the quote behind a token, and says whether it is open for an answer, or the result of the
 * same request before. token is a text and payload jsonb, what the request says. Errors: SC103,
 * SC102, SC104, SC106, SC107, 22023
 */
extern Answer answer_check(NullableDatum token, NullableDatum request_key, Datum payload);

/* Keeps the result for repeated requests */
extern void answer_remember(int64 quote_id, NullableDatum request_key, Datum payload, Datum status,
							TimestampTz answered_at);

/*
 * Checks what a stranger says of themselves; role (signer, requester, refuser) names the argument.
 * Errors: 22023
 */
extern void
answer_check_person(NullableDatum name, NullableDatum email, const char *role, bool required);

/* Whether the template of a quote that was sent asks those who sign it for a code sent by e-mail */
extern bool answer_needs_code(const Row *quote);

/* Whether a text has something to read, and no more than so many characters */
extern bool answer_says_something(NullableDatum value, int max_characters);

#endif /* SCRM_ANSWER_H */
