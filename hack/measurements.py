"""What all measurements of hack/bench share: options, rows with goals, and a section each of docs/benchmarks.md."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "Tests" / "InteropTests"))

from broker import binary  # noqa: E402
from network import NotAllowed  # noqa: E402

BROKER_CORE, CLIENT_CORE = "0", "1"
MEBIBYTE = 1 << 20
NO_GOAL = ("none", lambda row: True)
# A person's remarks on the figures of a section come after this line, and stay when the figures are written anew.
REMARKS = "\n<!-- remarks -->\n"


def settings(values):
    return [word for key, value in values.items() for word in ("-X", f"{key}={value}")]


# Records of 1 KB in batches of 1 MB, for rdkafka_performance.
LARGE = settings({"batch.num.messages": 10000, "batch.size": 1_000_000, "message.max.bytes": 1_900_000,
                  "linger.ms": 50, "queue.buffering.max.kbytes": 512_000})


class Measurements:
    """Base of each kind. It has a `section` (the heading in docs/benchmarks.md), `goals` (a name: (text, function of the
    figures that says whether it is reached)), `measures` (names of methods, in order) and `conditions()` (the text that
    says how it was measured)."""

    section, goals, measures = "", {}, ()

    def __init__(self, options):
        self.options, self.only = options, options.only
        self.scale = 10 if options.small else 1
        self.rows = []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="swiftwater-bench."))
        self.numbers = iter(range(1_000_000))

    def wanted(self, *names):
        return any(self.only in name for name in names)

    def add(self, name, figure, **numbers):
        goal, reached = self.goals[name]
        verdict = "" if goal == "none" else "not at this scale" if self.scale > 1 else "reached" if reached(numbers) else "missed"
        self.rows.append((name, figure, goal, verdict))
        print(f"  {name}: {figure} (goal {goal}: {verdict})", flush=True)

    def conduct(self):
        """Measures all that is wanted, and writes it down where that was asked for."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(f"{machine()}\n{binary()}", flush=True)
        try:
            for measure in self.measures:
                try:
                    getattr(self, measure)()
                except NotAllowed as reason:
                    print(f"  not measured, for want of network namespaces: {reason}", flush=True)
        finally:
            self.end()
        if self.options.write:
            self.write()

    def end(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def conditions(self):
        raise NotImplementedError

    def text(self):
        version = subprocess.run([binary(), "--version"], capture_output=True, text=True).stdout.strip()
        table = "\n".join(f"| {name} | {figure} | {goal} | {verdict} |" for name, figure, goal, verdict in self.rows)
        return (
            f"Written by `hack/bench{self.option} --write` on {datetime.date.today()}, with {machine()}; release build,"
            f" {os.stat(binary()).st_size / MEBIBYTE:.1f} MiB, {version}.\n\n"
            f"{self.conditions()}\n\n| measurement | result | goal | |\n|---|---|---|---|\n{table}\n"
        )

    @property
    def option(self):
        return f" --{self.options.kind}" if self.options.kind != "broker" else ""

    def write(self):
        """Puts the figures in the place of those that were there; remarks stay."""
        path = CHECKOUT / "docs" / "benchmarks.md"
        before, heading, rest = path.read_text().partition(f"\n{self.section}\n")
        if not heading:
            raise RuntimeError(f"{path} has no section {self.section}")
        section, next_heading, after = rest.partition("\n## ")
        _, mark, remarks = section.partition(REMARKS)
        path.write_text(f"{before}{heading}\n{self.text()}{mark}{remarks}{next_heading}{after}")
        print(f"{path.relative_to(CHECKOUT)} is written.")

    # rdkafka_performance and the generator of even load

    def generate(self, bootstrap, *arguments, prefix=("taskset", "-c", CLIENT_CORE)):
        """One run of rdkafka_performance: (records, bytes, milliseconds)."""
        command = [*prefix, self.options.tool, "-b", bootstrap, "-q", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        text = done.stdout + done.stderr
        found = re.findall(
            r"% (\d+) messages (?:produced )?\((\d+) bytes\)(?:, (\d+) delivered \(offset \d+, (\d+) failed\) in| consumed in) (\d+)ms",
            text,
        )
        if done.returncode != 0 or not found:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{text[-2000:]}")
        records, size, delivered, failed, milliseconds = found[-1]
        if delivered and (delivered != records or failed != "0"):
            raise RuntimeError(f"{failed} of {records} records failed, {delivered} were delivered")
        return int(records), int(size), max(1, int(milliseconds))

    def even_load(self, bootstrap, partitions, rate, seconds, *settings, prefix=()):
        """Records of 1 KB at an even rate, with what became of them; as fast as it goes with a rate of 0."""
        command = [*prefix, "taskset", "-c", CLIENT_CORE, self.options.openloop, bootstrap, "bench", str(partitions), "1024",
                   str(rate), str(max(2, seconds / 6)), str(seconds), "acks=all", "linger.ms=5", *settings]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def touch_memory(self):
        """Touches as much memory as the records will take: in a virtual machine the first touch of a page is the host's
        work and several times as dear as the write itself; what is measured then is the host."""
        path, block = self.folder / "warm", os.urandom(MEBIBYTE)
        for _ in range(2):
            with open(path, "wb", buffering=0) as file:
                for _ in range(6000 // self.scale):
                    file.write(block)
            path.unlink()


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    return f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}"


def options(kind, **more):
    """What hack/bench passes on; `more` has the defaults of numbers that only this kind has."""
    parser = argparse.ArgumentParser(prog="hack/bench")
    parser.set_defaults(kind=kind)
    if kind != "broker":
        parser.add_argument(f"--{kind}", action="store_true", dest="chosen")
    parser.add_argument("--tool")
    parser.add_argument("--openloop")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    for name, default in more.items():
        parser.add_argument(f"--{name}", **({"action": "store_true"} if default is False else {"type": int, "default": default}))
    found = parser.parse_args()
    if found.write and (found.small or found.only):
        parser.error("--write wants every measurement in full")
    return found
