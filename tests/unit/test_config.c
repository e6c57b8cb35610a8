/* test_config.c -- configs: values kept and printed, names understood, bad models refused */
#include "../../lib/model/config.h"
#include "../../lib/model/fields.h"
#include "unit.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ckpt_config *parse(const char *text)
{
	ckpt_error err = {0};
	ckpt_config *config = ckpt_config_parse(text, strlen(text), &err);
	if (!config) printf("# %s\n", err.text);
	return config;
}

/* True when the text is refused and the sentence has the words. */
static bool refused(const char *text, const char *words)
{
	ckpt_error err = {0};
	ckpt_config *config = ckpt_config_parse(text, strlen(text), &err);
	ckpt_config_free(config);
	if (!config && strstr(err.text, words)) return true;
	printf("# %s: %s\n", text, config ? "accepted" : err.text);
	return false;
}

/* Sets pairs that end in NULL. */
static bool set(ckpt_config *config, ckpt_error *err, const char *const *pairs)
{
	const char *keys[8], *values[8];
	size_t n = 0;
	for (; pairs[2 * n]; n++) {
		keys[n] = pairs[2 * n];
		values[n] = pairs[2 * n + 1];
	}
	return ckpt_config_set(config, keys, values, n, err);
}
#define SET(config, err, ...) set(config, err, (const char *const[]){__VA_ARGS__, NULL})

/* A change of the type's defaults is refused with these words, and changes nothing. */
static bool set_refused(const char *type, const char *key, const char *value, const char *words)
{
	ckpt_error err = {0};
	ckpt_config *config = ckpt_config_for_type(type, NULL);
	char *before = strdup(ckpt_config_json(config, NULL, NULL));
	bool ok = !SET(config, &err, key, value) && strstr(err.text, words) && strstr(err.text, key) &&
	          !strcmp(before, ckpt_config_json(config, NULL, NULL));
	if (!ok) printf("# %s %s=%s: %s\n", type, key, value, err.text);
	free(before);
	ckpt_config_free(config);
	return ok;
}

static uint64_t number(const ckpt_config *config, const char *key)
{
	uint64_t value = UINT64_MAX;
	ckpt_config_u64(config, key, &value);
	return value;
}

static void prints_floats(void)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {{0.02, "0.02"}, {1e-12, "1e-12"}, {1e-5, "1e-05"}, {0.0001, "0.0001"}, {1.0, "1.0"}, {0.0, "0.0"},
	            {-0.0, "-0.0"}, {10000.0, "10000.0"}, {1e15, "1000000000000000.0"}, {1e16, "1e+16"}, {1.5e300, "1.5e+300"},
	            {5e-324, "5e-324"}, {DBL_MAX, "1.7976931348623157e+308"}, {0.1 + 0.2, "0.30000000000000004"},
	            {123456.789, "123456.789"}, {1.0 / 3, "0.3333333333333333"}, {-2.5, "-2.5"}, {9007199254740993.0, "9007199254740992.0"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ckpt_buffer b = {0};
		ckpt_float_repr(&b, rows[i].value);
		CU_ASSERT_STRING_EQUAL(b.data, rows[i].text);
		ckpt_buffer_free(&b);
	}
}

