/* dtype.c -- one table of facts about element types */
#include "dtype.h"
#include "checked.h"
#include "error.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* name, torch, storage, numpy, bits, bytes of a torch element, swap, class, one of safetensors' */
static const ckpt_dtype_info table[CKPT_DTYPE_COUNT] = {
	[CKPT_BOOL] = {"BOOL", "bool", "BoolStorage", "b1", 8, 1, 1, CKPT_CLASS_BOOL, true},
	[CKPT_F4] = {"F4", "float4_e2m1fn_x2", NULL, NULL, 4, 1, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_F6_E2M3] = {"F6_E2M3", NULL, NULL, NULL, 6, 0, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_F6_E3M2] = {"F6_E3M2", NULL, NULL, NULL, 6, 0, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_U8] = {"U8", "uint8", "ByteStorage", "u1", 8, 1, 1, CKPT_CLASS_UINT, true},
	[CKPT_I8] = {"I8", "int8", "CharStorage", "i1", 8, 1, 1, CKPT_CLASS_INT, true},
	[CKPT_F8_E5M2] = {"F8_E5M2", "float8_e5m2", NULL, NULL, 8, 1, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_F8_E4M3] = {"F8_E4M3", "float8_e4m3fn", NULL, NULL, 8, 1, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_F8_E8M0] = {"F8_E8M0", "float8_e8m0fnu", NULL, NULL, 8, 1, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", "float8_e4m3fnuz", NULL, NULL, 8, 1, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", "float8_e5m2fnuz", NULL, NULL, 8, 1, 1, CKPT_CLASS_FLOAT, true},
	[CKPT_I16] = {"I16", "int16", "ShortStorage", "i2", 16, 2, 2, CKPT_CLASS_INT, true},
	[CKPT_U16] = {"U16", "uint16", NULL, "u2", 16, 2, 2, CKPT_CLASS_UINT, true},
	[CKPT_F16] = {"F16", "float16", "HalfStorage", "f2", 16, 2, 2, CKPT_CLASS_FLOAT, true},
	[CKPT_BF16] = {"BF16", "bfloat16", "BFloat16Storage", NULL, 16, 2, 2, CKPT_CLASS_FLOAT, true},
	[CKPT_I32] = {"I32", "int32", "IntStorage", "i4", 32, 4, 4, CKPT_CLASS_INT, true},
	[CKPT_U32] = {"U32", "uint32", NULL, "u4", 32, 4, 4, CKPT_CLASS_UINT, true},
	[CKPT_F32] = {"F32", "float32", "FloatStorage", "f4", 32, 4, 4, CKPT_CLASS_FLOAT, true},
	[CKPT_C64] = {"C64", "complex64", "ComplexFloatStorage", "c8", 64, 8, 4, CKPT_CLASS_COMPLEX, true},
	[CKPT_F64] = {"F64", "float64", "DoubleStorage", "f8", 64, 8, 8, CKPT_CLASS_FLOAT, true},
	[CKPT_I64] = {"I64", "int64", "LongStorage", "i8", 64, 8, 8, CKPT_CLASS_INT, true},
	[CKPT_U64] = {"U64", "uint64", NULL, "u8", 64, 8, 8, CKPT_CLASS_UINT, true},
	[CKPT_C128] = {"C128", "complex128", "ComplexDoubleStorage", "c16", 128, 16, 8, CKPT_CLASS_COMPLEX, false},
	[CKPT_C32] = {"C32", "complex32", NULL, NULL, 32, 4, 2, CKPT_CLASS_COMPLEX, false},
	[CKPT_QINT8] = {"QINT8", "qint8", "QInt8Storage", NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_QUINT8] = {"QUINT8", "quint8", "QUInt8Storage", NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_QINT32] = {"QINT32", "qint32", "QInt32Storage", NULL, 32, 4, 4, CKPT_CLASS_OPAQUE, false},
	[CKPT_QUINT4X2] = {"QUINT4X2", "quint4x2", "QUInt4x2Storage", NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_QUINT2X4] = {"QUINT2X4", "quint2x4", "QUInt2x4Storage", NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_BITS8] = {"BITS8", "bits8", NULL, NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_BITS16] = {"BITS16", "bits16", NULL, NULL, 16, 2, 2, CKPT_CLASS_OPAQUE, false},
	[CKPT_BITS1X8] = {"BITS1X8", "bits1x8", NULL, NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_BITS2X4] = {"BITS2X4", "bits2x4", NULL, NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
	[CKPT_BITS4X2] = {"BITS4X2", "bits4x2", NULL, NULL, 8, 1, 1, CKPT_CLASS_OPAQUE, false},
};

static const struct {
	const char *name;
	ckpt_dtype dtype;
} other_names[] = {
	{"float", CKPT_F32},  {"double", CKPT_F64}, {"half", CKPT_F16},   {"fp32", CKPT_F32},   {"fp16", CKPT_F16},
	{"fp64", CKPT_F64},   {"long", CKPT_I64},   {"int", CKPT_I32},    {"short", CKPT_I16},  {"cfloat", CKPT_C64},
	{"cdouble", CKPT_C128}, {"f8", CKPT_F8_E4M3}, {"fp8", CKPT_F8_E4M3}, {"f8_e4m3fn", CKPT_F8_E4M3},
};

const ckpt_dtype_info *ckpt_dtype_get(ckpt_dtype dtype) { return &table[dtype]; }
const char *ckpt_dtype_name(ckpt_dtype dtype) { return dtype < CKPT_DTYPE_COUNT ? table[dtype].name : "none"; }
unsigned ckpt_dtype_bits(ckpt_dtype dtype) { return dtype < CKPT_DTYPE_COUNT ? table[dtype].bits : 0; }

ckpt_dtype ckpt_dtype_from_name(const char *name, size_t length)
{
	for (unsigned i = 0; i < CKPT_DTYPE_COUNT; i++)
		if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) return (ckpt_dtype)i;
	return CKPT_DTYPE_NONE;
}

