/* kernels_avx2.c -- the single-precision kernels for x86 with AVX2 and FMA */
#if defined(__x86_64__)
#define KERNELS ckpt_nn_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VL 8
#define MR 6
#define MR_REST 4
#define DW 2
#define DX 3
#include "kernels_body.h"
#else
typedef int ckpt_nn_has_no_avx2;
#endif