static void prints_as_python(void)
{
	static const char text[] = "{\"b\": [], \"a\": {\"10\": 1, \"9\": 2}, \"c\": [1, {\"x\": {}}], \"z\": \"\\u00e9\\u0007\", "
	                           "\"big\": 123456789012345678901234567890, \"f\": 1E5}";
	static const char want[] = "{\n  \"a\": {\n    \"9\": 2,\n    \"10\": 1\n  },\n  \"b\": [],\n  \"big\": "
	                           "123456789012345678901234567890,\n  \"c\": [\n    1,\n    {\n      \"x\": {}\n    }\n  ],\n  "
	                           "\"f\": 100000.0,\n  \"z\": \"\\u00e9\\u0007\"\n}";
	ckpt_arena a = {0};
	ckpt_buffer b = {0};
	ckpt_node *node = ckpt_node_parse(&a, text, strlen(text), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(node);
	ckpt_node *copy = ckpt_node_copy(&a, node);
	CU_ASSERT_TRUE(ckpt_node_equal(node, copy));
	CU_ASSERT_TRUE(ckpt_node_sort(copy, NULL));
	CU_ASSERT_FALSE(ckpt_node_equal(node, copy));
	ckpt_node_print(&b, copy, true);
	CU_ASSERT_STRING_EQUAL(b.data, want);
	ckpt_buffer_free(&b);
	ckpt_node_print(&b, node, false);
	CU_ASSERT_STRING_EQUAL(b.data, "{\"b\": [], \"a\": {\"10\": 1, \"9\": 2}, \"c\": [1, {\"x\": {}}], \"z\": "
	                               "\"\\u00e9\\u0007\", \"big\": 123456789012345678901234567890, \"f\": 100000.0}");
	ckpt_buffer_free(&b);
	ckpt_arena_free(&a);
}

static void members_change(void)
{
	ckpt_arena a = {0};
	ckpt_node *dict = ckpt_node_parse(&a, "{\"x\": 1, \"y\": 2, \"z\": 3}", 24, NULL);
	CU_ASSERT_TRUE(ckpt_node_put(&a, dict, "z", ckpt_node_new_int(&a, 4), NULL));
	CU_ASSERT_TRUE(ckpt_node_put(&a, dict, "w", ckpt_node_new_bool(&a, true), NULL));
	ckpt_node_remove(dict, "y");
	ckpt_node_remove(dict, "not there");
	CU_ASSERT_EQUAL(dict->count, 3);
	ckpt_node_remove(dict, "w");
	CU_ASSERT_TRUE(ckpt_node_put(&a, dict, "v", ckpt_node_new_float(&a, 0.5), NULL));
	ckpt_buffer b = {0};
	ckpt_node_print(&b, dict, false);
	CU_ASSERT_STRING_EQUAL(b.data, "{\"x\": 1, \"z\": 4, \"v\": 0.5}");
	ckpt_buffer_free(&b);
	ckpt_arena_free(&a);
}

static void refuses_json(void)
{
	CU_ASSERT_TRUE(refused("", "empty"));
	CU_ASSERT_TRUE(refused("[]", "a list"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"x\": 1e999}", "1e999"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"vocab_size\": 1, \"vocab_size\": 2}", "vocab_size"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"layer_norm_eps\": NaN}", "JSON"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\"", "JSON"));
	char deep[200];
	memset(deep, '[', sizeof deep);
	deep[sizeof deep - 1] = '\0';
	CU_ASSERT_TRUE(refused(deep, "nested"));
	/* a text cut anywhere is refused and nothing is read behind its end */
	static const char whole[] = "{\"model_type\": \"gpt2\", \"n_layer\": 2, \"id2label\": {\"0\": \"a\", \"1\": \"b\"}}";
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		char *part = malloc(n + 1);
		memcpy(part, whole, n);
		CU_ASSERT_PTR_NULL(ckpt_config_parse(part, n, NULL));
		free(part);
	}
}

