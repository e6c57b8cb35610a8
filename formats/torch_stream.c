/* torch_stream.c -- one pickle that lies somewhere in a file, without a length of its own */
#include "torch_stream.h"
#include "../lib/error.h"

enum { FIRST = 64 << 10, STEP_MOST = 8 << 20 };

/* A pickle that is run while it comes: nobody knows where it ends. */
typedef struct coming {
	ckpt_file *file;
	uint64_t from;
	size_t length, there;
} coming;

static bool ensure(void *user, size_t end, size_t *there, ckpt_error *err)
{
	coming *c = user;
	size_t step = c->there < FIRST ? FIRST : c->there < STEP_MOST ? c->there : STEP_MOST;
	if (end < c->there + step) end = c->there + step;
	if (end > c->length) end = c->length;
	if (!ckpt_file_fetch(c->file, c->from + c->there, end - c->there, c->from + end, err)) return false;
	*there = c->there = end;
	return true;
}

bool ckpt_torch_stream(ckpt_file *f, uint64_t *offset, uint64_t end, ckpt_pickle_options options,
                       ckpt_pickle_result *out, ckpt_error *err)
{
	uint64_t length = end > *offset ? end - *offset : 0;
	/* one byte more than the limit tells a pickle that is too long from a file that is cut off */
	if (length > options.limits.pickle_bytes) length = options.limits.pickle_bytes + 1;
	if (length == 0)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the file is truncated: it ends at %llu, where the pickle '%s' should start",
		                 (unsigned long long)end, options.record);
	ckpt_mapping *m = ckpt_mapping_later(f, *offset, length, err);
	if (!m) return false;
	coming c = {.file = f, .from = *offset, .length = (size_t)length};
	if (ckpt_file_is_remote(f)) {
		options.ensure = ensure;
		options.bytes_of = &c;
	}
	options.base = *offset;
	bool ok = ckpt_pickle_read(ckpt_mapping_data(m), (size_t)length, &options, out, err);
	/* of a file that shrank meanwhile, any other error means nothing */
	if (!ckpt_mapping_check(m, err)) ok = false;
	ckpt_mapping_free(m);
	if (ok) *offset += out->consumed;
	return ok;
}
