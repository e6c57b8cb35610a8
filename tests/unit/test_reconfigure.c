/* test_reconfigure.c -- reshaped models: what is kept is kept bit for bit, what changes is said */
#include "../../lib/checkpoint.h"
#include "../../lib/model/reshape.h"
#include "../../lib/model/resize.h"
#include "../../lib/rng.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char bert[] = "{\"model_type\":\"bert\",\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,"
                           "\"num_attention_heads\":4,\"intermediate_size\":40,\"max_position_embeddings\":19,"
                           "\"architectures\":[\"BertForMaskedLM\"]}";

/* A random model, its config, and both bound. */
typedef struct made {
	ckpt_config *config;
	ckpt_checkpoint *cp;
	ckpt_model *model;
} made;

static made make(const char *json, const char *class)
{
	ckpt_error err = {0};
	ckpt_init_options options = {.dtype = CKPT_DTYPE_NONE, .seed = 3, .class_name = class};
	made m = {.config = ckpt_config_parse(json, strlen(json), &err)};
	if (m.config) m.cp = ckpt_init(m.config, &options, &err);
	if (m.cp) m.model = ckpt_model_new(m.config, ckpt_arch_class_find(m.config->arch, ckpt_config_get(m.config, "architectures")->child->text), &err);
	if (!m.model || !ckpt_model_bind_to(m.model, m.cp, &err)) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m.model);
	return m;
}

static void unmake(made *m)
{
	ckpt_model_free(m->model);
	ckpt_checkpoint_free(m->cp);
	ckpt_config_free(m->config);
}

static ckpt_reshape *reshape(const made *m, const ckpt_reshape_options *o)
{
	ckpt_error err = {0};
	ckpt_reshape *r = ckpt_reshape_new(m->model, o, &err);
	if (!r) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ckpt_reshape_checkpoint(r, false, &err));
	return r;
}

static bool refused(const made *m, const ckpt_reshape_options *o, const char *words)
{
	ckpt_error err = {0};
	ckpt_reshape *r = ckpt_reshape_new(m->model, o, &err);
	bool ok = !r && strstr(err.text, words);
	if (!ok) printf("# %s: %s\n", words, r ? "accepted" : err.text);
	ckpt_reshape_free(r);
	return ok;
}

static float *values(const ckpt_checkpoint *cp, const char *name, size_t *count)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, name);
	if (!t) printf("# no %s\n", name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	float *out = malloc(t->bytes + 1);
	*count = t->elements;
	CU_ASSERT_TRUE(ckpt_tensor_read(t, 0, t->bytes, out, NULL));
	return out;
}

/* The first `count` elements of both are the same bits (0: all, and as many). */
static bool same(const ckpt_checkpoint *a, const char *x, const ckpt_checkpoint *b, const char *y, size_t count)
{
	size_t m, n;
	float *p = values(a, x, &m), *q = values(b, y, &n);
	bool equal = (count ? m >= count && n >= count : m == n) && !memcmp(p, q, (count ? count : m) * sizeof *p);
	free(p);
	free(q);
	return equal;
}

static void parses_lists(void)
{
	static const struct {
		const char *text;
		uint32_t want[8];
		size_t count; /* 0: refused */
	} rows[] = {{"0", {0}, 1}, {"0,2,4", {0, 2, 4}, 3}, {"0-2,2-4", {0, 1, 2, 2, 3, 4}, 6}, {"3-1", {3, 2, 1}, 3},
	            {"5,5", {5, 5}, 2}, {"6", {0}, 0}, {"0-6", {0}, 0}, {"", {0}, 0}, {",", {0}, 0}, {"1,", {0}, 0}, {"1-", {0}, 0},
	            {"-1", {0}, 0}, {"1 2", {0}, 0}, {"a", {0}, 0}, {"1,,2", {0}, 0}, {"99999999999", {0}, 0}, {"0x1", {0}, 0}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ckpt_layer_map map = {0};
		ckpt_error err = {0};
		bool ok = ckpt_layers_parse(rows[i].text, 6, "--layers", &map, &err);
		CU_ASSERT_EQUAL(ok, rows[i].count > 0);
		if (ok) CU_ASSERT_EQUAL(map.count, rows[i].count);
		if (ok) CU_ASSERT_EQUAL(memcmp(map.from, rows[i].want, map.count * sizeof *map.from), 0);
		if (!ok) CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rows[i].text));
		free(map.from);
	}
	ckpt_layer_map map = {0};
	char text[30000];
	for (size_t i = 0; i + 1 < sizeof text; i++) text[i] = i % 2 ? ',' : '0';
	text[sizeof text - 1] = '\0';
	CU_ASSERT_FALSE(ckpt_layers_parse(text, 6, "--layers", &map, NULL)); /* more than any model has */
	free(map.from);
}

