# readme.py -- runs the commands of README.md in a fresh copy of the tree and compares what they print
"""A block marked ```console holds commands after `$ ` and below each its output; a line `...` stands for any lines.

    python3 readme.py SOURCE FOLDER

What the commands get from the Hub comes from one on loopback, with random weights in the shape of the real ones, and goes to a
cache in FOLDER.
"""
import os
import re
import shutil
import subprocess
import sys


def blocks(text):
    """(command, expected lines) of every console block, in order."""
    for body in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        command, expected = None, []
        for line in body.splitlines():
            if line.startswith("$ "):
                if command is not None:
                    yield command, expected
                command, expected = line[2:], []
            else:
                expected.append(line)
        if command is not None:
            yield command, expected


def loose(line):
    """A pattern for the line: times, speeds and the number of tests may be others."""
    line = re.escape(line.rstrip())
    line = re.sub(r"in\\ [0-9.\\]+\\ s\\ \\\(.*?/s\\\)", r"in [0-9.]+ s \([0-9.]+ .?B/s\)", line)
    return re.sub(r"(\\#\\ (?:TOTAL|PASS):(?:\\ )+)[0-9]+", r"\g<1>[0-9]+", line)


def matches(expected, got):
    """Lines are equal; `...` matches any number of lines."""
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "..." else loose(line) + r"[ ]*\n" for line in expected)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in got))


def trim(lines):
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def serve(source, folder):
    """Starts a Hub that has bert-base-cased; returns what a command needs to know of it."""
    sys.path.insert(0, os.path.join(source, "tests", "hub"))
    from fake_hub import FakeHub
    made = os.path.join(folder, "served")
    subprocess.run(["./ckpt", "init", "--quiet", "bert", made, "--head", "ForPreTraining", "--set", "vocab_size=28996"],
                   cwd=folder, check=True)
    files = {}
    for name in os.listdir(made):
        with open(os.path.join(made, name), "rb") as f:
            files[name] = f.read()
    shutil.rmtree(made)
    return {"HF_ENDPOINT": FakeHub({"bert-base-cased": files}).hub}


def main():
    source, folder = sys.argv[1:3]
    ignore = shutil.ignore_patterns("configure", "autom4te.cache", "build-aux", "Makefile.in", "aclocal.m4")
    shutil.copytree(source, folder, ignore=ignore)
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as f:
        rows = list(blocks(f.read()))
    bad = 0
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment["HF_HOME"] = os.path.join(folder, "hf")
    for command, expected in rows:
        if "bert-base-cased" in command and "HF_ENDPOINT" not in environment:
            environment.update(serve(source, folder))
        run = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        got = trim(run.stdout.decode("utf-8", "replace").splitlines())
        good = matches(trim(list(expected)), got)
        print(("ok   " if good else "FAIL ") + command, flush=True)
        if not good:
            bad += 1
            print(f"     exit {run.returncode}; expected:")
            print("\n".join("     < " + x for x in expected))
            print("     got:")
            print("\n".join("     > " + x for x in got[:200]))
    print(f"{len(rows) - bad} of {len(rows)} commands print what README.md says")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
