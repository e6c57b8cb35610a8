/* cmd_cat.c -- ckpt cat: the values of one tensor, printed or written to a file */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/print.h"
#include "../lib/slice.h"
#include "progress.h"

typedef struct cat_options {
	const char *slice, *output;
	ckpt_dtype dtype;
	bool json, force, skip_crc;
} cat_options;

/* ---- which tensor -------------------------------------------------------------------------------------------- */

static const char *nearest(const ckpt_checkpoint *cp, const char *name)
{
	const char *near = NULL;
	size_t best = strlen(name) / 3 + 2;
	for (size_t i = 0; i < cp->count; i++) {
		size_t d = ckpt_edit_distance(name, cp->tensors[i].name);
		if (d >= best) continue;
		best = d;
		near = cp->tensors[i].name;
	}
	return near;
}

static const ckpt_tensor *choose(const ckpt_checkpoint *cp, const ckpt_call *call, ckpt_error *err)
{
	if (call->argument_count == 1) {
		if (cp->count == 1) return &cp->tensors[0];
		ckpt_fail(err, CKPT_E_USAGE, "%s holds %zu tensors: name one of them", call->arguments[0], cp->count);
		return NULL;
	}
	const char *name = call->arguments[1];
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, name);
	if (t) return t;
	const char *near = nearest(cp, name);
	ckpt_fail(err, CKPT_E_NOT_FOUND,
	          near ? "%s: there is no tensor '%s', did you mean '%s'?" : "%s: there is no tensor '%s'",
	          call->arguments[0], name, near);
	return NULL;
}

/* A checkpoint of this tensor alone, or of a slice of it, with the files that must not change meanwhile. */
static ckpt_checkpoint *alone(const ckpt_checkpoint *cp, const ckpt_tensor *t, const cat_options *o, ckpt_error *err)
{
	ckpt_slice slice = {0};
	ckpt_source *source = NULL;
	ckpt_checkpoint *one = NULL;
	if (!o->slice)
		source = ckpt_source_ref(t->source);
	else if (ckpt_slice_parse(o->slice, t->rank, t->shape, &slice, err))
		source = ckpt_slice_source(&slice, t->source, t->dtype, err);
	if (!source) return NULL;
	one = ckpt_checkpoint_new(err);
	if (!one) {
		ckpt_source_unref(source);
		return NULL;
	}
	bool ok = ckpt_checkpoint_add(one, t->name, t->dtype, o->slice ? slice.rank : t->rank,
	                              o->slice ? slice.shape : t->shape, source, NULL, err);
	for (size_t i = 0; ok && i < cp->file_count; i++) ok = ckpt_checkpoint_add_file(one, cp->files[i], err);
	if (ok && o->dtype != CKPT_DTYPE_NONE) ok = ckpt_checkpoint_cast(one, o->dtype, err);
	if (ok) return one;
	ckpt_checkpoint_free(one);
	return NULL;
}

/* ---- what is done with it ------------------------------------------------------------------------------------ */

static bool to_stdout(void *sink, const void *data, size_t length, ckpt_error *err)
{
	(void)sink;
	if (fwrite(data, 1, length, stdout) == length) return true;
	return ckpt_fail_errno(err, errno, "cannot write to standard output");
}

static bool print(const ckpt_checkpoint *one, bool json, ckpt_error *err)
{
	const ckpt_tensor *t = &one->tensors[0];
	const ckpt_print_view view = {t->dtype, t->rank, t->shape, t->source};
	ckpt_buffer text = {0};
	bool ok = json ? ckpt_print_json(&view, to_stdout, NULL, err) : ckpt_print_torch(&text, &view, err);
	if (ok) ok = ckpt_checkpoint_unchanged(one, err);
	if (ok && !json) ok = to_stdout(NULL, text.data, text.length, err);
	ckpt_buffer_free(&text);
	return ok && to_stdout(NULL, "\n", 1, err);
}

static bool save(const ckpt_call *call, const ckpt_checkpoint *one, const cat_options *o, ckpt_error *err)
{
	ckpt_progress progress;
	const ckpt_save_options options = {.force = o->force, .limits = call->open.limits};
	ckpt_progress_begin(&progress, call, "writing");
	ckpt_work work = ckpt_progress_work(&progress);
	bool ok = ckpt_save(one, o->output, &options, &work, err);
	ckpt_progress_end(&progress);
	return ok;
}

