/* rows.h -- tensor rows that several architectures are made of */
#ifndef CKPT_MODEL_ROWS_H
#define CKPT_MODEL_ROWS_H
#include "arch.h"

/* Embeddings of the BERT family: E is the width of the tables. */
#define CKPT_BERT_EMBEDDINGS                                                                                           \
	{"embeddings.word_embeddings.weight", "V,E", CKPT_PART_BODY, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},   \
		CKPT_MATRIX(CKPT_PART_BODY, 0, "embeddings.position_embeddings", "P", "E"),                            \
		CKPT_MATRIX(CKPT_PART_BODY, 0, "embeddings.token_type_embeddings", "T", "E"),                          \
		CKPT_NORM(CKPT_PART_BODY, 0, "embeddings.LayerNorm", "E")

#define CKPT_BERT_ATTENTION(when, name)                                                                                \
	CKPT_LINEAR(CKPT_PART_BODY, when, name ".self.query", "H", "H"),                                               \
	CKPT_LINEAR(CKPT_PART_BODY, when, name ".self.key", "H", "H"),                                                 \
	CKPT_LINEAR(CKPT_PART_BODY, when, name ".self.value", "H", "H"),                                               \
	CKPT_MATRIX(CKPT_PART_BODY, (when) | CKPT_WHEN_RELATIVE, name ".self.distance_embedding", "2*P-1", "D"),       \
	CKPT_LINEAR(CKPT_PART_BODY, when, name ".output.dense", "H", "H"),                                             \
	CKPT_NORM(CKPT_PART_BODY, when, name ".output.LayerNorm", "H")

#define CKPT_BERT_LAYERS                                                                                               \
	CKPT_BERT_ATTENTION(0, "encoder.layer.{L}.attention"),                                                         \
	CKPT_BERT_ATTENTION(CKPT_WHEN_CROSS, "encoder.layer.{L}.crossattention"),                                      \
	CKPT_LINEAR(CKPT_PART_BODY, 0, "encoder.layer.{L}.intermediate.dense", "I", "H"),                              \
	CKPT_LINEAR(CKPT_PART_BODY, 0, "encoder.layer.{L}.output.dense", "H", "I"),                                    \
	CKPT_NORM(CKPT_PART_BODY, 0, "encoder.layer.{L}.output.LayerNorm", "H")

/* Symbols of the BERT family, apart from E. */
#define CKPT_BERT_SYMBOLS                                                                                              \
	{'V', "vocab_size", NULL}, {'H', "hidden_size", NULL}, {'L', "num_hidden_layers", NULL},                       \
		{'A', "num_attention_heads", NULL}, {'I', "intermediate_size", NULL},                                  \
		{'P', "max_position_embeddings", NULL}, {'T', "type_vocab_size", NULL}

/* family.c: what the members of a family share besides their rows. */
bool ckpt_bert_check(const struct ckpt_config *config, ckpt_error *err);
uint32_t ckpt_bert_when(const struct ckpt_config *config);
/* head_dim = hidden_size / num_attention_heads, for types that write it down. */
bool ckpt_llama_head_dim(struct ckpt_config *config, ckpt_error *err);
bool ckpt_llama_derive(struct ckpt_config *config, ckpt_error *err);
bool ckpt_llama_check(const struct ckpt_config *config, ckpt_error *err);

/* Llama and its descendants. */
#define CKPT_LLAMA_ROWS                                                                                                \
	{"embed_tokens.weight", "V,H", CKPT_PART_BODY, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},                 \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.self_attn.q_proj", "A*D", "H"),                                     \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_QKV_BIAS, "layers.{L}.self_attn.q_proj", "A*D"),                           \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.self_attn.k_proj", "K*D", "H"),                                     \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_QKV_BIAS, "layers.{L}.self_attn.k_proj", "K*D"),                           \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.self_attn.v_proj", "K*D", "H"),                                     \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_QKV_BIAS, "layers.{L}.self_attn.v_proj", "K*D"),                           \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.self_attn.o_proj", "H", "A*D"),                                     \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_O_BIAS, "layers.{L}.self_attn.o_proj", "H"),                               \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.mlp.gate_proj", "I", "H"),                                          \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_MLP_BIAS, "layers.{L}.mlp.gate_proj", "I"),                                \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.mlp.up_proj", "I", "H"),                                            \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_MLP_BIAS, "layers.{L}.mlp.up_proj", "I"),                                  \
	CKPT_MATRIX(CKPT_PART_BODY, 0, "layers.{L}.mlp.down_proj", "H", "I"),                                          \
	CKPT_BIAS(CKPT_PART_BODY, CKPT_WHEN_MLP_BIAS, "layers.{L}.mlp.down_proj", "H"),                                \
	CKPT_RMS(CKPT_PART_BODY, "layers.{L}.input_layernorm", "H"),                                                   \
	CKPT_RMS(CKPT_PART_BODY, "layers.{L}.post_attention_layernorm", "H"),                                          \
	CKPT_RMS(CKPT_PART_BODY, "norm", "H")

/* The heads of Llama and its descendants, as parts. */
enum {
	CKPT_LLAMA_LM = CKPT_PART_OWN,
	CKPT_LLAMA_SCORE = CKPT_PART_OWN << 1,  /* sequence classification: score without bias */
	CKPT_LLAMA_TOKENS = CKPT_PART_OWN << 2, /* token classification: score with bias */
	CKPT_LLAMA_QA = CKPT_PART_OWN << 3
};

#define CKPT_LLAMA_HEADS                                                                                               \
	{"lm_head.weight", "V,H", CKPT_LLAMA_LM, 0, CKPT_INIT_NORMAL, 0, "embed_tokens.weight", NULL},                 \
	CKPT_MATRIX(CKPT_LLAMA_SCORE | CKPT_LLAMA_TOKENS, 0, "score", "N", "H"),                                       \
	CKPT_BIAS(CKPT_LLAMA_TOKENS, 0, "score", "N"), CKPT_LINEAR(CKPT_LLAMA_QA, 0, "qa_outputs", "2", "H")

#define CKPT_LLAMA_SYMBOLS                                                                                             \
	{'V', "vocab_size", NULL}, {'H', "hidden_size", NULL}, {'L', "num_hidden_layers", NULL},                       \
		{'A', "num_attention_heads", NULL}, {'K', "num_key_value_heads", "A"}, {'D', "head_dim", "H/A"},       \
		{'I', "intermediate_size", NULL}, {'P', "max_position_embeddings", NULL}

/* A layer of BART or OPT: self attention, feed forward of width F. */
#define CKPT_BART_ATTENTION(part, when, name)                                                                          \
	CKPT_MATRIX(part, 0, name ".k_proj", "H", "H"), CKPT_BIAS(part, when, name ".k_proj", "H"),                    \
		CKPT_MATRIX(part, 0, name ".v_proj", "H", "H"), CKPT_BIAS(part, when, name ".v_proj", "H"),            \
		CKPT_MATRIX(part, 0, name ".q_proj", "H", "H"), CKPT_BIAS(part, when, name ".q_proj", "H"),            \
		CKPT_MATRIX(part, 0, name ".out_proj", "H", "H"), CKPT_BIAS(part, when, name ".out_proj", "H")
#define CKPT_BART_FEED(part, when, name, width)                                                                        \
	CKPT_MATRIX(part, 0, name ".fc1", width, "H"), CKPT_BIAS(part, when, name ".fc1", width),                      \
		CKPT_MATRIX(part, 0, name ".fc2", "H", width), CKPT_BIAS(part, when, name ".fc2", "H")
#endif
