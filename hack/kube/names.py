"""Watches what has a name in one cluster, and keeps a file of names and addresses that the DNS of its nodes answers from.

usage: names.py CLUSTER-FOLDER    (clusters.py starts it)

Names are those of Kubernetes' DNS specification, and of the MCS API (KEP-1645) where ServiceImports are known:

    <service>.<namespace>.svc.cluster.local               the Service's address, or those of its pods where it is headless
    <pod>.<service>.<namespace>.svc.cluster.local         a pod of a headless Service that has a name of its own
    <service>.<namespace>.svc.clusterset.local            what the ServiceImport says

There are no SRV and no PTR records. The file is replaced as a whole: a name that is gone is gone.
"""

import http.client
import json
import os
import pathlib
import ssl
import sys
import threading
import time

KINDS = {
    "services": "/api/v1/services",
    "endpoints": "/api/v1/endpoints",
    "imports": "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports",
}
# How long the API server holds a watch open, and how long one that says nothing is waited for beyond that.
WATCH_SECONDS, PATIENCE_SECONDS = 300, 20
# An API server that is away, or a kind that is not there yet, is asked for again after this.
PAUSE_SECONDS = 0.5


class Watch:
    """All objects of a kind, by namespace and name, as the API server told them last."""

    def __init__(self, connect, path, changed):
        self.connect, self.path, self.changed, self.objects = connect, path, changed, {}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            connection = self.connect()
            try:
                self._follow(connection, self._list(connection))
            except (OSError, http.client.HTTPException, ValueError, LookupError):
                # What was known stays known: names outlive their API server.
                time.sleep(PAUSE_SECONDS)
            finally:
                connection.close()

    def _list(self, connection):
        connection.request("GET", self.path)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == 404:
            self._become({})
        if answer.status != 200:
            raise LookupError(answer.status)
        found = json.loads(content)
        self._become({key(item): item for item in found["items"]})
        return found["metadata"]["resourceVersion"]

    def _become(self, objects):
        self.objects = objects
        self.changed.set()

    def _follow(self, connection, version):
        connection.request("GET", f"{self.path}?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}")
        answer = connection.getresponse()
        if answer.status != 200:
            raise LookupError(answer.status)
        for line in answer:
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            objects = dict(self.objects)
            if event["type"] == "DELETED":
                objects.pop(key(event["object"]), None)
            else:
                objects[key(event["object"])] = event["object"]
            self._become(objects)


def key(item):
    return item["metadata"]["namespace"], item["metadata"]["name"]


def lines(services, endpoints, imports):
    """An address and a name in each line, sorted."""
    found = set()
    for (namespace, name), service in services.items():
        domain = f"{name}.{namespace}.svc.cluster.local"
        address = service["spec"].get("clusterIP")
        if address and address != "None":
            found.add((address, domain))
            continue
        for subset in endpoints.get((namespace, name), {}).get("subsets") or []:
            for one in subset.get("addresses") or []:
                found.add((one["ip"], domain))
                if one.get("hostname"):
                    found.add((one["ip"], f"{one['hostname']}.{domain}"))
    for (namespace, name), service in imports.items():
        for address in service["spec"].get("ips") or []:
            found.add((address, f"{name}.{namespace}.svc.clusterset.local"))
    return "".join(f"{address} {name}\n" for address, name in sorted(found))


def main(folder):
    folder = pathlib.Path(folder)
    names, port = folder / "names", int((folder / "port").read_text())
    context = ssl.create_default_context(cafile=folder / "pki" / "ca.crt")
    context.load_cert_chain(folder / "pki" / "admin.crt", folder / "pki" / "admin.key")

    def connect():
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=WATCH_SECONDS + PATIENCE_SECONDS, context=context)

    changed, written = threading.Event(), None
    watches = {kind: Watch(connect, path, changed) for kind, path in KINDS.items()}
    while changed.wait():
        changed.clear()
        text = lines(**{kind: watch.objects for kind, watch in watches.items()})
        if text != written:
            # Whoever reads the folder looks at whole files only.
            (folder / "names.new").write_text(text)
            os.replace(folder / "names.new", names / "kubernetes")
            written = text


if __name__ == "__main__":
    main(*sys.argv[1:])