ckpt_dtype ckpt_dtype_from_torch(const char *name)
{
	for (unsigned i = 0; i < CKPT_DTYPE_COUNT; i++)
		if (table[i].torch && strcmp(table[i].torch, name) == 0) return (ckpt_dtype)i;
	return CKPT_DTYPE_NONE;
}

ckpt_dtype ckpt_dtype_from_storage(const char *name)
{
	for (unsigned i = 0; i < CKPT_DTYPE_COUNT; i++)
		if (table[i].storage && strcmp(table[i].storage, name) == 0) return (ckpt_dtype)i;
	return CKPT_DTYPE_NONE;
}

ckpt_dtype ckpt_dtype_parse(const char *name)
{
	if (!name) return CKPT_DTYPE_NONE;
	if (strncmp(name, "torch.", 6) == 0) name += 6;
	for (unsigned i = 0; i < CKPT_DTYPE_COUNT; i++)
		if (strcasecmp(table[i].name, name) == 0) return (ckpt_dtype)i;
	for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
		if (strcasecmp(other_names[i].name, name) == 0) return other_names[i].dtype;
	return ckpt_dtype_from_torch(name);
}

bool ckpt_dtype_bytes(ckpt_dtype dtype, size_t rank, const uint64_t *shape, uint64_t *elements, uint64_t *bytes,
		      ckpt_error *err)
{
	uint64_t n, bits;
	char text[128];
	if (!ckpt_shape_elements(rank, shape, &n) || !ckpt_mul_u64(n, table[dtype].bits, &bits))
		return ckpt_fail(err, CKPT_E_FORMAT, "shape %s of %s overflows 64 bits",
				 ckpt_shape_text(rank, shape, text, sizeof text), table[dtype].name);
	if (bits % 8)
		return ckpt_fail(err, CKPT_E_FORMAT, "shape %s of %s needs %llu bits, which is no whole number of bytes",
				 ckpt_shape_text(rank, shape, text, sizeof text), table[dtype].name,
				 (unsigned long long)bits);
	*elements = n;
	*bytes = bits / 8;
	return true;
}

const char *ckpt_shape_text(size_t rank, const uint64_t *shape, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "[");
	for (size_t i = 0; i < rank; i++) {
		char item[32];
		size_t n = (size_t)snprintf(item, sizeof item, "%s%llu", i ? "," : "", (unsigned long long)shape[i]);
		if (used + n + 6 > size) {
			used += (size_t)snprintf(text + used, size - used, ",...");
			break;
		}
		memcpy(text + used, item, n + 1);
		used += n;
	}
	snprintf(text + used, size - used, "]");
	return text;
}
