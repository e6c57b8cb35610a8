/* test_init.c -- random models: the rules of each architecture, and values that depend on nothing but their names */
#include "../../lib/checkpoint.h"
#include "../../lib/model/init.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char bert[] = "{\"model_type\":\"bert\",\"vocab_size\":97,\"hidden_size\":24,\"num_hidden_layers\":2,"
                           "\"num_attention_heads\":4,\"intermediate_size\":40,\"max_position_embeddings\":19}";

static ckpt_checkpoint *make(const char *json, const ckpt_init_options *options)
{
	ckpt_error err = {0};
	ckpt_config *config = ckpt_config_parse(json, strlen(json), &err);
	ckpt_checkpoint *cp = config ? ckpt_init(config, options, &err) : NULL;
	if (!cp) printf("# %s\n", err.text);
	ckpt_config_free(config);
	return cp;
}

/* All elements of an f32 tensor; to be freed. */
static float *values(const ckpt_checkpoint *cp, const char *name, size_t *count)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL_FATAL(t->dtype, CKPT_F32);
	float *out = malloc(t->bytes);
	*count = t->elements;
	CU_ASSERT_TRUE(ckpt_tensor_read(t, 0, t->bytes, out, NULL));
	return out;
}

static bool same(const ckpt_checkpoint *a, const char *x, const ckpt_checkpoint *b, const char *y)
{
	size_t m, n;
	float *p = values(a, x, &m), *q = values(b, y, &n);
	bool equal = m == n && !memcmp(p, q, m * sizeof *p);
	free(p);
	free(q);
	return equal;
}

static double std_of(const ckpt_checkpoint *cp, const char *name)
{
	ckpt_stats stats;
	CU_ASSERT_TRUE_FATAL(ckpt_tensor_stats(ckpt_checkpoint_tensor_find(cp, name), NULL, &stats, NULL));
	return stats.std;
}

static bool all_equal(const ckpt_checkpoint *cp, const char *name, float want)
{
	size_t n;
	float *p = values(cp, name, &n);
	bool equal = n > 0;
	for (size_t i = 0; i < n; i++) equal = equal && p[i] == want;
	free(p);
	return equal;
}

static void follows_the_rules(void)
{
	ckpt_checkpoint *cp = make(bert, NULL);
	size_t n;
	float *words = values(cp, "embeddings.word_embeddings.weight", &n);
	for (size_t i = 0; i < 24; i++) CU_ASSERT_EQUAL(words[i], 0); /* the padding row */
	CU_ASSERT_NOT_EQUAL(words[24], 0);
	free(words);
	CU_ASSERT_TRUE(all_equal(cp, "encoder.layer.1.output.dense.bias", 0));
	CU_ASSERT_TRUE(all_equal(cp, "encoder.layer.1.output.LayerNorm.weight", 1));
	CU_ASSERT_DOUBLE_EQUAL(std_of(cp, "encoder.layer.0.intermediate.dense.weight"), 0.02, 0.002);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 39);
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, 38)), "pooler.dense.bias");
	ckpt_checkpoint_free(cp);
	cp = make("{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":4,\"vocab_size\":50,\"n_positions\":8,"
	          "\"initializer_range\":0.5}", NULL);
	CU_ASSERT_DOUBLE_EQUAL(std_of(cp, "h.0.attn.c_attn.weight"), 0.5, 0.02);
	CU_ASSERT_DOUBLE_EQUAL(std_of(cp, "h.0.attn.c_proj.weight"), 0.25, 0.01);
	ckpt_checkpoint_free(cp);
	cp = make("{\"model_type\":\"t5\",\"d_model\":64,\"d_kv\":16,\"num_heads\":4,\"d_ff\":256,\"num_layers\":1,\"vocab_size\":50,"
	          "\"initializer_factor\":2.0}", NULL);
	CU_ASSERT_DOUBLE_EQUAL(std_of(cp, "shared.weight"), 2, 0.1);
	CU_ASSERT_DOUBLE_EQUAL(std_of(cp, "encoder.block.0.layer.0.SelfAttention.q.weight"), 2 / 32.0, 0.003);
	CU_ASSERT_DOUBLE_EQUAL(std_of(cp, "encoder.block.0.layer.1.DenseReluDense.wo.weight"), 2 / 16.0, 0.004);
	CU_ASSERT_TRUE(all_equal(cp, "decoder.final_layer_norm.weight", 2));
	ckpt_checkpoint_free(cp);
	cp = make("{\"model_type\":\"llama\",\"hidden_size\":32,\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":10,"
	          "\"intermediate_size\":8,\"pad_token_id\":-1}", NULL);
	words = values(cp, "embed_tokens.weight", &n);
	CU_ASSERT_EQUAL(words[9 * 32], 0); /* counted from the end */
	CU_ASSERT_NOT_EQUAL(words[0], 0);
	free(words);
	ckpt_checkpoint_free(cp);
}

