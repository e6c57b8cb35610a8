/* names.h -- from a tensor's name to its index, in constant time */
#ifndef CKPT_LIB_NAMES_H
#define CKPT_LIB_NAMES_H
#include "ckpt.h"

/* An open-addressing table over names that others own. The hash is keyed with random bits, so that a file cannot
 * choose names that collide. */
typedef struct ckpt_name_index ckpt_name_index;
ckpt_name_index *ckpt_names_new(void);
void ckpt_names_free(ckpt_name_index *x);
/* False when out of memory. The name must not be there yet. */
bool ckpt_names_add(ckpt_name_index *x, const char *name, size_t index);
size_t ckpt_names_find(const ckpt_name_index *x, const char *name); /* SIZE_MAX: not there */
#endif
