/* pickle_memo.h -- the memo of the pickle machine: numbers to values
 *
 * Numbers come in order from 0 as a rule, but any of 32 bits may come: those far beyond the count go to a hash table,
 * so that memory follows the number of entries.
 */
#ifndef CKPT_FORMATS_PICKLE_MEMO_H
#define CKPT_FORMATS_PICKLE_MEMO_H
#include "../lib/value.h"

typedef struct ckpt_pickle_memo {
	ckpt_value **dense;
	size_t dense_size, dense_used; /* what lies behind the used ones was never written */
	struct ckpt_pickle_memo_slot *sparse;
	size_t sparse_size, sparse_count;
	uint64_t puts;    /* entries stored so far, overwritten ones too */
	uint64_t entries; /* distinct numbers: what MEMOIZE takes next */
} ckpt_pickle_memo;       /* start with {0} */

/* Numbers far beyond the count that one stream may use: no pickler makes any. */
enum { CKPT_PICKLE_MEMO_FAR = 4096 };

void ckpt_pickle_memo_free(ckpt_pickle_memo *m);
/* NULL when there is none. */
ckpt_value *ckpt_pickle_memo_get(const ckpt_pickle_memo *m, uint32_t number);
/* False when the number is far off and enough of these are there already. */
bool ckpt_pickle_memo_room(const ckpt_pickle_memo *m, uint32_t number);
/* False when out of memory. */
bool ckpt_pickle_memo_put(ckpt_pickle_memo *m, uint32_t number, ckpt_value *v);
#endif