static void draws_sinusoids(void)
{
	static const char json[] = "{\"model_type\":\"distilbert\",\"dim\":24,\"n_heads\":4,\"n_layers\":1,\"hidden_dim\":8,"
	                           "\"vocab_size\":9,\"max_position_embeddings\":19,\"sinusoidal_pos_embds\":true}";
	size_t n;
	ckpt_checkpoint *cp = make(json, NULL);
	float *p = values(cp, "embeddings.position_embeddings.weight", &n);
	CU_ASSERT_EQUAL(p[0], 0);
	CU_ASSERT_EQUAL(p[1], 1);
	CU_ASSERT_EQUAL(p[7 * 24 + 5], (float)cos(7 / pow(10000, 4 / 24.0)));
	CU_ASSERT_EQUAL(p[18 * 24 + 22], (float)sin(18 / pow(10000, 22 / 24.0)));
	/* any bytes of it, also from the middle of an element */
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, "embeddings.position_embeddings.weight");
	for (size_t offset = 90; offset < 103; offset++)
		for (size_t length = 0; length < 11; length++) {
			uint8_t piece[16];
			CU_ASSERT_TRUE(ckpt_tensor_read(t, offset, length, piece, NULL));
			CU_ASSERT_EQUAL(memcmp(piece, (uint8_t *)p + offset, length), 0);
		}
	free(p);
	ckpt_checkpoint_free(cp);
}

static void keeps_values(void)
{
	ckpt_init_options head = {.dtype = CKPT_DTYPE_NONE, .class_name = "ForMaskedLM"};
	ckpt_init_options other = {.dtype = CKPT_DTYPE_NONE, .seed = 1};
	ckpt_checkpoint *a = make(bert, NULL), *b = make(bert, NULL), *lm = make(bert, &head), *c = make(bert, &other);
	char more[400];
	snprintf(more, sizeof more, "%s", bert);
	*strstr(more, "\"num_hidden_layers\":2") = '\0';
	snprintf(more + strlen(more), sizeof more - strlen(more), "\"num_hidden_layers\":5%s",
	         strstr(bert, "\"num_hidden_layers\":2") + strlen("\"num_hidden_layers\":2"));
	ckpt_checkpoint *deep = make(more, NULL);
	const char *name = "encoder.layer.1.attention.self.key.weight";
	CU_ASSERT_TRUE(same(a, name, b, name));
	CU_ASSERT_TRUE(same(a, name, deep, name));
	CU_ASSERT_TRUE(same(a, name, lm, "bert.encoder.layer.1.attention.self.key.weight"));
	CU_ASSERT_FALSE(same(a, name, c, name));
	CU_ASSERT_FALSE(same(a, name, a, "encoder.layer.0.attention.self.key.weight"));
	CU_ASSERT_FALSE(same(deep, name, deep, "encoder.layer.4.attention.self.key.weight"));
	/* in pieces as in one */
	size_t n;
	float *whole = values(a, "embeddings.word_embeddings.weight", &n), *pieces = malloc(n * 4);
	for (size_t at = 0; at < n * 4; at += 37) {
		size_t step = n * 4 - at < 37 ? n * 4 - at : 37;
		CU_ASSERT_TRUE(ckpt_tensor_read(ckpt_checkpoint_tensor_at(a, 0), at, step, (char *)pieces + at, NULL));
	}
	CU_ASSERT_EQUAL(memcmp(whole, pieces, n * 4), 0);
	free(whole);
	free(pieces);
	ckpt_checkpoint_free(a);
	ckpt_checkpoint_free(b);
	ckpt_checkpoint_free(c);
	ckpt_checkpoint_free(lm);
	ckpt_checkpoint_free(deep);
}

