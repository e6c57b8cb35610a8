/* isa.h -- the instruction sets that kernels are compiled for, and the choice among them at run time
 *
 * A kernel is written once, as an always-inline function in plain C. CKPT_PER_ISA compiles it once for every
 * instruction set and makes a table of the results, which ckpt_isa indexes. Kernels give the same bits on each of them:
 * their files are built without contraction of a * b + c (libckpt-exact.la in lib/local.am).
 */
#ifndef CKPT_LIB_ISA_H
#define CKPT_LIB_ISA_H
#include <stdbool.h>
#include <string.h>

typedef enum ckpt_isa { CKPT_ISA_PORTABLE, CKPT_ISA_AVX2, CKPT_ISA_AVX512, CKPT_ISA_COUNT } ckpt_isa;

#define CKPT_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define CKPT_ISA_X86         1
#define CKPT_TARGET_AVX2     __attribute__((target("avx2")))
#define CKPT_TARGET_AVX512   __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define CKPT_FOR_AVX2(...)   __VA_ARGS__
#define CKPT_FOR_AVX512(...) __VA_ARGS__
#define CKPT_ISA_ROW(NAME)                                                                                             \
	{                                                                                                              \
		NAME##_portable, NAME##_avx2, NAME##_avx512                                                            \
	}
#else
#define CKPT_TARGET_AVX2
#define CKPT_TARGET_AVX512
#define CKPT_FOR_AVX2(...)
#define CKPT_FOR_AVX512(...)
#define CKPT_ISA_ROW(NAME)                                                                                             \
	{                                                                                                              \
		NAME##_portable, NAME##_portable, NAME##_portable                                                      \
	}
#endif

/* From the inline function NAME_body: `static TYPE *const NAME[CKPT_ISA_COUNT]`. PARAMETERS and ARGUMENTS in brackets.
 */
#define CKPT_PER_ISA(TYPE, NAME, PARAMETERS, ARGUMENTS)                                                                \
	static void NAME##_portable PARAMETERS { NAME##_body ARGUMENTS; }                                              \
	CKPT_FOR_AVX2(CKPT_TARGET_AVX2 static void NAME##_avx2 PARAMETERS { NAME##_body ARGUMENTS; })                  \
	CKPT_FOR_AVX512(CKPT_TARGET_AVX512 static void NAME##_avx512 PARAMETERS { NAME##_body ARGUMENTS; })            \
	static TYPE *const NAME[CKPT_ISA_COUNT] = CKPT_ISA_ROW(NAME);

static inline bool ckpt_isa_available(ckpt_isa isa)
{
#if defined(CKPT_ISA_X86)
	if (isa == CKPT_ISA_AVX2) return __builtin_cpu_supports("avx2");
	if (isa == CKPT_ISA_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
	return isa == CKPT_ISA_PORTABLE;
}

static inline ckpt_isa ckpt_isa_best(void)
{
	if (ckpt_isa_available(CKPT_ISA_AVX512)) return CKPT_ISA_AVX512;
	return ckpt_isa_available(CKPT_ISA_AVX2) ? CKPT_ISA_AVX2 : CKPT_ISA_PORTABLE;
}

/* "portable", "avx2", "avx512"; NULL means the best. False when the name or the CPU is another. */
static inline bool ckpt_isa_choose(const char *name, ckpt_isa *out)
{
	static const char *const names[CKPT_ISA_COUNT] = {"portable", "avx2", "avx512"};
	for (int i = 0; i < CKPT_ISA_COUNT; i++) {
		if (name && strcmp(name, names[i]) != 0) continue;
		ckpt_isa isa = name ? (ckpt_isa)i : ckpt_isa_best();
		if (ckpt_isa_available(isa)) *out = isa;
		return ckpt_isa_available(isa);
	}
	return false;
}
#endif
