"""Commands that are run to their end, and processes that outlive whoever started them."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time


class Trouble(Exception):
    """What is in the way, in one sentence."""


def run(*words, check=True, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise Trouble(f"{' '.join(map(str, words))}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done


def until(condition, what, within, every=0.1):
    deadline = time.monotonic() + within
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise Trouble(f"not within {within} s: {what}")
        time.sleep(every)
    return answer


# Processes are known by their id and the time they started: ids come again.


def looked_up(pid):
    """The state of a process and when it was born; nothing where there is none."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None, None
    return fields[0], fields[19]


def birth(pid):
    return looked_up(pid)[1]


class Process:
    def __init__(self, folder, name):
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self.note = folder / "pids" / name

    @property
    def pid(self):
        """Nil where it does not run."""
        try:
            pid, born = self.note.read_text().split()
        except OSError:
            return None
        state, found = looked_up(pid)
        return None if found != born or state == "Z" else int(pid)

    def start(self, *words):
        if self.pid:
            return
        for folder in (self.log.parent, self.note.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [str(word) for word in words], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self.note.write_text(f"{process.pid} {birth(process.pid)}")

    def stop(self, how=signal.SIGTERM, patience=10.0):
        pid = self.pid
        if not pid:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + patience
        while self.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += patience
            time.sleep(0.02)
        self.note.unlink(missing_ok=True)
