/* model_folder.c -- what the files of a model's folder are, by their names */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/error.h"
#include "model_folder.h"

static const char *const ranked[] = {
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

static const char *const weights[] = {"*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.npz", NULL};

/* What training leaves beside the weights, in the same formats. */
static const char *const no_weights[] = {
	"training_args.bin", "optimizer*.*", "scheduler*.*", "scaler*.*", "rng_state*.*", "random_states*.*", NULL};

static const char *const companions[] = {"*.json",  "*.txt",     "*.model",  "*.tiktoken",
                                         "*.jinja", "README.md", "LICENSE*", NULL};

static bool matches(const char *name, const char *const *patterns)
{
	for (; *patterns; patterns++)
		if (fnmatch(*patterns, name, FNM_PERIOD) == 0) return true;
	return false;
}

bool ckpt_is_index_file(const char *name)
{
	return fnmatch("*.index*.json", name, FNM_PERIOD) == 0;
}

bool ckpt_is_weight_file(const char *name)
{
	return ckpt_is_index_file(name) || (matches(name, weights) && !matches(name, no_weights));
}

bool ckpt_is_companion_file(const char *name)
{
	return matches(name, companions) && !ckpt_is_index_file(name);
}

size_t ckpt_weight_rank(const char *name)
{
	for (size_t i = 0; i < sizeof ranked / sizeof *ranked; i++)
		if (strcmp(ranked[i], name) == 0) return i;
	return SIZE_MAX;
}

bool ckpt_is_of_family(const char *name, const char *stem, const char *suffix)
{
	size_t length = strlen(stem), end = strlen(suffix);
	if (strncmp(name, stem, length) != 0) return false;
	name += length;
	static const char digits[] = "-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].*";
	if (fnmatch(digits, name, 0) == 0) return strcmp(strchr(name, '.') + 1, suffix) == 0;
	if (*name++ != '.' || strncmp(name, suffix, end) != 0) return false;
	return !name[end] || strcmp(name + end, ".index.json") == 0;
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

void ckpt_file_list_free(ckpt_file_list *list)
{
	for (size_t i = 0; i < list->count; i++) free(list->names[i]);
	free(list->names);
	*list = (ckpt_file_list){0};
}

static bool add_name(ckpt_file_list *l, const char *name, ckpt_error *err)
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

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_not_hidden(const char *name)
{
	return name[0] != '.';
}

static bool read_kind(ckpt_file_list *list, const char *folder, bool (*wanted)(const char *name), mode_t kind, ckpt_error *err)
{
	DIR *d = opendir(folder);
	if (!d) return ckpt_fail_errno(err, errno, "cannot list the folder");
	bool ok = true;
	for (struct dirent *e; ok && (e = readdir(d));) {
		struct stat st;
		if (wanted(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && (st.st_mode & S_IFMT) == kind)
			ok = add_name(list, e->d_name, err);
	}
	closedir(d);
	if (ok && list->count) qsort(list->names, list->count, sizeof *list->names, compare_names);
	return ok;
}

bool ckpt_file_list_read(ckpt_file_list *list, const char *folder, bool (*wanted)(const char *name), ckpt_error *err)
{
	return read_kind(list, folder, wanted, S_IFREG, err);
}

bool ckpt_file_list_folders(ckpt_file_list *list, const char *folder, ckpt_error *err)
{
	return read_kind(list, folder, is_not_hidden, S_IFDIR, err);
}

bool ckpt_file_list_has(const ckpt_file_list *list, const char *name)
{
	return list->count && bsearch(&name, list->names, list->count, sizeof *list->names, compare_names);
}

void ckpt_file_list_print(const ckpt_file_list *list, const bool *skip, ckpt_buffer *b)
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
