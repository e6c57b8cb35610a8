/* cmd_inspect.c -- ckpt inspect: what a checkpoint holds */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/text/text.h"
#include "../lib/checkpoint.h"
#include "graph.h"
#include "inspect.h"
#include "progress.h"

struct inspect_options {
	bool json, tree, stats, hash;
	ckpt_list include, exclude;
	const char *type;
};

#define AT(field) offsetof(struct inspect_options, field)

static const ckpt_option options[] = {
	{"tree", 0, CKPT_OPTION_FLAG, AT(tree), NULL,
	 "show tensors by the parts of their names, with subtotals; layers that are alike are folded into one", 0, 0},
	{"include", 0, CKPT_OPTION_LIST, AT(include), "GLOB",
	 "only tensors whose name matches (`*` also matches dots); may be repeated", 0, 0},
	{"exclude", 0, CKPT_OPTION_LIST, AT(exclude), "GLOB", "without tensors whose name matches; may be repeated", 0, 0},
	{"stats", 0, CKPT_OPTION_FLAG, AT(stats), NULL,
	 "read every tensor and show min, max, mean, standard deviation, largest magnitude, zeros, NaN and infinite values", 0,
	 0},
	{"hash", 0, CKPT_OPTION_FLAG, AT(hash), NULL,
	 "read every tensor and show its SHA-256, and one fingerprint of all that is equal for equal tensors in any format, "
	 "order or sharding",
	 0, 0},
	{"type", 0, CKPT_OPTION_TEXT, AT(type), "TYPE",
	 "the model type (bert, gpt2, ...), where neither `config.json` nor the tensors tell", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, AT(json), NULL, "print JSON (see below)", 0, 0},
	{0},
};

static void add(ckpt_tally *tally, const ckpt_tensor *t)
{
	tally->tensors++;
	if (ckpt_tensor_alias_of(t)) {
		tally->aliases++;
		return;
	}
	tally->parameters += ckpt_tensor_elements(t);
	tally->bytes += ckpt_tensor_bytes(t);
}

static bool collect_stats(ckpt_inspection *in, ckpt_error *err)
{
	size_t count = ckpt_checkpoint_tensor_count(in->cp);
	uint64_t done = 0, total = in->all.bytes;
	ckpt_progress progress;
	bool ok = true;
	in->stats = calloc(count + 1, sizeof *in->stats);
	if (!in->stats) return ckpt_fail_nomem(err);
	ckpt_progress_begin(&progress, in->call, "measuring");
	for (size_t i = 0; i < count && ok; i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(in->cp, i);
		ckpt_work work = ckpt_progress_part(&progress, done, total);
		if (t->alias_of != SIZE_MAX)
			in->stats[i] = in->stats[t->alias_of];
		else
			ok = ckpt_tensor_stats(t, &work, &in->stats[i], err);
		if (t->alias_of == SIZE_MAX) done += ckpt_tensor_bytes(t);
	}
	ckpt_progress_end(&progress);
	return ok;
}

static bool collect_hashes(ckpt_inspection *in, ckpt_error *err)
{
	ckpt_progress progress;
	in->hashes = calloc(ckpt_checkpoint_tensor_count(in->cp) + 1, sizeof *in->hashes);
	if (!in->hashes) return ckpt_fail_nomem(err);
	ckpt_progress_begin(&progress, in->call, "hashing");
	ckpt_work work = ckpt_progress_work(&progress);
	bool ok = ckpt_checkpoint_sha256(in->cp, &work, in->hashes, in->fingerprint, err);
	ckpt_progress_end(&progress);
	return ok;
}

static bool collect(ckpt_inspection *in, const struct inspect_options *o, ckpt_error *err)
{
	const ckpt_value *value = ckpt_checkpoint_value(in->cp);
	for (size_t i = 0; i < ckpt_checkpoint_tensor_count(in->cp); i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(in->cp, i);
		add(&in->all, t);
		add(&in->by_dtype[ckpt_tensor_dtype(t)], t);
	}
	if (value && !ckpt_values_any(value, &in->values, err)) return false;
	if (o->stats && !collect_stats(in, err)) return false;
	return !o->hash || collect_hashes(in, err);
}