static void defaults_are_complete(void)
{
	for (size_t i = 0; ckpt_arch_at(i); i++) {
		const ckpt_arch *arch = ckpt_arch_at(i);
		ckpt_config *config = ckpt_config_for_type(arch->type, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(config);
		for (const ckpt_node *n = config->defaults->child; n; n = n->next) {
			if (!ckpt_field_find(n->key)) printf("# %s: %s\n", arch->type, n->key);
			CU_ASSERT_PTR_NOT_NULL(ckpt_field_find(n->key));
		}
		for (const ckpt_node *n = config->full->child; n; n = n->next)
			CU_ASSERT_TRUE(ckpt_field_check(ckpt_field_find(n->key), n, NULL));
		for (const ckpt_arch_alias *x = arch->aliases; x && x->alias; x++)
			if (x->key) CU_ASSERT_PTR_NOT_NULL(ckpt_node_get(config->defaults, x->key));
		/* what is printed reads back as the same */
		char *text = strdup(ckpt_config_json(config, NULL, NULL));
		ckpt_config *again = parse(text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(again);
		CU_ASSERT_STRING_EQUAL(ckpt_config_json(again, NULL, NULL), text);
		ckpt_config_free(again);
		again = parse(ckpt_config_json(config, "4.40.0", NULL));
		CU_ASSERT_PTR_NOT_NULL_FATAL(again);
		CU_ASSERT_EQUAL(memcmp(config->dims, again->dims, sizeof config->dims), 0);
		CU_ASSERT_EQUAL(config->tied, again->tied);
		ckpt_config_free(again);
		ckpt_config_free(config);
		free(text);
	}
}

static void prints_bert(void)
{
	static const char want[] =
		"{\n  \"add_cross_attention\": false,\n  \"attention_probs_dropout_prob\": 0.1,\n  \"bos_token_id\": null,\n  "
		"\"classifier_dropout\": null,\n  \"eos_token_id\": null,\n  \"hidden_act\": \"gelu\",\n  "
		"\"hidden_dropout_prob\": 0.1,\n  \"hidden_size\": 768,\n  \"initializer_range\": 0.02,\n  "
		"\"intermediate_size\": 3072,\n  \"is_decoder\": false,\n  \"layer_norm_eps\": 1e-12,\n  "
		"\"max_position_embeddings\": 512,\n  \"model_type\": \"bert\",\n  \"num_attention_heads\": 12,\n  "
		"\"num_hidden_layers\": 12,\n  \"pad_token_id\": 0,\n  \"tie_word_embeddings\": true,\n  "
		"\"transformers_version\": \"5.24.0\",\n  \"type_vocab_size\": 2,\n  \"use_cache\": true,\n  \"vocab_size\": "
		"30522\n}\n";
	static const char old[] =
		"{\n  \"attention_probs_dropout_prob\": 0.1,\n  \"classifier_dropout\": null,\n  \"hidden_act\": \"gelu\",\n  "
		"\"hidden_dropout_prob\": 0.1,\n  \"hidden_size\": 768,\n  \"initializer_range\": 0.02,\n  "
		"\"intermediate_size\": 3072,\n  \"layer_norm_eps\": 1e-12,\n  \"max_position_embeddings\": 512,\n  "
		"\"model_type\": \"bert\",\n  \"num_attention_heads\": 12,\n  \"num_hidden_layers\": 12,\n  \"pad_token_id\": "
		"0,\n  \"position_embedding_type\": \"absolute\",\n  \"transformers_version\": \"4.31.0\",\n  "
		"\"type_vocab_size\": 2,\n  \"use_cache\": true,\n  \"vocab_size\": 30522\n}\n";
	ckpt_config *config = ckpt_config_for_type("bert", NULL);
	CU_ASSERT_STRING_EQUAL(ckpt_config_json(config, NULL, NULL), want);
	CU_ASSERT_STRING_EQUAL(ckpt_config_json(config, "4.31.0", NULL), old);
	CU_ASSERT_PTR_NULL(ckpt_config_json(config, "latest", NULL));
	ckpt_config_free(config);
	CU_ASSERT_PTR_NULL(ckpt_config_for_type("vit", NULL));
}

static void understands_names(void)
{
	ckpt_config *c = parse("{\"model_type\": \"gpt2\", \"num_hidden_layers\": 3, \"n_layer\": 7, \"hidden_size\": 24, "
	                       "\"num_attention_heads\": 2, \"n_ctx\": 5, \"torch_dtype\": \"float16\", \"mine\": {\"k\": [1]}}");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(number(c, "n_layer"), 3); /* the alias wins, as with transformers */
	CU_ASSERT_EQUAL(number(c, "num_hidden_layers"), 3);
	CU_ASSERT_EQUAL(ckpt_config_dim(c, 'I'), 96);
	CU_ASSERT_EQUAL(number(c, "max_position_embeddings"), 1024);
	const char *text = ckpt_config_json(c, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"dtype\": \"float16\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"mine\": {\n    \"k\": ["));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"n_ctx\": 5"));
	CU_ASSERT_PTR_NULL(strstr(text, "num_hidden_layers"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_config_json(c, "4.40.0", NULL), "\"torch_dtype\": \"float16\""));
	ckpt_config_free(c);
	c = parse("{\"model_type\": \"llama\", \"rope_theta\": 500000.0, \"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8.0}}");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_config_json(c, NULL, NULL),
	                              "\"rope_parameters\": {\n    \"factor\": 8.0,\n    \"original_max_position_embeddings\": "
	                              "2048,\n    \"rope_theta\": 500000.0,\n    \"rope_type\": \"llama3\",\n    \"type\": "
	                              "\"llama3\"\n  }"));
	CU_ASSERT_PTR_NULL(strstr(c->text, "rope_scaling"));
	ckpt_config_free(c);
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bart\", \"encoder_layers\": 1, \"num_hidden_layers\": 5}", "encoder_layers"));
}

