/* tool.h -- the contract of a subcommand: what a row must answer, and what it is given
 *
 * A row is a file tools/cmd_NAME.c whose only non-static symbol is one `const ckpt_tool ckpt_tool_NAME`, listed in
 * tools/tools.c. Its tables drive the parsing of options, --help, the manual page and the completion, so that nothing
 * is said twice. A row prints its result on standard output with stdio and remarks with ckpt_remark; it never prints an
 * error and never exits: it fills err and returns CKPT_EXIT_BY_ERROR, and tools/ckpt.c says it, once.
 *
 * Markup in texts: `word` is set in bold in the manual and stays plain on a terminal.
 */
#ifndef CKPT_TOOLS_TOOL_H
#define CKPT_TOOLS_TOOL_H
#include "../lib/ckpt.h"
#include "../lib/error.h"
#include "options.h"
#include "terminal.h"

enum {
	CKPT_EXIT_OK = 0,
	CKPT_EXIT_NEGATIVE = 1, /* the question was answered with no: different, dangerous, wrong */
	CKPT_EXIT_USAGE = 2,
	CKPT_EXIT_FAILED = 3,   /* could not: bad input, I/O, unsupported, limit */
	CKPT_EXIT_BY_ERROR = -1 /* what err->code stands for: usage, failed, or 128 + the signal that stopped the work */
};

/* Options that many commands share; a row asks for groups of them in `uses`. */
enum {
	CKPT_USES_READ = 1,   /* --format, --root, --limit: filled into call->open */
	CKPT_USES_WORK = 2,   /* --threads */
	CKPT_USES_LIMITS = 4  /* --limit alone */
};

/* Which arguments are models, so that names on the Hub are found for them (tools/hub.c); a row's `models`. */
enum {
	CKPT_MODELS_FIRST = 1,  /* the first one */
	CKPT_MODELS_BOTH = 2,   /* the first two */
	CKPT_MODELS_ALL = 4,
	CKPT_MODELS_CONFIG = 8, /* only its config.json is wanted; what is a model type stays one */
	CKPT_MODELS_LOOK = 16,  /* without downloading, when it is not in the cache: the row opens it with ckpt_call_open */
	CKPT_MODELS_TOKENIZER = 32, /* only the files of its tokenizer are wanted */
	CKPT_MODELS_WHOLE = 64 /* all files of its repository are wanted, and nothing less will do */
};

/* What run() gets. Everything belongs to the caller. */
typedef struct ckpt_call {
	const struct ckpt_tool *tool;
	const void *options; /* the row's own struct: its defaults, overwritten by what was given */
	const char *const *arguments;
	size_t argument_count; /* within the row's bounds */
	bool quiet;
	int threads;              /* 0: not given */
	ckpt_open_options open;   /* hand it to ckpt_open */
	ckpt_terminal terminal;
	const struct ckpt_models *models; /* what was found on the Hub */
} ckpt_call;

/* A paragraph of the long description. One with a title begins a section of its own ("JSON"); one whose text begins
 * with a space is set line by line as it stands. */
typedef struct ckpt_paragraph {
	const char *title, *text;
} ckpt_paragraph;

/* Run by the tests in a folder that holds small files of these names: keep them to what `make check` has. */
typedef struct ckpt_example {
	const char *command, *says;
} ckpt_example;

typedef struct ckpt_exit_code {
	int code;
	const char *meaning;
} ckpt_exit_code;

typedef struct ckpt_tool {
	const char *name;
	const char *summary;               /* one line, lower case, no full stop */
	const char *const *synopsis;       /* lines without "ckpt NAME" in front ("SRC DST [OPTION]..."); NULL-terminated */
	const ckpt_paragraph *description; /* ends in {0} */
	const ckpt_option *options;        /* ends in {0}; NULL: none of its own */
	const void *defaults;              /* what the struct of options starts with; NULL: zeros */
	size_t options_size;
	unsigned uses;                     /* CKPT_USES_... */
	unsigned models;                   /* CKPT_MODELS_... */
	size_t arguments_min, arguments_max; /* SIZE_MAX: any number */
	const ckpt_example *examples;      /* ends in {0}; may be NULL */
	const ckpt_exit_code *exits;       /* where they differ from or add to the usual; ends in {0, NULL}; may be NULL */
	/* Returns the exit code. When err was filled it is printed, whatever the code. */
	int (*run)(const ckpt_call *call, ckpt_error *err);
} ckpt_tool;

/* The table (tools.c); NULL past the end, or when there is none of that name. */
const ckpt_tool *ckpt_tool_at(size_t i);
const ckpt_tool *ckpt_tool_find(const char *name);
/* The name that the user probably meant, or NULL. */
const char *ckpt_tool_nearest(const char *name);

/* Opens what the user named, with the call's --format, --root and --limit. */
ckpt_checkpoint *ckpt_call_open(const ckpt_call *call, const char *path, ckpt_error *err);
/* The same with other options. */
ckpt_checkpoint *ckpt_call_open_with(const ckpt_call *call, const char *path, const ckpt_open_options *options, ckpt_error *err);
/* True when the Hub had to do with it; *bytes were transferred so far. */
bool ckpt_call_transferred(const ckpt_call *call, uint64_t *bytes);
/* Says how many in a remark. */
void ckpt_remark_transfer(const ckpt_call *call, const char *path);
/* One line "ckpt: note: ..." on standard error, escaped; silent with --quiet. */
void ckpt_remark(const ckpt_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
