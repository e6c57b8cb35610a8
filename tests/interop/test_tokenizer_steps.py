# test_tokenizer_steps.py -- every character of Unicode through each normaliser and pre-tokeniser, and sentencepiece's own maps
import base64
import importlib.util
import io
import json
import os
import unicodedata
import unittest

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

import classes
from peers import parametrise
from test_tokenizers import CORPUS, LLAMA3, Against

# CR and LF end a line.
CHARS = [chr(c) for c in range(0x110000) if not 0xd800 <= c < 0xe000 and c not in (10, 13) and not 0x33480 <= c < 0xe0000 and c < 0xe0200]


def lines(chars):
    return ["x" + "".join(c + "a" for c in chars[i : i + 64]) for i in range(0, len(chars), 64)]


LINES = lines(CHARS)
# What forms compose, and marks in an order that they change; with those that are newer than the library's forms.
PAIRS = [unicodedata.normalize("NFD", c) for c in CHARS if unicodedata.decomposition(c)[:1] not in ("", "<")] + ["\U00011935\U00011930", "\U000105d2\u0307", "\U00016d67\U00016d67"]
PAIRS += [a + chr(b) for a in "\u10ff\u1100\u1112\u1113\uac00\uac01\ud788\ud7a3" for b in range(0x1160, 0x11c4)]  # Hangul, and what lies around
MARKS = [text for c in CHARS if c >= "\u0300" and unicodedata.category(c) in ("Mn", "Mc", "Cn")
         for text in (c + "\u0334", "\u0315" + c, "\u0345" + c, c + "\u0300")]


def normal(step):
    """Its bytes are its tokens."""
    t = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))
    t.normalizer, t.pre_tokenizer = step, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return t


def cut(step):
    """Its words are unknown, each with its span."""
    t = Tokenizer(models.WordLevel(vocab={"[UNK]": 0}, unk_token="[UNK]"))
    t.pre_tokenizer = step
    return t


def bert(**flags):
    return normalizers.BertNormalizer(**dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False) | flags)


STEPS = {
    "nfc": lambda: normal(normalizers.NFC()), "nfd": lambda: normal(normalizers.NFD()), "nfkc": lambda: normal(normalizers.NFKC()),
    "nfkd": lambda: normal(normalizers.NFKD()), "lower": lambda: normal(normalizers.Lowercase()), "nmt": lambda: normal(normalizers.Nmt()),
    "accents": lambda: normal(normalizers.StripAccents()), "strip": lambda: normal(normalizers.Strip()),
    "bert_clean": lambda: normal(bert(clean_text=True)), "bert_chinese": lambda: normal(bert(handle_chinese_chars=True)),
    "bert_accents": lambda: normal(bert(strip_accents=True)), "bert_all": lambda: normal(normalizers.BertNormalizer()),
    "bert_words": lambda: cut(pre_tokenizers.BertPreTokenizer()), "whitespace": lambda: cut(pre_tokenizers.Whitespace()),
    "spaces": lambda: cut(pre_tokenizers.WhitespaceSplit()), "punctuation": lambda: cut(pre_tokenizers.Punctuation()),
    "digits": lambda: cut(pre_tokenizers.Digits(individual_digits=True)), "gpt2": lambda: cut(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "llama3": lambda: cut(pre_tokenizers.Split(Regex(LLAMA3), "isolated")), "word": lambda: cut(pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "isolated")),
    "scripts": lambda: cut(pre_tokenizers.Split(Regex(r"\p{Han}+|[\p{Greek}\p{Latin}]|\P{Arabic}"), "merged_with_next")),
}
PATTERNS = ("gpt2", "llama3", "word", "scripts")  # PCRE2's Unicode may be older than the library's: what Python's has, it has


@parametrise([(name, (name, STEPS[name])) for name in sorted(STEPS)])
class EveryCharacter(Against):
    def check_step(self, row):
        name, make = row
        peer, model = make(), self.path("tokenizer.json")
        peer.save(model)
        self.compare(peer, model, lines([c for c in CHARS if unicodedata.category(c) != "Cn"]) if name in PATTERNS else LINES)

    def check_together(self, row):
        name, make = row
        if name in PATTERNS:
            return
        peer, model = make(), self.path("tokenizer.json")
        peer.save(model)
        self.compare(peer, model, lines(PAIRS) + lines(MARKS))


class Classes(unittest.TestCase):
    def test_table_is_fresh(self):
        table = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib", "text", "classes.c")
        with open(table, encoding="utf-8") as f:
            self.assertEqual(f.read(), classes.text(), "make it anew with tests/interop/classes.py")


def field(message, number):
    """The bytes of a length-delimited field of a protobuf message, without its schema."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (message[at] & 127) << shift
            shift += 7
            at += 1
            if message[at - 1] < 128:
                return value, at

    at, found = 0, b""
    while at < len(message):
        key, at = varint(at)
        if key & 7 == 2:
            length, at = varint(at)
            found = message[at : at + length] if key >> 3 == number else found
            at += length
        elif key & 7 == 0:
            _, at = varint(at)
        else:
            at += 4 if key & 7 == 5 else 8
    return found


@unittest.skipUnless(importlib.util.find_spec("sentencepiece"), "sentencepiece is not there")
@parametrise([(n, n) for n in ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf")])
class Precompiled(Against):
    def check_map(self, rule):
        import sentencepiece

        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=400, hard_vocab_limit=False,
                                                 character_coverage=1.0, normalization_rule_name=rule, minloglevel=2)
        coded = base64.b64encode(field(field(model.getvalue(), 3), 2)).decode()
        state = json.loads(normal(normalizers.NFC()).to_str())
        state["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": coded}
        peer, path = Tokenizer.from_str(json.dumps(state)), self.path("tokenizer.json")
        peer.save(path)
        self.compare(peer, path, LINES)
        self.whole(peer, path, 2000)
