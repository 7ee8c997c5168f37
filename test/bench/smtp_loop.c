/*
 * smtp_loop.c
 *		The other side of the bench: the least program that sends e-mails with libcurl.
 *
 * Usage: smtp_loop URL THREADS E-MAILS FILE	sends the bytes of FILE that often, each thread over a
 * connection of its own.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

static const char *url;
static int each;
static char content[1 << 20];
static size_t content_length;

static size_t
give(char *buffer, size_t size, size_t count, void *context)
{
	size_t *sent = context;
	size_t length = size * count < content_length - *sent ? size * count : content_length - *sent;

	memcpy(buffer, content + *sent, length);
	*sent += length;
	return length;
}

static void *
work(void *context)
{
	CURL *easy = curl_easy_init();
	struct curl_slist *recipients = curl_slist_append(NULL, "somebody@example.com");
	size_t sent;

	for (int i = 0; i < each; i++)
	{
		sent = 0;
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_MAIL_FROM, "sales@example.com");
		curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipients);
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
		curl_easy_setopt(easy, CURLOPT_READDATA, &sent);
		if (curl_easy_perform(easy) != CURLE_OK)
			exit(1);
	}
	curl_slist_free_all(recipients);
	curl_easy_cleanup(easy);
	return context;
}

int
main(int argc, char **argv)
{
	int threads = argc == 5 ? atoi(argv[2]) : 0;
	pthread_t thread[100];
	FILE *file = argc == 5 ? fopen(argv[4], "r") : NULL;

	if (file == NULL || threads < 1 || threads > 100)
		return 1;
	content_length = fread(content, 1, sizeof(content), file);
	url = argv[1];
	each = atoi(argv[3]) / threads;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
