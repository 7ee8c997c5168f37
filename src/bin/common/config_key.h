/*
 * config_key.h
 *		A table of keys says what a program's configuration holds: files are read, checked and
 *		printed by it.
 *
 * A file has lines "key = value", and comments that begin with #. A secret may stand in a file of
 * its own, which the key with _file behind it names: systemd's LoadCredential= makes such files.
 */
#ifndef SCRM_CONFIG_KEY_H
#define SCRM_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What a key holds */
typedef enum ConfigType
{
	CONFIG_TEXT,	/* char *, NULL where it is empty */
	CONFIG_SECRET,	/* likewise; never shown; its file may be given as KEY_file */
	CONFIG_NUMBER,	/* int */
	CONFIG_SECONDS, /* double */
	CONFIG_SWITCH,	/* bool: on or off */
} ConfigType;

typedef struct ConfigKey
{
	const char *name;
	ConfigType type;
	size_t offset; /* in the program's Config */
	const char *initial;
	double least; /* of numbers and seconds */
	double most;
	const char *choices; /* of texts: "one|other"; NULL = any */
	const char *comment; /* NULL: said with the key before */
} ConfigKey;

/* The tables end with a key without a name */
#define CONFIG_KEY(name, type, initial, least, most, choices, comment)              \
	{                                                                               \
#name, type, offsetof(Config, name), initial, least, most, choices, comment \
	}
#define CONFIG_KEY_END                               \
	{                                                \
		NULL, CONFIG_TEXT, 0, NULL, 0, 0, NULL, NULL \
	}

/* Gives every key its initial value; config is the program's Config, with zeros */
extern void config_keys_initialize(const ConfigKey *keys, void *config);

/* Sets a key, or a secret from the file that NAME_file names; false after a line in the log, which begins with where */
extern bool config_keys_assign(const ConfigKey *keys, void *config, const char *where,
							   const char *name, const char *value);

/* Reads a file; false after lines in the log that say what is wrong where */
extern bool config_keys_read_file(const ConfigKey *keys, void *config, const char *path);

/* Prints a file with every key, its meaning and its initial value */
extern void config_keys_print(const ConfigKey *keys, FILE *stream);

extern void config_keys_free(const ConfigKey *keys, void *config);

#endif /* SCRM_CONFIG_KEY_H */
