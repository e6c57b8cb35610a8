# test_look.py -- ckpt inspect and cat of models on a fake Hub, and names of models where paths are accepted
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import test_hub
from peers import CKPT


class Look(unittest.TestCase):
    """ckpt inspect and cat from afar, and names of models where paths are accepted."""

    hub, env, ckpt, python, stall = (getattr(test_hub.Hub, n) for n in ("hub", "env", "ckpt", "python", "stall"))

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ckpt-look-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        import torch
        from safetensors.torch import save
        self.tensors = {"a.weight": torch.randn(1000, 300), "b.bias": torch.randn(7), "big": torch.randn(4000, 500)}
        buffer = io.BytesIO()
        torch.save(self.tensors, buffer)
        parts = [{"a.weight": self.tensors["a.weight"]}, {k: self.tensors[k] for k in ("b.bias", "big")}]
        names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
        index = {"metadata": {}, "weight_map": {k: n for n, p in zip(names, parts) for k in p}}
        self.fake = self.hub({
            "org/st": {"model.safetensors": save(self.tensors), "config.json": test_hub.CONFIG},
            "org/pt": {"pytorch_model.bin": buffer.getvalue()},
            "org/sharded": {"model.safetensors.index.json": json.dumps(index).encode(),
                            **{n: save(p) for n, p in zip(names, parts)}},
        })

    def inspect(self, *args, **more):
        return json.loads(self.ckpt("inspect", "--json", *args, **more).stdout)

    def check_list(self, found, most):
        self.assertEqual({t["name"]: t["shape"] for t in found["tensors"]}, {k: list(t.shape) for k, t in self.tensors.items()})
        self.assertLessEqual(found["bytes_transferred"], most)
        self.assertGreater(found["bytes_transferred"], 0)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "hf", "hub")))

    def test_inspect_reads_headers_alone(self):
        self.check_list(self.inspect("org/st"), 70000)
        self.check_list(self.inspect("hf://org/st/model.safetensors"), 70000)
        self.check_list(self.inspect(self.fake.hub + "/org/st/resolve/main/model.safetensors"), 70000)
        self.check_list(self.inspect(self.fake.cdn + "/org/st/model.safetensors"), 70000)
        self.check_list(self.inspect("org/sharded"), 140000)
        self.check_list(self.inspect(self.fake.cdn + "/org/sharded/model.safetensors.index.json"), 140000)
        self.check_list(self.inspect("org/pt"), 140000)
        self.assertEqual([r for r in self.fake.log if r[0] == "cdn" and "Authorization" in r[3]], [])

    def test_cat_fetches_the_bytes_of_the_tensor(self):
        import numpy
        out = os.path.join(self.dir, "x.npy")
        for repo, most in ("org/st", 70000), ("org/sharded", 140000), ("org/pt", 140000):
            for name, tensor in self.tensors.items():
                run = self.ckpt("cat", repo, name, "-o", out, "--force")
                numpy.testing.assert_array_equal(numpy.load(out), tensor.numpy())
                came = int(re.search(r"([0-9,]+) bytes were transferred", run.stderr)[1].replace(",", ""))
                self.assertLessEqual(came, tensor.numel() * 4 + most, (repo, name))
        self.assertIn(repr(round(float(self.tensors["b.bias"][3]), 4)), self.ckpt("cat", "org/st", "b.bias").stdout)

    def test_what_python_has_is_read_there(self):
        self.python("snapshot", "org/st")
        before = len(self.fake.bodies())
        self.assertEqual(self.inspect("org/st")["bytes_transferred"], 0)
        self.assertEqual(self.inspect("org/st", HF_HUB_OFFLINE="1")["bytes_transferred"], 0)
        asked = len(self.fake.log)
        self.ckpt("diff", "org/st", "org/st@main", HF_HUB_OFFLINE="1")
        self.ckpt("cat", "org/st", "b.bias", HF_HUB_OFFLINE="1")
        self.ckpt("convert", "org/st", os.path.join(self.dir, "x.bin"), HF_HUB_OFFLINE="1")
        self.assertEqual(len(self.fake.log), asked)
        self.assertEqual(len(self.fake.bodies()), before)
        self.assertEqual(self.inspect("org/st", HF_ENDPOINT="http://127.0.0.1:9")["bytes_transferred"], 0)

    def test_names_are_models_and_files_come_first(self):
        out = os.path.join(self.dir, "out.safetensors")
        self.ckpt("convert", "org/pt", out)
        self.ckpt("diff", "org/st", out)
        self.ckpt("scan", "hf://org/pt/pytorch_model.bin")
        self.assertIn('"model_type": "bert"', self.ckpt("config", "org/st").stdout)
        here = os.path.join(self.dir, "here")
        os.makedirs(os.path.join(here, "org"))
        shutil.copy(out, os.path.join(here, "org", "st"))
        asked = len(self.fake.log)
        run = subprocess.run([CKPT, "inspect", "org/st"], cwd=here, env=self.env(), capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(len(self.fake.log), asked)

    def test_failures_are_said(self):
        self.assertIn("no file or folder 'nowhere' here, and no model of that name", self.ckpt("inspect", "nowhere", code=4).stderr)
        self.assertIn("no file or folder 'org/profile' here", self.ckpt("inspect", "org/profile", code=4).stderr)
        self.assertIn("in the cache", self.ckpt("diff", "org/st", "org/st", code=6, HF_HUB_OFFLINE="1").stderr)
        self.assertIn("cannot open", self.ckpt("inspect", "model.safetensors", code=3).stderr)
        self.assertIn("has no file", self.ckpt("inspect", "hf://org/st/x.safetensors", code=4).stderr)
        self.assertIn("not on the Hub", self.ckpt("convert", self.fake.cdn + "/org/st/model.safetensors", "x.bin", code=3).stderr)
        self.assertIn("only https", self.ckpt("inspect", "http://example.org/x.safetensors", code=3).stderr)
        self.fake.fault["model.safetensors"] = ["ignore"]
        self.assertIn("no ranges", self.ckpt("inspect", "org/st", code=3).stderr)
        self.fake.token = "secret"
        self.assertIn("gated", self.ckpt("inspect", "org/st", code=5).stderr)
        self.check_list(self.inspect("org/st", HF_TOKEN="secret"), 70000)

    def test_a_file_replaced_between_two_reads_is_an_error(self):
        self.fake.stamps = True
        self.fake.fault["model.safetensors"] = [""] + ["other"] * 9
        self.assertIn("was replaced", self.ckpt("cat", self.fake.cdn + "/org/st/model.safetensors", "big", code=8).stderr)


if __name__ == "__main__":
    unittest.main()
