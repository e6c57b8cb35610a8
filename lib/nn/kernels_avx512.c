/* kernels_avx512.c -- the single-precision kernels for x86 with AVX-512 */
#if defined(__x86_64__)
#define KERNELS ckpt_nn_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define VL 16
#define MR 12
#define MR_REST 8
#define DW 4
#define DX 6
#include "kernels_body.h"
#else
typedef int ckpt_nn_has_no_avx512;
#endif
