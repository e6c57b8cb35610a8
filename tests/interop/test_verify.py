# test_verify.py -- ckpt verify: a real trained model in every dress, planted faults named, expected outputs
import json
import os
import shutil
import subprocess
import sys
import unittest

import numpy
import torch
from safetensors.torch import load_file, save_file

import models
from peers import CKPT, Case, parametrise
from test_model import MODEL, WEIGHTS

IDS = [[101, 7592, 2088, 102], [101, 2204, 2851, 102]]


class Verify(Case):
    def verify(self, *args):
        """The JSON and the exit code."""
        run = subprocess.run([CKPT, "verify", "--json", *map(str, args)], capture_output=True, timeout=900)
        self.assertIn(run.returncode, (0, 1), run.stderr.decode())
        found = json.loads(run.stdout)
        self.assertEqual(found["ok"], run.returncode == 0, found["reasons"])
        return found

    def passes(self, *args):
        found = self.verify(*args)
        self.assertTrue(found["ok"], found["reasons"])
        return found

    def fails(self, *args):
        found = self.verify(*args)
        self.assertFalse(found["ok"])
        self.assertTrue(found["reasons"])
        return found

    def with_config(self, folder, weights=None, **changes):
        """A folder with the model's config, changed, and these weights."""
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(MODEL, "config.json")) as f:
            config = dict(json.load(f), **changes)
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(config, f)
        save_file(weights or load_file(WEIGHTS), os.path.join(folder, "model.safetensors"))
        return folder


