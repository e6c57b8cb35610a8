/* arch.h -- the contract of an architecture row: the table of tensors that a model type is made of
 *
 * A row is a leaf .c file whose only non-static symbol is one const struct ckpt_arch, listed in arch.c. The table of
 * tensor rows is the heart: expected names and order, shape checks, the loading report, random weights, reshaping,
 * parameter counts and vocabulary resizing all walk it.
 */
#ifndef CKPT_MODEL_ARCH_H
#define CKPT_MODEL_ARCH_H
#include "../ckpt.h"
#include "node.h"

struct ckpt_config;

/* Where the number of labels and whether word embeddings are tied come from is the same for all types:
 * N is the length of id2label, see config.c. Every other symbol is declared by the architecture. */
#define CKPT_SYMBOLS 26
#define CKPT_SYMBOL(letter) ((size_t)((letter) - 'A'))

typedef enum ckpt_init_rule {
	CKPT_INIT_NORMAL,  /* N(0, s), s being the number under the type's std_key, divided by the root of row->over */
	CKPT_INIT_ZERO,
	CKPT_INIT_ONE,
	CKPT_INIT_FACTOR,  /* every element is the number under std_key */
	CKPT_INIT_SINUSOID /* N(0, s), or sine and cosine of the position when the config says sinusoidal_pos_embds */
} ckpt_init_rule;

/* Flags of a row. */
enum {
	CKPT_ROW_PAD = 1,         /* row pad_token_id is zero */
	CKPT_ROW_BUFFER = 2,      /* no parameter: not counted, and not missed when absent */
	CKPT_ROW_ALWAYS_TIED = 4, /* tied whatever tie_word_embeddings says */
	CKPT_ROW_FIRST = 8        /* only for index 0, and never moved when layers are picked */
};

/* Conditions on the config: a row belongs to the model when all bits of row->when hold. */
enum {
	CKPT_WHEN_CROSS = 1,        /* the decoder attends to an encoder */
	CKPT_WHEN_GATED = 2,        /* gated feed forward */
	CKPT_WHEN_PLAIN = 4,        /* not gated */
	CKPT_WHEN_PROJECT = 8,      /* embedding size differs from hidden size */
	CKPT_WHEN_QKV_BIAS = 16,
	CKPT_WHEN_O_BIAS = 32,
	CKPT_WHEN_MLP_BIAS = 64,
	CKPT_WHEN_BIAS = 128,       /* linear layers have a bias */
	CKPT_WHEN_AFFINE = 256,     /* layer norms have weights */
	CKPT_WHEN_FINAL_NORM = 512,
	CKPT_WHEN_RELATIVE = 1024,  /* relative positions: distance embeddings */
	CKPT_WHEN_SUMMARY = 2048,   /* the summary has a projection */
	CKPT_WHEN_TO_LABELS = 4096, /* to one number a label, */
	CKPT_WHEN_TO_HIDDEN = 8192  /* or to the hidden size */
};

/* Parts of a model that every type may have; further bits are its own. A class names the parts it is made of. */
enum { CKPT_PART_BODY = 1, CKPT_PART_POOLER = 2, CKPT_PART_OWN = 4 };

typedef struct ckpt_arch_row {
	const char *name;   /* without the base-model prefix; {L} runs over 0 .. L-1 */
	const char *shape;  /* "V,H", "3*H", "P+2,H": symbols, numbers and + - * / between them */
	uint32_t parts;     /* a class that has one of these parts has the row */
	uint32_t when;      /* conditions, all of which must hold */
	ckpt_init_rule init;
	uint32_t flags;
	const char *tied;   /* name of the row whose values it shares while embeddings are tied, or NULL */
	const char *over;   /* CKPT_INIT_NORMAL: std is divided by the root of this, written like a shape; or NULL */
} ckpt_arch_row;

/* Symbol = config key, or when that is absent or null an expression over earlier symbols. */
typedef struct ckpt_arch_symbol {
	char letter;
	const char *key;      /* NULL: always the expression */
	const char *otherwise; /* NULL: the key is required */
} ckpt_arch_symbol;

typedef struct ckpt_arch_alias {
	const char *alias, *key;
	const char *instead; /* not NULL: setting the alias would change half of the model or nothing; set these keys */
} ckpt_arch_alias;

typedef struct ckpt_arch_class {
	const char *name;   /* "BertForMaskedLM" */
	const char *prefix; /* in front of the names of body rows: "bert.", or "" */
	uint32_t parts;
	uint32_t flags;
} ckpt_arch_class;

