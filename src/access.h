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

#endif /* SCRM_ACCESS_H */