class MiniLM(Verify):
    def dresses(self):
        truth = load_file(WEIGHTS)
        self.ckpt("convert", "--to", "torch", MODEL, self.path("bin") + "/")
        self.ckpt("convert", "--max-shard-size", "20MB", MODEL, self.path("shards") + "/")
        self.ckpt("convert", WEIGHTS, self.path("alone.safetensors"))
        save_file({"bert." + k: t for k, t in truth.items()}, self.path("prefixed.safetensors"))
        torch.save({"module." + k: t for k, t in truth.items()}, self.path("wrapped.bin"))
        old = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t for k, t in truth.items()}
        torch.save(old, self.path("old.bin"))
        return [self.path(n) for n in ("bin", "shards", "alone.safetensors", "prefixed.safetensors", "wrapped.bin", "old.bin")]

    def test_every_dress_is_the_same(self):
        want = self.passes(MODEL)
        out = self.path("out.safetensors")
        self.ckpt("forward", MODEL, "--input-ids", json.dumps(IDS), "-o", out)
        outputs = load_file(out)
        for path in self.dresses():
            found = self.passes(path, "--config", MODEL)
            self.assertEqual(found["forward"], want["forward"], path)
            self.assertIsNone(self.passes(MODEL, "--against", path)["first_block"], path)
            self.ckpt("forward", path, "--config", MODEL, "--input-ids", json.dumps(IDS), "-o", out, "--force")
            self.assert_same(load_file(out), outputs)
            self.assertFalse([b for b in self.passes(MODEL, "--against", path)["against"]["blocks"] if b["max_abs"] != 0])

    def test_narrower_dtypes(self):
        for dtype in ("bf16", "f16"):
            half = self.path(dtype)
            self.ckpt("convert", "--dtype", dtype, MODEL, half + "/")
            self.passes(half)
            for args in ((MODEL, "--against", half), (half, "--against", MODEL)):
                self.assertIsNone(self.passes(*args)["first_block"])
        # what was not rounded to nearest is found
        cut = {k: (t.view(torch.int32) & -65536).view(torch.float32).bfloat16() for k, t in load_file(WEIGHTS).items()
               if t.dtype == torch.float32}
        found = self.fails(MODEL, "--against", self.with_config(self.path("cut"), cut))
        self.assertEqual(found["first_block"], "embeddings")

    def test_swapped_layers(self):
        swap = {"encoder.layer.2.": "encoder.layer.4.", "encoder.layer.4.": "encoder.layer.2."}
        weights = {next((b + k[len(a):] for a, b in swap.items() if k.startswith(a)), k): t for k, t in load_file(WEIGHTS).items()}
        found = self.fails(MODEL, "--against", self.with_config(self.path("x"), weights))
        self.assertEqual(found["first_block"], "encoder.layer.2")
        self.assertEqual(found["against"]["first_block"], "encoder.layer.2")

    def test_transposed_matrix(self):
        weights = load_file(WEIGHTS)
        name = "encoder.layer.3.attention.self.query.weight"
        weights[name] = weights[name].T.contiguous()
        self.assertEqual(self.fails(MODEL, "--against", self.with_config(self.path("x"), weights))["first_block"], "encoder.layer.3")

    def test_transposed_pooler(self):
        weights = load_file(WEIGHTS)
        weights["pooler.dense.weight"] = weights["pooler.dense.weight"].T.contiguous()
        self.assertEqual(self.fails(MODEL, "--against", self.with_config(self.path("x"), weights))["first_block"], "pooler")

    def test_wrong_epsilon(self):
        found = self.fails(MODEL, "--against", self.with_config(self.path("x"), layer_norm_eps=1e-5))
        self.assertEqual(found["first_block"], "embeddings")
        self.assertIn("layer_norm_eps", " ".join(found["reasons"]))

    def test_rounded_layer(self):
        for stored in (torch.float32, torch.bfloat16):
            weights = {k: t.bfloat16().to(stored) if k.startswith("encoder.layer.5.") else t for k, t in load_file(WEIGHTS).items()}
            found = self.fails(MODEL, "--against", self.with_config(self.path("x"), weights))
            self.assertEqual(found["first_block"], "encoder.layer.5")

    def test_one_weight_of_the_embeddings(self):
        weights = load_file(WEIGHTS)
        weights["embeddings.position_embeddings.weight"][3, 7] += 1e-4
        self.assertEqual(self.fails(MODEL, "--against", self.with_config(self.path("x"), weights))["first_block"], "embeddings")
        self.passes(MODEL, "--against", self.path("x"), "--atol", "1", "--rtol", "1")

    def test_other_model(self):
        self.ckpt("init", "roberta", self.path("r"), "--set", "num_hidden_layers=1", "--set", "vocab_size=1000")
        found = self.fails(MODEL, "--against", self.path("r"))
        self.assertIn("roberta", " ".join(found["reasons"]))
        self.ckpt("init", MODEL, self.path("b"), "--set", "vocab_size=200")
        self.assertIn("outside", " ".join(self.fails(MODEL, "--against", self.path("b"))["reasons"]))
        self.ckpt("init", MODEL, self.path("c"), "--set", "num_hidden_layers=4")
        self.fails(MODEL, "--against", self.path("c"))

    def test_bad_numbers(self):
        name = "encoder.layer.1.output.dense.weight"
        faults = {
            "NaN": lambda t: t.index_put_((torch.tensor(3), torch.tensor(5)), torch.tensor(float("nan"))),
            "infinite": lambda t: t.index_put_((torch.tensor(3), torch.tensor(5)), torch.tensor(float("inf"))),
            "zero": lambda t: t.zero_(),
            "values are 0.5": lambda t: t.fill_(0.5),
            "of the size": lambda t: t.mul_(1e6),
        }
        for word, fault in faults.items():
            weights = load_file(WEIGHTS)
            fault(weights[name])
            found = self.fails(self.with_config(self.path("x"), weights))
            self.assertEqual([t["name"] for t in found["numbers"]["tensors"]], [name])
            self.assertIn(word, found["numbers"]["tensors"][0]["reason"])

    def test_bad_structure(self):
        weights = load_file(WEIGHTS)
        lacks = {k: t for k, t in weights.items() if k != "encoder.layer.0.attention.self.key.bias"}
        found = self.fails(self.with_config(self.path("x"), lacks))
        self.assertEqual([m["name"] for m in found["structure"]["report"]["missing"]], ["encoder.layer.0.attention.self.key.bias"])
        self.assertIsNone(found["forward"]["ok"])
        found = self.fails(self.with_config(self.path("x"), dict(weights, stranger=torch.ones(3))))
        self.assertIn("stranger", " ".join(found["reasons"]))
        found = self.fails(self.with_config(self.path("x"), dict(weights, **{"pooler.dense.bias": torch.ones(3)})))
        self.assertEqual(len(found["structure"]["report"]["mismatched"]), 1)
        self.passes(self.with_config(self.path("x"), dict(weights, **{"cls.seq_relationship.bias": torch.ones(2)})))

    def test_expected_outputs(self):
        ids = json.dumps(IDS)
        self.ckpt("forward", MODEL, "--input-ids", ids, "-o", self.path("e.safetensors"), "--output-hidden-states")
        self.ckpt("forward", MODEL, "--input-ids", ids, "-o", self.path("e.npz"))
        self.ckpt("forward", MODEL, "--input-ids", ids, "-o", self.path("e.npy"))
        with open(self.path("e.json"), "w") as f:
            f.write(self.ckpt("forward", MODEL, "--input-ids", ids, "--json"))
        for name in ("e.safetensors", "e.npz", "e.npy", "e.json"):
            self.passes(MODEL, "--input-ids", ids, "--expect", self.path(name), "--atol", "0", "--rtol", "0")
        with_ids = dict(load_file(self.path("e.safetensors")), input_ids=torch.tensor(IDS))
        save_file(with_ids, self.path("i.safetensors"))
        self.passes(MODEL, "--expect", self.path("i.safetensors"))
        wrong = dict(with_ids, last_hidden_state=with_ids["last_hidden_state"] + 0.01)
        save_file(wrong, self.path("w.safetensors"))
        found = self.fails(MODEL, "--expect", self.path("w.safetensors"))
        self.assertIn("last_hidden_state", found["reasons"][0])
        self.passes(MODEL, "--expect", self.path("w.safetensors"), "--atol", "0.02")
        save_file(dict(with_ids, nothing=torch.ones(1)), self.path("n.safetensors"))
        self.assertIn("nothing", " ".join(self.fails(MODEL, "--expect", self.path("n.safetensors"))["reasons"]))

    def test_expected_slices(self):
        from transformers import AutoModel

        model = AutoModel.from_pretrained(MODEL).eval()
        with torch.no_grad():
            h = model(input_ids=torch.tensor(IDS)).last_hidden_state
        case = {"class": "BertModel", "inputs": {"input_ids": IDS}, "atol": 1e-5, "rtol": 1e-5,
                "expected": [{"field": "last_hidden_state", "slice": "0,:3,:3", "values": h[0, :3, :3].tolist()},
                             {"field": "last_hidden_state", "slice": "1", "argmax": h[1].argmax(-1).tolist()}]}
        with open(self.path("c.json"), "w") as f:
            json.dump({"cases": [case]}, f)
        self.passes(MODEL, "--expect", self.path("c.json"))
        case["expected"][1]["argmax"][2] += 1
        with open(self.path("c.json"), "w") as f:
            json.dump({"cases": [case]}, f)
        self.assertIn("row 2", " ".join(self.fails(MODEL, "--expect", self.path("c.json"))["reasons"]))

    def test_memory_of_one_block(self):
        """With --per-layer one block of six, of 27 MiB each, is held, and the verdict is the same."""
        model, other = self.path("b"), self.path("bin")
        self.ckpt("init", "bert", model, "--set", "vocab_size=1000", "--set", "num_hidden_layers=6")
        self.ckpt("convert", "--to", "torch", model, other + "/")
        # a small process in between, for a child begins with the peak of its parent
        launch = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)")
        for args in ((), ("--against", other)):
            plain = self.passes(model, *args)
            run = subprocess.run([sys.executable, "-I", "-S", "-c", launch, CKPT, "verify", "--json", model, "--per-layer", *args],
                                 capture_output=True, text=True, check=True, timeout=900)
            self.assertEqual(json.loads(run.stdout), plain)
            peak = int(run.stderr.split()[-1]) / 1024
            print(f"{peak:.0f} MiB")
            self.assertLess(peak, 2 * 27 + 20)

    def test_published(self):
        named = self.with_config(self.path("bert-base-uncased"))
        found = self.fails(named, "--expect", "published")
        self.assertFalse(found["expect"]["ok"])
        self.assertTrue(found["forward"]["ok"])
        self.ckpt("verify", MODEL, "--expect", "published", fails=True)


