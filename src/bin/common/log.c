/*
 * log.c
 *		What the logs of the programs outside the server have in common.
 */
#include <string.h>

#include "log.h"

void
log_make_line(char *text)
{
	char *end = text + strlen(text);

	for (char *at = text; at < end; at++)
	{
		if ((unsigned char) *at < ' ' || *at == 0x7f)
			*at = ' ';
	}
	while (end > text && end[-1] == ' ')
		*--end = '\0';
}
