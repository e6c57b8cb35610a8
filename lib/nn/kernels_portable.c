/* kernels_portable.c -- the single-precision kernels for any CPU */
#define KERNELS ckpt_nn_portable
#define TARGET
#define VL 4
#define MR 3
#define MR_REST 4
#define DW 2
#define DX 1
#include "kernels_body.h"
