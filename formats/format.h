/* format.h -- the contract of a format row: what a file format must answer
 *
 * A row is a leaf .c file whose only non-static symbol is one const struct ckpt_format, listed in formats/door.c.
 * Rows never include each other; a row that composes others (shards, folders) opens members through the context.
 */
#ifndef CKPT_FORMAT_H
#define CKPT_FORMAT_H
#include "../lib/checkpoint.h"
#include "../lib/ckpt.h"
#include "../lib/file.h"
#include "../lib/layout.h"

/* What a row sees when it is asked whether a file is its own. */
typedef struct ckpt_probe {
	const char *path;
	bool is_folder;
	const uint8_t *head; /* the first bytes (up to 4096) of a file */
	size_t head_length;
	uint64_t size;
	ckpt_file *file;     /* for a look elsewhere (tar trailer, zip end record); NULL for a folder */
} ckpt_probe;

typedef struct ckpt_open_context {
	const char *path;
	ckpt_file *file; /* NULL for a folder; borrowed */
	const ckpt_open_options *options;
	ckpt_limits limits; /* resolved */
	/* Opens another file through the door, adding its tensors to nothing: the caller gets a checkpoint. */
	ckpt_checkpoint *(*open_member)(const struct ckpt_open_context *context, const char *path, ckpt_error *err);
	/* The same for a file that is already open (a shard opened below a folder without following links). */
	ckpt_checkpoint *(*open_member_file)(const struct ckpt_open_context *context, ckpt_file *file, ckpt_error *err);
	int depth; /* 0 for what the user named; composing rows refuse to nest deeper than 2 */
} ckpt_open_context;

enum {
	CKPT_HOLDS_ALIASES = 1,  /* two names over the same bytes */
	CKPT_HOLDS_METADATA = 2, /* string pairs */
	CKPT_HOLDS_VALUES = 4    /* the value tree of a pickle */
};

typedef struct ckpt_format {
	const char *name;
	const char *summary;
	const char *const *suffixes; /* NULL-terminated; what DST must end in to be written as this; NULL: only by --to */
	unsigned holds;
	/* How many bytes of the file were really recognised as this format; 0: not mine. The largest bid wins. */
	size_t (*probe)(const ckpt_probe *probe);
	ckpt_checkpoint *(*open)(const ckpt_open_context *context, ckpt_error *err); /* NULL: not readable */
	/* True when the dtype can be stored. NULL: all. */
	bool (*holds_dtype)(ckpt_dtype dtype);
	/* Plans one file named `path` (final path; only its last component matters). NULL: not writable. */
	ckpt_layout *(*plan)(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options, ckpt_error *err);
	/* "model" and "safetensors" for model.safetensors, model-00001-of-00002.safetensors, model.safetensors.index.json;
	 * NULL: the format has no shards. */
	const char *shard_stem, *shard_suffix;
} ckpt_format;

/* Opens a file that is open already, a remote one for instance; its path is a name for messages then. */
ckpt_checkpoint *ckpt_open_file(ckpt_file *file, const ckpt_open_options *options, ckpt_error *err);

/* As ckpt_save_plan_run, but asked before anything gets its name: check is given what was written, opened again. When it
 * returns false, with or without an error, nothing gets a name, what was there stays, and the result is false. */
bool ckpt_save_plan_run_checked(ckpt_save_plan *plan, const ckpt_work *work,
                                bool (*check)(void *user, const ckpt_checkpoint *written, ckpt_error *err), void *user,
                                ckpt_error *err);

/* The table. */
const ckpt_format *ckpt_format_row(size_t i); /* NULL past the end */
const ckpt_format *ckpt_format_by_name(const char *name);
const ckpt_format *ckpt_format_by_suffix(const char *path);
/* What a file that no row wants really is ("a Git LFS pointer, not the file itself: run `git lfs pull`"), or NULL. */
const char *ckpt_foreign_name(const ckpt_probe *probe);
#endif
