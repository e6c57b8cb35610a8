/* ends_in.h -- whether one text ends in another */
#ifndef CKPT_LIB_ENDS_IN_H
#define CKPT_LIB_ENDS_IN_H
#include <stdbool.h>
#include <string.h>

static inline bool ckpt_ends_in(const char *text, const char *ending)
{
	size_t n = strlen(text), k = strlen(ending);
	return n >= k && memcmp(text + n - k, ending, k) == 0;
}
#endif
