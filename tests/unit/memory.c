/* memory.c -- malloc and its kin, of which one call in a row can be made to fail; the linker puts them in front (--wrap) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "memory.h"

static long left; /* calls until one fails; 0: none does */
static bool failed;

void unit_memory_fail(long call)
{
	__atomic_store_n(&left, call, __ATOMIC_SEQ_CST);
	failed = false;
}

bool unit_memory_failed(void)
{
	__atomic_store_n(&left, 0, __ATOMIC_SEQ_CST);
	return failed;
}

static bool fails(void)
{
	if (__atomic_load_n(&left, __ATOMIC_SEQ_CST) <= 0 || __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) != 0) return false;
	errno = ENOMEM;
	return failed = true;
}

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t m);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t most);
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t m);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t most);

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails() ? NULL : __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
void *__wrap_reallocarray(void *p, size_t n, size_t m) { return fails() ? NULL : __real_reallocarray(p, n, m); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }
char *__wrap_strndup(const char *s, size_t most) { return fails() ? NULL : __real_strndup(s, most); }
