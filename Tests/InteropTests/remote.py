"""A writer in a process of its own, which sees another network and other names than the tests do.

usage: remote.py BOOTSTRAP TOPIC PARTITIONS

It writes until a line comes, says in a line of JSON how it is, again and again, and reads everything back at the end, from the
servers that the line names."""

import contextlib
import json
import select
import subprocess
import sys
import threading
import time

from history import Writer, check, read_back


def main(bootstrap, topic, partitions):
    writer = Writer(bootstrap, topic, int(partitions), name=f"r{time.time_ns()}").start()
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        print(json.dumps({"count": writer.count, "gap": writer.longest_gap()}), flush=True)
    servers = sys.stdin.readline().strip()
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    # Another one may still write.
    check(writer, read_back(servers, topic, int(partitions), written_to=True))
    print(json.dumps({"count": writer.count, "gap": writer.longest_gap(), "read": True}), flush=True)


class RemoteWriter:
    """Writes on a node of one of the clusters. What it acknowledged is there in the end, once, or leaving fails."""

    def __init__(self, node, bootstrap, topic, partitions):
        words = node.on(sys.executable, __file__, bootstrap, topic, partitions)
        self.said, self.errors = {"count": 0, "gap": 0.0}, []
        # Where everything is read back: brokers may have other names by then.
        self.servers = bootstrap
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self._readers = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._note)]

    def _listen(self):
        for line in self._process.stdout:
            self.said = json.loads(line)

    def _note(self):
        self.errors += self._process.stderr

    def await_more(self, more, within=60):
        deadline, want = time.monotonic() + within, self.said["count"] + more
        while self.said["count"] < want:
            assert self._process.poll() is None, "".join(self.errors[-20:])
            assert time.monotonic() < deadline, f"only {self.said['count']} of {want} acknowledged"
            time.sleep(0.05)

    def __enter__(self):
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, failure, *_):
        if failure:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{self.servers}\n")
            self._process.stdin.close()
        self._process.wait(150)
        for reader in self._readers:
            reader.join()
        if not failure:
            assert self.said.get("read"), "".join(self.errors[-20:])


if __name__ == "__main__":
    main(*sys.argv[1:])