static void keeps_the_first_layers(void)
{
	const char *keys[] = {"num_hidden_layers"}, *values_[] = {"2"};
	made m = make(bert, NULL);
	ckpt_reshape_options o = {.keys = keys, .values = values_, .count = 1};
	ckpt_reshape *r = reshape(&m, &o);
	CU_ASSERT_EQUAL(r->made->count, m.cp->count - 16);
	for (size_t i = 0; i < r->made->count; i++)
		CU_ASSERT_TRUE(same(r->made, r->made->tensors[i].name, m.cp, r->made->tensors[i].name, 0));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_report(r, false, NULL), "dropped   bert.encoder.layer.2.*  (16 tensors)\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->text, "42 kept, 2 tied, 16 dropped\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_config(r), "\"num_hidden_layers\": 2,"));
	ckpt_reshape_free(r);
	/* and more than there were */
	values_[0] = "5";
	r = reshape(&m, &o);
	CU_ASSERT_EQUAL(r->made->count, m.cp->count + 32);
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_report(r, false, NULL), "new       bert.encoder.layer.{3,4}.*  (32 tensors)\n"));
	ckpt_reshape_free(r);
	unmake(&m);
}

static void picks_layers(void)
{
	made m = make(bert, NULL);
	ckpt_reshape_options o = {.layers = {"2,0-1,0", NULL}};
	ckpt_reshape *r = reshape(&m, &o);
	static const unsigned from[] = {2, 0, 1, 0};
	for (unsigned i = 0; i < 4; i++) {
		char now[100], then[100];
		snprintf(now, sizeof now, "bert.encoder.layer.%u.output.dense.weight", i);
		snprintf(then, sizeof then, "bert.encoder.layer.%u.output.dense.weight", from[i]);
		CU_ASSERT_TRUE(same(r->made, now, m.cp, then, 0));
	}
	/* a layer that stands twice is there twice, not an alias */
	for (size_t i = 0; i < r->made->count; i++) CU_ASSERT_EQUAL(r->made->tensors[i].alias_of, SIZE_MAX);
	const char *json = ckpt_reshape_report(r, true, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(json, "{\"action\":\"moved\",\"name\":\"bert.encoder.layer.3.output.dense.bias\",\"from\":"
	                                    "\"bert.encoder.layer.0.output.dense.bias\",\"shape\":[24],\"old_shape\":[24]}"));
	ckpt_reshape_free(r);
	o.layers[0] = "3";
	CU_ASSERT_TRUE(refused(&m, &o, "there is no layer 3; the model has layers 0 to 2"));
	o = (ckpt_reshape_options){.layers = {NULL, "0"}};
	CU_ASSERT_TRUE(refused(&m, &o, "no second stack"));
	unmake(&m);
	m = make("{\"model_type\":\"albert\",\"hidden_size\":24,\"num_attention_heads\":4}", NULL);
	o = (ckpt_reshape_options){.layers = {"0", NULL}};
	CU_ASSERT_TRUE(refused(&m, &o, "share their weights"));
	unmake(&m);
}

