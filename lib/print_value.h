/* print_value.h -- one element as numbers, shared by the two ways of printing a tensor */
#ifndef CKPT_LIB_PRINT_VALUE_H
#define CKPT_LIB_PRINT_VALUE_H
#include "ckpt.h"
#include "print.h"
#include <locale.h>

/* How the elements of a dtype are taken apart. */
typedef struct ckpt_print_kind {
	ckpt_dtype part; /* dtype of one part: F32 of C64, U8 of F4 (packed), else the dtype itself */
	unsigned parts;  /* 2 for complex, else 1 */
	unsigned item;   /* bytes of one element: parts and all */
	bool floating;   /* parts are floats: read through ckpt_print_reals */
	bool boolean;
} ckpt_print_kind;

/* False with CKPT_E_UNSUPPORTED for dtypes whose bytes have no value of their own. */
bool ckpt_print_kind_of(ckpt_dtype dtype, ckpt_print_kind *out, ckpt_error *err);
/* Decimal text of the integer (or the truth value of the BOOL) at p. */
int ckpt_print_integer(ckpt_dtype dtype, const void *p, char *text, size_t size);

/* While numbers are formatted the thread's decimal point is a point, whatever the program's locale. */
typedef struct ckpt_print_locale {
	locale_t mine, before;
} ckpt_print_locale;
bool ckpt_print_locale_begin(ckpt_print_locale *l, ckpt_error *err);
void ckpt_print_locale_end(ckpt_print_locale *l);
#endif
