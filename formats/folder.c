/* folder.c -- a folder with weights and, beside them, config.json, tokenizer and other small files
 *
 * Which file holds the weights, as transformers decides it:
 * 1. model.safetensors, 2. model.safetensors.index.json, 3. pytorch_model.bin, 4. pytorch_model.bin.index.json;
 * then the names of adapters (PEFT) and of diffusers, then the one index or the one weight file of another name.
 * Several files of other names are refused with their list. What else looks like weights becomes a remark.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/buffer.h"
#include "../lib/error.h"
#include "../lib/path.h"
#include "format.h"

static const char *const preferred[] = {
	"model.safetensors",
	"model.safetensors.index.json",
	"pytorch_model.bin",
	"pytorch_model.bin.index.json",
	"adapter_model.safetensors",
	"adapter_model.bin",
	"diffusion_pytorch_model.safetensors",
	"diffusion_pytorch_model.safetensors.index.json",
	"diffusion_pytorch_model.bin",
	"diffusion_pytorch_model.bin.index.json",
};
enum { PREFERRED = sizeof preferred / sizeof *preferred };

/* What training leaves beside the weights, in the same formats. */
static const char *const no_weights[] = {"training_args.bin", "optimizer*.*", "scheduler*.*", "scaler*.*", "rng_state*.*",
                                         "random_states*.*"};

static const char *const weights[] = {"*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.npz"};

typedef struct name_list {
	char **names;
	size_t count, capacity;
} name_list;

static void free_names(name_list *l)
{
	for (size_t i = 0; i < l->count; i++) free(l->names[i]);
	free(l->names);
}

static bool add_name(name_list *l, const char *name, ckpt_error *err)
{
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 16;
		char **grown = realloc(l->names, capacity * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		l->names = grown;
		l->capacity = capacity;
	}
	char *copy = strdup(name);
	if (!copy) return ckpt_fail_nomem(err);
	l->names[l->count++] = copy;
	return true;
}

static bool matches(const char *name, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fnmatch(patterns[i], name, FNM_PERIOD) == 0) return true;
	return false;
}

static bool is_index(const char *name)
{
	return fnmatch("*.index*.json", name, FNM_PERIOD) == 0;
}

static bool is_weights(const char *name)
{
	if (is_index(name)) return true;
	return matches(name, weights, sizeof weights / sizeof *weights) &&
	       !matches(name, no_weights, sizeof no_weights / sizeof *no_weights);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The regular files (also behind links) of the folder that look like weights or an index, sorted. */
static bool list_weights(const char *folder, name_list *list, ckpt_error *err)
{
	DIR *d = opendir(folder);
	if (!d) return ckpt_fail_errno(err, errno, "cannot list the folder");
	bool ok = true;
	for (struct dirent *e; ok && (e = readdir(d));) {
		struct stat st;
		if (is_weights(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			ok = add_name(list, e->d_name, err);
	}
	closedir(d);
	if (ok && list->count) qsort(list->names, list->count, sizeof *list->names, compare_names);
	return ok;
}

/* Up to five names, and how many more. */
static void print_names(ckpt_buffer *b, const name_list *list, const bool *skip)
{
	enum { SHOWN = 5 };
	size_t n = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (skip && skip[i]) continue;
		if (n < SHOWN) ckpt_buffer_printf(b, "%s%s", n ? ", " : "", list->names[i]);
		n++;
	}
	if (n > SHOWN) ckpt_buffer_printf(b, " and %zu more", n - SHOWN);
}

static const char *fail_choice(const name_list *list, ckpt_error *err)
{
	ckpt_buffer b = {0};
	print_names(&b, list, NULL);
	if (list->count == 0)
		ckpt_fail(err, CKPT_E_NOT_FOUND, "the folder holds no weights (model.safetensors, pytorch_model.bin, an index "
		                                 "of shards or another single weight file)");
	else if (ckpt_buffer_ok(&b, err))
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "the folder holds several weight files and none has a usual name: name one of "
		                                   "%s", b.data);
	ckpt_buffer_free(&b);
	return NULL;
}

/* The name that decides, as a pointer into the list or the table. */
static const char *choose(const name_list *list, ckpt_error *err)
{
	for (size_t k = 0; k < PREFERRED; k++)
		for (size_t i = 0; i < list->count; i++)
			if (strcmp(list->names[i], preferred[k]) == 0) return preferred[k];
	const char *index = NULL;
	size_t indices = 0;
	for (size_t i = 0; i < list->count; i++)
		if (is_index(list->names[i])) {
			index = list->names[i];
			indices++;
		}
	if (indices == 1) return index;
	return list->count == 1 ? list->names[0] : fail_choice(list, err);
}

/* A remark on weights that were not read. */
static bool note_unread(ckpt_checkpoint *cp, const name_list *list, const char *chosen, ckpt_error *err)
{
	bool *used = calloc(list->count, sizeof *used), all = true;
	if (!used) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < list->count; i++) {
		used[i] = strcmp(list->names[i], chosen) == 0;
		for (size_t k = 0; k < cp->file_count && !used[i]; k++)
			used[i] = strcmp(ckpt_path_base(ckpt_file_path(cp->files[k])), list->names[i]) == 0;
		all = all && used[i];
	}
	bool ok = true;
	if (!all) {
		ckpt_buffer b = {0};
		print_names(&b, list, used);
		ok = ckpt_buffer_ok(&b, err) &&
		     ckpt_checkpoint_note(cp, err, "not read, because %s comes first: %s", chosen, b.data);
		ckpt_buffer_free(&b);
	}
	free(used);
	return ok;
}

static ckpt_checkpoint *fo_open(const ckpt_open_context *context, ckpt_error *err)
{
	name_list list = {0};
	ckpt_checkpoint *cp = NULL, *result = NULL;
	char *path = NULL;
	const char *chosen = list_weights(context->path, &list, err) ? choose(&list, err) : NULL;
	if (!chosen) goto done;
	path = ckpt_path_join(context->path, chosen, err);
	if (!path) goto done;
	cp = context->open_member(context, path, err);
	if (!cp) ckpt_error_prefix(err, "%s", chosen);
	if (!cp || !note_unread(cp, &list, chosen, err)) goto done;
	free(cp->config_folder);
	cp->config_folder = strdup(context->path);
	if (!cp->config_folder) {
		ckpt_fail_nomem(err);
		goto done;
	}
	result = cp;
	cp = NULL;
done:
	free_names(&list);
	free(path);
	ckpt_checkpoint_free(cp);
	return result;
}

static size_t fo_probe(const ckpt_probe *probe)
{
	return probe->is_folder;
}

const ckpt_format ckpt_format_folder = {
	.name = "folder",
	.summary = "a folder with weights, config.json and tokenizer",
	.holds = CKPT_HOLDS_ALIASES | CKPT_HOLDS_METADATA | CKPT_HOLDS_VALUES,
	.probe = fo_probe,
	.open = fo_open,
};
