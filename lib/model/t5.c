/* t5.c -- T5: an encoder and decoder without biases, with relative positions learned in the first block */
#include "../error.h"
#include "config.h"
#include "fields.h"
#include "rows.h"
#include <string.h>

enum {
	SHARED = CKPT_PART_BODY,
	ENCODER = CKPT_PART_OWN,
	DECODER = CKPT_PART_OWN << 1,
	LM = CKPT_PART_OWN << 2,
	SEQUENCE = CKPT_PART_OWN << 3,
	TOKENS = CKPT_PART_OWN << 4,
	QA = CKPT_PART_OWN << 5,
	WHOLE = SHARED | ENCODER | DECODER
};

#define MATRIX(part, when, name, out, in, over)                                                                        \
	{                                                                                                              \
		name ".weight", out "," in, part, when, CKPT_INIT_NORMAL, 0, NULL, over                                \
	}
#define NORM(part, name)                                                                                               \
	{                                                                                                              \
		name ".weight", "H", part, 0, CKPT_INIT_FACTOR, 0, NULL, NULL                                          \
	}
#define ATTENTION(part, name)                                                                                          \
	MATRIX(part, 0, name ".q", "A*D", "H", "H*D"), MATRIX(part, 0, name ".k", "A*D", "H", "H"),                    \
		MATRIX(part, 0, name ".v", "A*D", "H", "H"), MATRIX(part, 0, name ".o", "H", "A*D", "A*D")
#define BUCKETS(part, name)                                                                                            \
	{                                                                                                              \
		name ".relative_attention_bias.weight", "B,A", part, 0, CKPT_INIT_NORMAL, CKPT_ROW_FIRST, NULL, "H"    \
	}
#define FEED(part, name)                                                                                               \
	MATRIX(part, CKPT_WHEN_PLAIN, name ".wi", "I", "H", "H"),                                                      \
		MATRIX(part, CKPT_WHEN_GATED, name ".wi_0", "I", "H", "H"),                                            \
		MATRIX(part, CKPT_WHEN_GATED, name ".wi_1", "I", "H", "H"), MATRIX(part, 0, name ".wo", "H", "I", "I")
#define TABLE(part, name)                                                                                              \
	{                                                                                                              \
		name ".embed_tokens.weight", "V,H", part, 0, CKPT_INIT_NORMAL, CKPT_ROW_ALWAYS_TIED, "shared.weight",  \
			NULL                                                                                           \
	}
#define LINEAR(part, name, out, over) MATRIX(part, 0, name, out, "H", over), CKPT_BIAS(part, 0, name, out)

