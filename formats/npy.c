/* npy.c -- one array of numpy as a checkpoint of one tensor
 *
 *  1. the header (npy_header.c)
 *  2. the data, to the end of the file
 *
 * The tensor is called as the file is, without ".npy".
 */
#include "../lib/error.h"
#include "format.h"
#include "npy_header.h"
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".npy"

static size_t probe(const ckpt_probe *p)
{
	if (p->head_length < CKPT_NPY_MAGIC_LENGTH || memcmp(p->head, CKPT_NPY_MAGIC, CKPT_NPY_MAGIC_LENGTH)) return 0;
	return CKPT_NPY_MAGIC_LENGTH;
}

/* The file's name without folder and suffix. */
static char *tensor_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t length = strlen(name);
	const size_t suffix = strlen(SUFFIX);
	if (length > suffix && !strcmp(name + length - suffix, SUFFIX)) length -= suffix;
	return strndup(name, length);
}

static bool read_file(void *from, size_t length, void *destination, ckpt_error *err)
{
	return ckpt_file_read(from, 0, length, destination, err);
}

static bool add_tensor(ckpt_checkpoint *cp, const ckpt_open_context *context, ckpt_error *err)
{
	ckpt_npy_header h;
	const uint64_t size = ckpt_file_size(context->file);
	if (!ckpt_npy_header_read(read_file, context->file, size, context->limits.header_bytes, &h, err)) return false;
	ckpt_source *data = ckpt_source_file(context->file, h.length, h.bytes, err);
	ckpt_source *source = data ? ckpt_npy_tensor_source(&h, data, err) : NULL;
	ckpt_source_unref(data);
	if (!source) return false;
	char *name = tensor_name(context->path);
	if (!name) {
		ckpt_source_unref(source);
		return ckpt_fail_nomem(err);
	}
	bool ok = ckpt_checkpoint_add(cp, name, h.dtype, h.rank, h.shape, source, NULL, err);
	free(name);
	const char *order = h.big_endian ? "big-endian" : "";
	return ok && ckpt_checkpoint_set_detail(cp, err, "%s%s%s", h.fortran ? "Fortran order" : "",
	                                        h.fortran && h.big_endian ? ", " : "", order);
}

static ckpt_checkpoint *open_npy(const ckpt_open_context *context, ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(err);
	if (cp && add_tensor(cp, context, err)) return cp;
	ckpt_checkpoint_free(cp);
	return NULL;
}

static ckpt_layout *plan(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options, ckpt_error *err)
{
	(void)path;
	(void)options;
	ckpt_buffer header = {0};
	ckpt_layout *layout = NULL;
	if (cp->count != 1) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED,
		          "a .npy file holds one tensor and there are %zu: choose one, or write .npz", cp->count);
		return NULL;
	}
	const ckpt_tensor *t = &cp->tensors[0];
	if (!ckpt_npy_header_write(&header, t->dtype, t->rank, t->shape, err)) {
		ckpt_error_prefix(err, "tensor '%s'", t->name);
		goto done;
	}
	layout = ckpt_layout_new(err);
	if (!layout) goto done;
	layout->tensors = 1;
	if (!ckpt_layout_bytes(layout, header.data, header.length, err) ||
	    !ckpt_layout_source(layout, t->source, t->name, err)) {
		ckpt_layout_free(layout);
		layout = NULL;
	}
done:
	ckpt_buffer_free(&header);
	return layout;
}

static const char *const suffixes[] = {SUFFIX, NULL};

const ckpt_format ckpt_format_npy = {
	.name = "npy",
	.summary = "one array of numpy (numpy.save)",
	.suffixes = suffixes,
	.probe = probe,
	.open = open_npy,
	.holds_dtype = ckpt_npy_holds_dtype,
	.plan = plan,
};
