# test_hub_words.py -- what a failed pull says and exits with, and that the next one succeeds
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from hub_case import FILES, WEIGHTS, HubCase
from peers import CKPT

HERE = os.path.dirname(os.path.abspath(__file__))


class Words(HubCase):
    """One failure each: the exit code of the man page, what is named, what is said to do, and how long that is."""


    def fails(self, code, *args, says=(), lines=3, **more):
        run = self.ckpt("pull", *args, code=code, **more)
        self.assertEqual(run.stdout, "")
        self.assertLessEqual(len(run.stderr.splitlines()), lines, run.stderr)
        for text in says:
            self.assertIn(text, run.stderr)
        if os.path.isdir(self.repo()):
            self.blobs()
        with open(os.path.join(HERE, "..", "..", "man", "ckpt-pull.1")) as f:
            numbers = re.findall(r"^\.TP\n(\d+)$", f.read().split(".SH EXIT STATUS")[1], re.M)
        self.assertIn(str(code), numbers)
        return run

    def test_gated(self):
        self.fake.token = "hf_right"
        self.fails(5, "org/model", says=["org/model", "gated", f"ask for it at {self.fake.hub}/org/model, then give the token"])
        self.fails(5, "org/model@main", says=["gated", f"at {self.fake.hub}/org/model, with the account whose token is given"], HF_TOKEN="hf_wrong")
        self.pull("org/model", HF_TOKEN="hf_right")

    def test_private(self):
        self.fake.token, self.fake.private = "hf_right", True
        self.fails(4, "org/model", says=["org/model", "it is private and no token was given (--token, HF_TOKEN)"])
        self.fails(4, "org/model", says=["the token that was given may not read it"], HF_TOKEN="hf_wrong")
        self.pull("org/model", HF_TOKEN="hf_right")

    def test_bad_token(self):
        self.fake.api = {"/api/models/org/model": (401, b'{"error":"x"}', {"X-Error-Message": "Invalid credentials in Authorization header"})}
        self.fails(5, "org/model", says=["org/model", "Invalid credentials", "token"], HF_TOKEN="hf_wrong")

    def test_missing_repository(self):
        self.fails(4, "org/nothing", says=["org/nothing", "no such repository at " + self.fake.hub])

    def test_missing_revision(self):
        self.fails(4, "org/model@v9", says=["org/model@v9", "no such revision"])
        self.fails(4, "org/model", "--revision", "f" * 40, says=["org/model@" + "f" * 40, "no such revision"])

    def test_missing_file(self):
        self.fails(4, "org/model", "model.gguf", says=["org/model has no file 'model.gguf'", "--dry-run"])
        self.fails(4, "org/model", "--include", "*.gguf", says=["org/model: none of its 7 files is chosen"])

    def test_offline(self):
        self.fails(6, "org/model", says=["org/model", "at main is not in the cache " + os.path.join(self.dir, "hf", "hub"), "HF_HUB_OFFLINE"],
                   HF_HUB_OFFLINE="1")
        self.assertEqual(self.fake.log, [])

    def test_rate_limited(self):
        self.fake.api = {"/api/": (429, b"", {"RateLimit": '"api";r=0;t=0'})}
        self.fails(7, "org/model", says=["org/model", "(429)", "wait some minutes, or give a token", "next try in"], lines=5)
        self.assertEqual(len(self.fake.log), 5)

    def test_checksum(self):
        self.fake.fault["model.safetensors"] = ["wrong"]
        sha = hashlib.sha256(WEIGHTS).hexdigest()
        self.fails(8, "org/model", says=["org/model, model.safetensors", "hash " + sha, "pull again"])
        self.assertNotIn(sha, self.blobs())
        self.pull("org/model")

    def test_interrupted(self):
        for number, code in (signal.SIGINT, 130), (signal.SIGTERM, 143):
            shutil.rmtree(self.repo(), True)
            self.fake.log.clear()
            self.fake.fault["model.safetensors"] = ["drip"]
            p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while not any(r[0] == "cdn" for r in self.fake.log):
                time.sleep(0.02)
            time.sleep(0.3)
            p.send_signal(number)
            out, err = p.communicate(timeout=5)
            self.assertEqual((p.returncode, out), (code, ""), err)
            self.assertIn("stopped; the next pull goes on from here", err)
            self.assertEqual([n for n in self.blobs() if len(n) == 64], [])
            self.assertFalse(os.path.exists(os.path.join(self.repo(), "refs", "main")))
            got = self.pull("org/model")
            self.assertLess(got["bytes_transferred"], sum(len(FILES[f["name"]]) for f in got["files"]))

    def test_disk(self):
        room = os.path.join(self.dir, "room")
        os.mkdir(room)
        if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", room]).returncode:
            self.skipTest("a small disk can be mounted by root alone")
        self.addCleanup(subprocess.run, ["umount", "-l", room])
        filler = os.path.join(room, "filler")

        def fill(left):
            free = os.statvfs(room)
            with open(filler, "ab") as f:
                f.write(b"\0" * max(0, free.f_bavail * free.f_frsize - left))

        # before the first byte
        fill(10 << 20)
        self.fails(9, "org/model", says=["org/model", "not enough space", "4.2 MB are to come", "10.5 MB are free"], HF_HUB_CACHE=room)
        self.assertEqual(self.fake.bodies(), [])
        os.remove(filler)
        # in the middle
        self.fake.fault["model.safetensors"] = ["drip"]
        p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(HF_HUB_CACHE=room), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        while not any(r[0] == "cdn" for r in self.fake.log):
            time.sleep(0.02)
        fill(1 << 20)
        out, err = p.communicate(timeout=30)
        self.assertEqual((p.returncode, out), (9, ""), err)
        self.assertIn("no space left on the disk", err)
        self.assertIn("org/model, model.safetensors", err)
        blobs = os.path.join(room, "models--org--model", "blobs")
        self.assertEqual([n for n in os.listdir(blobs) if len(n) == 64], [])
        os.remove(filler)
        got = self.pull("org/model", HF_HUB_CACHE=room)
        with open(os.path.join(got["path"], "model.safetensors"), "rb") as f:
            self.assertEqual(f.read(), WEIGHTS)
        self.assertLess(got["bytes_transferred"], len(WEIGHTS))


if __name__ == "__main__":
    unittest.main()
