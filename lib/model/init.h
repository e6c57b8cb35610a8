/* init.h -- the values that a model starts with, before any training */
#ifndef CKPT_MODEL_INIT_H
#define CKPT_MODEL_INIT_H
#include "model.h"

/* The initial values of a slot in its shape, as dtype. The same for every seed and local name, whatever else the model
 * has: drawn by ckpt_rng under the slot's local name. A new source; NULL on failure. */
ckpt_source *ckpt_init_source(const ckpt_model *model, size_t slot, uint64_t seed, ckpt_dtype dtype, ckpt_error *err);

/* What the class writes into its config (num_labels of a question answering model, is_decoder of a lone decoder), and
 * architectures and dtype as save_pretrained does. */
bool ckpt_init_mark_config(ckpt_config *config, const ckpt_arch_class *class, ckpt_dtype dtype, ckpt_error *err);
/* The text of generation_config.json as save_pretrained writes it beside a class that generates; false with an empty
 * error: the class does not. */
bool ckpt_init_generation(const ckpt_config *config, const ckpt_arch_class *class, const char *version, ckpt_buffer *b,
                          ckpt_error *err);
#endif
