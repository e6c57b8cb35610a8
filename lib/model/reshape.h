/* reshape.h -- inside of a reshaped model: where each of its tensors comes from */
#ifndef CKPT_MODEL_RESHAPE_H
#define CKPT_MODEL_RESHAPE_H
#include "model.h"

typedef enum ckpt_fate {
	CKPT_KEPT,
	CKPT_MOVED,  /* from another layer */
	CKPT_CUT,    /* the last rows are gone */
	CKPT_GROWN,  /* new rows behind the old ones */
	CKPT_NEW,    /* there was none: drawn */
	CKPT_REDRAWN,/* there was one of another shape, or it was asked for: drawn */
	CKPT_TIED,   /* shares what another one has */
	CKPT_DROPPED,
	CKPT_FATES
} ckpt_fate;

typedef struct ckpt_origin {
	ckpt_fate fate;
	const ckpt_tensor *tensor; /* KEPT MOVED CUT GROWN: what it is made of; REDRAWN: what it replaces, or NULL */
	size_t old;                /* the slot of the old model, or CKPT_NO_SLOT */
} ckpt_origin;

/* Which old layer each new one is; CKPT_NEW_LAYER: none. */
#define CKPT_NEW_LAYER UINT32_MAX
typedef struct ckpt_layer_map {
	uint32_t *from;
	uint64_t count;
} ckpt_layer_map;

struct ckpt_reshape {
	const ckpt_model *old;
	ckpt_config *config;
	ckpt_model *model;
	ckpt_origin *origins;   /* one for each slot of model */
	bool *used;             /* one for each tensor of the old checkpoint */
	ckpt_layer_map maps[2];
	uint64_t seed;
	bool draw_new_rows;
	ckpt_dtype dtype;       /* of new tensors */
	ckpt_checkpoint *made;
	ckpt_buffer config_text;
	char *text;             /* the last report */
};

/* layers.c: "0,2,4" or "0-4,4-9" over layers 0 .. have-1. */
bool ckpt_layers_parse(const char *text, uint64_t have, const char *what, ckpt_layer_map *out, ckpt_error *err);
/* The first `want` of `have` layers, and new ones where there are fewer. */
bool ckpt_layers_first(uint64_t want, uint64_t have, ckpt_layer_map *out, ckpt_error *err);
/* plan.c: fills r->origins. */
bool ckpt_reshape_plan(ckpt_reshape *r, const ckpt_reshape_options *options, ckpt_error *err);
/* The axis along which the slot's table may be cut or grown to the new shape, or -1: shapes differ otherwise. */
int ckpt_reshape_axis(const ckpt_slot *slot, const ckpt_tensor *old);
#endif
