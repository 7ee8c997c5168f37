/*
 * template_choice.h
 *		Which template a new quote is made with.
 */
#ifndef SCRM_TEMPLATE_CHOICE_H
#define SCRM_TEMPLATE_CHOICE_H

#include "postgres.h"

#include "lookup.h"
#include "row.h"

typedef enum ChoiceColumn
{
	CHOICE_ID,
	CHOICE_LOCALE,
	CHOICE_INTRODUCTION,
	CHOICE_TERMS,
	CHOICE_VALID_DAYS,
	CHOICE_IS_DEFAULT,
	CHOICE_ACTIVE,
} ChoiceColumn;

#define CHOICE_COLUMNS (CHOICE_ACTIVE + 1)

/* An active template: the one with a key, or else one for a locale. Returns whether there is one */
extern bool
template_choose(NullableDatum quote_template_id, const char *locale, LookupTime time, Row *chosen);

/* Whether two locales are of one language */
extern bool template_same_language(const char *locale, const char *other);

#endif /* SCRM_TEMPLATE_CHOICE_H */
