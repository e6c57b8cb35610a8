/* number.c -- numbers as people read them */
#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *ckpt_count_text(uint64_t n, char *text, size_t size)
{
	char digits[CKPT_NUMBER_TEXT];
	size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
	for (size_t i = 0; i < length && at + 1 < size; i++) {
		if (i && (length - i) % 3 == 0) text[at++] = ',';
		if (at + 1 < size) text[at++] = digits[i];
	}
	text[at] = 0;
	return text;
}

const char *ckpt_bytes_text(double bytes, char *text, size_t size)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	size_t unit = 0;
	while (unit < 6 && bytes >= (unit ? 999.5 : 1000)) {
		bytes /= 1000;
		unit++;
	}
	int digits = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
	snprintf(text, size, "%.*f %s", digits, bytes, units[unit]);
	return text;
}

const char *ckpt_real_text(double d, char *text, size_t size)
{
	if (isnan(d))
		snprintf(text, size, "nan");
	else if (isinf(d))
		snprintf(text, size, d < 0 ? "-inf" : "inf");
	else
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, size, "%.*g", digits, d);
			if (strtod(text, NULL) == d) break;
		}
	return text;
}

const char *ckpt_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}
