/*
 * webhook_parts.c
 *		For test/t/053_webhook_parts.pl: answers each line of standard input with a line.
 *
 *		address TEXT				public or refused, as a text and as a socket's address
 *		sign ID SECONDS BODY SECRET…	the signatures, or "no: " and why; fields end with tabs
 */
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "../../src/bin/sender/address.h"
#include "../../src/bin/sender/standard_webhook.h"

static bool
socket_address_is_public(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_is_public((struct sockaddr *) &in);
	return inet_pton(AF_INET6, text, &in6.sin6_addr) == 1 &&
		   address_is_public((struct sockaddr *) &in6);
}

static void
answer_address(const char *text)
{
	bool is_public = address_text_is_public(text);

	if (is_public != socket_address_is_public(text))
		puts("the two ways differ");
	else
		puts(is_public ? "public" : "refused");
}

static void
answer_sign(char **fields)
{
	const char *problem = NULL;
	char *signature = standard_webhook_sign((const char *const *) fields + 3, fields[0],
											g_ascii_strtoll(fields[1], NULL, 10), fields[2],
											strlen(fields[2]), &problem);

	if (signature == NULL)
		printf("no: %s\n", problem);
	else
		puts(signature);
	g_free(signature);
}

int
main(void)
{
	char line[65536];

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "address ", 8) == 0)
			answer_address(line + 8);
		else
		{
			char **fields = g_strsplit(line + 5, "\t", 0);

			answer_sign(fields);
			g_strfreev(fields);
		}
	}
	return 0;
}
