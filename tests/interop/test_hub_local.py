# test_hub_local.py -- ckpt pull --local-dir and hf download --local-dir on the same folder
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from hub_case import CKPT, FILES, WEIGHTS, HubCase, git_sha1

DOWNLOAD = "import sys; from huggingface_hub.cli.hf import main; sys.argv[0] = 'hf'; main()"


class Local(HubCase):
    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.dir, "here")

    def hf(self, *args, **more):
        run = subprocess.run([sys.executable, "-c", DOWNLOAD, "download", *args, "--local-dir", self.folder], env=self.env(**more),
                             capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run

    def local(self, *args, **more):
        return self.pull("org/model", *args, "--local-dir", self.folder, **more)

    def path(self, name):
        return os.path.join(self.folder, name)

    def notes(self, name):
        with open(self.path(f".cache/huggingface/download/{name}.metadata")) as f:
            return f.read().split("\n")

    def age(self, name):
        """As if the file had been touched long after it was fetched."""
        lines = self.notes(name)
        lines[2] = str(float(lines[2]) - 100)
        with open(self.path(f".cache/huggingface/download/{name}.metadata"), "w") as f:
            f.write("\n".join(lines))

    def tree(self):
        out = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    data = f.read()
                if name.endswith(".metadata"):
                    self.assertRegex(data.decode(), r"\A[0-9a-f]{40}\n[0-9a-f]{40,64}\n\d+\.\d+\n\Z")
                    data = data[:data.rindex(b"\n", 0, -1)]
                out[os.path.relpath(path, self.folder)] = data
        return out

    def content(self):
        for name, data in FILES.items():
            with open(self.path(name), "rb") as f:
                self.assertEqual(f.read(), data, name)

    def quiet(self, call, *args, **more):
        """Nothing is transferred by that call."""
        before = len(self.fake.bodies())
        result = call(*args, **more)
        self.assertEqual(self.fake.bodies()[before:], [])
        return result

    def test_python_transfers_nothing_after_ckpt(self):
        got = self.local("--include", "*")
        self.assertEqual(got["path"], os.path.realpath(self.folder))
        self.assertEqual(got["bytes_transferred"], sum(map(len, FILES.values())))
        self.content()
        ours = self.tree()
        self.quiet(self.hf, "org/model")
        self.content()
        shutil.rmtree(self.folder)
        self.hf("org/model")
        self.assertEqual(ours, self.tree())
        self.assertFalse(os.path.exists(self.repo() + "/blobs"))

    def test_ckpt_transfers_nothing_after_python(self):
        self.hf("org/model")
        stamps = {n: os.stat(self.path(n)).st_mtime_ns for n in FILES}
        got = self.quiet(self.local, "--include", "*")
        self.assertEqual(got["bytes_transferred"], 0)
        self.assertTrue(all(f["cached"] for f in got["files"]))
        self.assertEqual(stamps, {n: os.stat(self.path(n)).st_mtime_ns for n in FILES})

    def test_offline_and_hub_away(self):
        self.assertIn("HF_HUB_OFFLINE", self.ckpt("pull", "org/model", "--local-dir", self.folder, code=6, HF_HUB_OFFLINE="1").stderr)
        self.assertFalse(os.path.exists(self.folder))
        self.hf("org/model")
        one = self.local("config.json", HF_HUB_OFFLINE="1")
        self.assertEqual(one["path"], os.path.realpath(self.path("config.json")))
        self.local("--include", "*", HF_HUB_OFFLINE="1")
        self.local("--revision", self.fake.commit, HF_HUB_OFFLINE="1")
        self.ckpt("pull", "org/model", "--revision", "b" * 40, "--local-dir", self.folder, code=6, HF_HUB_OFFLINE="1")
        self.fake.api = {"/api/": (503, b"", {})}
        self.assertIn("is used", self.ckpt("pull", "org/model", "--local-dir", self.folder).stderr)
        with open(self.path("config.json"), "a") as f:
            f.write("mine")
        self.ckpt("pull", "org/model", "config.json", "--local-dir", self.folder, code=6, HF_HUB_OFFLINE="1")

    def test_changes_are_noticed(self):
        self.local()
        for name, text, word in (("config.json", b"{}", "changed"), ("model.safetensors", WEIGHTS[:-1] + b"\0", "changed")):
            with open(self.path(name), "wb") as f:
                f.write(text)
            self.age(name)
            run = self.ckpt("pull", "org/model", "--local-dir", self.folder)
            self.assertIn(f"{name} was {word}", run.stderr)
            with open(self.path(name), "rb") as f:
                self.assertEqual(f.read(), FILES[name])
        # touched, but with the same content: nothing is to be done
        self.age("model.safetensors")
        self.age("config.json")
        run = self.quiet(self.ckpt, "pull", "org/model", "--local-dir", self.folder)
        self.assertNotIn("replaced", run.stderr)
        # of another origin
        shutil.rmtree(self.path(".cache"))
        with open(self.path("tokenizer.json"), "wb") as f:
            f.write(b"[]")
        run = self.ckpt("pull", "org/model", "--local-dir", self.folder)
        self.assertIn("tokenizer.json has other content", run.stderr)
        self.assertEqual(sum(r[0] == "cdn" for r in self.fake.log), 2)
        self.quiet(self.hf, "org/model", "--include", "*.json", "--include", "model.safetensors", "--exclude", "onnx/*")

    def test_a_new_commit(self):
        self.local()
        self.fake.commit = "d" * 40
        self.fake.repos["org/model"]["config.json"] = b"{}\n"
        got = self.local()
        self.assertEqual(got["bytes_transferred"], 3)
        for name in ("config.json", "model.safetensors"):
            self.assertEqual(self.notes(name)[0], "d" * 40)
        self.assertEqual(self.notes("config.json")[1], git_sha1(b"{}\n"))
        with open(self.path("config.json"), "rb") as f:
            self.assertEqual(f.read(), b"{}\n")
        self.quiet(self.hf, "org/model", "config.json", "model.safetensors")

    def test_what_the_cache_has_is_copied(self):
        cached = self.pull("org/model", "--include", "*")["path"]
        got = self.quiet(self.local, "--include", "*")
        self.assertEqual(got["bytes_transferred"], 0)
        self.content()
        self.assertFalse(os.path.islink(self.path("model.safetensors")))
        shutil.rmtree(self.folder)
        blob = os.path.realpath(os.path.join(cached, "model.safetensors"))
        with open(blob, "r+b") as f:
            f.write(b"wrong")
        self.assertEqual(self.local("--include", "*")["bytes_transferred"], len(WEIGHTS))
        self.content()

    def test_faults(self):
        for fault, code in ((["cut", "cut"], 0), (["stall"], 0), (["cut", "ignore"], 0), (["wrong"], 8), (["long"], 8)):
            with self.subTest(fault=fault):
                shutil.rmtree(self.folder, True)
                self.fake.fault["model.safetensors"] = list(fault)
                self.ckpt("pull", "org/model", "--local-dir", self.folder, code=code)
                self.assertEqual(os.path.exists(self.path("model.safetensors")), code == 0)
                self.assertEqual(re.findall("incomplete", " ".join(self.tree())), [])
                self.fake.fault.clear()
                self.local("--include", "*")
                self.content()

    def test_killed_then_resumed(self):
        self.fake.fault["model.safetensors"] = ["drip"]
        p = subprocess.Popen([CKPT, "pull", "org/model", "--local-dir", self.folder], env=self.env(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(1.5)
        p.send_signal(signal.SIGKILL)
        p.wait()
        self.assertFalse(os.path.exists(self.path("model.safetensors")))
        self.fake.fault.clear()
        self.assertLess(self.local("--include", "*")["bytes_transferred"], len(WEIGHTS))
        self.content()

    def test_hostile_names(self):
        good = git_sha1(b"x")
        for path in ("../x", "/etc/x", "a/../../x", ".git/config", ".cache/huggingface/download/config.json.metadata",
                     ".CACHE/huggingface/.gitignore"):
            with self.subTest(path=path):
                body = json.dumps([{"type": "file", "path": path, "size": 1, "oid": good}]).encode()
                self.fake.api = {"/api/models/org/model/tree/": (200, body, {})}
                run = self.ckpt("pull", "org/model", "--include", "*", "--local-dir", self.folder, code=8)
                self.assertIn("repository", run.stderr)
                self.assertFalse(os.path.exists(self.folder))

    def test_odd_folders(self):
        self.ckpt("pull", "org/model", "--local-dir", "", code=2)
        os.makedirs(self.path("config.json"))
        self.assertIn("is no file", self.ckpt("pull", "org/model", "--local-dir", self.folder, code=3).stderr)
        os.rmdir(self.path("config.json"))
        # a link is replaced, never written through
        other = os.path.join(self.dir, "other")
        with open(other, "w") as f:
            f.write("other")
        os.symlink(other, self.path("config.json"))
        self.local()
        self.assertFalse(os.path.islink(self.path("config.json")))
        with open(other) as f:
            self.assertEqual(f.read(), "other")
        dry = self.local("--dry-run", "--force-download")
        self.assertEqual(dry["bytes_transferred"], 0)


if __name__ == "__main__":
    unittest.main()
