/* utf8.c -- strict UTF-8 (RFC 3629) and the characters that could deceive a terminal */
#include "utf8.h"

size_t ckpt_utf8_decode(const char *text, size_t length, uint32_t *code_point)
{
	const uint8_t *p = (const uint8_t *)text;
	if (length == 0) return 0;
	if (p[0] < 0x80) {
		*code_point = p[0];
		return 1;
	}
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	if (p[0] < 0xc2 || p[0] > 0xf4 || length < n) return 0;
	uint32_t c = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
	*code_point = c;
	return n;
}

size_t ckpt_utf8_encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)((0xf00u >> n & 0xff) | c);
	return n;
}

size_t ckpt_utf8_check(const char *text, size_t length)
{
	size_t i = 0;
	while (i < length) {
		uint32_t c;
		size_t n = ckpt_utf8_decode(text + i, length - i, &c);
		if (n == 0) return i;
		i += n;
	}
	return SIZE_MAX;
}

bool ckpt_utf8_hidden(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return true;
	if (c == 0xad || c == 0x34f || c == 0x61c || c == 0x180e || c == 0xfeff) return true;
	if (c >= 0x200b && c <= 0x200f) return true; /* zero width, direction marks */
	if (c >= 0x2028 && c <= 0x202e) return true; /* separators, direction overrides */
	if (c >= 0x2060 && c <= 0x206f) return true;
	if (c >= 0xfff0 && c <= 0xfffb) return true;
	return c >= 0xe0000 && c <= 0xe0fff; /* tags */
}