static const ckpt_arch_row rows[] = {
	MATRIX(SHARED, 0, "shared", "V", "H", NULL),
	TABLE(ENCODER, "encoder"),
	ATTENTION(ENCODER, "encoder.block.{L}.layer.0.SelfAttention"),
	BUCKETS(ENCODER, "encoder.block.{L}.layer.0.SelfAttention"),
	NORM(ENCODER, "encoder.block.{L}.layer.0.layer_norm"),
	FEED(ENCODER, "encoder.block.{L}.layer.1.DenseReluDense"),
	NORM(ENCODER, "encoder.block.{L}.layer.1.layer_norm"),
	NORM(ENCODER, "encoder.final_layer_norm"),
	TABLE(DECODER, "decoder"),
	ATTENTION(DECODER, "decoder.block.{M}.layer.0.SelfAttention"),
	BUCKETS(DECODER, "decoder.block.{M}.layer.0.SelfAttention"),
	NORM(DECODER, "decoder.block.{M}.layer.0.layer_norm"),
	ATTENTION(DECODER, "decoder.block.{M}.layer.1.EncDecAttention"),
	NORM(DECODER, "decoder.block.{M}.layer.1.layer_norm"),
	FEED(DECODER, "decoder.block.{M}.layer.2.DenseReluDense"),
	NORM(DECODER, "decoder.block.{M}.layer.2.layer_norm"),
	NORM(DECODER, "decoder.final_layer_norm"),
	{"lm_head.weight", "V,H", LM, 0, CKPT_INIT_NORMAL, 0, "shared.weight", NULL},
	LINEAR(SEQUENCE, "classification_head.dense", "H", "H"),
	LINEAR(SEQUENCE, "classification_head.out_proj", "N", "H"),
	LINEAR(TOKENS, "classifier", "N", NULL),
	LINEAR(QA, "qa_outputs", "N", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"T5Model", "", WHOLE, 0},
	{"T5ForConditionalGeneration", "", WHOLE | LM, CKPT_CLASS_GENERATES},
	{"T5EncoderModel", "", SHARED | ENCODER, CKPT_CLASS_ENCODER},
	{"T5ForSequenceClassification", "transformer.", WHOLE | SEQUENCE, 0},
	{"T5ForTokenClassification", "transformer.", SHARED | ENCODER | TOKENS, CKPT_CLASS_ENCODER},
	{"T5ForQuestionAnswering", "", WHOLE | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	{'V', "vocab_size", NULL},
	{'H', "d_model", NULL},
	{'D', "d_kv", NULL},
	{'I', "d_ff", NULL},
	{'L', "num_layers", NULL},
	{'M', "num_decoder_layers", "L"},
	{'A', "num_heads", NULL},
	{'B', "relative_attention_num_buckets", NULL},
	{0},
};
static const ckpt_arch_alias aliases[] = {
	{"hidden_size", "d_model", NULL},
	{"num_attention_heads", "num_heads", NULL},
	{"num_hidden_layers", "num_layers", "num_layers and num_decoder_layers"},
	{"head_dim", "d_kv", NULL},
	{"dense_act_fn", "dense_act_fn", "feed_forward_proj"},
	{"is_gated_act", "is_gated_act", "feed_forward_proj"},
	{0}};
static const char *const ignored[] = {
	"*decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", NULL};

static bool derive(ckpt_config *config, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *full = config->full;
	const char *form = ckpt_node_get(full, "feed_forward_proj")->text;
	const char *dash = strrchr(form, '-');
	bool gated = !strncmp(form, "gated-", 6), tied = ckpt_config_bool(config, "tie_word_embeddings", true);
	const char *act = !strcmp(form, "gated-gelu") ? "gelu_new" : dash ? dash + 1 : form;
	if (!ckpt_config_derive(config, "num_decoder_layers", ckpt_node_copy(a, ckpt_node_get(full, "num_layers")), err))
		return false;
	/* the outputs of a model with a head of its own were never scaled; the flag remembers that when tying changes */
	return ckpt_config_derive(config, "scale_decoder_outputs", ckpt_node_new_bool(a, tied), err) &&
	       ckpt_node_put(a, full, "dense_act_fn", ckpt_node_new_string(a, act), err) &&
	       ckpt_node_put(a, full, "is_gated_act", ckpt_node_new_bool(a, gated), err);
}

static bool check(const ckpt_config *config, ckpt_error *err)
{
	const char *form = ckpt_config_text(config, "feed_forward_proj");
	const char *dash = strchr(form, '-');
	const char *act = ckpt_config_text(config, "dense_act_fn");
	if ((dash && (strncmp(form, "gated-", 6) || strchr(dash + 1, '-'))) || !ckpt_activation_known(act))
		return ckpt_fail(err, CKPT_E_USAGE, "feed_forward_proj is \"%s\"; an activation function, alone or behind "
		                                    "\"gated-\", is wanted", form);
	return true;
}

static uint32_t when(const ckpt_config *config)
{
	return ckpt_config_bool(config, "is_gated_act", false) ? CKPT_WHEN_GATED : CKPT_WHEN_PLAIN;
}

const ckpt_arch ckpt_arch_t5 = {
	.type = "t5",
	.config_class = "T5Config",
	.prefix = "transformer.",
	.body = WHOLE,
	.std_key = "initializer_factor",
	.rows = rows,
	.symbols = symbols,
	.aliases = aliases,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 'M'},
	.layer_keys = {"num_layers", "num_decoder_layers"},
	.derive = derive,
	.check = check,
	.when = when,
};
