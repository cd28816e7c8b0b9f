"""The Dockerfile: what the program is linked with, and what the image has."""

import os
import re
import shutil
import subprocess

import pytest
from broker import CHECKOUT, binary

# What Debian's smallest image has.
ALWAYS_THERE = {"libc6", "libstdc++6", "libgcc-s1"}
# Not linked: certificates of those whom HTTPS is spoken with.
NOT_LINKED = {"ca-certificates"}


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def installed():
    """Packages of the last stage."""
    stage = (CHECKOUT / "Dockerfile").read_text().split("\nFROM ")[-1]
    return set(re.search(r"--no-install-recommends \\\n(.*?)\\\n", stage, re.S).group(1).split())


@pytest.mark.skipif(not shutil.which("dpkg"), reason="packages are Debian's")
def test_the_image_has_the_libraries_that_the_program_is_linked_with_and_no_others():
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", binary()))
    paths = dict(re.findall(r"^\s*(\S+) => (/\S+)", output("ldd", binary()), re.M))
    # A debug build is linked with Swift's libraries, which are part of a release build.
    ours = {name: paths[name] for name in needed if name in paths and "/swift/" not in paths[name]}
    assert len(ours) > 5
    packages = set()
    for path in ours.values():
        # Debian keeps /lib in /usr/lib, and its packages name either.
        real = os.path.realpath(path)
        found = subprocess.run(
            ["dpkg", "-S", path, real, real.removeprefix("/usr")], capture_output=True, text=True
        ).stdout.splitlines()
        assert found, f"no package has {path}"
        packages.add(found[0].split(":")[0])
    assert packages - ALWAYS_THERE == installed() - NOT_LINKED


def test_pods_find_the_program_where_the_image_has_it():
    last = (CHECKOUT / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert 'ENTRYPOINT ["/usr/bin/swiftwater"]' in last and "COPY --from=build" in last
    rendering = CHECKOUT / "Sources" / "Decisions" / "Reconciliation" / "Rendering" / "RenderNode.swift"
    assert '["/usr/bin/swiftwater", "brokers", "await-stop"' in rendering.read_text()