static void resizes_the_vocabulary(void)
{
	made m = make(bert, NULL);
	ckpt_reshape_options o = {.vocab_size = 50};
	size_t n, rows = 37, width = 24;
	ckpt_reshape *r = reshape(&m, &o);
	const char *name = "bert.embeddings.word_embeddings.weight";
	CU_ASSERT_TRUE(same(r->made, name, m.cp, name, rows * width));
	float *p = values(r->made, name, &n);
	CU_ASSERT_EQUAL(n, 50 * width);
	for (size_t j = 0; j < width; j++) {
		double mean = 0;
		for (size_t i = 0; i < rows; i++) mean += p[i * width + j];
		for (size_t i = rows; i < 50; i++) CU_ASSERT_EQUAL(p[i * width + j], (float)(mean / (double)rows));
	}
	free(p);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_find(r->made, "cls.predictions.bias")->elements, 50);
	ckpt_reshape_free(r);
	o = (ckpt_reshape_options){.vocab_size = 50, .draw_new_rows = true};
	r = reshape(&m, &o);
	p = values(r->made, name, &n);
	CU_ASSERT_NOT_EQUAL(p[rows * width], p[(rows + 1) * width]);
	free(p);
	ckpt_reshape_free(r);
	o = (ckpt_reshape_options){.vocab_size = 10};
	r = reshape(&m, &o);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_find(r->made, name)->elements, 10 * width);
	CU_ASSERT_TRUE(same(r->made, name, m.cp, name, 10 * width));
	ckpt_reshape_free(r);
	o = (ckpt_reshape_options){.multiple_of = 64};
	r = reshape(&m, &o);
	CU_ASSERT_EQUAL(ckpt_config_dim(r->config, 'V'), 64);
	ckpt_reshape_free(r);
	o = (ckpt_reshape_options){.vocab_size = 64, .multiple_of = 64};
	r = reshape(&m, &o);
	CU_ASSERT_EQUAL(ckpt_config_dim(r->config, 'V'), 64);
	ckpt_reshape_free(r);
	unmake(&m);
	/* the bias of BART's logits has the vocabulary last, and new ones are zero */
	m = make("{\"model_type\":\"bart\",\"vocab_size\":37,\"d_model\":24,\"encoder_layers\":1,\"decoder_layers\":1,"
	         "\"encoder_attention_heads\":4,\"decoder_attention_heads\":4,\"encoder_ffn_dim\":8,\"decoder_ffn_dim\":8}",
	         "BartForConditionalGeneration");
	o = (ckpt_reshape_options){.vocab_size = 40};
	r = reshape(&m, &o);
	p = values(r->made, "final_logits_bias", &n);
	CU_ASSERT_EQUAL(n, 40);
	CU_ASSERT_EQUAL(p[39], 0);
	free(p);
	ckpt_reshape_free(r);
	o = (ckpt_reshape_options){.vocab_size = 1};
	CU_ASSERT_TRUE(refused(&m, &o, "pad_token_id"));
	unmake(&m);
}

static void resizes_positions(void)
{
	made m = make(bert, NULL);
	const char *name = "bert.embeddings.position_embeddings.weight";
	ckpt_reshape_options o = {.positions = 30};
	ckpt_reshape *r = reshape(&m, &o);
	CU_ASSERT_TRUE(same(r->made, name, m.cp, name, 19 * 24));
	ckpt_reshape_free(r);
	unmake(&m);
	/* relative distances stay where they are around the middle */
	m = make("{\"model_type\":\"bert\",\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":1,\"num_attention_heads\":4,"
	         "\"max_position_embeddings\":19,\"position_embedding_type\":\"relative_key\"}", NULL);
	name = "encoder.layer.0.attention.self.distance_embedding.weight";
	for (uint64_t positions = 10; positions <= 30; positions += 20) {
		size_t a, b;
		o.positions = positions;
		r = reshape(&m, &o);
		float *old = values(m.cp, name, &a), *new = values(r->made, name, &b);
		CU_ASSERT_EQUAL(b, (2 * positions - 1) * 6);
		for (int d = -9; d <= 9; d++)
			CU_ASSERT_EQUAL(memcmp(old + (18 + d) * 6, new + ((int)positions - 1 + d) * 6, 6 * sizeof *old), 0);
		free(old);
		free(new);
		ckpt_reshape_free(r);
	}
	unmake(&m);
	m = make("{\"model_type\":\"t5\",\"d_model\":24,\"num_layers\":2,\"d_kv\":4,\"num_heads\":2,\"d_ff\":8}", NULL);
	CU_ASSERT_TRUE(refused(&m, &o, "no table of positions"));
	unmake(&m);
}

