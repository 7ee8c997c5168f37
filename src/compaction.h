/*
 * compaction.h
 *		Folds the ledger of the forecast into days and cells, and mends it.
 */
#ifndef SCRM_COMPACTION_H
#define SCRM_COMPACTION_H

#include "postgres.h"

/* Folds now and then: to be called by writers that have appended so many entries */
extern void compaction_maybe(int appended);

/* Appends the end of all cells, for TRUNCATE */
extern void compaction_append_truncation(void);

#endif /* SCRM_COMPACTION_H */
