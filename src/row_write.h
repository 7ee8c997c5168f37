/*
 * row_write.h
 *		What insert.c and update.c begin and end with: the state of an executor without a statement.
 */
#ifndef SCRM_ROW_WRITE_H
#define SCRM_ROW_WRITE_H

#include "postgres.h"

#include "nodes/execnodes.h"

/*
 * A state with a snapshot that sees what the transaction has written so far, as a statement would.
 * Its query context is current until row_write_end()
 */
extern EState *row_write_begin(void);

/* Frees it, with its tables; what was written is seen from now on. caller's context is current then */
extern void row_write_end(EState *estate, MemoryContext caller);

#endif /* SCRM_ROW_WRITE_H */
