/* options.h -- command lines, parsed by a table
 *
 * Long options take their value after = or as the next argument, short ones (one letter) attached or as the next
 * argument; options and arguments may be mixed; after -- all are arguments. Each option may be given once, lists as
 * often as one likes. Names are never abbreviated, so that a new option breaks no script.
 */
#ifndef CKPT_TOOLS_OPTIONS_H
#define CKPT_TOOLS_OPTIONS_H
#include "../lib/ckpt.h"

/* What the option's value is and the C type of the field that it fills. */
typedef enum ckpt_option_kind {
	CKPT_OPTION_FLAG = 1, /* none; bool */
	CKPT_OPTION_TEXT,     /* any text; const char * */
	CKPT_OPTION_MODEL,    /* the same, naming a model: a path, or what tools/hub.c finds for it; const char * */
	CKPT_OPTION_CONFIG,   /* the same, of which only config.json is wanted */
	CKPT_OPTION_LIST,     /* any text, several times; ckpt_list */
	CKPT_OPTION_COUNT,    /* a whole number within low .. high; uint64_t */
	CKPT_OPTION_SIZE,     /* bytes: 1000, 5GB (decimal), 1.5GiB (binary); uint64_t */
	CKPT_OPTION_REAL,     /* a finite number; double */
	CKPT_OPTION_CHOICE,   /* one of the words of `value` ("auto|drop|copy"); int, the word's place from 0 */
	CKPT_OPTION_DTYPE     /* bf16, float32, ...; ckpt_dtype (set CKPT_DTYPE_NONE in the defaults) */
} ckpt_option_kind;

typedef struct ckpt_list {
	const char **items;
	size_t count;
} ckpt_list;

typedef struct ckpt_option {
	const char *name; /* without dashes */
	char letter;      /* 0: no short form */
	ckpt_option_kind kind;
	size_t field;      /* offsetof of the field in the struct of options */
	const char *value; /* what help calls the value ("SIZE"); the words of a CHOICE; NULL for a FLAG */
	const char *help;  /* lower case, no full stop */
	uint64_t low, high; /* COUNT: bounds; high 0: no upper bound */
} ckpt_option;

/* A table (ending in {0}; may be NULL) and the struct that it fills. */
typedef struct ckpt_option_group {
	const char *title; /* for help: "Options", "Reading", ... */
	const ckpt_option *options;
	void *values;
} ckpt_option_group;

/* Parses argv[0 .. argc) into the groups' structs. arguments has room for argc pointers and receives the *count that
 * are no options. Fails with CKPT_E_USAGE and a sentence; lists filled so far are then still to be freed. */
bool ckpt_options_parse(const ckpt_option_group *groups, size_t group_count, int argc, char **argv,
                        const char **arguments, size_t *count, ckpt_error *err);
/* Frees the lists in the structs. */
void ckpt_options_free(const ckpt_option_group *groups, size_t group_count);

/* "5GB", "1.5GiB", "1000", "10 MB" to bytes; KB MB GB TB are powers of 1000, KiB MiB GiB TiB of 1024. */
bool ckpt_parse_size(const char *text, uint64_t *out);
/* A whole number without sign, digits only. */
bool ckpt_parse_count(const char *text, uint64_t *out);
/* Edits (insert, delete, replace, swap neighbours) that turn a into b; SIZE_MAX when one is longer than 63. */
size_t ckpt_edit_distance(const char *a, const char *b);
#endif
