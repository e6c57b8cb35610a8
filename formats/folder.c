/* folder.c -- a folder with weights and, beside them, config.json, tokenizer and other small files
 *
 * Which file holds the weights, as transformers decides it:
 * 1. model.safetensors, 2. model.safetensors.index.json, 3. pytorch_model.bin, 4. pytorch_model.bin.index.json;
 * then the names of adapters (PEFT) and of diffusers, then the one index or the one weight file of another name.
 * Several files of other names are refused with their list. What else looks like weights becomes a remark.
 */
#include <stdlib.h>
#include <string.h>
#include "../lib/error.h"
#include "../lib/path.h"
#include "format.h"
#include "model_folder.h"

static const char *fail_choice(const ckpt_file_list *list, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_file_list_print(list, NULL, &b);
	if (list->count == 0)
		ckpt_fail(err, CKPT_E_NOT_FOUND,
		          "the folder holds no weights (model.safetensors, pytorch_model.bin, an index "
		          "of shards or another single weight file)");
	else if (ckpt_buffer_ok(&b, err))
		ckpt_fail(err, CKPT_E_UNSUPPORTED,
		          "the folder holds several weight files and none has a usual name: name one of "
		          "%s",
		          b.data);
	ckpt_buffer_free(&b);
	return NULL;
}

/* The name that decides, as a pointer into the list. */
static const char *choose(const ckpt_file_list *list, ckpt_error *err)
{
	const char *best = NULL;
	for (size_t i = 0; i < list->count; i++)
		if (ckpt_weight_rank(list->names[i]) < (best ? ckpt_weight_rank(best) : SIZE_MAX))
			best = list->names[i];
	if (best) return best;
	const char *index = NULL;
	size_t indices = 0;
	for (size_t i = 0; i < list->count; i++)
		if (ckpt_is_index_file(list->names[i])) {
			index = list->names[i];
			indices++;
		}
	if (indices == 1) return index;
	return list->count == 1 ? list->names[0] : fail_choice(list, err);
}

/* A remark on weights that were not read. */
static bool note_unread(ckpt_checkpoint *cp, const ckpt_file_list *list, const char *chosen, ckpt_error *err)
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
		ckpt_file_list_print(list, used, &b);
		ok = ckpt_buffer_ok(&b, err) &&
		     ckpt_checkpoint_note(cp, err, "not read, because %s comes first: %s", chosen, b.data);
		ckpt_buffer_free(&b);
	}
	free(used);
	return ok;
}

static ckpt_checkpoint *fo_open(const ckpt_open_context *context, ckpt_error *err)
{
	ckpt_file_list list = {0};
	ckpt_checkpoint *cp = NULL, *result = NULL;
	char *path = NULL;
	const char *chosen =
		ckpt_file_list_read(&list, context->path, ckpt_is_weight_file, err) ? choose(&list, err) : NULL;
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
	ckpt_file_list_free(&list);
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
