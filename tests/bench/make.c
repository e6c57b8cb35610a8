/* make.c -- writes checkpoints for measuring: bert-base shapes with random weights, or very many small tensors
 *
 *     make bert COPIES PATH     199 tensors and 438 MB a copy
 *     make many COUNT PATH      COUNT tensors of 16 bytes
 */
#include "../../lib/checkpoint.h"
#include "../../lib/ckpt.h"
#include "../../lib/rng.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME 160

/* What one tensor of bert-base is called and its shape; %d is the layer. */
struct row {
	const char *name;
	uint64_t shape[2];
};

static const struct row embeddings[] = {
	{"embeddings.word_embeddings.weight", {30522, 768}},
	{"embeddings.position_embeddings.weight", {512, 768}},
	{"embeddings.token_type_embeddings.weight", {2, 768}},
	{"embeddings.LayerNorm.weight", {768, 0}},
	{"embeddings.LayerNorm.bias", {768, 0}},
};
static const struct row layer[] = {
	{"encoder.layer.%d.attention.self.query.weight", {768, 768}},
	{"encoder.layer.%d.attention.self.query.bias", {768, 0}},
	{"encoder.layer.%d.attention.self.key.weight", {768, 768}},
	{"encoder.layer.%d.attention.self.key.bias", {768, 0}},
	{"encoder.layer.%d.attention.self.value.weight", {768, 768}},
	{"encoder.layer.%d.attention.self.value.bias", {768, 0}},
	{"encoder.layer.%d.attention.output.dense.weight", {768, 768}},
	{"encoder.layer.%d.attention.output.dense.bias", {768, 0}},
	{"encoder.layer.%d.attention.output.LayerNorm.weight", {768, 0}},
	{"encoder.layer.%d.attention.output.LayerNorm.bias", {768, 0}},
	{"encoder.layer.%d.intermediate.dense.weight", {3072, 768}},
	{"encoder.layer.%d.intermediate.dense.bias", {3072, 0}},
	{"encoder.layer.%d.output.dense.weight", {768, 3072}},
	{"encoder.layer.%d.output.dense.bias", {768, 0}},
	{"encoder.layer.%d.output.LayerNorm.weight", {768, 0}},
	{"encoder.layer.%d.output.LayerNorm.bias", {768, 0}},
};
static const struct row pooler[] = {
	{"pooler.dense.weight", {768, 768}},
	{"pooler.dense.bias", {768, 0}},
};

static bool add(ckpt_checkpoint *cp, const char *name, const uint64_t *shape, ckpt_error *err)
{
	size_t rank = shape[1] ? 2 : 1;
	uint64_t elements = shape[0] * (shape[1] ? shape[1] : 1);
	ckpt_rng_key key;
	if (!ckpt_rng_key_make(1, name, &key, err)) return false;
	ckpt_source *s = ckpt_source_uniform(&key, elements, -1, 1, err);
	return s && ckpt_checkpoint_add(cp, name, CKPT_F32, rank, shape, s, NULL, err);
}

static bool add_rows(ckpt_checkpoint *cp, const struct row *rows, size_t count, int copy, int number, ckpt_error *err)
{
	char name[NAME], full[NAME + 16];
	for (size_t i = 0; i < count; i++) {
		const char *hole = strstr(rows[i].name, "%d");
		if (hole)
			snprintf(name, sizeof name, "%.*s%d%s", (int)(hole - rows[i].name), rows[i].name, number, hole + 2);
		else
			snprintf(name, sizeof name, "%s", rows[i].name);
		if (copy)
			snprintf(full, sizeof full, "copy%d.%s", copy, name);
		else
			snprintf(full, sizeof full, "%s", name);
		if (!add(cp, full, rows[i].shape, err)) return false;
	}
	return true;
}

static bool bert(ckpt_checkpoint *cp, int copies, ckpt_error *err)
{
	for (int copy = 0; copy < copies; copy++) {
		if (!add_rows(cp, embeddings, sizeof embeddings / sizeof *embeddings, copy, 0, err)) return false;
		for (int i = 0; i < 12; i++)
			if (!add_rows(cp, layer, sizeof layer / sizeof *layer, copy, i, err)) return false;
		if (!add_rows(cp, pooler, sizeof pooler / sizeof *pooler, copy, 0, err)) return false;
	}
	return true;
}

static bool many(ckpt_checkpoint *cp, int count, ckpt_error *err)
{
	const uint64_t shape[2] = {2, 2};
	char name[NAME];
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof name, "model.blocks.%d.parts.%d.weight", i / 16, i % 16);
		if (!ckpt_checkpoint_add_fill(cp, name, CKPT_F32, 2, shape, i, err)) return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	ckpt_error err = {0};
	ckpt_save_options options = {.force = true, .no_sync = true};
	if (argc != 4 || (strcmp(argv[1], "bert") != 0 && strcmp(argv[1], "many") != 0) || atoi(argv[2]) < 1) {
		fputs("usage: make bert|many COUNT PATH\n", stderr);
		return 2;
	}
	int count = atoi(argv[2]);
	ckpt_checkpoint *cp = ckpt_checkpoint_new(&err);
	bool ok = cp && (argv[1][0] == 'b' ? bert(cp, count, &err) : many(cp, count, &err)) &&
	          ckpt_save(cp, argv[3], &options, NULL, &err);
	ckpt_checkpoint_free(cp);
	if (!ok) fprintf(stderr, "make: %s\n", err.text);
	return ok ? 0 : 1;
}
