/*
 * quote_snapshot.h
 *		All facts of a quote in one canonical jsonb.
 */
#ifndef SCRM_QUOTE_SNAPSHOT_H
#define SCRM_QUOTE_SNAPSHOT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "row.h"

/*
 * lines are those of the quote, as quote_line_rows() gives them; sent_on is a date, or NULL for one that is
 * not sent. Visibility is the caller's to check
 */
extern Jsonb *
quote_snapshot_make(const Row *quote, const Row *lines, int count, NullableDatum sent_on);

#endif /* SCRM_QUOTE_SNAPSHOT_H */
