"""Who is who in a cluster: certificates, and kubeconfigs with them."""

import base64
import json

from running import run


class Authority:
    """A certificate authority in a folder. Everybody who talks to a cluster has a certificate of it."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate, self.key = folder / "ca.crt", folder / "ca.key"

    def found(self, name):
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.certificate.exists():
            self._request(self.key, self.certificate, f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")
        if not (self.folder / "accounts.key").exists():
            key = self.folder / "accounts.key"
            run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
            run("openssl", "ec", "-in", key, "-pubout", "-out", self.folder / "accounts.pub")

    def _request(self, key, certificate, subject, *more):
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "3650", "-subj", subject, "-keyout", key, "-out", certificate, *more),
        )
        key.chmod(0o600)

    def issue(self, name, subject, addresses=""):
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        if certificate.exists():
            return
        more = ["-CA", self.certificate, "-CAkey", self.key, "-addext", "basicConstraints=critical,CA:FALSE"]
        more += ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
        if addresses:
            more += ["-addext", f"subjectAltName={addresses}"]
        self._request(key, certificate, subject, *more)

    def kubeconfig(self, name, server, path):
        def data(file):
            return base64.b64encode((self.folder / file).read_bytes()).decode()

        user = {"client-certificate-data": data(f"{name}.crt"), "client-key-data": data(f"{name}.key")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": name}}],
            "current-context": "it",
        }
        path.write_text(json.dumps(config))
        path.chmod(0o600)
