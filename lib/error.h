/* error.h -- filling in a ckpt_error; the only places that write one */
#ifndef CKPT_LIB_ERROR_H
#define CKPT_LIB_ERROR_H
#include "ckpt.h"

/* Each sets *err (which may be NULL) to a formatted sentence, escaped for terminals, and returns false, so that
 * `return ckpt_fail(err, CKPT_E_FORMAT, "...")` reads well. */
bool ckpt_fail(ckpt_error *err, ckpt_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* CKPT_E_IO with ": strerror(errnum)" appended. */
bool ckpt_fail_errno(ckpt_error *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool ckpt_fail_nomem(ckpt_error *err);
/* The named limit (as --limit spells it) was exceeded; says both numbers and how to raise it. */
bool ckpt_fail_limit(ckpt_error *err, const char *what, uint64_t value, const char *limit_name, uint64_t limit);
/* Puts "PREFIX: " in front of the text, on the way up: whoever knows a name adds it. Returns false. */
bool ckpt_error_prefix(ckpt_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies text into destination (of size bytes, always terminated) with control characters, invalid UTF-8, bidi and
 * other invisible format characters written as \n, \x1b, \u202e. Returns the length written. */
size_t ckpt_escape(char *destination, size_t size, const char *text, size_t length);
#endif
