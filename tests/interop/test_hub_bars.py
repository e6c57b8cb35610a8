# test_hub_bars.py -- what a terminal shows while ckpt pulls: its screen is played back from what was written to a pseudo terminal
import fcntl
import os
import pty
import random
import re
import select
import struct
import termios
import time
import unittest

from hub_case import CKPT, HubCase

NAMES = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
SIZE = 6000000


class Screen:
    """The few things that a terminal does for bars: lines wrap, the cursor moves up and back, what is behind it is erased."""

    def __init__(self, width):
        self.width, self.lines, self.y, self.x = width, [""], 0, 0

    def feed(self, text):
        for token in re.findall(r"\x1b\[[0-9]*[A-Z]|.", text, re.S):
            line = self.lines[self.y]
            if token == "\r":
                self.x = 0
            elif token == "\n":
                self.y += 1
                if self.y == len(self.lines):
                    self.lines.append("")
            elif token == "\x1b[A":
                self.y = max(0, self.y - 1)
            elif token in ("\x1b[K", "\x1b[J"):
                self.lines[self.y] = line[:self.x]
                if token[-1] == "J":
                    del self.lines[self.y + 1:]
            elif token[0] == "\x1b":
                raise AssertionError(repr(token))
            else:
                if self.x == self.width:
                    self.feed("\r\n")
                    line = self.lines[self.y]
                self.lines[self.y] = line.ljust(self.x)[:self.x] + token + line[self.x + 1:]
                self.x += 1

    def shown(self):
        return [line.rstrip() for line in self.lines if line.strip()]


