/*
 * color.h
 *		Colours of companies, written as #rrggbb.
 */
#ifndef SCRM_COLOR_H
#define SCRM_COLOR_H

extern bool color_is_valid(const char *color);

/* A valid colour in lower case, so dark that text in it is readable on white, and white on it */
extern char *color_readable(const char *color);

#endif /* SCRM_COLOR_H */