enum {
	CKPT_CLASS_GENERATES = 1, /* save_pretrained writes generation_config.json too */
	CKPT_CLASS_ONE_LABEL = 2, /* sets num_labels to 1, 2 */
	CKPT_CLASS_TWO_LABELS = 4,
	CKPT_CLASS_DECODER = 8,   /* the decoder alone: the config says is_decoder, and not is_encoder_decoder */
	CKPT_CLASS_ENCODER = 16   /* the encoder alone: the config says neither, nor use_cache */
};

typedef struct ckpt_arch {
	const char *type;                 /* model_type: "bert" */
	const char *config_class;         /* "BertConfig" */
	const char *prefix;               /* base_model_prefix with its dot: "bert." */
	const char *const *old_prefixes;  /* further prefixes that files carry, NULL-terminated; or NULL */
	uint32_t body;                    /* the parts whose rows get the prefix */
	const char *std_key;              /* "initializer_range" */
	const ckpt_arch_row *rows;        /* in state_dict order, ending with a NULL name */
	const ckpt_arch_symbol *symbols;  /* ending with letter 0 */
	const ckpt_arch_alias *aliases;   /* ending with NULL, or NULL */
	const ckpt_arch_class *classes;   /* the base model first; ending with a NULL name */
	const char *const *ignored;       /* patterns of names that files carry and no model needs, NULL-terminated */
	const ckpt_arch_alias *spellings; /* endings of tensor names: old (alias) and today's (key); NULL: only the shared ones */
	/* The symbols that layers are numbered by: encoder (or only stack) and decoder; 0: none. */
	char layers[2];
	const char *layer_keys[2];        /* and their config keys */
	/* For recognising the type by its tensors: conditions that hold always, never, or all together. */
	uint32_t always, never, together;
	/* Completes derived fields of the full config (before the sizes are known), checks what is special to the type,
	 * says which conditions hold. Each may be NULL. */
	bool (*derive)(struct ckpt_config *config, ckpt_error *err);
	bool (*check)(const struct ckpt_config *config, ckpt_error *err);
	uint32_t (*when)(const struct ckpt_config *config);
	/* Why setting the key does nothing with this config ("while use_sliding_window is false"), or NULL. */
	const char *(*idle)(const struct ckpt_config *config, const char *key);
} ckpt_arch;

/* The table. */
const ckpt_arch *ckpt_arch_at(size_t i); /* NULL past the end */
const ckpt_arch *ckpt_arch_find(const char *type);
/* "albert, bart, bert, ...", for messages. Into text of size bytes. */
const char *ckpt_arch_list(char *text, size_t size);
/* Whole class name ("BertForMaskedLM"), or what follows the model's name ("ForMaskedLM"); NULL when there is none. */
const ckpt_arch_class *ckpt_arch_class_find(const ckpt_arch *arch, const char *name);

/* The text of data/configs/TYPE.json, from the generated defaults.c; NULL when there is none. */
const char *ckpt_arch_defaults(const char *type);

/* Evaluates an expression of symbols over dims: false when a number overflows or a division has a rest. */
bool ckpt_arch_eval(const char *expression, size_t length, const uint64_t dims[CKPT_SYMBOLS], uint64_t *out);
/* A shape of up to 4 sizes. */
bool ckpt_arch_shape(const char *shape, const uint64_t dims[CKPT_SYMBOLS], uint32_t *rank, uint64_t out[4]);
/* The axis whose size depends on the symbol, or -1. */
int ckpt_arch_axis(const char *shape, char symbol);

/* Rows that several types share. */
#define CKPT_LINEAR(part, when, name, out, in)                                                                         \
	{name ".weight", out "," in, part, when, CKPT_INIT_NORMAL, 0, NULL, NULL},                                     \
	{                                                                                                              \
		name ".bias", out, part, when, CKPT_INIT_ZERO, 0, NULL, NULL                                           \
	}
#define CKPT_MATRIX(part, when, name, out, in)                                                                         \
	{                                                                                                              \
		name ".weight", out "," in, part, when, CKPT_INIT_NORMAL, 0, NULL, NULL                                \
	}
#define CKPT_BIAS(part, when, name, out)                                                                               \
	{                                                                                                              \
		name ".bias", out, part, when, CKPT_INIT_ZERO, 0, NULL, NULL                                           \
	}
#define CKPT_RMS(part, name, size)                                                                                     \
	{                                                                                                              \
		name ".weight", size, part, 0, CKPT_INIT_ONE, 0, NULL, NULL                                            \
	}
#define CKPT_NORM(part, when, name, size)                                                                              \
	{name ".weight", size, part, when, CKPT_INIT_ONE, 0, NULL, NULL},                                              \
	{                                                                                                              \
		name ".bias", size, part, when, CKPT_INIT_ZERO, 0, NULL, NULL                                          \
	}
#endif
