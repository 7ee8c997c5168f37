/*
 * expression.h
 *		Which expressions of tables stay right when their compiled form is kept.
 */
#ifndef SCRM_EXPRESSION_H
#define SCRM_EXPRESSION_H

#include "postgres.h"

#include "nodes/nodes.h"

/*
 * Whether an expression consists of nothing but columns, constants and what is built in: its compiled
 * form holds nothing of the statement that made it and cannot call itself
 */
extern bool expression_is_plain(Node *expression);

#endif /* SCRM_EXPRESSION_H */