static void counts_labels(void)
{
	ckpt_config *c = parse("{\"model_type\": \"bert\", \"num_labels\": 4}");
	CU_ASSERT_EQUAL(ckpt_config_dim(c, 'N'), 4);
	CU_ASSERT_STRING_EQUAL(ckpt_config_label(c, 3), "LABEL_3");
	CU_ASSERT_PTR_NULL(ckpt_config_label(c, 4));
	CU_ASSERT_TRUE(SET(c, NULL, "num_labels", "2"));
	CU_ASSERT_PTR_NULL(strstr(ckpt_config_json(c, NULL, NULL), "label"));
	CU_ASSERT_TRUE(SET(c, NULL, "id2label", "{\"0\": \"no\", \"1\": \"yes\"}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_config_json(c, NULL, NULL), "\"label2id\": {\n    \"no\": 0,\n    \"yes\": 1\n  }"));
	ckpt_config_free(c);
	c = ckpt_config_for_type("bart", NULL);
	CU_ASSERT_EQUAL(ckpt_config_dim(c, 'N'), 3);
	CU_ASSERT_TRUE(SET(c, NULL, "num_labels", "2"));
	/* left out, two labels would come back as three */
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_config_json(c, NULL, NULL), "\"1\": \"LABEL_1\"\n"));
	ckpt_config_free(c);
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"id2label\": [\"a\"]}", "id2label"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"id2label\": {\"x\": \"a\"}}", "id2label"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_labels\": 10000000}", "num_labels"));
}

static void refuses_models(void)
{
	CU_ASSERT_TRUE(refused("{\"num_hidden_layers\": 2}", "model_type"));
	CU_ASSERT_TRUE(refused("{\"model_type\": 3}", "model_type"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"../../etc/passwd\"}", "model_type"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_hidden_layers\": 0}", "num_hidden_layers"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_hidden_layers\": 1000000000000000000}", "num_hidden_layers"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_hidden_layers\": 2.0}", "num_hidden_layers"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_hidden_layers\": \"2\"}", "\"2\""));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_hidden_layers\": true}", "true"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"num_hidden_layers\": null}", "null"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"hidden_size\": -768}", "-768"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"hidden_size\": 770}", "divisible"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"gpt2\", \"num_hidden_layers\": 0}", "num_hidden_layers"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"hidden_act\": \"__import__('os')\"}", "hidden_act"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"pruned_heads\": {\"0\": [1]}}", "pruned"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"add_cross_attention\": true}", "is_decoder"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"pad_token_id\": 40000}", "vocab_size"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"roberta\", \"max_position_embeddings\": 1}", "max_position"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"llama\", \"num_key_value_heads\": 3}", "num_key_value_heads"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"llama\", \"head_dim\": 5}", "head_dim"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"llama\", \"rope_theta\": 0}", "rope_theta"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"llama\", \"rope_parameters\": {\"rope_type\": 1}}", "rope_type"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"qwen2\", \"num_hidden_layers\": 2, \"layer_types\": [\"full_attention\"]}",
	                       "layer_types"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"t5\", \"feed_forward_proj\": \"gated-silu-x\"}", "feed_forward_proj"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"hidden_dropout_prob\": 1.5}", "hidden_dropout_prob"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"architectures\": [1]}", "architectures"));
	CU_ASSERT_TRUE(refused("{\"model_type\": \"bert\", \"eos_token_id\": \"</s>\"}", "eos_token_id"));
}

