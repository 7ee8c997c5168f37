/*
 * quote_line.h
 *		Lines of quotes.
 */
#ifndef SCRM_QUOTE_LINE_H
#define SCRM_QUOTE_LINE_H

#endif /* SCRM_QUOTE_LINE_H */
