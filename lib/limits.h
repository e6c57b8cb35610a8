/* limits.h -- the named limits and their defaults */
#ifndef CKPT_LIB_LIMITS_H
#define CKPT_LIB_LIMITS_H
#include "ckpt.h"

/* The limits with every 0 replaced by its default; limits may be NULL. */
ckpt_limits ckpt_limits_resolve(const ckpt_limits *limits);
/* For help and documentation: name, default, meaning of limit i; false past the last one. */
bool ckpt_limits_at(size_t i, const char **name, uint64_t *value, const char **meaning);
#define CKPT_MAX_RANK 64
#endif