# type, classes to try, prefix of its layers, a square matrix in the second
FAULTS = [("bert", "ForMaskedLM", "bert.encoder.layer.", "attention.output.dense.weight", "encoder.layer.1"),
          ("gpt2", "LMHeadModel", "transformer.h.", "attn.c_proj.weight", "h.1"),
          ("llama", "ForCausalLM", "model.layers.", "self_attn.q_proj.weight", "layers.1"),
          ("qwen2", "ForCausalLM", "model.layers.", "self_attn.o_proj.weight", "layers.1"),
          ("opt", "ForCausalLM", "model.decoder.layers.", "self_attn.k_proj.weight", "decoder.layers.1"),
          ("distilbert", "Model", "transformer.layer.", "attention.k_lin.weight", "transformer.layer.1"),
          ("bart", "ForConditionalGeneration", "model.decoder.layers.", "encoder_attn.v_proj.weight", "decoder.layers.1"),
          ("t5", "Model", "encoder.block.", "layer.0.layer_norm.weight", "encoder.block.1")]


@parametrise([(f[0], f) for f in FAULTS])
class Planted(Verify):
    def check_faults(self, fault):
        kind, ending, stem, matrix, block = fault
        model = models.build(kind, ending)
        good, bad = self.path("good"), self.path("bad")
        model.save_pretrained(good)
        self.passes(good)
        self.assertIsNone(self.passes(good, "--against", good)["first_block"])
        weights = load_file(os.path.join(good, "model.safetensors"))

        def planted(weights):
            shutil.copytree(good, bad, dirs_exist_ok=True)
            save_file({k: t.contiguous() for k, t in weights.items()}, os.path.join(bad, "model.safetensors"))
            found = self.fails(good, "--against", bad)
            self.assertTrue(any(b["name"] == found["first_block"] and not b["same"] for b in found["against"]["blocks"]))
            return found["first_block"]

        name = stem + "1." + matrix
        t = weights[name]
        self.assertEqual(planted(dict(weights, **{name: t.T if t.dim() > 1 else t.flip(0)})), block)
        rounded = {k: v.bfloat16().float() if k.startswith(stem + "1.") else v for k, v in weights.items()}
        self.assertEqual(planted(rounded), block)
        swapped = dict(weights)
        for k in weights:
            if k.startswith(stem + "0.") and stem + "1." + k[len(stem) + 2:] in weights:
                other = stem + "1." + k[len(stem) + 2:]
                swapped[k], swapped[other] = weights[other], weights[k]
        self.assertEqual(planted(swapped), block[:-1] + "0")


if __name__ == "__main__":
    unittest.main()
