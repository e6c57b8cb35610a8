# pull.py -- starts a Hub on loopback and runs commands against it: pull.py FOLDER COMMAND [ARGUMENT...] [-- COMMAND ...]
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub"))
from fake_hub import FakeHub  # noqa: E402

folder, words = sys.argv[1], sys.argv[2:]
files = {}
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), "rb") as f:
        files[name] = f.read()
hub = FakeHub({"org/model": files})
env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE", "http", "HTTP", "XDG"))}
env.update(HF_ENDPOINT=hub.hub, HF_HUB_CACHE=os.path.join(folder, "..", "cache"))
worst = 0
while words:
    end = words.index("--") if "--" in words else len(words)
    worst = max(worst, abs(subprocess.run(words[:end], env=env).returncode))
    words = words[end + 1 :]
hub.close()
sys.exit(worst)
