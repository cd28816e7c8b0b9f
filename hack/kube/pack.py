"""Packs a program with the libraries that it needs as a container image, without Docker.

usage: pack.py FILE.tar --binary PROGRAM TAG...    our image, with what the Dockerfile puts into it
       pack.py FILE.tar --pause TAG                the image that holds the namespaces of a pod: something that sleeps

The archive is in the form that `docker load` and `ctr images import` read.
"""

import hashlib
import io
import json
import pathlib
import platform
import subprocess
import sys
import tarfile

# The user of the Dockerfile.
USER = 65532
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def libraries(program):
    """Every shared library of a program, the loader too, by the path at which it is looked for."""
    found = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for line in found.splitlines():
        words = line.replace("=>", " ").split()
        paths = [word for word in words if word.startswith("/")]
        if "not found" in line:
            sys.exit(f"pack: {program} needs {words[0]}, which is not on this machine")
        yield from paths[-1:]


class Layer:
    """Files of an image. The same files make the same bytes."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)
        self.folders = set()

    def folder(self, path, owner=0):
        if path in self.folders or path == ".":
            return
        self.folder(str(pathlib.PurePosixPath(path).parent))
        self.folders.add(path)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, owner, owner
        self.tar.addfile(entry)

    def file(self, path, content, mode=0o644):
        path = path.lstrip("/")
        self.folder(str(pathlib.PurePosixPath(path).parent))
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), mode
        self.tar.addfile(entry, io.BytesIO(content))

    def program(self, source, path):
        for library in sorted({*libraries(source)}):
            self.file(library, pathlib.Path(library).read_bytes(), 0o755)
        self.file(path, pathlib.Path(source).read_bytes(), 0o755)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def write(file, tags, layer, config):
    content = layer.bytes()
    digest = hashlib.sha256(content).hexdigest()
    image = {
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "WorkingDir": "/", **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "hack/kubernetes image"}],
    }
    image = json.dumps(image).encode()
    name = hashlib.sha256(image).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": tags, "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
        for path, data in ((name, image), (f"{digest}/layer.tar", content), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def main(words):
    layer = Layer()
    match words:
        case [file, "--pause", tag]:
            layer.program("/usr/bin/sleep", "/usr/bin/sleep")
            write(file, [tag], layer, {"Entrypoint": ["/usr/bin/sleep", "infinity"]})
        case [file, "--binary", binary, *tags] if tags:
            layer.program(binary, "/usr/bin/swiftwater")
            layer.folder("var/lib/swiftwater", USER)
            layer.folder("tmp")
            layer.file("/etc/passwd", f"root:x:0:0::/:/bin/false\nswiftwater:x:{USER}:{USER}::/:/bin/false\n".encode())
            if pathlib.Path(CERTIFICATES).exists():
                layer.file(CERTIFICATES, pathlib.Path(CERTIFICATES).read_bytes())
            config = {
                "User": f"{USER}:{USER}",
                "Entrypoint": ["/usr/bin/swiftwater"],
                "Cmd": ["broker"],
                "ExposedPorts": {"9092/tcp": {}, "9093/tcp": {}, "9404/tcp": {}},
                "Volumes": {"/var/lib/swiftwater": {}},
            }
            write(file, tags, layer, config)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
