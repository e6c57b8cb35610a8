/* albert.c -- ALBERT: BERT with layers that share their weights in groups, behind narrow embeddings */
#include "config.h"
#include "rows.h"

enum {
	MLM = CKPT_PART_OWN,
	ORDER = CKPT_PART_OWN << 1, /* sentence order prediction */
	LABELS = CKPT_PART_OWN << 2,
	CHOICE = CKPT_PART_OWN << 3,
	QA = CKPT_PART_OWN << 4
};

#define LAYER "encoder.albert_layer_groups.{G}.albert_layers.{J}"

static const ckpt_arch_row rows[] = {
	CKPT_BERT_EMBEDDINGS,
	CKPT_LINEAR(CKPT_PART_BODY, 0, "encoder.embedding_hidden_mapping_in", "H", "E"),
	CKPT_NORM(CKPT_PART_BODY, 0, LAYER ".full_layer_layer_norm", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.query", "H", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.key", "H", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.value", "H", "H"),
	CKPT_MATRIX(CKPT_PART_BODY, CKPT_WHEN_RELATIVE, LAYER ".attention.distance_embedding", "2*P-1", "D"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.dense", "H", "H"),
	CKPT_NORM(CKPT_PART_BODY, 0, LAYER ".attention.LayerNorm", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".ffn", "I", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".ffn_output", "H", "I"),
	CKPT_LINEAR(CKPT_PART_POOLER, 0, "pooler", "H", "H"),
	{"predictions.bias", "V", MLM, 0, CKPT_INIT_ZERO, 0, NULL, NULL},
	CKPT_NORM(MLM, 0, "predictions.LayerNorm", "E"),
	CKPT_LINEAR(MLM, 0, "predictions.dense", "E", "H"),
	{"predictions.decoder.weight", "V,E", MLM, 0, CKPT_INIT_NORMAL, 0, "embeddings.word_embeddings.weight", NULL},
	{"predictions.decoder.bias", "V", MLM, 0, CKPT_INIT_ZERO, 0, "predictions.bias", NULL},
	CKPT_LINEAR(ORDER, 0, "sop_classifier.classifier", "N", "H"),
	CKPT_LINEAR(LABELS, 0, "classifier", "N", "H"),
	CKPT_LINEAR(CHOICE, 0, "classifier", "1", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "N", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"AlbertModel", "", CKPT_PART_BODY | CKPT_PART_POOLER, 0},
	{"AlbertForPreTraining", "albert.", CKPT_PART_BODY | CKPT_PART_POOLER | MLM | ORDER, 0},
	{"AlbertForMaskedLM", "albert.", CKPT_PART_BODY | MLM, 0},
	{"AlbertForSequenceClassification", "albert.", CKPT_PART_BODY | CKPT_PART_POOLER | LABELS, 0},
	{"AlbertForTokenClassification", "albert.", CKPT_PART_BODY | LABELS, 0},
	{"AlbertForMultipleChoice", "albert.", CKPT_PART_BODY | CKPT_PART_POOLER | CHOICE, 0},
	{"AlbertForQuestionAnswering", "albert.", CKPT_PART_BODY | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	CKPT_BERT_SYMBOLS,           {'E', "embedding_size", NULL}, {'G', "num_hidden_groups", NULL},
	{'J', "inner_group_num", NULL}, {'D', NULL, "H/A"},            {0}};
static const char *const ignored[] = {"*embeddings.position_ids", "*embeddings.token_type_ids", NULL};

static bool check(const ckpt_config *config, ckpt_error *err) { return ckpt_bert_check(config, err); }
static uint32_t when(const ckpt_config *config) { return ckpt_bert_when(config); }

const ckpt_arch ckpt_arch_albert = {
	.type = "albert",
	.config_class = "AlbertConfig",
	.prefix = "albert.",
	.body = CKPT_PART_BODY | CKPT_PART_POOLER,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.layers = {0, 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.check = check,
	.when = when,
};