static void refuses_changes(void)
{
	CU_ASSERT_TRUE(set_refused("bert", "no_such_key", "1", "no such key"));
	CU_ASSERT_TRUE(set_refused("bert", "n_layer", "1", "no such key"));
	CU_ASSERT_TRUE(set_refused("bert", "num_hidden_layers", "ten", "\"ten\""));
	CU_ASSERT_TRUE(set_refused("bert", "num_hidden_layers", "", "integer"));
	CU_ASSERT_TRUE(set_refused("bert", "num_hidden_layers", "2147483648", "2147483648"));
	CU_ASSERT_TRUE(set_refused("bert", "hidden_size", "770", "divisible"));
	CU_ASSERT_TRUE(set_refused("bert", "model_type", "gpt2", "bert"));
	CU_ASSERT_TRUE(set_refused("bart", "num_hidden_layers", "3", "encoder_layers and decoder_layers"));
	CU_ASSERT_TRUE(set_refused("t5", "num_hidden_layers", "3", "num_layers and num_decoder_layers"));
	CU_ASSERT_TRUE(set_refused("t5", "is_gated_act", "true", "feed_forward_proj"));
	CU_ASSERT_TRUE(set_refused("gpt2", "n_ctx", "3", "n_positions"));
	CU_ASSERT_TRUE(set_refused("qwen2", "sliding_window", "3", "use_sliding_window"));
	CU_ASSERT_TRUE(set_refused("bert", "is_decoder", "1", "true or false"));
	CU_ASSERT_TRUE(set_refused("bert", "dtype", "float17", "dtype"));
	ckpt_error err = {0};
	ckpt_config *c = ckpt_config_for_type("gpt2", NULL);
	CU_ASSERT_FALSE(SET(c, &err, "n_layer", "3", "num_hidden_layers", "4"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "twice"));
	CU_ASSERT_FALSE(SET(c, &err, "num_labels", "3", "id2label", "{\"0\": \"a\"}"));
	CU_ASSERT_EQUAL(number(c, "n_layer"), 12);
	ckpt_config_free(c);
}

static void recomputes(void)
{
	ckpt_config *c = parse("{\"model_type\": \"llama\", \"head_dim\": 128, \"num_key_value_heads\": 32}");
	CU_ASSERT_TRUE(SET(c, NULL, "num_attention_heads", "16"));
	CU_ASSERT_EQUAL(number(c, "head_dim"), 256);
	CU_ASSERT_EQUAL(number(c, "num_key_value_heads"), 16);
	ckpt_config_free(c);
	c = parse("{\"model_type\": \"llama\", \"head_dim\": 100, \"num_key_value_heads\": 4}");
	CU_ASSERT_TRUE(SET(c, NULL, "num_attention_heads", "16")); /* neither was what would have been computed */
	CU_ASSERT_EQUAL(number(c, "head_dim"), 100);
	CU_ASSERT_EQUAL(number(c, "num_key_value_heads"), 4);
	ckpt_config_free(c);
	c = ckpt_config_for_type("qwen2", NULL);
	CU_ASSERT_TRUE(SET(c, NULL, "num_hidden_layers", "3", "use_sliding_window", "true", "max_window_layers", "1"));
	CU_ASSERT_EQUAL(ckpt_config_get(c, "layer_types")->count, 3);
	CU_ASSERT_STRING_EQUAL(ckpt_config_get(c, "layer_types")->last->text, "sliding_attention");
	ckpt_config_free(c);
	c = parse("{\"model_type\": \"t5\", \"num_layers\": 6, \"num_decoder_layers\": 4}");
	CU_ASSERT_TRUE(SET(c, NULL, "num_layers", "3", "feed_forward_proj", "gated-gelu"));
	CU_ASSERT_EQUAL(ckpt_config_dim(c, 'M'), 4);
	CU_ASSERT_STRING_EQUAL(ckpt_config_text(c, "dense_act_fn"), "gelu_new");
	CU_ASSERT_TRUE(c->when & CKPT_WHEN_GATED);
	ckpt_config_free(c);
	c = ckpt_config_for_type("t5", NULL);
	CU_ASSERT_TRUE(SET(c, NULL, "num_layers", "3")); /* symmetrical when nothing else was said */
	CU_ASSERT_EQUAL(ckpt_config_dim(c, 'M'), 3);
	ckpt_config_free(c);
	c = ckpt_config_for_type("opt", NULL);
	CU_ASSERT_TRUE(SET(c, NULL, "hidden_size", "96"));
	CU_ASSERT_EQUAL(ckpt_config_dim(c, 'E'), 96);
	ckpt_config_free(c);
	c = parse("{\"model_type\": \"bart\", \"encoder_layers\": 6, \"num_hidden_layers\": 6}");
	CU_ASSERT_TRUE(SET(c, NULL, "encoder_layers", "2")); /* the other name does not stay behind */
	ckpt_buffer b = {0};
	CU_ASSERT_TRUE(ckpt_config_print_raw(c, &b, NULL));
	CU_ASSERT_STRING_EQUAL(b.data, "{\n  \"model_type\": \"bart\",\n  \"encoder_layers\": 2,\n  \"num_hidden_layers\": 2\n}\n");
	ckpt_buffer_free(&b);
	ckpt_config_free(c);
	c = parse("{\"model_type\": \"llama\", \"rope_parameters\": {\"rope_theta\": 5.0, \"rope_type\": \"default\"}}");
	CU_ASSERT_TRUE(SET(c, NULL, "rope_theta", "1e6"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_config_json(c, NULL, NULL), "\"rope_theta\": 1000000.0"));
	ckpt_config_free(c);
}