/* How many rows the word embeddings have, by their usual names; 0: none found. */
static uint64_t embedding_rows(const ckpt_checkpoint *cp)
{
	static const char *const names[] = {"word_embeddings.weight", "wte.weight", "embed_tokens.weight", "shared.weight", "token_embedding.weight"};
	for (size_t i = 0; i < ckpt_checkpoint_tensor_count(cp); i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, i);
		const char *name = ckpt_tensor_name(t);
		size_t length = strlen(name);
		for (size_t k = 0; k < sizeof names / sizeof *names && ckpt_tensor_rank(t) == 2; k++) {
			size_t n = strlen(names[k]);
			if (length >= n && !strcmp(name + length - n, names[k]) && (length == n || name[length - n - 1] == '.')) return ckpt_tensor_shape(t)[0];
		}
	}
	return 0;
}

/* The tokenizer beside the checkpoint; one that cannot be read is a remark. */
static ckpt_tokenizer *find_tokenizer(ckpt_inspection *in, const ckpt_checkpoint *cp)
{
	ckpt_error err = {0};
	ckpt_tokenizer *t = cp->config_folder ? ckpt_tokenizer_open(cp->config_folder, &err) : NULL;
	uint64_t rows = embedding_rows(cp);
	if (!t && err.code != CKPT_OK && err.code != CKPT_E_NOT_FOUND) ckpt_remark(in->call, "%s", err.text);
	if (!t) return NULL;
	in->tokenizer = ckpt_tokenizer_kind(t);
	in->tokenizer_size = ckpt_tokenizer_size(t);
	if (rows && ckpt_tokenizer_last_id(t) >= rows)
		ckpt_remark(in->call, "the tokenizer has %llu tokens with ids up to %llu, the word embeddings have %llu rows", (unsigned long long)in->tokenizer_size,
		            (unsigned long long)ckpt_tokenizer_last_id(t), (unsigned long long)rows);
	return t;
}

