/* print_value.c -- one element as numbers, shared by the two ways of printing a tensor */
#include "print_value.h"
#include "dtype.h"
#include "error.h"
#include <inttypes.h>
#include <stdio.h>

bool ckpt_print_kind_of(ckpt_dtype dtype, ckpt_print_kind *out, ckpt_error *err)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	ckpt_print_kind kind = {.part = dtype, .parts = 1, .item = info->bits / 8};
	switch (dtype) {
	case CKPT_F6_E2M3:
	case CKPT_F6_E3M2:
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "torch has no type for %s, so it prints none", info->name);
	case CKPT_QINT8:
	case CKPT_QUINT8:
	case CKPT_QINT32:
	case CKPT_QUINT4X2:
	case CKPT_QUINT2X4:
		return ckpt_fail(err, CKPT_E_UNSUPPORTED,
		                 "elements of %s have no value without their scale and zero point", info->name);
	case CKPT_F4:
		kind.part = CKPT_U8, kind.item = 1;
		break;
	case CKPT_C32:
		kind.part = CKPT_F16, kind.parts = 2;
		break;
	case CKPT_C64:
		kind.part = CKPT_F32, kind.parts = 2;
		break;
	case CKPT_C128:
		kind.part = CKPT_F64, kind.parts = 2;
		break;
	default:
		break;
	}
	if (info->kind == CKPT_CLASS_OPAQUE)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "elements of %s are bits without a value", info->name);
	kind.floating = info->kind == CKPT_CLASS_FLOAT || info->kind == CKPT_CLASS_COMPLEX;
	kind.boolean = info->kind == CKPT_CLASS_BOOL;
	*out = kind;
	return true;
}

int ckpt_print_integer(ckpt_dtype dtype, const void *p, char *text, size_t size)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	unsigned bits = info->bits;
	uint64_t u = 0;
	for (unsigned i = 0; i < bits / 8; i++) u |= (uint64_t)((const uint8_t *)p)[i] << 8 * i;
	if (info->kind == CKPT_CLASS_INT && bits < 64 && u >> (bits - 1)) u |= ~UINT64_C(0) << bits;
	if (info->kind == CKPT_CLASS_INT) return snprintf(text, size, "%" PRId64, (int64_t)u);
	return snprintf(text, size, "%" PRIu64, u);
}

bool ckpt_print_locale_begin(ckpt_print_locale *l, ckpt_error *err)
{
	l->mine = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	if (!l->mine) return ckpt_fail_nomem(err);
	l->before = uselocale(l->mine);
	return true;
}

void ckpt_print_locale_end(ckpt_print_locale *l)
{
	uselocale(l->before);
	freelocale(l->mine);
}