/* What goes wrong with the tensor names it, and its file. */
static bool show(const ckpt_call *call, const ckpt_checkpoint *cp, const ckpt_tensor *t, ckpt_error *err)
{
	const cat_options *o = call->options;
	ckpt_checkpoint *one = alone(cp, t, o, err);
	bool ok = one && (o->output || print(one, o->json, err));
	if (!ok && err->code != CKPT_E_IO) ckpt_error_prefix(err, "%s: tensor '%s'", call->arguments[0], t->name);
	if (ok && o->output) ok = save(call, one, o, err);
	ckpt_checkpoint_free(one);
	return ok;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const cat_options *o = call->options;
	ckpt_open_options open = call->open;
	open.skip_crc = o->skip_crc;
	if (o->output && o->json) {
		ckpt_fail(err, CKPT_E_USAGE, "--json prints and --output writes a file: give one of them");
		return CKPT_EXIT_BY_ERROR;
	}
	ckpt_checkpoint *cp = ckpt_call_open_with(call, call->arguments[0], &open, err);
	const ckpt_tensor *t = cp ? choose(cp, call, err) : NULL;
	const bool ok = t && show(call, cp, t, err);
	if (ok) ckpt_remark_transfer(call, call->arguments[0]);
	ckpt_checkpoint_free(cp);
	return ok ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
}

/* ---- the row ------------------------------------------------------------------------------------------------- */

static const char *const synopsis[] = {"PATH [TENSOR] [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Prints the values of TENSOR as torch prints them: four digits, one format for the whole tensor, three items "
	       "at each end of a dimension when there are more than 1000 values, the dtype when it is not the usual one. "
	       "TENSOR may be left out when PATH holds one tensor only. No byte is read that is not shown; tensors in a zip "
	       "archive are the exception, their CRC is verified first, unless `--skip-crc` is given."},
	{NULL, "PATH may also be a model on the Hugging Face Hub (`org/name`, `hf://org/name/file`; see `ckpt pull`) or a URL: of what "
	       "the cache lacks only the header and the tensor's own bytes are fetched."},
	{"SLICES", "A slice is written as in Python, one item a dimension: an index (`0`, `-1`), a range (`0:3`, `:5`, "
	           "`-2:`, `::2`), or `...` for all the dimensions in between. `--slice 0:3,:5` shows the first five values "
	           "of the first three rows."},
	{"JSON", "With `--json` all values are printed, as nested arrays, one innermost row a line; a tensor without "
	         "dimensions is a single value. Integers are exact. Floats are the shortest decimals that give the same value "
	         "back when they are read as the tensor's dtype. JSON has no NaN and no infinity: they are the strings "
	         "\"NaN\", \"Infinity\" and \"-Infinity\". Complex numbers are pairs [real, imaginary], BOOL is true or "
	         "false."},
	{0},
};

static const ckpt_option table[] = {
	{"slice", 's', CKPT_OPTION_TEXT, offsetof(cat_options, slice), "SLICE",
	 "show a part of it: 0:3,:5 or -1 or ...,0", 0, 0},
	{"dtype", 0, CKPT_OPTION_DTYPE, offsetof(cat_options, dtype), "DTYPE",
	 "cast a floating-point tensor first: f32, f16, bf16, ...", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, offsetof(cat_options, json), NULL,
	 "print all values as nested JSON arrays", 0, 0},
	{"output", 'o', CKPT_OPTION_TEXT, offsetof(cat_options, output), "FILE",
	 "write the tensor to a file, as its name says (.npy, .safetensors, ...), instead of printing it", 0, 0},
	{"force", 'f', CKPT_OPTION_FLAG, offsetof(cat_options, force), NULL, "replace FILE when it exists", 0, 0},
	{"skip-crc", 0, CKPT_OPTION_FLAG, offsetof(cat_options, skip_crc), NULL,
	 "do not verify the CRC of what lies in a zip archive, which reads all of the tensor", 0, 0},
	{0},
};

static const cat_options defaults = {.dtype = CKPT_DTYPE_NONE};

static const ckpt_example examples[] = {
	{"ckpt cat model.safetensors pooler.dense.weight", "Prints the corners of the matrix."},
	{"ckpt cat model.safetensors pooler.dense.weight --slice 0,:5", "The first five values of its first row."},
	{"ckpt cat model.safetensors pooler.dense.bias --json", "All of the bias, for other programs."},
	{"ckpt cat model.safetensors pooler.dense.weight -o weight.npy", "The matrix for numpy.load."},
	{0},
};

const ckpt_tool ckpt_tool_cat = {
	.name = "cat",
	.summary = "print the values of a tensor, or write them to a file",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.defaults = &defaults,
	.options_size = sizeof(cat_options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST | CKPT_MODELS_LOOK,
	.arguments_min = 1,
	.arguments_max = 2,
	.examples = examples,
	.run = run,
};
