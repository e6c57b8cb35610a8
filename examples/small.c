/* small.c -- make a small checkpoint, save it, open it again and list it, with ckpt.h alone (as C and as C++)
 *
 *     small [PATH]     PATH is pytorch_model.bin when it is not given; its suffix decides the format
 */
#include <ckpt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LARGEST 1024 /* elements of the largest tensor below that is not a fill */

/* One tensor of a toy encoder: a run of numbers, or one value everywhere. */
struct row {
	const char *name;
	ckpt_dtype dtype;
	size_t rank;
	uint64_t shape[2];
	double fill; /* used when `filled` */
	bool filled;
};

static const struct row rows[] = {
	{"embeddings.word_embeddings.weight", CKPT_F32, 2, {64, 16}, 0, false},
	{"embeddings.position_ids", CKPT_I64, 2, {1, 32}, 0, false},
	{"encoder.layer.0.attention.query.weight", CKPT_F32, 2, {16, 16}, 0, false},
	{"encoder.layer.0.attention.query.bias", CKPT_F32, 1, {16, 0}, 0, true},
	{"encoder.layer.0.layer_norm.weight", CKPT_F16, 1, {16, 0}, 1, true},
	{"encoder.layer.0.layer_norm.bias", CKPT_BF16, 1, {16, 0}, 0, true},
	{"classifier.mask", CKPT_BOOL, 1, {4, 0}, 1, true},
	{"temperature", CKPT_F64, 0, {0, 0}, 0.07, true},
};

/* Adds a tensor whose elements count up: 0, 1, 2, ... for integers, in steps of 1/64 for floats. */
static bool add_counting(ckpt_checkpoint *cp, const struct row *r, ckpt_error *err)
{
	float reals[LARGEST];
	int64_t integers[LARGEST];
	uint64_t count = 1;
	for (size_t i = 0; i < r->rank; i++) count *= r->shape[i];
	for (uint64_t i = 0; i < count; i++) {
		reals[i] = (float)i / 64;
		integers[i] = (int64_t)i;
	}
	const void *data = r->dtype == CKPT_F32 ? (const void *)reals : (const void *)integers;
	size_t bytes = (size_t)count * ckpt_dtype_bits(r->dtype) / 8;
	return ckpt_checkpoint_add_bytes(cp, r->name, r->dtype, r->rank, r->shape, data, bytes, err);
}

static ckpt_checkpoint *make(ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(err);
	for (size_t i = 0; cp && i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		bool ok = r->filled ? ckpt_checkpoint_add_fill(cp, r->name, r->dtype, r->rank, r->shape, r->fill, err)
		                    : add_counting(cp, r, err);
		if (ok) continue;
		ckpt_checkpoint_free(cp);
		return NULL;
	}
	return cp;
}

static bool save(const char *path, ckpt_error *err)
{
	ckpt_save_options options;
	memset(&options, 0, sizeof options);
	options.force = true;
	ckpt_checkpoint *cp = make(err);
	bool ok = cp && ckpt_save(cp, path, &options, NULL, err);
	ckpt_checkpoint_free(cp);
	return ok;
}

static void print_tensor(const ckpt_tensor *t)
{
	const uint64_t *shape = ckpt_tensor_shape(t);
	printf("%-40s %-5s [", ckpt_tensor_name(t), ckpt_dtype_name(ckpt_tensor_dtype(t)));
	for (size_t i = 0; i < ckpt_tensor_rank(t); i++) printf("%s%" PRIu64, i ? "," : "", shape[i]);
	printf("] %" PRIu64 " bytes\n", ckpt_tensor_bytes(t));
}

static bool list(const char *path, ckpt_error *err)
{
	char fingerprint[65];
	ckpt_checkpoint *cp = ckpt_open(path, NULL, err);
	if (!cp) return false;
	printf("%s: %s, %zu tensors\n", path, ckpt_checkpoint_format(cp), ckpt_checkpoint_tensor_count(cp));
	for (size_t i = 0; i < ckpt_checkpoint_tensor_count(cp); i++) print_tensor(ckpt_checkpoint_tensor_at(cp, i));
	bool ok = ckpt_checkpoint_sha256(cp, NULL, NULL, fingerprint, err);
	if (ok) printf("fingerprint %s\n", fingerprint);
	ckpt_checkpoint_free(cp);
	return ok;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "pytorch_model.bin";
	ckpt_error err = {CKPT_OK, ""};
	if (save(path, &err) && list(path, &err)) return 0;
	fprintf(stderr, "small: %s\n", err.text);
	return 1;
}
