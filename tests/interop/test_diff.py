# test_diff.py -- ckpt diff against numpy, over formats, shards, dtypes and prefixes of a real trained model
import json
import os
import subprocess
import unittest

import numpy
import torch
from safetensors.torch import load_file, save_file

from peers import CKPT, Case
from test_model import MODEL, WEIGHTS


class Diff(Case):
    def diff(self, *args):
        """The JSON and the exit code."""
        run = subprocess.run([CKPT, "diff", "--json", *map(str, args)], capture_output=True, timeout=600)
        self.assertIn(run.returncode, (0, 1), run.stderr.decode())
        return json.loads(run.stdout), run.returncode

    def equal(self, *args):
        found, code = self.diff(*args)
        self.assertEqual((found["equal"], code, found["different"]), (True, 0, []))
        return found

    def test_formats_and_shards(self):
        self.ckpt("convert", WEIGHTS, self.path("a.bin"))
        self.ckpt("convert", "--to", "torch-legacy", WEIGHTS, self.path("b.bin"))
        self.ckpt("convert", WEIGHTS, self.path("c.npz"))
        self.ckpt("convert", "--max-shard-size", "20MB", MODEL, self.path("shards") + "/")
        for other in ("a.bin", "b.bin", "c.npz", "shards"):
            self.assertEqual(self.equal(MODEL, self.path(other))["compared"], len(load_file(WEIGHTS)))

    def test_prefixes(self):
        truth = load_file(WEIGHTS)
        save_file({"bert." + k: t for k, t in truth.items()}, self.path("a.safetensors"))
        torch.save({"module.model." + k: t for k, t in truth.items()}, self.path("b.bin"))
        self.assertEqual(self.equal(MODEL, self.path("a.safetensors"))["prefixes"],
                         [{"a": "", "b": "bert.", "tensors": len(truth)}])
        self.equal(self.path("b.bin"), MODEL)
        self.equal(self.path("a.safetensors"), self.path("b.bin"))

    def test_tied_weights(self):
        t = torch.randn(5, 4)
        torch.save({"wte.weight": t, "lm_head.weight": t, "b": torch.ones(2)}, self.path("tied.bin"))
        save_file({"wte.weight": t, "b": torch.ones(2)}, self.path("one.safetensors"))
        self.equal(self.path("tied.bin"), self.path("one.safetensors"))
        self.equal(self.path("one.safetensors"), self.path("tied.bin"))

    def test_figures(self):
        g = torch.Generator().manual_seed(1)
        a = {"x": torch.randn(300, 700, generator=g), "y": torch.randn(70001, generator=g, dtype=torch.float64),
             "same": torch.randn(9, generator=g), "i": torch.randint(-9, 9, (50,), generator=g), "h": torch.randn(99, generator=g).half()}
        b = {k: t.clone() for k, t in a.items()}
        b["x"] += (torch.rand(300, 700, generator=g) < 0.1) * torch.randn(300, 700, generator=g) * 1e-3
        b["y"] *= 1 + 1e-9
        b["i"][7] += 3
        b["h"] = b["h"].float()
        b["h"][3] += 1
        save_file(a, self.path("a.safetensors"))
        save_file(b, self.path("b.safetensors"))
        found, code = self.diff(self.path("a.safetensors"), self.path("b.safetensors"))
        self.assertEqual(code, 1)
        rows = {r["name"]: r for r in found["different"]}
        self.assertEqual(sorted(rows), ["h", "i", "x", "y"])
        self.assertEqual([r["max_abs"] for r in found["different"]], sorted((r["max_abs"] for r in rows.values()), reverse=True))
        for name, r in rows.items():
            x, y = a[name].double().numpy().ravel(), b[name].double().numpy().ravel()
            d = numpy.abs(x - y)
            most = numpy.maximum(numpy.abs(x), numpy.abs(y))
            self.assertEqual(r["count"], int((d > 0).sum()), name)
            self.assertEqual(r["max_abs"], d.max(), name)
            self.assertAlmostEqual(r["max_rel"], (d[most > 0] / most[most > 0]).max(), delta=1e-15)
            self.assertAlmostEqual(r["rms"], numpy.sqrt((d * d).mean()), delta=1e-12)
            self.assertAlmostEqual(r["cosine"], x @ y / numpy.linalg.norm(x) / numpy.linalg.norm(y), delta=1e-12)
            place = numpy.ravel_multi_index(r["worst"], a[name].shape)
            self.assertEqual(d[place], d.max())
        xi, yi = (t["x"].numpy().view(numpy.int32).astype(numpy.int64) for t in (a, b))
        order = lambda v: numpy.where(v < 0, -(v & 0x7FFFFFFF), v)
        self.assertEqual(rows["x"]["max_ulps"], numpy.abs(order(xi) - order(yi)).max())
        found, code = self.diff(self.path("a.safetensors"), self.path("b.safetensors"), "--atol", "1e-3", "--rtol", "1e-3")
        near = {k: numpy.isclose(a[k].double(), b[k].double(), rtol=1e-3, atol=1e-3).all() for k in a}
        self.assertEqual(sorted(r["name"] for r in found["different"]), sorted(k for k in a if not near[k]))

    def test_one_changed_weight_is_found(self):
        changed = load_file(WEIGHTS)
        changed["encoder.layer.3.output.dense.weight"][100, 200] += 1e-6
        save_file(changed, self.path("c.safetensors"))
        found, code = self.diff(WEIGHTS, self.path("c.safetensors"))
        self.assertEqual(code, 1)
        self.assertEqual([(r["name"], r["count"], r["worst"]) for r in found["different"]],
                         [("encoder.layer.3.output.dense.weight", 1, [100, 200])])

    def test_half(self):
        self.ckpt("convert", "--dtype", "bf16", WEIGHTS, self.path("h.safetensors"))
        found, code = self.diff(WEIGHTS, self.path("h.safetensors"))
        self.assertEqual((code, found["max_ulps"]), (1, 0))
        self.equal(WEIGHTS, self.path("h.safetensors"), "--rtol", str(2**-8))
        os.unlink(self.path("h.safetensors"))
        self.ckpt("convert", "--dtype", "f64", WEIGHTS, self.path("h.safetensors"))
        self.equal(WEIGHTS, self.path("h.safetensors"))


if __name__ == "__main__":
    unittest.main()
