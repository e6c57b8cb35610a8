# test_hub_ranges.py -- large files come as ranges over several connections, and whatever goes wrong with one of them
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from hub_case import CKPT, HubCase

MIB = 1 << 20
BIG = random.Random(3).randbytes(75 * MIB + 4321)
NAME = "model.safetensors"


class Ranges(HubCase):
    def setUp(self):
        super().setUp()
        self.fake.repos["org/model"] = {NAME: BIG}
        self.fake.lfs_entry = self.fake.entry(NAME, BIG)
        self.fake.entry = lambda path, data: self.fake.lfs_entry

    def ranges(self):
        """(from, to) of each request to the CDN; None stands for what was left open."""
        out = []
        for kind, _, _, headers in self.fake.log:
            if kind == "cdn":
                first, last = headers.get("Range", "bytes=0-")[6:].split("-")
                out.append((int(first), int(last) if last else None))
        return out

    def clear(self, *faults):
        shutil.rmtree(self.repo(), True)
        self.fake.log.clear()
        self.fake.fault[NAME] = list(faults)

    def right(self, *faults, **more):
        self.clear(*faults)
        run = self.ckpt("pull", "org/model", NAME, **more)
        self.check(run.stdout.splitlines()[-1])
        return run

    def check(self, path):
        with open(path, "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(BIG).digest())
        self.assertEqual(os.listdir(self.repo() + "/blobs"), [hashlib.sha256(BIG).hexdigest()])

    def left(self):
        folder = self.repo() + "/blobs"
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def test_several_at_once(self):
        got = self.pull("org/model", NAME)
        self.check(got["path"])
        self.assertEqual(got["bytes_transferred"], len(BIG))
        seen = sorted(self.ranges())
        self.assertEqual(len(seen), 5)
        self.assertEqual(seen[0][0], 0)
        self.assertEqual([b[0] for b in seen[1:]], [a[1] + 1 for a in seen[:-1]])
        self.assertEqual(seen[-1][1], len(BIG) - 1)
        # the Hub is asked once where the file is
        self.assertEqual(sum("/resolve/" in r[2] for r in self.fake.log), 1)

    def test_one_connection_is_enough(self):
        self.right("ignore")
        self.assertEqual(len(self.ranges()), 1)
        for faults in (["", "ignore"], ["", "", "", "ignore"]):
            self.right(*faults)

    def test_faults_that_are_overcome(self):
        for faults in (["cut"], ["", "cut", "cut"], ["", "", "busy"], ["", "limit"], ["", "short"], ["", "", "stall"], ["", "forbid"],
                       ["", "forbid", "forbid", "forbid"], ["", "past"], ["", "busy", "busy", "busy", "cut", "busy"]):
            with self.subTest(faults=faults):
                self.right(*faults)

    def test_one_bad_connection_among_good_ones(self):
        self.right("", *["busy"] * 8)

    def test_another_file_by_its_etag(self):
        self.fake.stamps, self.stall = True, "20"
        run = self.right("", "", "other")
        self.assertIn("another file now", run.stderr)
        self.right("", "other", "other", "other", "other")

    def test_faults_that_are_not(self):
        for fault, code in (("wrong", 8), ("long", 8), ("gzip", 8), ("loop", 7), ("file", 3)):
            with self.subTest(fault=fault):
                self.clear("", "", *[fault] * (60 if fault == "loop" else 1))  # four connections share them
                run = self.ckpt("pull", "org/model", NAME, code=code)
                self.assertEqual(run.stdout, "")
                self.assertEqual([n for n in self.left() if len(n) == 64 or "ranges" in n], [])
                self.fake.fault.clear()
                self.check(self.pull("org/model", NAME)["path"])
        self.clear(*["busy"] * 40)
        self.ckpt("pull", "org/model", NAME, code=7)
        self.fake.fault.clear()
        self.check(self.pull("org/model", NAME)["path"])

    def test_killed_then_resumed(self):
        for number, delay in ((signal.SIGKILL, 0), (signal.SIGKILL, 0.5), (signal.SIGKILL, 1.0), (signal.SIGINT, 0.5)):
            with self.subTest(number=number, delay=delay):
                self.clear("", *["drip"] * 20)
                p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.wait_for(p, 16 * MIB)
                time.sleep(delay)
                p.send_signal(number)
                p.wait()
                names = self.left()
                self.assertTrue(all(n.endswith(".incomplete") for n in names), names)
                noted = [n for n in names if "ranges" in n]
                self.assertEqual(len(noted), number == signal.SIGKILL)
                self.fake.fault.clear()
                got = self.pull("org/model", NAME)
                self.check(got["path"])
                self.assertLessEqual(got["bytes_transferred"], len(BIG) - 16 * MIB)

    def test_killed_at_random_moments(self):
        """Again and again, while ranges come beside each other; what was noted is not fetched again, and no final name is wrong."""
        seed = random.randrange(1 << 30)
        moments = random.Random(seed)
        spared = 0
        for n in range(5):
            self.clear(*["drip"] * 99)
            for kill in range(1 + n % 3):
                with self.subTest(seed=seed, round=n, kill=kill):
                    p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    time.sleep(0.2 + moments.random() * 3)
                    p.kill()
                    p.wait()
                    names = self.left()
                    self.assertTrue(all(m.endswith(".incomplete") for m in names) or names == [hashlib.sha256(BIG).hexdigest()], names)
                    self.assertFalse(os.path.exists(os.path.join(self.repo(), "refs", "main")) and len(names) > 1)
            there = self.noted()
            self.fake.fault.clear()
            got = self.pull("org/model", NAME)
            self.check(got["path"])
            self.assertEqual(got["bytes_transferred"], len(BIG) - there)
            spared += there
        self.assertGreater(spared, 0)

    def wait_for(self, p, bytes):
        """Until so many bytes are noted, and ranges come beside each other."""
        while len([n for n in self.left() if "ranges" in n]) == 0 or self.noted() < bytes:
            self.assertIsNone(p.poll())
            time.sleep(0.02)

    def noted(self):
        """Bytes that lie without a hole in the partial file, as the note beside it says, or as it is long."""
        names = {n.split(".", 1)[1]: os.path.join(self.repo(), "blobs", n) for n in self.left() if "." in n}
        if "ckpt.ranges.incomplete" in names:
            with open(names["ckpt.ranges.incomplete"]) as f:
                return int(f.read() or 0)
        return os.path.getsize(names["ckpt.incomplete"]) if names else len(BIG) * bool(self.left())

    def test_a_lost_note_costs_only_time(self):
        self.clear("", *["drip"] * 20)
        p = subprocess.Popen([CKPT, "pull", "org/model"], env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for(p, 16 * MIB)
        p.kill()
        p.wait()
        for name in self.left():
            if "ranges" in name:
                os.remove(os.path.join(self.repo(), "blobs", name))
        self.fake.fault.clear()
        self.check(self.pull("org/model", NAME)["path"])

    def test_into_a_folder(self):
        folder = os.path.join(self.dir, "here")
        self.clear("", "cut", "busy")
        got = self.pull("org/model", NAME, "--local-dir", folder)
        with open(got["path"], "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(BIG).digest())
        names = sorted(os.listdir(folder + "/.cache/huggingface/download"))
        self.assertEqual(names, [NAME + ".lock", NAME + ".metadata"])


if __name__ == "__main__":
    unittest.main()
