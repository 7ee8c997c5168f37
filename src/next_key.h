/*
 * next_key.h
 *		Keys of rows that are to be written later.
 */
#ifndef SCRM_NEXT_KEY_H
#define SCRM_NEXT_KEY_H

#include "postgres.h"

#include "row.h"

/* A module has a static one for the identity column of its table */
typedef struct KeySource
{
	RowMap *map;
	int column;		/* of the map */
	uint32 version; /* of the map, when the sequence was found by next_key() */
	Oid sequence;
} KeySource;

/* The next value of the column's sequence, whoever asks */
extern int64 next_key(KeySource *source);

#endif /* SCRM_NEXT_KEY_H */
