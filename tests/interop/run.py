# run.py -- runs the interop suite: python run.py [--jobs N] [NAME PART ...]; the last line is the count
import concurrent.futures
import io
import multiprocessing
import os
import signal
import sys
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))


def prepare():
    warnings.filterwarnings("ignore")
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in the background ignore it
    if HERE not in sys.path:
        sys.path.insert(0, HERE)


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def run_file(name, parts, stream):
    """Runs the chosen cases of one file; returns how many passed, failed and were skipped."""
    found = unittest.defaultTestLoader.loadTestsFromName(name)
    chosen = unittest.TestSuite(c for c in cases(found) if not parts or any(p in c.id() for p in parts))
    if not chosen.countTestCases():
        return 0, 0, 0
    result = unittest.TextTestRunner(stream=stream, verbosity=2).run(chosen)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    return max(0, result.testsRun - failed - skipped), failed, skipped


def run_aside(name, parts):
    stream = io.StringIO()
    return run_file(name, parts, stream), stream.getvalue()


def run_beside(names, parts, jobs):
    """Several files at once, each in a process of its own kind; what a file printed appears when it is through."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    start = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, start, prepare) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run_aside, n, parts) for n in names]):
            counts, text = done.result()
            sys.stdout.write(text)
            sys.stdout.flush()
            yield counts


def main():
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    prepare()
    parts, jobs = sys.argv[1:], 1
    if parts[:1] == ["--jobs"]:
        jobs, parts = int(parts[1]), parts[2:]
    files = [f for f in os.listdir(HERE) if f.startswith("test_") and f.endswith(".py")]
    files.sort(key=lambda f: (-os.path.getsize(os.path.join(HERE, f)), f))  # the longest first
    names = [f[:-3] for f in files]
    if jobs > 1:
        counts = list(run_beside(names, parts, jobs))
    else:
        counts = [run_file(n, parts, sys.stdout) for n in names]
    passed, failed, skipped = (sum(c) for c in zip(*counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed + skipped else 0


if __name__ == "__main__":
    sys.exit(main())