static void changes_heads(void)
{
	made m = make(bert, NULL);
	ckpt_reshape_options o = {.class_name = "BertForPreTraining"};
	ckpt_reshape *r = reshape(&m, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_report(r, false, NULL), "new       cls.seq_relationship.weight  [2,24]\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->text, "new       bert.pooler.dense.weight  [24,24]\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_config(r), "\"BertForPreTraining\""));
	ckpt_reshape_free(r);
	o.class_name = "BertModel";
	r = reshape(&m, &o);
	CU_ASSERT_TRUE(same(r->made, "encoder.layer.2.output.dense.bias", m.cp, "bert.encoder.layer.2.output.dense.bias", 0));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(r->made, "cls.predictions.bias"));
	ckpt_reshape_free(r);
	o.class_name = "ForImages";
	CU_ASSERT_TRUE(refused(&m, &o, "BertForMaskedLM"));
	/* tied tensors become two when the config says so, with the same values */
	const char *keys[] = {"tie_word_embeddings"}, *values_[] = {"false"};
	o = (ckpt_reshape_options){.keys = keys, .values = values_, .count = 1};
	r = reshape(&m, &o);
	CU_ASSERT_TRUE(same(r->made, "cls.predictions.decoder.weight", m.cp, "bert.embeddings.word_embeddings.weight", 0));
	ckpt_reshape_free(r);
	unmake(&m);
}

static void reshapes_two_stacks(void)
{
	static const char json[] = "{\"model_type\":\"t5\",\"vocab_size\":37,\"d_model\":24,\"num_layers\":3,\"d_kv\":4,\"num_heads\":2,"
	                           "\"d_ff\":8}";
	made m = make(json, "T5ForConditionalGeneration");
	const char *keys[] = {"num_layers"}, *values_[] = {"2"};
	ckpt_reshape_options o = {.keys = keys, .values = values_, .count = 1};
	ckpt_reshape *r = reshape(&m, &o);
	CU_ASSERT_EQUAL(ckpt_config_dim(r->config, 'L'), 2);
	CU_ASSERT_EQUAL(ckpt_config_dim(r->config, 'M'), 3); /* the decoder stays as deep as it was */
	ckpt_reshape_free(r);
	o = (ckpt_reshape_options){.layers = {"2,1", "0"}};
	r = reshape(&m, &o);
	/* the table of relative positions lives in the first block, whichever that is */
	const char *table = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
	CU_ASSERT_TRUE(same(r->made, table, m.cp, table, 0));
	CU_ASSERT_TRUE(same(r->made, "encoder.block.0.layer.0.SelfAttention.q.weight", m.cp,
	                    "encoder.block.2.layer.0.SelfAttention.q.weight", 0));
	CU_ASSERT_EQUAL(ckpt_config_dim(r->config, 'M'), 1);
	ckpt_reshape_free(r);
	const char *alias[] = {"num_hidden_layers"};
	o = (ckpt_reshape_options){.keys = alias, .values = values_, .count = 1};
	CU_ASSERT_TRUE(refused(&m, &o, "num_layers and num_decoder_layers"));
	unmake(&m);
}

static void redraws(void)
{
	const char *globs[] = {"*.output.dense.*"};
	made m = make(bert, NULL);
	ckpt_reshape_options o = {.reinit = globs, .reinit_count = 1, .seed = 9};
	const char *out = "bert.encoder.layer.1.output.dense.weight", *kept = "bert.encoder.layer.1.intermediate.dense.weight";
	ckpt_reshape *r = reshape(&m, &o);
	CU_ASSERT_FALSE(same(r->made, out, m.cp, out, 0));
	CU_ASSERT_TRUE(same(r->made, kept, m.cp, kept, 0));
	ckpt_reshape_free(r);
	globs[0] = "no.such.*";
	CU_ASSERT_TRUE(refused(&m, &o, "no.such"));
	globs[0] = "cls.predictions.decoder.weight"; /* tied: it has nothing of its own */
	CU_ASSERT_TRUE(refused(&m, &o, "of its own"));
	o = (ckpt_reshape_options){.random = true, .seed = 3};
	r = reshape(&m, &o);
	for (size_t i = 0; i < r->made->count; i++) /* the same seed as at first */
		CU_ASSERT_TRUE(same(r->made, r->made->tensors[i].name, m.cp, r->made->tensors[i].name, 0));
	CU_ASSERT_PTR_NULL(strstr(ckpt_reshape_report(r, false, NULL), "kept"));
	ckpt_reshape_free(r);
	/* shapes that no longer fit */
	const char *keys[] = {"intermediate_size"}, *values_[] = {"64"};
	o = (ckpt_reshape_options){.keys = keys, .values = values_, .count = 1};
	r = reshape(&m, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_report(r, false, NULL),
	                              "redrawn   bert.encoder.layer.{0..2}.output.dense.weight  [24,64], was [24,40]  (3 tensors)\n"));
	CU_ASSERT_TRUE(same(r->made, "bert.encoder.layer.1.output.dense.bias", m.cp, "bert.encoder.layer.1.output.dense.bias", 0));
	ckpt_reshape_free(r);
	unmake(&m);
}

