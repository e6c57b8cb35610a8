/* door.c -- the table of formats, and the way in: recognise a file by its content and open it */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/buffer.h"
#include "../lib/error.h"
#include "../lib/limits.h"
#include "../lib/path.h"
#include "format.h"

#define FORMAT(name) extern const ckpt_format ckpt_format_##name;
#include "rows.h"
#undef FORMAT
#define FORMAT(name) &ckpt_format_##name,
static const ckpt_format *const table[] = {
#include "rows.h"
};

enum { COUNT = sizeof table / sizeof *table, HEAD = 4096 };

/* ---- the table ------------------------------------------------------------------------------------------------- */

const ckpt_format *ckpt_format_row(size_t i)
{
	return i < COUNT ? table[i] : NULL;
}

const ckpt_format *ckpt_format_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(table[i]->name, name) == 0) return table[i];
	return NULL;
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t length = strlen(text), n = strlen(suffix);
	return length > n && strcasecmp(text + length - n, suffix) == 0;
}

/* The longest suffix wins. */
const ckpt_format *ckpt_format_by_suffix(const char *path)
{
	const ckpt_format *best = NULL;
	size_t longest = 0;
	for (size_t i = 0; i < COUNT; i++)
		for (const char *const *s = table[i]->suffixes; s && *s; s++)
			if (strlen(*s) > longest && ends_in(ckpt_path_base(path), *s)) {
				best = table[i];
				longest = strlen(*s);
			}
	return best;
}

size_t ckpt_format_count(void)
{
	return COUNT;
}

bool ckpt_format_at(size_t i, ckpt_format_info *out)
{
	if (i >= COUNT) return false;
	*out = (ckpt_format_info){table[i]->name, table[i]->summary, table[i]->open != NULL, table[i]->plan != NULL};
	return true;
}

/* ---- recognising ----------------------------------------------------------------------------------------------- */

static const ckpt_format *highest_bid(const ckpt_probe *probe)
{
	const ckpt_format *best = NULL;
	size_t most = 0;
	for (size_t i = 0; i < COUNT; i++) {
		size_t bid = table[i]->probe(probe);
		if (bid <= most) continue;
		best = table[i];
		most = bid;
	}
	return best;
}

static const ckpt_format *fail_unknown(const ckpt_probe *probe, const char *foreign, ckpt_error *err)
{
	ckpt_buffer names = {0};
	for (size_t i = 0; i < COUNT; i++)
		if (table[i]->open) ckpt_buffer_printf(&names, "%s%s", i ? ", " : "", table[i]->name);
	if (foreign)
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "this is %s", foreign);
	else if (ckpt_buffer_ok(&names, err))
		ckpt_fail(err, CKPT_E_FORMAT, "%s in none of the formats that ckpt reads (%s)",
		          probe->is_folder ? "the folder is" : "the file's content is",
		          names.data ? names.data : "none");
	ckpt_buffer_free(&names);
	return NULL;
}

/* The row that shall open it: the one asked for, else by content; a file that nobody recognises goes to the row of its
 * suffix, which knows best what is wrong with it. */
