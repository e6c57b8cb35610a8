# hub_case.py -- what the tests of the Hub share: a fake Hub, a cache of their own, ckpt and huggingface_hub
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub"))
from fake_hub import FakeHub, git_sha1  # noqa: E402
from peers import CKPT  # noqa: E402

HEAD = b'{"w":{"dtype":"F32","shape":[1048576],"data_offsets":[0,4194304]}}'
WEIGHTS = len(HEAD).to_bytes(8, "little") + HEAD + random.Random(7).randbytes(4194304)
CONFIG = b'{"model_type": "bert"}\n'
FILES = {
    "config.json": CONFIG,
    "README.md": b"# hello\n",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"not needed",
    "tokenizer.json": b"{}",
    "onnx/a b/deep.json": b"[1]",
    "empty.txt": b"",
}
PYTHON = """
import sys, json, huggingface_hub as h
what, repo = sys.argv[1:3]
if what == "snapshot": print(h.snapshot_download(repo))
if what == "file": print(h.hf_hub_download(repo, sys.argv[3]))
if what == "scan":
    info = h.scan_cache_dir()
    print(json.dumps({"warnings": [str(w) for w in info.warnings], "repos": [r.repo_id for r in info.repos],
                      "files": sorted(f.file_name for r in info.repos for v in r.revisions for f in v.files)}))
"""


class HubCase(unittest.TestCase):
    """A fake Hub with two repositories, a home of its own, and both clients."""
    stall = "2"  # seconds; a case that counts answers, and where nothing stalls, bears a slow machine by setting more

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ckpt-hub-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.fake = self.hub({"org/model": dict(FILES), "plain": {"config.json": CONFIG}})

    def hub(self, repos, **more):
        fake = FakeHub(repos, **more)
        for server in fake.servers:
            server.handle_error = lambda *a: None  # a client that goes away is no news
        self.addCleanup(fake.close)
        return fake

    def env(self, **more):
        drop = ("HF_", "HUGGINGFACE", "TRANSFORMERS", "http", "HTTP", "XDG")
        env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
        env.update(HOME=self.dir, HF_HOME=os.path.join(self.dir, "hf"), HF_ENDPOINT=self.fake.hub, HF_HUB_DISABLE_XET="1",
                   HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DOWNLOAD_TIMEOUT=self.stall)
        env.update(more)
        return env

    def ckpt(self, *args, code=0, **more):
        run = subprocess.run([CKPT, *args], env=self.env(**more), capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return run

    def pull(self, *args, **more):
        return json.loads(self.ckpt("pull", "--json", *args, **more).stdout)

    def python(self, *args, **more):
        run = subprocess.run([sys.executable, "-c", PYTHON, *args], env=self.env(**more), capture_output=True, text=True,
                             timeout=120)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout.strip()

    def repo(self):
        return os.path.join(self.dir, "hf", "hub", "models--org--model")

    def blobs(self):
        """Every name that stands for finished content; each must have the hash that it is called by."""
        folder = os.path.join(self.repo(), "blobs")
        names = [n for n in os.listdir(folder) if not n.endswith(".incomplete")] if os.path.isdir(folder) else []
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                data = f.read()
            self.assertEqual(name, hashlib.sha256(data).hexdigest() if len(name) == 64 else git_sha1(data))
        return names