/* What the source lacks is never drawn in silence. */
static void refuses_holes(void)
{
	const char *exclude[] = {"bert.encoder.layer.1.output.dense.bias"}, *keys[] = {"num_hidden_layers"}, *values_[] = {"2"};
	made m = make(bert, NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_select(m.cp, NULL, 0, exclude, 1, NULL));
	CU_ASSERT_TRUE(ckpt_model_bind_to(m.model, m.cp, NULL));
	ckpt_reshape_options o = {.keys = keys, .values = values_, .count = 1};
	CU_ASSERT_TRUE(refused(&m, &o, "bert.encoder.layer.1.output.dense.bias is missing"));
	o.reinit = exclude;
	o.reinit_count = 1;
	ckpt_reshape *r = reshape(&m, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_reshape_report(r, false, NULL), "new       bert.encoder.layer.1.output.dense.bias  [24]\n"));
	ckpt_reshape_free(r);
	values_[0] = "1"; /* the layer with the hole is not wanted */
	o.reinit_count = 0;
	r = reshape(&m, &o);
	ckpt_reshape_free(r);
	unmake(&m);
}

static void lists_aliases(void)
{
	made m = make(bert, NULL);
	ckpt_reshape_options o = {.vocab_size = 40};
	ckpt_reshape *r = reshape(&m, &o);
	const ckpt_checkpoint *cp = ckpt_reshape_checkpoint(r, true, NULL);
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, "cls.predictions.decoder.weight");
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(t), "bert.embeddings.word_embeddings.weight");
	CU_ASSERT_EQUAL(t->shape[0], 40);
	ckpt_reshape_free(r);
	unmake(&m);
}

static void takes_means(void)
{
	ckpt_rng_key key;
	float table[1000 * 7];
	ckpt_rng_key_make(1, "x", &key, NULL);
	ckpt_rng_normal(&key, 0, 7000, 1, 1, table);
	ckpt_source *source = ckpt_source_heap(table, sizeof table, NULL);
	ckpt_source *mean = ckpt_source_mean_rows(source, CKPT_F32, 1000, 7, 3, NULL);
	float out[21];
	CU_ASSERT_EQUAL(mean->length, sizeof out);
	CU_ASSERT_TRUE(ckpt_source_read(mean, 0, sizeof out, out, NULL));
	for (size_t j = 0; j < 21; j++) {
		double sum = 0;
		for (size_t i = 0; i < 1000; i++) sum += table[i * 7 + j % 7];
		CU_ASSERT_EQUAL(out[j], (float)(sum / 1000));
	}
	uint8_t piece[5];
	CU_ASSERT_TRUE(ckpt_source_read(mean, 26, 5, piece, NULL));
	CU_ASSERT_EQUAL(memcmp(piece, (uint8_t *)out + 26, 5), 0);
	ckpt_source_unref(mean);
	ckpt_source_unref(source);
}

static const unit_case cases[] = {
	{"parses lists of layers", parses_lists},
	{"keeps the first layers", keeps_the_first_layers},
	{"picks layers", picks_layers},
	{"resizes the vocabulary", resizes_the_vocabulary},
	{"resizes positions", resizes_positions},
	{"changes heads", changes_heads},
	{"reshapes two stacks", reshapes_two_stacks},
	{"redraws", redraws},
	{"refuses holes", refuses_holes},
	{"lists aliases", lists_aliases},
	{"takes means of rows", takes_means},
	{0},
};

const unit_suite unit_reconfigure = {"reconfigure", cases};