/* A folder without weights whose config is broken: that is what is there, so its fault is said too. */
static void add_fault_of_config(const char *path, ckpt_error *err)
{
	struct stat st;
	ckpt_error why = {0};
	if (err->code != CKPT_E_NOT_FOUND || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return;
	ckpt_config *config = ckpt_config_open(path, &why);
	if (!config && why.code != CKPT_E_NOT_FOUND) {
		ckpt_error_prefix(&why, "%s: the folder holds no weights, and its config makes no model", path);
		*err = why;
	}
	ckpt_config_free(config);
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const struct inspect_options *o = call->options;
	ckpt_inspection in = {.call = call, .path = call->arguments[0]};
	ckpt_checkpoint *cp = NULL;
	ckpt_tokenizer *tokenizer = NULL;
	int code = CKPT_EXIT_BY_ERROR;
	if (o->tree && (o->json || o->stats)) {
		ckpt_fail(err, CKPT_E_USAGE, "--tree and --%s exclude each other", o->json ? "json" : "stats");
		goto done;
	}
	cp = ckpt_call_open(call, in.path, err);
	if (!cp) add_fault_of_config(in.path, err);
	if (!cp) goto done;
	if (!ckpt_model_facts_find(call, in.path, cp, o->type, &in.model, err)) {
		ckpt_error_prefix(err, "%s", in.path);
		goto done;
	}
	tokenizer = find_tokenizer(&in, cp);
	if ((o->include.count || o->exclude.count) &&
	    !ckpt_checkpoint_select(cp, o->include.items, o->include.count, o->exclude.items, o->exclude.count, err))
		goto done;
	in.cp = cp;
	if (!collect(&in, o, err)) {
		if (!strstr(err->text, in.path)) ckpt_error_prefix(err, "%s", in.path);
		goto done;
	}
	if (!(o->json ? ckpt_inspect_json(&in, err) : ckpt_inspect_text(&in, o->tree, err))) goto done;
	if (in.tokenizer && !o->json) printf("\ntokenizer  %s, %llu tokens\n", in.tokenizer, (unsigned long long)in.tokenizer_size);
	if (!o->json) ckpt_remark_transfer(call, in.path);
	code = CKPT_EXIT_OK;
done:
	free(in.stats);
	free(in.hashes);
	ckpt_tokenizer_free(tokenizer);
	ckpt_model_facts_free(&in.model);
	ckpt_checkpoint_free(cp);
	return code;
}

static const char *const synopsis[] = {"PATH [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Shows one line for each tensor (name, dtype, shape, bytes, and the tensor with which it shares them), what else the "
	       "file holds (metadata, and the other values of a pickle as a tree), and totals by dtype. `PATH` is a file in any "
	       "format that ckpt reads, or a folder with a model in it. Nothing in a pickle is ever executed. Without `--stats` "
	       "and `--hash` only headers are read."},
	{NULL, "Tensors over the very same bytes (tied weights) are aliases of the first of them; totals count their parameters and "
	       "bytes once. A training checkpoint is shown with the dotted paths of its tensors; `--root` picks one part of it."},
	{NULL, "Where the tensors are those of a model type that ckpt knows, its class, its parameters by part and what does not fit "
	       "(the loading report) are shown. The type is what `config.json` in or beside `PATH` says, or else the one whose "
	       "tensors have these names and shapes."},
	{NULL, "PATH may also be a model on the Hugging Face Hub (`org/name`, `org/name@revision`, `hf://org/name/file`; see `ckpt "
	       "pull`) or a URL. What the cache lacks of it is not downloaded: headers are read by range requests, and how many bytes "
	       "were transferred is said. A file whose bytes come that way is compared with no hash."},
	{NULL, "On a terminal lines are cut to its width; elsewhere they are as long as they need to be."},
	{"JSON", "With `--json` standard output is one object. Integers are exact; names that are no UTF-8 have their bytes as "
	         "`\\udcXX`, as Python's surrogateescape has them. Its keys, in this order:"},
	{NULL, "  path        as given\n"
	       "  format      its name; detail: more about it in words\n"
	       "  bytes_transferred\n"
	       "              only for a model that was named on the Hub or by a URL\n"
	       "  notes       list of remarks made while reading\n"
	       "  roots       parts of a training checkpoint that look like state dicts\n"
	       "  metadata    object of strings\n"
	       "  model       {type, class, parameters, parts, notes, report}, or null when it\n"
	       "              is no known model; report: {missing: [{name, shape}],\n"
	       "              unexpected: [{name, dtype, shape}], mismatched: [{name, found,\n"
	       "              found_dtype, wanted}], ignored, complete}\n"
	       "  tensors     list of {name, dtype, shape, bytes, alias_of}; alias_of is null or\n"
	       "              a name; with --hash also sha256 (of the little-endian, row-major\n"
	       "              bytes), with --stats also stats: {min, max, mean, std, absmax,\n"
	       "              zeros, nans, infs}, where null stands for no value\n"
	       "  values      what a pickle holds when that is more than dictionaries of\n"
	       "              tensors, else null\n"
	       "  totals      {tensors, aliases, parameters, bytes, dtypes: {F32: {the same}}}\n"
	       "  fingerprint with --hash: SHA-256 over the lines NAME, NUL, DTYPE, NUL,\n"
	       "              [d0,d1], NUL, SHA256 of all tensors, sorted by name"},
	{NULL, "In `values` None, bool, int, float, str, list, tuple and dict are what JSON has for them. Else an object stands whose "
	       "first key begins with a dollar sign: `$tensor` (a name, or null), `$float` (nan, inf, -inf), `$int` (in "
	       "hexadecimal), `$bytes` (in hexadecimal), `$set`, `$dict` (pairs, when keys are no strings or integers), `$global` (a name "
	       "that Python would import), `$object` (what Python would call, with arguments, items, state), `$id` and `$value` (a "
	       "value that comes up again as `$ref`), `$deep` (nested deeper than the limit)."},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt inspect pytorch_model.bin", "Everything in a file that torch wrote."},
	{"ckpt inspect --tree model.safetensors", "The same tensors as a tree, equal layers folded."},
	{"ckpt inspect --include '*.bias' --stats model.safetensors", "Statistics of the biases alone."},
	{"ckpt inspect --hash --json model.safetensors", "Digests, for scripts."},
	{0},
};

const ckpt_tool ckpt_tool_inspect = {
	.name = "inspect",
	.summary = "show the tensors, metadata and other values of a checkpoint",
	.synopsis = synopsis,
	.description = description,
	.options = options,
	.options_size = sizeof(struct inspect_options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST | CKPT_MODELS_LOOK,
	.arguments_min = 1,
	.arguments_max = 1,
	.examples = examples,
	.run = run,
};
