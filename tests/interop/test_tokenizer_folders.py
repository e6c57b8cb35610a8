# test_tokenizer_folders.py -- folders as transformers writes and reads them: with tokenizer.json, or with the older files alone
import json
import os

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, GPT2Tokenizer, Qwen2Tokenizer, RobertaTokenizer

from peers import parametrise
from test_tokenizers import CORPUS, ROBERTA, SPECIAL, Against

COUNT = int(os.environ.get("TOKENIZER_TEXTS", 500))


def words_of(lower):
    """A WordPiece vocabulary, as a dict."""
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=lower), pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=900, special_tokens=SPECIAL, show_progress=False))
    return t.get_vocab(with_added_tokens=True)


def pairs_of(special):
    """A byte-level vocabulary and its merges."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(t.to_str())["model"]
    return model["vocab"], [tuple(m) for m in model["merges"]]


OPT = ["<s>", "<pad>", "</s>", "<unk>"]
BERT_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "DistilBertTokenizerFast", "ElectraTokenizer", "ElectraTokenizerFast")
MASK = AddedToken("<mask>", lstrip=True, special=True)
# class, of transformers; the class that the config names; settings; the special tokens of a byte-level vocabulary
CASES = {
    **{name.lower(): (BertTokenizer, name, {}, None) for name in BERT_CLASSES},
    "bert_cased": (BertTokenizer, "BertTokenizer", {"do_lower_case": False}, None),
    "electra_accents": (BertTokenizer, "ElectraTokenizer", {"do_lower_case": True, "strip_accents": False}, None),
    "distilbert_bare": (BertTokenizer, "DistilBertTokenizer", {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}, None),
    "roberta": (RobertaTokenizer, "RobertaTokenizer", {"mask_token": MASK}, ROBERTA),
    "roberta_space": (RobertaTokenizer, "RobertaTokenizerFast", {"add_prefix_space": True, "mask_token": MASK}, ROBERTA),
    "bart": (RobertaTokenizer, "BartTokenizer", {"mask_token": MASK}, ROBERTA),
    "bart_untrimmed": (RobertaTokenizer, "BartTokenizerFast", {"trim_offsets": False, "mask_token": MASK}, ROBERTA),
    "gpt2": (GPT2Tokenizer, "GPT2Tokenizer", {}, ["<|endoftext|>"]),
    "gpt2_space": (GPT2Tokenizer, "GPT2TokenizerFast", {"add_prefix_space": True}, ["<|endoftext|>"]),
    "opt": (GPT2Tokenizer, "GPT2Tokenizer", {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>", "add_bos_token": True}, OPT),
    "qwen2": (Qwen2Tokenizer, "Qwen2Tokenizer", {}, ["<|endoftext|>"]),
}


class Folders(Against):
    def place(self, name):
        return os.path.dirname(self.path(name, "x"))

    def write(self, name, **values):
        for file, value in values.items():
            with open(os.path.join(self.place(name), file + ".json"), "w", encoding="utf-8") as f:
                json.dump(value, f)

    def made(self, cls, settings, special):
        if special is None:
            return cls(vocab=words_of(settings.get("do_lower_case", True)), **settings)
        vocab, merges = pairs_of(special)
        return cls(vocab=vocab, merges=merges, **settings)

    def older(self, name, cls, settings, special, said):
        """vocab.txt, or vocab.json and merges.txt, and a config; and what transformers makes of them."""
        folder = self.place(name)
        if special is None:
            vocab = words_of(settings.get("do_lower_case", True))
            with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as f:
                f.writelines(t + "\n" for t in sorted(vocab, key=vocab.get))
        else:
            vocab, merges = pairs_of(special)
            self.write(name, vocab=vocab)
            with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
                f.writelines(["#version: 0.2\n", *(f"{a} {b}\n" for a, b in merges)])
        plain = {k: {"__type": "AddedToken", "content": v.content, "lstrip": v.lstrip} if isinstance(v, AddedToken) else v for k, v in settings.items()}
        self.write(name, tokenizer_config={"tokenizer_class": said, **plain})
        return folder, cls.from_pretrained(folder)


@parametrise(sorted(CASES.items()))
class Written(Folders):
    def check_saved(self, case):
        cls, _, settings, special = case
        tokenizer = self.made(cls, settings, special)
        folder = self.place("saved")
        tokenizer.save_pretrained(folder)
        self.whole(tokenizer.backend_tokenizer, folder, COUNT)

    def check_older(self, case):
        cls, said, settings, special = case
        folder, tokenizer = self.older("older", cls, settings, special, said)
        self.assertFalse(os.path.exists(os.path.join(folder, "tokenizer.json")))
        self.whole(tokenizer.backend_tokenizer, folder, COUNT)
