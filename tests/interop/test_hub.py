# test_hub.py -- ckpt pull against a fake Hub, beside the real huggingface_hub client on the same cache
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import time
import unittest

from hub_case import CKPT, CONFIG, FILES, WEIGHTS, HubCase, git_sha1


class Hub(HubCase):
    # ---- the cache, both ways

    def test_ckpt_pulls_python_reads_offline(self):
        got = self.pull("org/model", "--include", "*")
        self.assertEqual(len(got["files"]), len(FILES))
        self.assertEqual(got["bytes_transferred"], sum(map(len, FILES.values())))
        path = self.python("snapshot", "org/model", HF_HUB_OFFLINE="1")
        self.assertEqual(path, got["path"])
        for name, data in FILES.items():
            with open(os.path.join(path, name), "rb") as f:
                self.assertEqual(f.read(), data)
        scan = json.loads(self.python("scan", "-"))
        self.assertEqual(scan["warnings"], [])
        self.assertEqual(scan["repos"], ["org/model"])
        self.assertEqual(scan["files"], sorted(os.path.basename(n) for n in FILES))
        before = len(self.fake.bodies())
        self.python("snapshot", "org/model")
        self.assertEqual(len(self.fake.bodies()), before)

    def test_python_pulls_ckpt_transfers_nothing(self):
        path = self.python("snapshot", "org/model")
        before = len(self.fake.bodies())
        got = self.pull("org/model", "--include", "*")
        self.assertEqual(got["path"], path)
        self.assertEqual(got["bytes_transferred"], 0)
        self.assertEqual(len(self.fake.bodies()), before)

    def test_layout_is_byte_equal(self):
        def tree(root):
            out = {}
            for folder, _, names in os.walk(root):
                for name in names:
                    path = os.path.join(folder, name)
                    key = os.path.relpath(path, root)
                    link = os.path.islink(path)
                    mode = 0 if link or "/trees/" in key else stat.S_IMODE(os.stat(path).st_mode)
                    with open(path, "rb") as f:
                        out[key] = (os.readlink(path) if link else f.read(), mode)
            return out
        self.pull("org/model", "--include", "*")
        root = os.path.join(self.dir, "hf", "hub")
        ours = tree(root)
        shutil.rmtree(root)
        self.python("snapshot", "org/model")
        self.assertEqual(ours, tree(root))

    def test_default_choice_and_names(self):
        got = self.pull("org/model")
        self.assertEqual([f["name"] for f in got["files"]], ["config.json", "model.safetensors", "tokenizer.json"])
        url = self.fake.hub + "/org/model/resolve/main/config.json"
        for name in ("hf://org/model/config.json", "hf://org/model@main/config.json", url):
            self.assertEqual(self.pull(name)["path"], got["path"] + "/config.json")
        quiet = self.ckpt("pull", "--quiet", "org/model", "onnx/a b/deep.json").stdout
        self.assertEqual(quiet, got["path"] + "/onnx/a b/deep.json\n")
        self.assertTrue(self.pull("plain")["path"].endswith("models--plain/snapshots/" + self.fake.commit))
        dry = self.pull("plain", "--dry-run", "--force-download")
        self.assertEqual((dry["bytes_missing"], dry["bytes_transferred"]), (len(CONFIG), 0))

    def test_offline(self):
        self.assertIn("HF_HUB_OFFLINE", self.ckpt("pull", "org/model", code=6, HF_HUB_OFFLINE="1").stderr)
        got = self.pull("org/model")
        self.assertEqual(self.pull("org/model", HF_HUB_OFFLINE="1")["path"], got["path"])
        self.ckpt("pull", "org/model", "README.md", code=6, HF_HUB_OFFLINE="1")

    def test_missing_file_is_remembered(self):
        self.assertIn("nowhere.txt", self.ckpt("pull", "org/model", "nowhere.txt", code=4).stderr)
        self.assertTrue(os.path.exists(os.path.join(self.repo(), ".no_exist", self.fake.commit, "nowhere.txt")))
        self.assertEqual(json.loads(self.python("scan", "-"))["warnings"], [])

    def test_without_links(self):
        got = self.pull("org/model", "--include", "*", HF_HUB_DISABLE_SYMLINKS="1")
        for name, data in FILES.items():
            path = os.path.join(got["path"], name)
            self.assertFalse(os.path.islink(path))
            with open(path, "rb") as f:
                self.assertEqual(f.read(), data)
        self.assertEqual(self.blobs(), [])
        again = self.pull("org/model", "--include", "*", HF_HUB_DISABLE_SYMLINKS="1")
        self.assertEqual(again["bytes_transferred"], 0)
        self.assertEqual(self.python("snapshot", "org/model", HF_HUB_OFFLINE="1"), got["path"])
        self.assertEqual(json.loads(self.python("scan", "-"))["warnings"], [])
        shutil.rmtree(self.repo())
        self.python("snapshot", "org/model", HF_HUB_DISABLE_SYMLINKS="1")
        self.assertEqual(self.pull("org/model", "--include", "*")["bytes_transferred"], 0)

    # ---- looking after the cache

    def cache(self, *args, code=0, **more):
        return json.loads(self.ckpt("cache", *args, "--json", code=code, **more).stdout)

    def test_cache_verify_and_repair(self):
        path = self.python("snapshot", "org/model")
        self.assertEqual([r["repo"] for r in self.cache("ls")], ["org/model"])
        self.assertEqual(self.cache("verify", HF_HUB_OFFLINE="1"), [])
        blob = os.path.realpath(os.path.join(path, "model.safetensors"))
        os.chmod(blob, 0o644)
        with open(blob, "r+b") as f:
            f.seek(1000)
            f.write(b"!!!")
        os.remove(os.path.realpath(os.path.join(path, "config.json")))
        bad = self.cache("verify", "org/model", code=1, HF_HUB_OFFLINE="1")
        self.assertEqual(sorted(b["file"] for b in bad), ["config.json", "model.safetensors"])
        self.fake.fault["model.safetensors"] = ["wrong"]
        self.ckpt("cache", "verify", "--repair", code=8)
        self.assertEqual({b["state"] for b in self.cache("verify", "--repair")}, {"repaired"})
        self.assertEqual(self.cache("verify"), [])
        self.blobs()

    def test_cache_rm_and_prune(self):
        old = self.pull("org/model")["path"]
        other = self.pull("plain")["path"]
        outside = os.path.join(self.dir, "outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "keep"), "w") as f:
            f.write("x")
        os.symlink(outside, os.path.join(self.repo(), "snapshots", "link"))
        self.fake.commit = "d" * 40
        self.fake.repos["org/model"]["config.json"] = b"{}\n"
        new = self.pull("org/model")["path"]
        with open(os.path.join(self.repo(), "blobs", "0" * 40 + ".ckpt.incomplete"), "w") as f:
            f.write("part")
        self.assertEqual(self.cache("ls", "org/model")[0]["bytes_prunable"], len(CONFIG) + 4)
        self.assertIn("--yes", self.ckpt("cache", "prune", code=2).stderr)
        self.assertTrue(os.path.isdir(old))
        self.ckpt("cache", "prune", "--yes")
        self.assertFalse(os.path.exists(old))
        self.assertTrue(os.path.exists(os.path.join(new, "config.json")))
        self.assertEqual(sorted(self.blobs()), sorted(os.path.basename(os.path.realpath(os.path.join(new, n))) for n in os.listdir(new)))
        self.assertEqual(json.loads(self.python("scan", "-"))["repos"].__len__(), 2)
        self.ckpt("cache", "rm", "org/none", "--yes", code=4)
        self.ckpt("cache", "rm", "--yes", code=2)
        self.ckpt("cache", "rm", "model/org/model", "--yes")
        self.assertFalse(os.path.exists(self.repo()))
        self.assertTrue(os.path.exists(os.path.join(other, "config.json")))
        self.assertTrue(os.path.exists(os.path.join(outside, "keep")))

    # ---- words and codes

    def test_errors(self):
        self.assertIn("no such repository", self.ckpt("pull", "org/other", code=4).stderr)
        self.assertIn("no such revision", self.ckpt("pull", "org/model@v9", code=4).stderr)
        self.ckpt("pull", "org/model@../x", code=2)
        self.ckpt("pull", "a/b/c", code=2)
        self.assertIn("only https", self.ckpt("pull", "org/model", code=3, HF_ENDPOINT="http://example.com").stderr)
        secret = "hf_secret\nX: y"
        run = self.ckpt("pull", "org/model", code=2, HF_TOKEN=secret)
        self.assertNotIn("hf_secret", run.stderr + run.stdout)

    def test_gated_and_token(self):
        self.fake = self.hub({"org/model": dict(FILES)}, token="hf_right")
        self.assertIn("gated", self.ckpt("pull", "org/model", code=5).stderr)
        self.pull("org/model", HF_TOKEN="hf_right")
        seen = {kind: [h.get("Authorization") for k, _, _, h in self.fake.log if k == kind] for kind in ("hub", "cdn")}
        self.assertIn("Bearer hf_right", seen["hub"])
        self.assertEqual(set(seen["cdn"]), {None})
        os.makedirs(os.path.join(self.dir, "hf"), exist_ok=True)
        shutil.rmtree(os.path.join(self.dir, "hf", "hub"))
        with open(os.path.join(self.dir, "hf", "token"), "w") as f:
            f.write(" hf_right\r\n")
        self.pull("org/model")

    # ---- faults

    def test_faults_that_are_overcome(self):
        for faults in (["cut"], ["busy"], ["limit"], ["stall"], ["short"], ["cut", "ignore"], ["cut", "past"], ["cut", "forbid"],
                       ["cut", "cut", "cut", "cut", "cut", "cut"], ["drip"]):
            with self.subTest(faults=faults):
                shutil.rmtree(self.repo(), True)
                self.fake.fault["model.safetensors"] = list(faults)
                got = self.pull("org/model", "model.safetensors")
                with open(got["path"], "rb") as f:
                    self.assertEqual(f.read(), WEIGHTS)
                self.blobs()

    def test_faults_that_are_not(self):
        for fault, code in (("wrong", 8), ("long", 8), ("gzip", 8), ("loop", 7), ("file", 3), ("forbid", 5)):
            with self.subTest(fault=fault):
                shutil.rmtree(self.repo(), True)
                self.fake.fault["model.safetensors"] = [fault] * 12
                run = self.ckpt("pull", "org/model", "model.safetensors", code=code)
                self.assertEqual(run.stdout, "")
                self.assertEqual(self.blobs(), [])
                self.fake.fault.clear()
                self.pull("org/model", "model.safetensors")

    def test_hostile_lists(self):
        good = git_sha1(b"x")
        for path in ("../x", "/etc/x", "a/../../x", "C:\\x", "", ".", "a//b", ".git/config", "x" * 300, "a\u0000b"):
            with self.subTest(path=path):
                body = json.dumps([{"type": "file", "path": path, "size": 1, "oid": good}]).encode()
                self.fake.api = {"/api/models/org/model/tree/": (200, body, {})}
                self.ckpt("pull", "org/model", "--include", "*", code=8)
                self.assertFalse(os.path.exists(self.repo()))
        for oid in ("../../../x", good[:-1], good.upper(), "", "a" * 300):
            body = json.dumps([{"type": "file", "path": "x", "size": 1, "oid": oid}]).encode()
            self.fake.api = {"/api/models/org/model/tree/": (200, body, {})}
            self.ckpt("pull", "org/model", "--include", "*", code=8)
        self.fake.api = {"/api/models/org/model/revision/": (200, b'{"sha": "../../x"}', {})}
        self.ckpt("pull", "org/model", code=8)
        self.assertFalse(os.path.exists(self.repo()))
        for more in ({"Link": '<https://example.com/x>; rel="next"'}, {"Location": "?again"}):
            self.fake.api = {"/api/models/org/model/tree/": (200 if "Link" in more else 302, b"[]", more)}
            self.ckpt("pull", "org/model", code=8 if "Link" in more else 7)

    def test_hub_away(self):
        got = self.pull("org/model")
        self.fake.api = {"/api/": (503, b"", {})}
        run = self.ckpt("pull", "org/model")
        self.assertEqual(run.stdout.splitlines()[-1], got["path"])
        self.assertIn("the cache has commit", run.stderr)

    def test_killed_then_resumed(self):
        for delay in (0, 0.4, 0.8):
            shutil.rmtree(self.repo(), True)
            self.fake.fault["model.safetensors"] = ["drip"]
            p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            partial = os.path.join(self.repo(), "blobs", hashlib.sha256(WEIGHTS).hexdigest() + ".ckpt.incomplete")
            while not (os.path.exists(partial) and os.path.getsize(partial)):
                self.assertIsNone(p.poll())
                time.sleep(0.01)
            time.sleep(delay)
            p.send_signal(signal.SIGKILL)
            p.wait()
            self.blobs()
            self.fake.fault.clear()
            got = self.pull("org/model")
            self.assertLess(got["bytes_transferred"], len(WEIGHTS))
            self.blobs()
        partial = os.path.join(self.repo(), "blobs", hashlib.sha256(WEIGHTS).hexdigest())
        os.remove(partial)
        with open(partial + ".ckpt.incomplete", "wb") as f:
            f.write(b"\0" * 1000)
        self.pull("org/model")
        self.assertEqual(len(self.blobs()), 3)

    def test_two_at_once(self):
        self.fake.fault["model.safetensors"] = ["drip"]
        both = [subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.DEVNULL) for _ in range(2)]
        self.assertEqual([p.wait() for p in both], [0, 0])
        self.assertEqual(sum(1 for r in self.fake.log if r[0] == "cdn"), 1)
        self.blobs()


if __name__ == "__main__":
    unittest.main()
