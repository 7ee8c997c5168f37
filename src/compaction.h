/*
 * compaction.h
 *		Folds the ledger of the forecast into days and cells, and mends it.
 */
#ifndef SCRM_COMPACTION_H
#define SCRM_COMPACTION_H

#include "postgres.h"

#include "storage/block.h"
#include "storage/itemptr.h"

/* Writers fold now and then: they ask after each entry, and do it once at the end */
extern bool compaction_is_due(const ItemPointerData *place);
extern bool compaction_is_due_by_chance(void);
extern void compaction_fold(BlockNumber block);

/* Appends the end of all cells, for TRUNCATE */
extern void compaction_append_truncation(void);

#endif /* SCRM_COMPACTION_H */
