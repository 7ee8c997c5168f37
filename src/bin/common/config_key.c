/*
 * config_key.c
 *		A table of keys says what a program's configuration holds: files are read, checked and
 *		printed by it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_key.h"
#include "log.h"

static bool read_line(const ConfigKey *keys, void *config, const char *where, char *line);
static bool assign(const ConfigKey *key, void *config, const char *where, const char *value);
static bool assign_number(const ConfigKey *key, void *target, const char *where, const char *value);
static bool
assign_from_file(const ConfigKey *key, void *config, const char *where, const char *path);
static bool is_choice(const char *choices, const char *value);
static char *trim(char *text);

void
config_keys_initialize(const ConfigKey *keys, void *config)
{
	for (const ConfigKey *key = keys; key->name != NULL; key++)
	{
		if (!assign(key, config, "initial value", key->initial))
			abort();
	}
}

bool
config_keys_assign(const ConfigKey *keys, void *config, const char *where, const char *name,
				   const char *value)
{
	for (const ConfigKey *key = keys; key->name != NULL; key++)
	{
		size_t length = strlen(key->name);

		if (strcmp(name, key->name) == 0)
			return assign(key, config, where, value);
		if (key->type == CONFIG_SECRET && strncmp(name, key->name, length) == 0 &&
			strcmp(name + length, "_file") == 0)
			return assign_from_file(key, config, where, value);
	}
	log_error("%s: no key is named \"%s\": see --init-config", where, name);
	return false;
}

bool
config_keys_read_file(const ConfigKey *keys, void *config, const char *path)
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	bool good = true;

	if (in == NULL)
	{
		log_error("cannot read the configuration: %s: %s", path, strerror(errno));
		return false;
	}
	for (int number = 1; getline(&line, &size, in) >= 0; number++)
	{
		char where[1000];

		snprintf(where, sizeof(where), "%s, line %d", path, number);
		good = read_line(keys, config, where, line) && good;
	}
	if (ferror(in))
	{
		log_error("cannot read the configuration: %s: %s", path, strerror(errno));
		good = false;
	}
	free(line);
	fclose(in);
	return good;
}

void
config_keys_print(const ConfigKey *keys, FILE *stream)
{
	for (const ConfigKey *key = keys; key->name != NULL; key++)
	{
		if (key->comment != NULL)
		{
			fputs("\n# ", stream);
			for (const char *at = key->comment; *at != '\0'; at++)
			{
				fputc(*at, stream);
				if (*at == '\n')
					fputs("# ", stream);
			}
			fputs(".\n", stream);
		}
		if (key->choices != NULL)
			fprintf(stream, "# One of: %s.\n", key->choices);
		if (key->type == CONFIG_SECRET)
			fprintf(stream, "# Better: a file that nobody else can read.\n#%s_file =\n", key->name);
		fprintf(stream, "#%s = %s\n", key->name, key->initial);
	}
}

void
config_keys_free(const ConfigKey *keys, void *config)
{
	for (const ConfigKey *key = keys; key->name != NULL; key++)
	{
		if (key->type == CONFIG_TEXT || key->type == CONFIG_SECRET)
		{
			char **text = (char **) (void *) ((char *) config + key->offset);

			free(*text);
			*text = NULL;
		}
	}
}

static bool
read_line(const ConfigKey *keys, void *config, const char *where, char *line)
{
	char *name = trim(line);
	char *sign = strchr(name, '=');

	if (*name == '\0' || *name == '#')
		return true;
	if (sign == NULL)
	{
		log_error("%s: expected key = value", where);
		return false;
	}
	*sign = '\0';
	return config_keys_assign(keys, config, where, trim(name), trim(sign + 1));
}

static bool
assign(const ConfigKey *key, void *config, const char *where, const char *value)
{
	void *target = (char *) config + key->offset;

	if (key->type == CONFIG_NUMBER || key->type == CONFIG_SECONDS)
		return assign_number(key, target, where, value);
	if (key->type == CONFIG_SWITCH)
	{
		*(bool *) target = strcmp(value, "on") == 0;
		if (is_choice("on|off", value))
			return true;
		log_error("%s: %s is to be on or off", where, key->name);
		return false;
	}
	if (key->choices != NULL && !is_choice(key->choices, value))
	{
		log_error("%s: %s is to be one of %s", where, key->name, key->choices);
		return false;
	}
	free(*(char **) target);
	*(char **) target = value[0] == '\0' ? NULL : strdup(value);
	if (value[0] != '\0' && *(char **) target == NULL)
		abort();
	return true;
}

/* assign_number: none of the programs calls setlocale(), so that strtod() reads a point */
static bool
assign_number(const ConfigKey *key, void *target, const char *where, const char *value)
{
	char *end = NULL;
	double number;

	errno = 0;
	number = strtod(value, &end);
	if (end == value || *end != '\0' || errno != 0 || !(number >= key->least) ||
		!(number <= key->most) || (key->type == CONFIG_NUMBER && number != (double) (int) number))
	{
		log_error("%s: %s is to be a %snumber from %g to %g", where, key->name,
				  key->type == CONFIG_NUMBER ? "whole " : "", key->least, key->most);
		return false;
	}
	if (key->type == CONFIG_NUMBER)
		*(int *) target = (int) number;
	else
		*(double *) target = number;
	return true;
}

/* assign_from_file: its first line */
static bool
assign_from_file(const ConfigKey *key, void *config, const char *where, const char *path)
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	bool good = in != NULL && (getline(&line, &size, in) >= 0 || !ferror(in));

	if (!good)
		log_error("%s: %s_file: %s: %s", where, key->name, path, strerror(errno));
	else if (line != NULL)
		line[strcspn(line, "\r\n")] = '\0';
	good = good && assign(key, config, where, line == NULL ? "" : line);
	free(line);
	if (in != NULL)
		fclose(in);
	return good;
}

static bool
is_choice(const char *choices, const char *value)
{
	size_t length = strlen(value);

	for (const char *at = choices; at != NULL; at = strchr(at, '|'))
	{
		at += *at == '|';
		if (strncmp(at, value, length) == 0 && (at[length] == '\0' || at[length] == '|'))
			return true;
	}
	return false;
}

static char *
trim(char *text)
{
	char *end;

	while (isspace((unsigned char) *text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char) end[-1]))
		*--end = '\0';
	return text;
}
