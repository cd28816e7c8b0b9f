"""Who gives brokers names, in place of somebody else's programs: an implementation of the MCS API, and a keeper of host names."""

import json
import threading

from stretched import NAMESPACE

GROUP, VERSION = "multicluster.x-k8s.io", "v1alpha1"
EXPORTS, IMPORTS = "serviceexports", "serviceimports"


def definition(plural, kind):
    """As much of the MCS API's definitions as an API server needs; what is in the objects is theirs."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": kind},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }


class Standing:
    """Something that a thread does over and over, until it is left."""

    def __init__(self, world):
        self.world, self.trouble, self._ends = world, None, threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        try:
            while not self._ends.wait(0.3):
                self.serve()
        except Exception as error:
            self.trouble = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()
        assert self.trouble is None, repr(self.trouble)


class ClusterSet(Standing):
    """What an implementation of the MCS API does (KEP-1645), in the way of its reference: whoever is exported anywhere has
    in every cluster a ServiceImport and, behind its address there, a Service without a selector, whose endpoints are the
    pods of the cluster that exports. The clusters' DNS answers with the ServiceImport's address."""

    def __init__(self, world):
        super().__init__(world)
        self.exported, self.written = {}, {}

    def __enter__(self):
        # Long after the operators came.
        for member in self.world:
            for one in (definition(EXPORTS, "ServiceExport"), definition(IMPORTS, "ServiceImport")):
                path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{one['metadata']['name']}"
                assert member.server_side_apply(path, one), f"{member.name} takes no definition"
        return super().__enter__()

    def serve(self):
        for member in self.world:
            found = self._exports(member)
            # Who does not answer exports what it did: unknown is not gone.
            if found is not None:
                self.exported[member.name] = found
        wanted = {name: what for one in self.exported.values() for name, what in one.items()}
        for member in self.world:
            written = self.written.setdefault(member.name, {})
            for name in [name for name in written if name not in wanted]:
                if self._forget(member, name):
                    del written[name]
            for name, what in wanted.items():
                if written.get(name) != what and self._bring(member, name, *what):
                    written[name] = what

    def _exports(self, member):
        """The ports and the pods' addresses of every exported Service; nothing where the API server does not answer."""
        groups = {EXPORTS: f"apis/{GROUP}/{VERSION}", "services": "api/v1", "endpoints": "api/v1"}
        lists = [member.get(f"/{group}/namespaces/{NAMESPACE}/{plural}") for plural, group in groups.items()]
        if not all(lists):
            return None
        exports, services, endpoints = ({one["metadata"]["name"]: one for one in found["items"]} for found in lists)
        return {
            name: (ports(services[name]["spec"]), addresses(endpoints.get(name, {})))
            for name in exports
            if name in services
        }

    def _bring(self, member, name, ports, addresses):
        """Whether everything for an import stands in a cluster now."""
        derived = f"derived-{name}"
        service = self._apply(member, "api/v1", "services", "Service", derived, {"spec": {"ports": ports}})
        named = [{"name": one["name"], "port": one["targetPort"], "protocol": "TCP"} for one in ports]
        subsets = [{"addresses": [{"ip": ip} for ip in addresses], "ports": named}] if addresses else []
        if not service:
            return False
        address = service["spec"]["clusterIP"]
        doors = [{key: one[key] for key in ("name", "port", "protocol")} for one in ports]
        imported = {"type": "ClusterSetIP", "ips": [address], "ports": doors}
        return bool(
            self._apply(member, "api/v1", "endpoints", "Endpoints", derived, {"subsets": subsets})
            and self._apply(member, f"apis/{GROUP}/{VERSION}", IMPORTS, "ServiceImport", name, {"spec": imported})
        )

    def _apply(self, member, group, plural, kind, name, body):
        head = {"apiVersion": group.split("/", 1)[1], "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}
        return member.server_side_apply(f"/{group}/namespaces/{NAMESPACE}/{plural}/{name}", {**head, **body})

    def _forget(self, member, name):
        paths = [f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{IMPORTS}/{name}"]
        # The endpoints go with their Service.
        paths.append(f"/api/v1/namespaces/{NAMESPACE}/services/derived-{name}")
        return all([member.delete(path) for path in paths])


def ports(spec):
    return [{key: one[key] for key in ("name", "port", "targetPort", "protocol")} for one in spec["ports"]]


def addresses(endpoints):
    return sorted(one["ip"] for subset in endpoints.get("subsets") or [] for one in subset.get("addresses") or [])


class HostNames(Standing):
    """What keeps the records of somebody's own DNS: every broker's host name leads to its pod, in all clusters."""

    def __init__(self, world, name_of):
        super().__init__(world)
        self.name_of, self.told, self.written = name_of, {}, None

    def serve(self):
        for member in self.world:
            for pod in member.pods().values():
                if address := pod.get("status", {}).get("podIP"):
                    self.told[self.name_of(member, pod)] = address
        if self.told != self.written:
            for member in self.world:
                member.cluster.tell("hosts", self.told)
            self.written = dict(self.told)
