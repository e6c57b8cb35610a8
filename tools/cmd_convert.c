/* cmd_convert.c -- ckpt convert: from any format that is read to any that is written */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert.h"
#include "number.h"
#include "progress.h"
#include "rename.h"
#include "table.h"

struct convert_options {
	const char *to, *output;
	ckpt_list include, exclude, rename, metadata;
	ckpt_dtype dtype;
	int aliases; /* ckpt_alias_policy */
	uint64_t max_shard;
	bool force, dry_run, check, no_sync;
};

#define AT(field) offsetof(struct convert_options, field)

static const struct convert_options defaults = {.dtype = CKPT_DTYPE_NONE};

static const ckpt_option options[] = {
	{"to", 0, CKPT_OPTION_TEXT, AT(to), "FORMAT",
	 "write this format (see `ckpt help formats`) instead of the one that DST's suffix says", 0, 0},
	{"output", 'o', CKPT_OPTION_TEXT, AT(output), "DST", "another way to say where to", 0, 0},
	{"dtype", 0, CKPT_OPTION_DTYPE, AT(dtype), "DTYPE",
	 "cast floating-point tensors to f64, f32, f16, bf16, f8_e4m3 or f8_e5m2, rounding to nearest, ties to even", 0, 0},
	{"include", 0, CKPT_OPTION_LIST, AT(include), "GLOB",
	 "only tensors whose name matches (`*` also matches dots); may be repeated", 0, 0},
	{"exclude", 0, CKPT_OPTION_LIST, AT(exclude), "GLOB", "without tensors whose name matches; may be repeated", 0, 0},
	{"rename", 0, CKPT_OPTION_LIST, AT(rename), "REGEX/REPLACEMENT",
	 "change names: the first match of the extended regular expression becomes the replacement, in which `\\1` to `\\9` are "
	 "its groups and `&` the match; a slash within is written `\\/`; may be repeated, each seeing the names that the one "
	 "before made",
	 0, 0},
	{"max-shard-size", 0, CKPT_OPTION_SIZE, AT(max_shard), "SIZE",
	 "split into files of at most this size (`5GB`, `500MB`, `1GiB`) with an index, as the Hugging Face Hub does", 1, 0},
	{"aliases", 0, CKPT_OPTION_CHOICE, AT(aliases), "auto|drop|copy",
	 "tensors that share their bytes: keep them so where the format can, else drop all names but one and record the others "
	 "in the metadata (auto); drop and record; give each its own bytes (copy)",
	 0, 0},
	{"metadata", 0, CKPT_OPTION_LIST, AT(metadata), "KEY=VALUE", "add to the metadata; may be repeated", 0, 0},
	{"force", 'f', CKPT_OPTION_FLAG, AT(force), NULL, "replace what is there", 0, 0},
	{"dry-run", 'n', CKPT_OPTION_FLAG, AT(dry_run), NULL, "show what would be written and write nothing", 0, 0},
	{"check", 0, CKPT_OPTION_FLAG, AT(check), NULL,
	 "before the output gets its name, read it again and compare every tensor with its source by SHA-256; when one differs, "
	 "keep nothing and exit 1", 0, 0},
	{"no-sync", 0, CKPT_OPTION_FLAG, AT(no_sync), NULL,
	 "leave it to the system when the output reaches the disk (faster; a power cut may then lose it)", 0, 0},
	{0},
};

/* ---- edits ----------------------------------------------------------------------------------------------------- */

static bool set_metadata(ckpt_checkpoint *cp, const char *text, ckpt_error *err)
{
	size_t length = strcspn(text, "=");
	char *key = strndup(text, length);
	bool ok = false;
	if (!key)
		ckpt_fail_nomem(err);
	else if (!text[length] || length == 0)
		ckpt_fail(err, CKPT_E_USAGE, "--metadata wants KEY=VALUE, not '%.80s'", text);
	else
		ok = ckpt_checkpoint_metadata_set(cp, key, text + length + 1, err);
	free(key);
	return ok;
}

static bool select_tensors(ckpt_checkpoint *cp, const struct convert_options *o, ckpt_error *err)
{
	size_t count = ckpt_checkpoint_tensor_count(cp);
	if (o->include.count + o->exclude.count == 0) return true;
	if (!ckpt_checkpoint_select(cp, o->include.items, o->include.count, o->exclude.items, o->exclude.count, err))
		return false;
	if (ckpt_checkpoint_tensor_count(cp) || count == 0) return true;
	return ckpt_fail(err, CKPT_E_USAGE, "--include and --exclude leave none of the %zu tensor%s", count, ckpt_plural(count));
}