class Bars(HubCase):
    def setUp(self):
        super().setUp()
        self.fake.repos["org/model"] = {"config.json": b"{}", "model.safetensors.index.json": b"{}",
                                        **{n: random.Random(n).randbytes(SIZE) for n in NAMES}}

    def terminal(self, *args, width=80, at=None, **more):
        """Runs ckpt on a terminal; returns its exit code and the screens after each write. at: (seconds, what to do with the terminal)."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(CKPT, [CKPT, *args], self.env(**{"TERM": "xterm", **more}))
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        screen, screens, begun = Screen(width), [], time.time()
        while True:
            if at and time.time() - begun > at[0]:
                at[1](fd)
                at = None
            if not select.select([fd], [], [], 0.05)[0]:
                continue
            try:
                text = os.read(fd, 65536)
            except OSError:
                break
            if not text:
                break
            screen.feed(text.decode())
            screens.append(screen.shown())
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screens

    def test_a_bar_for_the_file_and_one_for_all(self):
        for width in 120, 62:
            with self.subTest(width=width):
                self.fake.fault = {n: ["drip"] for n in NAMES}
                code, screens = self.terminal("pull", "org/model", "--force-download", width=width)
                self.assertEqual(code, 0)
                self.assertTrue(all(len(s) <= 4 for s in screens), screens)
                bars = [s for s in screens if any(" left" in line for line in s)]
                self.assertGreater(len(bars), 20)
                for s in bars:
                    self.assertEqual(len(s), 2, s)
                    self.assertLess(max(map(len, s)), width)
                    self.assertTrue(s[1].startswith("all, "), s)
                    self.assertEqual(s[0].index(" %"), s[1].index(" %"))
                for n in range(2):
                    mine = [s for s in bars if s[0].startswith(f"model-0000{n + 1}" if width == 120 else "model-") and f"{n + 2} of 4" in s[1]]
                    self.assertGreater(len(mine), 8, bars)
                    shares = [int(re.search(r"(\d+) %", s[0])[1]) for s in mine]
                    self.assertEqual(shares, sorted(shares))
                totals = [int(re.search(r"(\d+) %", s[1])[1]) for s in bars]
                self.assertEqual(totals, sorted(totals))
                if width == 120:
                    self.assertTrue(all("6.00 MB" in s[0] and "12.0 MB" in s[1] for s in bars if "model-0" in s[0]), bars)
                    rates = [float(m[1]) for s in bars[10:] for m in re.finditer(r"([0-9.]+) MB/s", s[0])]
                    self.assertTrue(rates and max(rates) < 6, rates)  # 6 MB take 2.5 s
                self.assertEqual([line for line in screens[-1] if "%" in line or " left" in line], [])
                self.assertIn("4 of 4 files", screens[-1][0])

    def test_ranges_count_to_their_file(self):
        self.fake.repos["org/model"] = {NAMES[0]: random.Random(6).randbytes(70 << 20)}
        self.fake.fault = {NAMES[0]: ["drip"] * 5}
        code, screens = self.terminal("pull", "org/model", NAMES[0], width=100)
        self.assertEqual(code, 0)
        bars = [s for s in screens if any(" left" in line for line in s)]
        self.assertTrue(all(len(s) == 1 and "73.4 MB" in s[0] for s in bars), bars)
        shares = [int(re.search(r"(\d+) %", s[0])[1]) for s in bars]
        self.assertEqual(shares, sorted(shares))
        self.assertGreater(max(shares), 90)

    def test_what_was_there_is_no_speed(self):
        self.fake.fault = {n: ["drip"] for n in NAMES}
        self.terminal("pull", "org/model", at=(1.5, lambda fd: os.write(fd, b"\x03")))
        self.fake.fault = {NAMES[0]: ["drip"]}
        code, screens = self.terminal("pull", "org/model", width=120)
        self.assertEqual(code, 0)
        self.assertTrue(any("goes on at byte" in line for line in screens[-1]))
        found = [float(m[1]) for s in screens for line in s for m in re.finditer(r"([0-9.]+) MB/s", line)]
        self.assertTrue(found and max(found) < 6, found)

    def test_waits_are_shown(self):
        self.fake.fault = {NAMES[0]: ["busy"]}
        code, screens = self.terminal("pull", "org/model", width=120)
        self.assertEqual(code, 0)
        note = "the server answers 503; next try in 2.0 s"
        self.assertTrue(any(note in line for line in screens[-1]), screens[-1])
        waits = [s for s in screens if any("%  " in line and "next try in" in line for line in s)]
        self.assertGreater(len(waits), 5)
        self.assertTrue(all(note in s[0] and len(s) == 3 for s in waits), waits)
        self.fake.api = {"/api/": (503, b"", {})}
        code, screens = self.terminal("pull", "org/other", at=(2, lambda fd: os.write(fd, b"\x03")))
        self.assertEqual(code, 130)
        self.assertTrue(any("asking the Hub, next try in" in line for s in screens for line in s), screens)

    def test_interrupt_and_errors_leave_a_clean_screen(self):
        self.fake.fault = {n: ["drip"] for n in NAMES}
        code, screens = self.terminal("pull", "org/model", at=(1.5, lambda fd: os.write(fd, b"\x03")))
        self.assertEqual(code, 130)
        self.assertTrue(any(" left" in line for s in screens for line in s))
        self.assertEqual(screens[-1], ["ckpt: stopped; the next pull goes on from here"])
        self.fake.fault = {NAMES[0]: ["drip"], NAMES[1]: ["wrong"]}
        code, screens = self.terminal("pull", "org/model", width=200)
        self.assertEqual(code, 8)
        self.assertTrue(any(" left" in line for s in screens for line in s))
        self.assertEqual([line for line in screens[-1] if " % " in line], [])
        self.assertTrue("".join(screens[-1][1:]).startswith(f"ckpt: org/model, {NAMES[1]}: what came has not the hash"), screens[-1])

    def test_a_terminal_that_shrinks(self):
        self.fake.fault = {n: ["drip"] for n in NAMES}
        widths = []

        def shrink(fd):
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 50, 0, 0))
            widths.append(50)
        code, screens = self.terminal("pull", "org/model", width=100, at=(2.5, shrink))
        self.assertEqual((code, widths), (0, [50]))
        bars = [s for s in screens if any(" left" in line for line in s)]
        self.assertLess(max(len(line) for line in bars[-1]), 50)

    def test_none_without_a_terminal(self):
        self.fake.fault = {n: ["drip"] for n in NAMES}
        self.assertEqual(self.ckpt("pull", "org/model").stderr, "")
        for args, more in ((), {"TERM": "dumb"}), ((), {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}), (("-q",), {}):
            self.fake.fault = {n: ["drip"] for n in NAMES}
            code, screens = self.terminal("pull", "org/model", "--force-download", *args, **more)
            self.assertEqual(code, 0)
            self.assertEqual([line for s in screens for line in s if " left" in line], [])


if __name__ == "__main__":
    unittest.main()
