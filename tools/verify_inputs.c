/* verify_inputs.c -- token ids drawn from a seed, fit for the class of the model */
#include <stdlib.h>
#include <string.h>

#include "../lib/model/model.h"
#include "../lib/ends_in.h"
#include "../lib/rng.h"
#include "verify.h"

enum { ROWS = 2, COLUMNS = 16 };

static bool make(ckpt_ids *out, size_t rows, size_t columns, ckpt_error *err)
{
	*out = (ckpt_ids){calloc(rows * columns, sizeof(int64_t)), rows, columns};
	return out->values || ckpt_fail_nomem(err);
}

/* Ids that are none of the special ones, as far as the vocabulary has others. */
static bool draw(const ckpt_model *model, uint64_t seed, const char *name, ckpt_ids *out, ckpt_error *err)
{
	static const char *const special[] = {"pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"};
	ckpt_rng_key key;
	uint64_t words = ckpt_config_dim(model->config, 'V');
	if (!ckpt_rng_key_make(seed, name, &key, err)) return false;
	for (size_t i = 0; i < out->rows * out->columns; i++) {
		float u;
		ckpt_rng_uniform(&key, i, 1, 0, 1, &u);
		uint64_t id = (uint64_t)((double)u * (double)words), number;
		if (id >= words) id = words - 1;
		for (size_t tries = 0; tries < 8; tries++) {
			bool taken = false;
			for (size_t s = 0; s < sizeof special / sizeof *special; s++)
				taken |= ckpt_config_u64(model->config, special[s], &number) && number == id;
			if (taken) id = (id + 1) % words;
		}
		out->values[i] = (int64_t)id;
	}
	return true;
}

/* The longest input that the model takes, at most COLUMNS. */
static size_t length_of(const ckpt_model *model)
{
	uint64_t most = ckpt_config_dim(model->config, 'P'), pad = 0;
	if (strcmp(model->arch->type, "t5") == 0) return COLUMNS;
	if (strcmp(model->arch->type, "roberta") == 0) {
		ckpt_config_u64(model->config, "pad_token_id", &pad);
		most = most > pad + 1 ? most - pad - 1 : 1;
	}
	return most < COLUMNS ? (size_t)most : COLUMNS;
}

bool ckpt_verify_draw(const ckpt_model *model, uint64_t seed, ckpt_inputs *out, ckpt_error *err)
{
	const char *class = ckpt_model_class(model);
	uint64_t eos, pad;
	bool sequence = ckpt_ends_in(class, "ForSequenceClassification"), t5 = strcmp(model->arch->type, "t5") == 0;
	bool two_sided = t5 || strcmp(model->arch->type, "bart") == 0;
	/* a classifier of the last token needs a padding id to take several rows */
	bool one = sequence && !two_sided && model->arch->layers[0] && !ckpt_config_u64(model->config, "pad_token_id", &pad);
	size_t rows = one ? 1 : ROWS, columns = length_of(model);
	ckpt_ids *ids = &out->arrays[0], *mask = &out->arrays[1], *decoder = &out->arrays[4];
	if (!make(ids, rows, columns, err) || !make(mask, rows, columns, err) || !draw(model, seed, "input_ids", ids, err)) return false;
	for (size_t i = 0; i < rows * columns; i++) mask->values[i] = i < rows * columns - columns / 4 || rows == 1;
	if (sequence && two_sided && ckpt_config_u64(model->config, "eos_token_id", &eos))
		for (size_t r = 0; r < rows; r++) ids->values[(r + 1) * columns - 1] = (int64_t)eos;
	bool alone = ckpt_ends_in(class, "EncoderModel") || ckpt_ends_in(class, "ForTokenClassification");
	if (t5 && !alone && !sequence && !ckpt_ends_in(class, "ForQuestionAnswering"))
		if (!make(decoder, rows, columns / 2 + 1, err) || !draw(model, seed, "decoder_input_ids", decoder, err)) return false;
	out->in = (ckpt_forward_input){.batch = rows, .length = columns, .ids = ids->values, .mask = mask->values,
	                               .decoder_length = decoder->columns, .decoder_ids = decoder->values};
	return true;
}
