# test_hub_names.py -- every command takes names of models; what is in the cache is read there, offline too; kills at random moments
import json
import os
import random
import shutil
import subprocess
import time
import unittest

import huggingface_hub

from hub_case import HubCase
from peers import CKPT

SMALL = [f"--set={s}" for s in ("hidden_size=4", "num_hidden_layers=2", "num_attention_heads=2", "intermediate_size=4", "vocab_size=9",
                                "max_position_embeddings=8")]


class Names(HubCase):
    """A small bert on the fake Hub."""

    def setUp(self):
        super().setUp()
        self.here = os.path.join(self.dir, "here")
        self.ckpt("init", "-q", "bert", self.here, *SMALL)
        files = {}
        for name in os.listdir(self.here):
            with open(os.path.join(self.here, name), "rb") as f:
                files[name] = f.read()
        files["vocab.txt"] = "\n".join("[PAD] [UNK] [CLS] [SEP] [MASK] hello world ##s !".split() + [""]).encode()
        files["tokenizer_config.json"] = b'{"tokenizer_class": "BertTokenizer"}'
        self.fake.repos["org/bert"] = files

    def all(self, model, out, **more):
        """What each command prints, of a model by name or by path."""
        commands = [("inspect", "--hash", model), ("cat", model, "embeddings.word_embeddings.weight"), ("config", model),
                    ("init", "-qf", model, out), ("reconfigure", "-qf", model, out, "--set", "vocab_size=12"),
                    ("forward", model, "--input-ids", "[1,2,3]"), ("verify", model), ("diff", model, self.here),
                    ("convert", "-qf", model, out + ".bin"), ("tokenize", model, "hello worlds")]
        return {c[0]: self.ckpt(*c, **more).stdout.replace(model, "MODEL") for c in commands}

    def test_commands(self):
        out = os.path.join(self.dir, "out")
        got = self.all("org/bert", out)
        self.assertTrue(all(got[n] for n in ("inspect", "cat", "config", "forward", "verify", "diff", "tokenize")))
        self.pull("org/bert")
        asked, bodies = len(self.fake.log), len(self.fake.bodies())
        again = self.all("org/bert", out)
        self.assertEqual(len(self.fake.bodies()), bodies)  # all is in the cache
        self.assertGreater(len(self.fake.log), asked)
        asked = len(self.fake.log)
        offline = self.all("org/bert", out, HF_HUB_OFFLINE="1")
        self.assertEqual(len(self.fake.log), asked)
        for name in ("cat", "config", "forward", "diff", "tokenize"):
            self.assertEqual(got[name], again[name])
            self.assertEqual(got[name], offline[name])

    def test_scan_looks_at_all_files(self):
        bad = b"cposix\nsystem\n(S'id'\ntR."
        self.fake.repos["org/bert"].update({"pytorch_model.bin": bad, "more/optimizer.pt": bad})
        self.pull("org/bert")  # a checkpoint is whole without them
        run = self.ckpt("scan", "org/bert", code=6, HF_HUB_OFFLINE="1")
        self.assertEqual(run.stdout, "")
        found = json.loads(self.ckpt("scan", "--json", "org/bert", code=1).stdout)
        self.assertTrue(found["complete"])
        bad = [f["path"].rsplit("/", 1)[1] for f in found["findings"] if f["severity"] == "dangerous"]
        self.assertEqual(sorted(bad), ["optimizer.pt", "pytorch_model.bin"])
        self.ckpt("scan", "org/bert", code=1, HF_HUB_OFFLINE="1")

    def test_killed_at_random_moments(self):
        seed = random.randrange(1 << 30)
        moments = random.Random(seed)
        cache = os.path.join(self.dir, "hf", "hub")
        killed = 0
        for n in range(30):
            with self.subTest(seed=seed, round=n):
                self.fake.fault["model.safetensors"] = ["slow"] * 8
                p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(moments.random() * 0.4)
                p.kill()
                killed += p.wait() < 0
                self.check(cache)
                self.fake.fault.clear()
                self.pull("org/model")
                self.check(cache)
                if n % 3:
                    shutil.rmtree(self.repo())
        self.assertGreater(killed, 5)

    def check(self, cache):
        self.blobs()
        if os.path.isdir(cache):
            self.assertEqual([str(w) for w in huggingface_hub.scan_cache_dir(cache).warnings], [])


if __name__ == "__main__":
    unittest.main()
