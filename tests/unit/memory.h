/* memory.h -- lets one call of malloc, calloc, realloc, reallocarray, strdup or strndup fail */
#ifndef CKPT_UNIT_MEMORY_H
#define CKPT_UNIT_MEMORY_H
#include <stdbool.h>

/* The call-th one from now on returns NULL; the C library's own calls do not count. */
void unit_memory_fail(long call);
/* Whether it came to that; none fails after this. */
bool unit_memory_failed(void);
#endif
