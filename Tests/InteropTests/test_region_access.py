"""How the operator gets into a Region behind TLS, and what it says when it does not."""

import base64
import http.client
import json
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.parse

import pytest
from broker import free_port, until
from test_local import Local


def authority(folder, name):
    """A CA of its own, and a certificate of it for 127.0.0.1; (CA, certificate, key)."""
    ca, ca_key, cert, key, asked = (folder / f"{name}-{what}" for what in ("ca", "ca.key", "cert", "key", "csr"))

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *curve, "-subj", f"/CN={name}", "-keyout", ca_key, "-out", ca)
    openssl("req", *curve[:-2], "-subj", "/CN=server", "-keyout", key, "-out", asked)
    names = folder / f"{name}-names"
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", asked, "-CA", ca, "-CAkey", ca_key, "-days", "2", "-extfile", names, "-out", cert)
    return ca, cert, key


class Relay(socketserver.ThreadingTCPServer):
    """Speaks TLS before an API server that does not, and knows which token has expired."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, certificate, key, target):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.target = target
        super().__init__(("127.0.0.1", free_port()), Conversation)
        self.url = f"https://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Conversation(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            inside = self.server.context.wrap_socket(self.request, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                part = inside.recv(65536)
                if not part:
                    return
                head += part
            if b"Bearer expired" in head:
                body = json.dumps(
                    {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401, "reason": "Unauthorized",
                     "message": "Unauthorized"}
                ).encode()
                answer = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                inside.sendall(answer.encode() + b"Connection: close\r\n\r\n" + body)
                return
            with socket.create_connection(self.server.target) as outside:
                outside.sendall(head)
                back = threading.Thread(target=self.copy, args=(outside, inside), daemon=True)
                back.start()
                self.copy(inside, outside)
                back.join()
        except OSError:
            pass

    @staticmethod
    def copy(source, target):
        try:
            while part := source.recv(65536):
                target.sendall(part)
        except OSError:
            pass
        # The other direction ends as well then.
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.fixture
def regions(tmp_path):
    made = Local(tmp_path / "local")
    yield made
    made.kill()


def apply(regions, path, body):
    place = urllib.parse.urlparse(regions.status()["a"][1]).netloc
    connection = http.client.HTTPConnection(place, timeout=5)
    connection.request(
        "PATCH", f"{path}?fieldManager=people&force=true", json.dumps(body), {"Content-Type": "application/apply-patch+yaml"}
    )
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()


def give(regions, name, url, token, ca=None):
    """The Region's Secret as a person or a GitOps tool would write it."""
    cluster = {"server": url}
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca.read_bytes()).decode()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }  # fmt: skip
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-kubeconfig", "namespace": "kafka"},
        "data": {"kubeconfig": base64.b64encode(json.dumps(config).encode()).decode()},
    }  # fmt: skip
    apply(regions, f"/api/v1/namespaces/kafka/secrets/{name}-kubeconfig", secret)


def test_a_kubeconfig_that_is_wrong_is_named_in_its_region_and_a_right_one_needs_no_restart(regions, tmp_path):
    regions.up("--regions", "a,b")
    for name in ("a", "b"):
        spec = {"provider": "local", "access": {"kubeconfigSecret": {"name": f"{name}-kubeconfig"}}}
        body = {"apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": "Region", "metadata": {"name": name}, "spec": spec}
        apply(regions, f"/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/regions/{name}", body)

    def reachable():
        found = regions.get("a", "regions", "b").get("status", {}).get("conditions", [])
        return next(((c["status"], c["message"]) for c in found if c["type"] == "Reachable"), ("", ""))

    def await_word(status, *words):
        def said():
            now = reachable()
            return now[0] == status and all(word in now[1] for word in words)

        try:
            until(said, f"it says {words}", 60, every=0.2)
        except AssertionError as late:
            raise AssertionError(f"{late}: {reachable()}") from late

    await_word("True")
    ca, certificate, key = authority(tmp_path, "right")
    other, _, _ = authority(tmp_path, "other")
    behind = urllib.parse.urlparse(regions.status()["b"][1])
    relay = Relay(certificate, key, (behind.hostname, behind.port))
    try:
        give(regions, "b", relay.url, "region:a", other)
        await_word("False", "certificate-authority-data of the kubeconfig")
        give(regions, "b", relay.url, "region:a")
        await_word("False", "certificate-authority-data of the kubeconfig")
        give(regions, "b", relay.url, "expired", ca)
        await_word("False", "Unauthorized", "has expired")
        give(regions, "b", relay.url, "region:a", ca)
        await_word("True")
    finally:
        relay.shutdown()
        relay.server_close()
