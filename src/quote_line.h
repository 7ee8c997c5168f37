/*
 * quote_line.h
 *		Lines of quotes.
 */
#ifndef SCRM_QUOTE_LINE_H
#define SCRM_QUOTE_LINE_H

/* Once per session */
extern void quote_line_init(void);

#endif /* SCRM_QUOTE_LINE_H */