static const ckpt_format *choose(const ckpt_probe *probe, const char *wanted, ckpt_error *err)
{
	const char *foreign = ckpt_foreign_name(probe);
	const ckpt_format *row = wanted ? ckpt_format_by_name(wanted) : highest_bid(probe);
	if (wanted && !row) {
		ckpt_fail(err, CKPT_E_USAGE, "there is no format called '%s'", wanted);
		return NULL;
	}
	if (wanted && probe->is_folder && row->probe(probe) == 0) {
		ckpt_fail(err, CKPT_E_USAGE, "is a folder, the format %s is one of files", wanted);
		return NULL;
	}
	if (wanted && foreign && row->probe(probe) == 0) row = NULL;
	if (!row && !foreign && !probe->is_folder) row = ckpt_format_by_suffix(probe->path);
	if (!row) return fail_unknown(probe, foreign, err);
	if (row->open) return row;
	ckpt_fail(err, CKPT_E_UNSUPPORTED, "ckpt writes %s but cannot read it", row->name);
	return NULL;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static ckpt_checkpoint *open_member(const ckpt_open_context *context, const char *path, ckpt_error *err);
static ckpt_checkpoint *open_member_file(const ckpt_open_context *context, ckpt_file *file, ckpt_error *err);

/* What every checkpoint knows, whichever row opened it. */
static bool complete(ckpt_checkpoint *cp, const ckpt_format *row, const ckpt_open_context *context, ckpt_error *err)
{
	if (!cp->format) cp->format = row->name;
	if (context->file && !ckpt_checkpoint_add_file(cp, context->file, err)) return false;
	bool remote = context->file && ckpt_file_is_remote(context->file);
	if (context->depth > 0 || cp->config_folder || remote) return true;
	char *folder = ckpt_path_folder(context->path, err);
	char *config = folder ? ckpt_path_join(folder, "config.json", err) : NULL;
	bool ok = config != NULL;
	if (ok && access(config, F_OK) == 0) {
		cp->config_folder = folder;
		folder = NULL;
	}
	free(config);
	free(folder);
	return ok;
}

/* file is NULL for a folder. */
static ckpt_checkpoint *open_here(const char *path, ckpt_file *file, const ckpt_open_options *options,
                                  const ckpt_limits *limits, int depth, ckpt_error *err)
{
	uint8_t head[HEAD];
	ckpt_probe probe = {.path = path, .is_folder = !file, .head = head, .file = file};
	if (file) {
		probe.size = ckpt_file_size(file);
		if (!ckpt_file_read_some(file, 0, sizeof head, head, &probe.head_length, err)) return NULL;
	}
	const ckpt_format *row = choose(&probe, depth == 0 ? options->format : NULL, err);
	if (!row) return NULL;
	ckpt_open_context context = {path, file, options, *limits, open_member, open_member_file, depth};
	ckpt_checkpoint *cp = row->open(&context, err);
	if (!cp || complete(cp, row, &context, err)) return cp;
	ckpt_checkpoint_free(cp);
	return NULL;
}

static ckpt_checkpoint *open_member_file(const ckpt_open_context *context, ckpt_file *file, ckpt_error *err)
{
	return open_here(ckpt_file_path(file), file, context->options, &context->limits, context->depth + 1, err);
}

static ckpt_checkpoint *open_member(const ckpt_open_context *context, const char *path, ckpt_error *err)
{
	ckpt_file *file = ckpt_file_open(path, err);
	if (!file) return NULL;
	ckpt_checkpoint *cp = open_member_file(context, file, err);
	ckpt_file_unref(file);
	return cp;
}

ckpt_checkpoint *ckpt_open_file(ckpt_file *file, const ckpt_open_options *options, ckpt_error *err)
{
	ckpt_open_options defaults = {0};
	if (!options) options = &defaults;
	ckpt_limits limits = ckpt_limits_resolve(&options->limits);
	ckpt_checkpoint *cp = open_here(ckpt_file_path(file), file, options, &limits, 0, err);
	if (!cp) ckpt_path_prefix(err, ckpt_file_path(file));
	return cp;
}

ckpt_checkpoint *ckpt_open(const char *path, const ckpt_open_options *options, ckpt_error *err)
{
	ckpt_open_options defaults = {0};
	if (!options) options = &defaults;
	ckpt_limits limits = ckpt_limits_resolve(&options->limits);
	ckpt_checkpoint *cp = NULL;
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		cp = open_here(path, NULL, options, &limits, 0, err);
	} else {
		ckpt_file *file = ckpt_file_open(path, err);
		if (file) cp = open_here(path, file, options, &limits, 0, err);
		ckpt_file_unref(file);
	}
	if (!cp) ckpt_path_prefix(err, path);
	return cp;
}
