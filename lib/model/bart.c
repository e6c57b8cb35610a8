/* bart.c -- BART: a post-norm encoder and decoder with learned positions */
#include "config.h"
#include "rows.h"

enum {
	SHARED = CKPT_PART_OWN,         /* the table that encoder, decoder and head share */
	ENCODER = CKPT_PART_OWN << 1,
	LM = CKPT_PART_OWN << 2,        /* conditional generation */
	CAUSAL = CKPT_PART_OWN << 3,    /* the decoder alone as a language model */
	SEQUENCE = CKPT_PART_OWN << 4,
	QA = CKPT_PART_OWN << 5,
	DECODER = CKPT_PART_BODY,
	WHOLE = SHARED | ENCODER | DECODER
};

static const ckpt_arch_row rows[] = {
	{"final_logits_bias", "1,V", LM, 0, CKPT_INIT_ZERO, CKPT_ROW_BUFFER, NULL, NULL},
	{"shared.weight", "V,H", SHARED, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},
	{"encoder.embed_tokens.weight", "V,H", ENCODER, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, "shared.weight", NULL},
	CKPT_MATRIX(ENCODER, 0, "encoder.embed_positions", "P+2", "H"),
	CKPT_BART_ATTENTION(ENCODER, 0, "encoder.layers.{L}.self_attn"),
	CKPT_NORM(ENCODER, 0, "encoder.layers.{L}.self_attn_layer_norm", "H"),
	CKPT_BART_FEED(ENCODER, 0, "encoder.layers.{L}", "I"),
	CKPT_NORM(ENCODER, 0, "encoder.layers.{L}.final_layer_norm", "H"),
	CKPT_NORM(ENCODER, 0, "encoder.layernorm_embedding", "H"),
	{"decoder.embed_tokens.weight", "V,H", DECODER, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, "shared.weight", NULL},
	CKPT_MATRIX(DECODER, 0, "decoder.embed_positions", "P+2", "H"),
	CKPT_BART_ATTENTION(DECODER, 0, "decoder.layers.{M}.self_attn"),
	CKPT_NORM(DECODER, 0, "decoder.layers.{M}.self_attn_layer_norm", "H"),
	CKPT_BART_ATTENTION(DECODER, 0, "decoder.layers.{M}.encoder_attn"),
	CKPT_NORM(DECODER, 0, "decoder.layers.{M}.encoder_attn_layer_norm", "H"),
	CKPT_BART_FEED(DECODER, 0, "decoder.layers.{M}", "F"),
	CKPT_NORM(DECODER, 0, "decoder.layers.{M}.final_layer_norm", "H"),
	CKPT_NORM(DECODER, 0, "decoder.layernorm_embedding", "H"),
	{"lm_head.weight", "V,H", LM, 0, CKPT_INIT_NORMAL, 0, "shared.weight", NULL},
	{"lm_head.weight", "V,H", CAUSAL, 0, CKPT_INIT_NORMAL, 0, "decoder.embed_tokens.weight", NULL},
	CKPT_LINEAR(SEQUENCE, 0, "classification_head.dense", "H", "H"),
	CKPT_LINEAR(SEQUENCE, 0, "classification_head.out_proj", "N", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "2", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"BartModel", "", WHOLE, 0},
	{"BartForConditionalGeneration", "model.", WHOLE | LM, CKPT_CLASS_GENERATES},
	{"BartForSequenceClassification", "model.", WHOLE | SEQUENCE, 0},
	{"BartForQuestionAnswering", "model.", WHOLE | QA, CKPT_CLASS_TWO_LABELS},
	{"BartForCausalLM", "model.", DECODER | CAUSAL, CKPT_CLASS_GENERATES | CKPT_CLASS_DECODER},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	{'V', "vocab_size", NULL},
	{'H', "d_model", NULL},
	{'L', "encoder_layers", NULL},
	{'M', "decoder_layers", NULL},
	{'I', "encoder_ffn_dim", NULL},
	{'F', "decoder_ffn_dim", NULL},
	{'A', "encoder_attention_heads", NULL},
	{'B', "decoder_attention_heads", NULL},
	{'P', "max_position_embeddings", NULL},
	{0},
};
static const ckpt_arch_alias aliases[] = {
	{"hidden_size", "d_model", NULL},
	{"num_hidden_layers", "encoder_layers", "encoder_layers and decoder_layers"},
	{"num_attention_heads", "encoder_attention_heads", "encoder_attention_heads and decoder_attention_heads"},
	{0}};
static const char *const ignored[] = {"*encoder.version", "*decoder.version", NULL};

static bool check(const ckpt_config *config, ckpt_error *err)
{
	return ckpt_config_divides(config, "d_model", "encoder_attention_heads", err) &&
	       ckpt_config_divides(config, "d_model", "decoder_attention_heads", err);
}

const ckpt_arch ckpt_arch_bart = {
	.type = "bart",
	.config_class = "BartConfig",
	.prefix = "model.",
	.body = WHOLE,
	.std_key = "init_std",
	.rows = rows,
	.symbols = symbols,
	.aliases = aliases,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 'M'},
	.layer_keys = {"encoder_layers", "decoder_layers"},
	.check = check,
};
