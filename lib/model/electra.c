/* electra.c -- ELECTRA: BERT's body behind narrow embeddings, as generator or discriminator */
#include "config.h"
#include "rows.h"

enum {
	GENERATOR = CKPT_PART_OWN,
	DISCRIMINATOR = CKPT_PART_OWN << 1,
	SEQUENCE = CKPT_PART_OWN << 2,
	TOKENS = CKPT_PART_OWN << 3,
	CHOICE = CKPT_PART_OWN << 4,
	QA = CKPT_PART_OWN << 5
};

static const ckpt_arch_row rows[] = {
	CKPT_BERT_EMBEDDINGS,
	CKPT_LINEAR(CKPT_PART_BODY, CKPT_WHEN_PROJECT, "embeddings_project", "H", "E"),
	CKPT_BERT_LAYERS,
	CKPT_NORM(GENERATOR, 0, "generator_predictions.LayerNorm", "E"),
	CKPT_LINEAR(GENERATOR, 0, "generator_predictions.dense", "E", "H"),
	{"generator_lm_head.weight", "V,E", GENERATOR, 0, CKPT_INIT_NORMAL, 0, "embeddings.word_embeddings.weight", NULL},
	CKPT_BIAS(GENERATOR, 0, "generator_lm_head", "V"),
	CKPT_LINEAR(DISCRIMINATOR, 0, "discriminator_predictions.dense", "H", "H"),
	CKPT_LINEAR(DISCRIMINATOR, 0, "discriminator_predictions.dense_prediction", "1", "H"),
	CKPT_LINEAR(SEQUENCE, 0, "classifier.dense", "H", "H"),
	CKPT_LINEAR(SEQUENCE, 0, "classifier.out_proj", "N", "H"),
	CKPT_LINEAR(TOKENS, 0, "classifier", "N", "H"),
	CKPT_LINEAR(CHOICE, CKPT_WHEN_SUMMARY, "sequence_summary.summary", "H", "H"),
	CKPT_LINEAR(CHOICE, 0, "classifier", "1", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "N", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"ElectraModel", "", CKPT_PART_BODY, 0},
	{"ElectraForPreTraining", "electra.", CKPT_PART_BODY | DISCRIMINATOR, 0},
	{"ElectraForMaskedLM", "electra.", CKPT_PART_BODY | GENERATOR, 0},
	{"ElectraForCausalLM", "electra.", CKPT_PART_BODY | GENERATOR, CKPT_CLASS_GENERATES},
	{"ElectraForSequenceClassification", "electra.", CKPT_PART_BODY | SEQUENCE, 0},
	{"ElectraForTokenClassification", "electra.", CKPT_PART_BODY | TOKENS, 0},
	{"ElectraForMultipleChoice", "electra.", CKPT_PART_BODY | CHOICE, 0},
	{"ElectraForQuestionAnswering", "electra.", CKPT_PART_BODY | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	CKPT_BERT_SYMBOLS, {'E', "embedding_size", "H"}, {'D', NULL, "H/A"}, {0}};
static const char *const ignored[] = {"*embeddings.position_ids", "*embeddings.token_type_ids", NULL};

static bool check(const ckpt_config *config, ckpt_error *err) { return ckpt_bert_check(config, err); }

static uint32_t when(const ckpt_config *config)
{
	uint32_t bits = ckpt_bert_when(config);
	if (ckpt_config_dim(config, 'E') != ckpt_config_dim(config, 'H')) bits |= CKPT_WHEN_PROJECT;
	if (ckpt_config_bool(config, "summary_use_proj", true)) bits |= CKPT_WHEN_SUMMARY;
	return bits;
}

const ckpt_arch ckpt_arch_electra = {
	.type = "electra",
	.config_class = "ElectraConfig",
	.prefix = "electra.",
	.body = CKPT_PART_BODY,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.check = check,
	.when = when,
};
