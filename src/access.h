/*
 * access.h
 *		Whose rows the session sees.
 */
#ifndef SCRM_ACCESS_H
#define SCRM_ACCESS_H

#include "postgres.h"

extern void access_init(void);

/* Whether every row is seen, those of nobody too */
extern bool access_is_whole(void);

/*
 * Whether the session's role may read a row, by the name of its table and its key, as the active
 * snapshot has it. Errors: 42501 when the role has no right on the table
 */
extern bool access_sees(const char *kind, int64 key);

#endif /* SCRM_ACCESS_H */