/* None of this touches a byte of a tensor. */
static bool edit(const ckpt_call *call, ckpt_checkpoint *cp, const ckpt_format *format, ckpt_error *err)
{
	const struct convert_options *o = call->options;
	if (!(format->holds & CKPT_HOLDS_METADATA) && o->metadata.count)
		return ckpt_fail(err, CKPT_E_USAGE, "%s holds no metadata, so --metadata has no place", format->name);
	if (format->holds & CKPT_HOLDS_ALIASES && o->aliases != CKPT_ALIASES_DROP && !ckpt_checkpoint_restore_aliases(cp, err))
		return false;
	if (!select_tensors(cp, o, err)) return false;
	if (!ckpt_rename_all(call, cp, &o->rename, err)) return false;
	if (o->dtype != CKPT_DTYPE_NONE && !ckpt_checkpoint_cast(cp, o->dtype, err)) return false;
	for (size_t i = 0; i < o->metadata.count; i++)
		if (!set_metadata(cp, o->metadata.items[i], err)) return false;
	return true;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static bool several_roots(const char *path, const ckpt_checkpoint *cp, ckpt_error *err)
{
	ckpt_buffer names = {0};
	for (size_t i = 0; i < ckpt_checkpoint_root_count(cp); i++)
		ckpt_buffer_printf(&names, "%s%s", i ? ", " : "", ckpt_checkpoint_root_at(cp, i));
	if (ckpt_buffer_ok(&names, err))
		ckpt_fail(err, CKPT_E_USAGE, "%s holds several parts with weights, choose one with --root: %s", path, names.data);
	ckpt_buffer_free(&names);
	return false;
}

/* Opens the source. Of a training checkpoint, a format that holds tensors alone gets the one part that has weights. */
static ckpt_checkpoint *open_source(const ckpt_call *call, const char *path, const ckpt_format *format, ckpt_error *err)
{
	ckpt_open_options open = call->open;
	ckpt_checkpoint *cp = ckpt_call_open(call, path, err), *part = NULL;
	size_t roots = cp ? ckpt_checkpoint_root_count(cp) : 0;
	if (!cp || open.root || roots == 0 || format->holds & CKPT_HOLDS_VALUES) return cp;
	if (roots > 1) {
		several_roots(path, cp, err);
		goto done;
	}
	open.root = ckpt_checkpoint_root_at(cp, 0);
	if (ckpt_convert_left_behind(call, cp, open.root, err)) part = ckpt_open(path, &open, err);
done:
	ckpt_checkpoint_free(cp);
	return part;
}

/* The row whose abilities decide what is kept; the plan later says the format for certain. */
static const ckpt_format *format_for(const struct convert_options *o, const char *target, ckpt_error *err)
{
	const ckpt_format *format = o->to ? ckpt_format_by_name(o->to) : ckpt_format_by_suffix(target);
	if (o->to && (!format || !format->plan)) {
		ckpt_fail(err, CKPT_E_USAGE, format ? "ckpt reads %s but does not write it"
		                                    : "there is no format called '%.80s'",
		          o->to);
		return NULL;
	}
	if (!format) format = ckpt_format_by_name("safetensors");
	return format;
}

/* ---- reports --------------------------------------------------------------------------------------------------- */

static bool show_plan(const ckpt_conversion *c, ckpt_error *err)
{
	static const ckpt_column columns[] = {{"file", false, 20, true, 0, CKPT_STYLE_PLAIN},
	                                      {"tensors", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"bytes", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"", true, 0, false, 1, CKPT_STYLE_PLAIN}};
	ckpt_table *table = ckpt_table_new(columns, sizeof columns / sizeof *columns);
	size_t files = ckpt_save_plan_file_count(c->plan), tensors = 0;
	char text[CKPT_NUMBER_TEXT];
	uint64_t bytes = 0;
	if (!table) return ckpt_fail_nomem(err);
	for (size_t i = 0; i <= files; i++) {
		bool total = i == files;
		uint64_t size = total ? bytes : ckpt_save_plan_file_bytes(c->plan, i);
		if (total && files < 2) break;
		ckpt_table_text(table, total ? "all" : ckpt_save_plan_file_path(c->plan, i));
		ckpt_table_text(table, ckpt_count_text(total ? tensors : ckpt_save_plan_file_tensors(c->plan, i), text, sizeof text));
		ckpt_table_text(table, ckpt_count_text(size, text, sizeof text));
		ckpt_table_text(table, ckpt_bytes_text((double)size, text, sizeof text));
		if (!total) tensors += ckpt_save_plan_file_tensors(c->plan, i);
		if (!total) bytes += size;
	}
	bool ok = ckpt_table_print(table, stdout, &c->call->terminal, true, err);
	ckpt_table_free(table);
	return ok;
}

/* "out.safetensors: 199 tensors, 438 MB in 0.12 s (3.65 GB/s)" */
static void show_summary(const ckpt_conversion *c, double seconds)
{
	char size[CKPT_NUMBER_TEXT], rate[CKPT_NUMBER_TEXT], count[CKPT_NUMBER_TEXT];
	size_t files = ckpt_save_plan_file_count(c->plan), tensors = 0;
	uint64_t bytes = 0;
	if (c->call->quiet) return;
	for (size_t i = 0; i < files; i++) {
		tensors += ckpt_save_plan_file_tensors(c->plan, i);
		bytes += ckpt_save_plan_file_bytes(c->plan, i);
	}
	ckpt_text_print(stdout, c->target);
	printf(": %s tensor%s", ckpt_count_text(tensors, count, sizeof count), ckpt_plural(tensors));
	if (files > 1) printf(" in %zu files", files);
	printf(", %s in %.2f s (%s/s)\n", ckpt_bytes_text((double)bytes, size, sizeof size), seconds,
	       ckpt_bytes_text(seconds > 0 ? (double)bytes / seconds : 0, rate, sizeof rate));
}

/* ---- the command ----------------------------------------------------------------------------------------------- */

typedef struct checking {
	const ckpt_conversion *c;
	ckpt_progress *progress; /* of the writing, which ends where the check begins */
	double seconds;
	size_t different;
	char fingerprint[65];
} checking;

static bool check(void *user, const ckpt_checkpoint *written, ckpt_error *err)
{
	checking *x = user;
	x->seconds = ckpt_progress_end(x->progress);
	return ckpt_convert_check(x->c, written, &x->different, x->fingerprint, err) && x->different == 0;
}

static bool convert(ckpt_conversion *c, ckpt_save_plan *plan, int *code, ckpt_error *err)
{
	const struct convert_options *o = c->call->options;
	size_t count = ckpt_checkpoint_tensor_count(c->cp);
	ckpt_progress progress;
	checking x = {.c = c, .progress = &progress, .seconds = -1};
	ckpt_progress_begin(&progress, c->call, "writing");
	ckpt_work work = ckpt_progress_work(&progress);
	bool ok = ckpt_save_plan_run_checked(plan, &work, o->check ? check : NULL, &x, err);
	if (x.seconds < 0) x.seconds = ckpt_progress_end(&progress);
	if (ok) show_summary(c, x.seconds);
	if (ok && o->check && !c->call->quiet) printf("check: %zu tensor%s equal, fingerprint %s\n", count, ckpt_plural(count), x.fingerprint);
	*code = ok ? CKPT_EXIT_OK : CKPT_EXIT_NEGATIVE;
	return ok || x.different > 0;
}

static bool is_folder(const char *path)
{
	struct stat st;
	size_t length = strlen(path);
	return (length && path[length - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* Where the small files come from that go along into a folder: the source's folder, when one of the two is a folder. A
 * file becomes a folder only where the target says so: a name without a known suffix is then an error. */
static const char *folder_from(const ckpt_conversion *c, const ckpt_checkpoint *cp)
{
	if (!is_folder(c->source) && !is_folder(c->target)) return NULL;
	return cp->config_folder || !is_folder(c->source) ? cp->config_folder : c->source;
}

static bool find_target(const ckpt_call *call, const char **target, ckpt_error *err)
{
	const struct convert_options *o = call->options;
	if (o->output && call->argument_count == 2)
		return ckpt_fail(err, CKPT_E_USAGE, "DST was given twice, as '%.80s' and as --output=%.80s", call->arguments[1],
		                 o->output);
	if (!o->output && call->argument_count < 2)
		return ckpt_fail(err, CKPT_E_USAGE, "an argument is missing: ckpt convert SRC DST");
	if (o->dry_run && o->check) return ckpt_fail(err, CKPT_E_USAGE, "--dry-run and --check exclude each other");
	*target = o->output ? o->output : call->arguments[1];
	return **target || ckpt_fail(err, CKPT_E_USAGE, "DST is empty");
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const struct convert_options *o = call->options;
	ckpt_save_options save = {.format = o->to,
	                          .aliases = (ckpt_alias_policy)o->aliases,
	                          .max_shard_bytes = o->max_shard,
	                          .force = o->force,
	                          .no_sync = o->no_sync,
	                          .limits = call->open.limits};
	ckpt_conversion c = {.call = call, .source = call->arguments[0], .aliases = save.aliases};
	ckpt_checkpoint *cp = NULL;
	ckpt_save_plan *plan = NULL;
	int code = CKPT_EXIT_BY_ERROR;
	if (!find_target(call, &c.target, err)) goto done;
	c.format = format_for(o, c.target, err);
	if (!c.format) goto done;
	cp = open_source(call, c.source, c.format, err);
	if (!cp || !edit(call, cp, c.format, err)) goto done;
	save.folder_from = folder_from(&c, cp);
	plan = ckpt_save_plan_new(cp, c.target, &save, err);
	if (!plan) goto done;
	c.cp = cp;
	c.plan = plan;
	c.format = ckpt_format_by_name(ckpt_save_plan_format(plan)) ? ckpt_format_by_name(ckpt_save_plan_format(plan)) : c.format;
	if (!ckpt_convert_losses(&c, err)) goto done;
	if (o->dry_run) {
		if (show_plan(&c, err)) code = CKPT_EXIT_OK;
	} else if (!convert(&c, plan, &code, err)) {
		code = CKPT_EXIT_BY_ERROR;
	}
done:
	ckpt_save_plan_free(plan);
	ckpt_checkpoint_free(cp);
	return code;
}

static const char *const synopsis[] = {"SRC DST [OPTION]...", "SRC -o DST [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Writes the tensors of `SRC` to `DST`. What `DST` is follows from its suffix (`.safetensors`, `.bin`, `.pt`, `.pth`, "
	       "`.ckpt`, `.npz`, ...) or from `--to`; when `DST` is a folder, a whole model is written there: the weights, and beside "
	       "them the config, the tokenizer and the other small files of the source's folder. Folders below it (`1_Pooling`, `onnx`) "
	       "are not carried along, which is said."},
	{NULL, "Every tensor is the same in the output, whatever the number of threads. Memory does not grow with the model. The "
	       "output appears under its name when it is complete and on the disk, or not at all; what was there before stays until "
	       "then, also when `DST` is `SRC` itself."},
	{NULL, "A training checkpoint holds more than weights. Formats that hold tensors alone get the one part of it that looks like "
	       "a state dict; when there are several, `--root` must say which. Whatever gets lost on the way (other values, metadata, "
	       "names of tied weights) is said in one line each on standard error. Names of tied weights that had to be dropped are "
	       "recorded in the metadata, and come back when the file is converted to a format that can hold them."},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt convert pytorch_model.bin weights.safetensors", "From torch to safetensors."},
	{"ckpt convert --dtype bf16 --check model.safetensors half.bin", "Back to torch, in half the space, and compared."},
	{"ckpt convert --max-shard-size 500kB bert bert-in-shards", "A whole folder, its weights in several files."},
	{"ckpt convert --rename '^bert\\./' --exclude '*.position_ids' model.safetensors renamed.safetensors",
	 "Without a prefix and without some tensors."},
	{"ckpt convert --dry-run model.safetensors model.npz", "What would be written."},
	{0},
};

static const ckpt_exit_code exits[] = {
	{CKPT_EXIT_NEGATIVE, "--check found a difference; nothing was kept"},
	{0, NULL},
};

const ckpt_tool ckpt_tool_convert = {
	.name = "convert",
	.summary = "write a checkpoint in another format, dtype, or number of files",
	.synopsis = synopsis,
	.description = description,
	.options = options,
	.defaults = &defaults,
	.options_size = sizeof(struct convert_options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST,
	.arguments_min = 1,
	.arguments_max = 2,
	.examples = examples,
	.exits = exits,
	.run = run,
};