static void ties(void)
{
	ckpt_init_options plain = {.dtype = CKPT_BF16, .class_name = "BertForPreTraining"};
	ckpt_init_options aliases = {.dtype = CKPT_BF16, .class_name = "BertForPreTraining", .aliases = true};
	ckpt_checkpoint *a = make(bert, &plain), *b = make(bert, &aliases);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(a) + 2, ckpt_checkpoint_tensor_count(b));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(a, "cls.predictions.decoder.weight"));
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(b, "cls.predictions.decoder.weight");
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(t), "bert.embeddings.word_embeddings.weight");
	CU_ASSERT_EQUAL(ckpt_tensor_dtype(t), CKPT_BF16);
	ckpt_checkpoint_free(a);
	ckpt_checkpoint_free(b);
	a = make("{\"model_type\":\"bert\",\"tie_word_embeddings\":false,\"hidden_size\":24,\"num_hidden_layers\":1}", &plain);
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(a, "cls.predictions.decoder.weight"));
	ckpt_checkpoint_free(a);
}

static void refuses(void)
{
	ckpt_error err = {0};
	ckpt_init_options f8 = {.dtype = CKPT_F8_E4M3}, class = {.dtype = CKPT_DTYPE_NONE, .class_name = "ForImages"};
	ckpt_config *config = ckpt_config_parse(bert, strlen(bert), NULL);
	CU_ASSERT_PTR_NULL(ckpt_init(config, &f8, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "F8_E4M3"));
	CU_ASSERT_PTR_NULL(ckpt_init(config, &class, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "BertForMaskedLM, BertLMHeadModel"));
	ckpt_config_free(config);
}

static void marks_the_config(void)
{
	ckpt_init_options options = {.dtype = CKPT_F16, .class_name = "BartForCausalLM"};
	ckpt_config *config = ckpt_config_for_type("bart", NULL);
	ckpt_checkpoint *cp = ckpt_init(config, &options, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(cp, "model.decoder.embed_tokens.weight"));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(cp, "model.shared.weight"));
	const char *text = ckpt_config_json(config, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"architectures\": [\n    \"BartForCausalLM\"\n  ]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"dtype\": \"float16\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"is_decoder\": true,\n  \"is_encoder_decoder\": false"));
	ckpt_buffer b = {0};
	ckpt_error err = {0};
	CU_ASSERT_TRUE(ckpt_init_generation(config, ckpt_arch_class_find(config->arch, "ForCausalLM"), NULL, &b, &err));
	CU_ASSERT_STRING_EQUAL(b.data, "{\n  \"_from_model_config\": true,\n  \"bos_token_id\": 0,\n  \"decoder_start_token_id\": 2,\n"
	                               "  \"eos_token_id\": 2,\n  \"forced_eos_token_id\": 2,\n  \"output_attentions\": false,\n"
	                               "  \"output_hidden_states\": false,\n  \"pad_token_id\": 1,\n  \"transformers_version\": "
	                               "\"5.24.0\",\n  \"use_cache\": true\n}\n");
	ckpt_buffer_free(&b);
	CU_ASSERT_FALSE(ckpt_init_generation(config, config->arch->classes, NULL, &b, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_OK);
	ckpt_checkpoint_free(cp);
	ckpt_config_free(config);
}

/* Nothing is computed before it is read: a model of 6.6 billion parameters is there at once. */
static void is_lazy(void)
{
	ckpt_init_options options = {.dtype = CKPT_BF16, .class_name = "LlamaForCausalLM"};
	ckpt_config *config = ckpt_config_for_type("llama", NULL);
	ckpt_checkpoint *cp = ckpt_init(config, &options, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, "model.layers.31.mlp.down_proj.weight");
	uint16_t last;
	CU_ASSERT_TRUE(ckpt_tensor_read(t, t->bytes - 2, 2, &last, NULL));
	CU_ASSERT_NOT_EQUAL(last & 0x7fff, 0);
	ckpt_checkpoint_free(cp);
	ckpt_config_free(config);
}

static const unit_case cases[] = {
	{"follows the rules", follows_the_rules},
	{"draws sinusoids", draws_sinusoids},
	{"keeps values", keeps_values},
	{"ties", ties},
	{"refuses", refuses},
	{"marks the config", marks_the_config},
	{"is lazy", is_lazy},
	{0},
};

const unit_suite unit_init = {"init", cases};
