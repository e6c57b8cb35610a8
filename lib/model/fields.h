/* fields.h -- what each known key of a config may hold */
#ifndef CKPT_MODEL_FIELDS_H
#define CKPT_MODEL_FIELDS_H
#include "node.h"

typedef enum ckpt_field_kind {
	CKPT_FIELD_INT,
	CKPT_FIELD_FLOAT,
	CKPT_FIELD_BOOL,
	CKPT_FIELD_TEXT,
	CKPT_FIELD_ACTIVATION,
	CKPT_FIELD_DTYPE,
	CKPT_FIELD_TOKEN,      /* an id, or a list of ids */
	CKPT_FIELD_ID_LABELS,  /* {"0": "LABEL_0", ...} */
	CKPT_FIELD_LABEL_IDS,  /* {"LABEL_0": 0, ...} */
	CKPT_FIELD_TEXTS,      /* a list of strings */
	CKPT_FIELD_DICT,
	CKPT_FIELD_EMPTY_DICT  /* what it would hold is not supported */
} ckpt_field_kind;

typedef struct ckpt_field {
	const char *key;
	ckpt_field_kind kind;
	bool nullable;
	double min, max; /* of INT and FLOAT */
} ckpt_field;

/* NULL: an unknown key. */
const ckpt_field *ckpt_field_find(const char *key);
/* Says what was found and what is wanted, starting with the key. */
bool ckpt_field_check(const ckpt_field *field, const ckpt_node *value, ckpt_error *err);
/* The value that a person typed: JSON where it is JSON, else a string; None, True and False as in Python. A field of
 * text takes the words as they are. */
ckpt_node *ckpt_field_parse(ckpt_arena *a, const ckpt_field *field, const char *text, ckpt_error *err);
/* The activation functions that ckpt knows. */
bool ckpt_activation_known(const char *name);
#endif
