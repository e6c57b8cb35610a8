/* interpret.c -- preloaded under valgrind: no pattern becomes machine code
 *
 * The code that PCRE2 makes reads whole vectors and masks what it should not have read, which memcheck takes for a fault.
 * Where there is no such code the library interprets patterns. */
#include <stdint.h>

int pcre2_jit_compile_8(void *code, uint32_t options);

int pcre2_jit_compile_8(void *code, uint32_t options)
{
	(void)code, (void)options;
	return -45; /* PCRE2_ERROR_JIT_BADOPTION */
}
