# test_hub_beside.py -- ckpt and huggingface_hub pull the same repository at the same time, whoever is first
import os
import random
import subprocess
import sys
import time
import unittest

from hub_case import CKPT, FILES, PYTHON, HubCase

LOCAL = "import sys, huggingface_hub as h; print(h.snapshot_download('org/model', local_dir=sys.argv[1]))"


class Beside(HubCase):
    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.dir, "here")

    def begin(self, who, local=False):
        ours = [CKPT, "pull", "--quiet", "org/model", "--include", "*"] + (["--local-dir", self.folder] if local else [])
        theirs = [sys.executable, "-c", LOCAL, self.folder] if local else [sys.executable, "-c", PYTHON, "snapshot", "org/model"]
        return subprocess.Popen(ours if who == "ckpt" else theirs, env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def asked(self):
        return [r for r in self.fake.log if r[0] == "cdn"]

    def right(self, *processes):
        """Both end well with the same right files, and the large ones came once."""
        paths = set()
        for p in processes:
            out, err = p.communicate(timeout=60)
            self.assertEqual(p.returncode, 0, err)
            paths.add(os.path.realpath(out.strip().splitlines()[-1]))
        self.assertEqual(len(paths), 1)
        for name, data in FILES.items():
            with open(os.path.join(*paths, name), "rb") as f:
                self.assertEqual(f.read(), data, name)
        gets = [r[2] for r in self.asked() if r[1] == "GET"]
        self.assertEqual(len(gets), len(set(gets)), gets)

    def test_whoever_is_first(self):
        for local in False, True:
            for first, second in ("ckpt", "python"), ("python", "ckpt"):
                with self.subTest(first=first, local=local):
                    subprocess.run(["rm", "-rf", os.path.join(self.dir, "hf"), self.folder], check=True)
                    self.fake.log.clear()
                    self.fake.fault = {"model.safetensors": ["drip"]}
                    one = self.begin(first, local)
                    while not any("model.safetensors" in r[2] for r in self.asked()):
                        self.assertIsNone(one.poll())
                        time.sleep(0.01)
                    two = self.begin(second, local)
                    self.right(one, two)
                    if not local:
                        self.blobs()
                        self.assertEqual([n for n in os.listdir(self.repo() + "/blobs") if "incomplete" in n], [])

    def test_at_the_same_time(self):
        seed = random.randrange(1 << 30)
        moments = random.Random(seed)
        for n in range(5):
            with self.subTest(seed=seed, round=n):
                subprocess.run(["rm", "-rf", os.path.join(self.dir, "hf")], check=True)
                self.fake.log.clear()
                self.fake.fault = {"model.safetensors": ["slow"], "pytorch_model.bin": ["slow"]}
                theirs = self.begin("python")
                time.sleep(moments.random() * 1.5)  # Python takes about a second to begin
                self.right(theirs, self.begin("ckpt"), self.begin("ckpt"))
                self.blobs()

    def test_nothing_is_removed_beside_python(self):
        self.fake.fault = {"model.safetensors": ["drip"]}
        p = self.begin("python")
        while not any("model.safetensors" in r[2] for r in self.asked()):
            time.sleep(0.01)
        time.sleep(0.3)
        run = self.ckpt("cache", "rm", "org/model", "--yes", code=3)
        self.assertIn("org/model is left alone: a process is pulling into it", run.stderr)
        self.assertIn("1 repository was not removed", run.stderr)
        self.right(p)
        self.ckpt("cache", "rm", "org/model", "--yes")
        self.assertEqual(os.listdir(os.path.join(self.dir, "hf", "hub", ".locks")), [])


if __name__ == "__main__":
    unittest.main()
