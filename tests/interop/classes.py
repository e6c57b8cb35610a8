# classes.py -- writes lib/text/classes.c: how the tokenizers library classes characters, asked of itself (python classes.py >FILE)
import ctypes
import ctypes.util
import unicodedata

from tokenizers import normalizers, pre_tokenizers

ALL = [chr(c) for c in range(0x80, 0x110000) if not 0xd800 <= c < 0xe000]


def decomposed(c):
    """The compatible decomposition of utf8proc, whose version is mostly the newer one."""
    lib = decomposed.__dict__.setdefault("lib", ctypes.CDLL(ctypes.util.find_library("utf8proc")))
    lib.utf8proc_NFKD.restype = ctypes.POINTER(ctypes.c_char)
    made = lib.utf8proc_NFKD(c.encode())
    text = ctypes.string_at(made).decode()
    ctypes.CDLL(None).free(made)
    return text


def sets():
    clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False).normalize_str
    bare = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False).normalize_str
    marks, apart = normalizers.StripAccents().normalize_str, pre_tokenizers.Punctuation().pre_tokenize_str
    compatible = normalizers.NFKD().normalize_str
    yield "punctuation", "what is cut off as punctuation", (c for c in ALL if len(apart("x" + c)) == 2)
    yield "control", "what BertNormalizer removes", (c for c in ALL if c != "\ufffd" and clean("x" + c) == "x")
    yield "nonspacing", "the marks that BertNormalizer strips", (c for c in ALL if ord(c) >= 0x300 and bare("x" + c) == "x")
    yield "mark", "the marks that StripAccents strips", (c for c in ALL if ord(c) >= 0x300 and marks("x" + c) == "x")
    yield "whole", "what is not decomposed, as it is newer than the library's forms", (
        c for c in ALL if ord(c) > 0x3000 and unicodedata.category(c) != "Co" and compatible(c) == c and decomposed(c) != c)


def ranges(chars):
    found = []
    for c in map(ord, chars):
        if found and c == found[-1][1] + 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def text():
    out = ["/* classes.c -- how the tokenizers library classes characters: mostly by Unicode 8; made by tests/interop/classes.py */",
           '#include "classes.h"', "", "#include <stddef.h>", "", "typedef struct range {", "\tuint32_t first, last;", "} range;"]
    names = []
    for name, what, chars in sets():
        names.append(name)
        out += ["", f"/* {what} */", f"static const range {name}[] = {{"]
        items = [f"{{{a:#x}, {b:#x}}}" for a, b in ranges(chars)]
        out += ["\t" + ", ".join(items[i : i + 5]) + "," for i in range(0, len(items), 5)]
        out.append("};")
    out += ["", "static bool within(const range *r, size_t count, uint32_t c)", "{", "\tsize_t low = 0;",
            "\twhile (low < count) {", "\t\tsize_t middle = low + (count - low) / 2;", "\t\tif (c > r[middle].last) low = middle + 1;",
            "\t\telse if (c >= r[middle].first) return true;", "\t\telse count = middle;", "\t}", "\treturn false;", "}"]
    for name in names:
        out += ["", f"bool ckpt_class_{name}(uint32_t c)", "{", f"\treturn within({name}, sizeof {name} / sizeof *{name}, c);", "}"]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    print(text(), end="")