static void evaluates(void)
{
	uint64_t dims[CKPT_SYMBOLS] = {0}, out = 0, sizes[4];
	uint32_t rank;
	dims[CKPT_SYMBOL('H')] = 24;
	dims[CKPT_SYMBOL('A')] = 5;
	dims[CKPT_SYMBOL('V')] = UINT64_MAX;
	CU_ASSERT_TRUE(ckpt_arch_eval("2*H-1", 5, dims, &out) && out == 47);
	CU_ASSERT_TRUE(ckpt_arch_eval("3+2*H", 5, dims, &out) && out == 51);
	CU_ASSERT_FALSE(ckpt_arch_eval("H/A", 3, dims, &out));
	CU_ASSERT_FALSE(ckpt_arch_eval("H/Z", 3, dims, &out));
	CU_ASSERT_FALSE(ckpt_arch_eval("2*V", 3, dims, &out));
	CU_ASSERT_FALSE(ckpt_arch_eval("V+1", 3, dims, &out));
	CU_ASSERT_FALSE(ckpt_arch_eval("1-2", 3, dims, &out));
	CU_ASSERT_FALSE(ckpt_arch_eval("", 0, dims, &out));
	CU_ASSERT_FALSE(ckpt_arch_eval("2*", 2, dims, &out));
	CU_ASSERT_TRUE(ckpt_arch_shape("1,H,A+2", dims, &rank, sizes) && rank == 3 && sizes[1] == 24 && sizes[2] == 7);
	CU_ASSERT_EQUAL(ckpt_arch_axis("P+2,H", 'H'), 1);
	CU_ASSERT_EQUAL(ckpt_arch_axis("P+2,H", 'V'), -1);
}

static const unit_case cases[] = {
	{"prints floats as Python", prints_floats},
	{"prints JSON as Python", prints_as_python},
	{"members change in place", members_change},
	{"refuses bad JSON", refuses_json},
	{"defaults are complete", defaults_are_complete},
	{"prints the config of bert", prints_bert},
	{"understands other names", understands_names},
	{"counts labels", counts_labels},
	{"refuses what makes no model", refuses_models},
	{"refuses changes", refuses_changes},
	{"recomputes what follows", recomputes},
	{"evaluates shapes", evaluates},
	{0},
};

const unit_suite unit_config = {"config", cases};
