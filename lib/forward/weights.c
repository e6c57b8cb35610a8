/* weights.c -- the weights of a model where they lie: ranges of mapped files, copied only when there is no such range */
#include "weights.h"

#include "../dtype.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

typedef struct mapped_file {
	ckpt_file *file; /* borrowed from the sources */
	ckpt_mapping *mapping;
} mapped_file;

struct ckpt_weights {
	const ckpt_model *model;
	const void **data; /* of each slot, once it was asked for */
	void **copies;     /* of each slot that had to be copied */
	uint64_t copied;
	mapped_file *files;
	size_t file_count, file_capacity;
};

ckpt_weights *ckpt_weights_new(const ckpt_model *model, ckpt_error *err)
{
	ckpt_weights *w = calloc(1, sizeof *w);
	if (w) {
		w->model = model;
		w->data = calloc(model->count + 1, sizeof *w->data);
		w->copies = calloc(model->count + 1, sizeof *w->copies);
	}
	if (w && w->data && w->copies) return w;
	ckpt_weights_free(w);
	ckpt_fail_nomem(err);
	return NULL;
}

void ckpt_weights_free(ckpt_weights *w)
{
	if (!w) return;
	for (size_t i = 0; w->copies && i < w->model->count; i++) free(w->copies[i]);
	for (size_t i = 0; i < w->file_count; i++) ckpt_mapping_free(w->files[i].mapping);
	free(w->copies);
	free(w->data);
	free(w->files);
	free(w);
}

void ckpt_weights_forget(ckpt_weights *w)
{
	for (size_t i = 0; i < w->model->count; i++) {
		if (w->copies[i]) w->data[i] = NULL;
		free(w->copies[i]);
		w->copies[i] = NULL;
	}
	for (size_t i = 0; i < w->file_count; i++) ckpt_mapping_forget(w->files[i].mapping);
}

uint64_t ckpt_weights_copied(const ckpt_weights *w)
{
	return w->copied;
}

static const char *map_file(ckpt_weights *w, ckpt_file *file, ckpt_error *err)
{
	for (size_t i = 0; i < w->file_count; i++)
		if (w->files[i].file == file) return ckpt_mapping_data(w->files[i].mapping);
	if (w->file_count == w->file_capacity) {
		size_t capacity = w->file_capacity ? w->file_capacity * 2 : 4;
		mapped_file *files = reallocarray(w->files, capacity, sizeof *files);
		if (!files) {
			ckpt_fail_nomem(err);
			return NULL;
		}
		w->files = files;
		w->file_capacity = capacity;
	}
	ckpt_mapping *m = ckpt_mapping_new(file, 0, ckpt_file_size(file), err);
	if (!m) return NULL;
	w->files[w->file_count++] = (mapped_file){file, m};
	return ckpt_mapping_data(m);
}

/* True when the tensor is a plain range of a file. One whose bytes have a CRC becomes one with the first byte that is read
 * from it, for then all are verified. */
static bool find_extent(const ckpt_tensor *t, ckpt_extent *out)
{
	char first;
	if (ckpt_source_extent(t->source, out)) return true;
	return t->bytes > 0 && ckpt_source_read(t->source, 0, 1, &first, NULL) && ckpt_source_extent(t->source, out);
}

static const void *locate(ckpt_weights *w, size_t slot, const ckpt_tensor *t, ckpt_error *err)
{
	ckpt_extent extent;
	if (find_extent(t, &extent)) {
		const char *base = map_file(w, extent.file, err);
		return base ? base + extent.offset : NULL;
	}
	void *copy = t->bytes < SIZE_MAX ? malloc((size_t)t->bytes + 1) : NULL;
	if (!copy) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	w->copies[slot] = copy;
	w->copied += t->bytes;
	if (ckpt_tensor_read(t, 0, (size_t)t->bytes, copy, err)) return copy;
	ckpt_error_prefix(err, "tensor '%s'", t->name);
	return NULL;
}

bool ckpt_weights_get(ckpt_weights *w, size_t slot, ckpt_nn_weight *out, ckpt_error *err)
{
	const ckpt_slot *s = &w->model->slots[slot];
	const ckpt_tensor *t = s->tensor;
	*out = (ckpt_nn_weight){0};
	if (!t && s->row->flags & CKPT_ROW_BUFFER) return true;
	if (!t) return ckpt_fail(err, CKPT_E_NOT_FOUND, "tensor '%s' is missing", s->name);
	if (t->dtype != CKPT_F32 && t->dtype != CKPT_F16 && t->dtype != CKPT_BF16 && t->dtype != CKPT_F64)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s' is %s: a forward pass takes F32, F16, BF16 and F64", t->name,
		                 ckpt_dtype_name(t->dtype));
	if (!w->data[slot] && !(w->data[slot] = locate(w, slot, t, err))) return false;
	uint64_t cols = s->rank ? s->shape[s->rank - 1] : 1;
	*out = (ckpt_nn_weight){w->data[slot], t->dtype, cols ? s->elements / cols : 0, cols};
	return true;
}

bool ckpt_weights_check(const ckpt_weights *w, ckpt_error *err)
{
	for (size_t i = 0; i < w->file_count; i++)
		if (!ckpt_mapping_check(w->files[i].mapping, err)) return false;
	return true;
}
