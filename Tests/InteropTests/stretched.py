"""Three real Kubernetes clusters with a node and our operator in each, and what tests do to them."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import ssl
import sys
import threading
import time
import urllib.request

from broker import CHECKOUT, binary, until

sys.path.insert(0, str(CHECKOUT / "hack" / "kube"))
import clusters as kubernetes  # noqa: E402

REGIONS = ["west", "central", "north"]
NAMESPACE = "kafka"
RELEASE, OPERATOR, PEER = "swiftwater", "swiftwater-operator", "swiftwater-peer"
IMAGE, NEXT_IMAGE = "localhost/swiftwater:test", "localhost/swiftwater:next"
GROUP = "/apis/kafka.swiftwater.dev/v1alpha1"
NEEDED = "kubectl etcd containerd runc iptables ip nsenter unshare openssl curl dnsmasq".split()


def obstacle():
    """Why this machine cannot run Kubernetes; nothing where it can."""
    if os.geteuid() != 0:
        return "real Kubernetes needs root: it makes network namespaces and mounts"
    folder = binaries()
    missing = [program for program in kubernetes.PROGRAMS if not (folder / program).exists()]
    if missing:
        return f"{folder} has no {missing[0]}: run hack/kubernetes build, or set SWIFTWATER_KUBE_BINARIES"
    missing = [program for program in NEEDED if not shutil.which(program)]
    if not pathlib.Path("/usr/lib/cni/bridge").exists():
        missing.append("containernetworking-plugins")
    return f"these are not installed: {' '.join(missing)}" if missing else None


def binaries():
    named = os.environ.get("SWIFTWATER_KUBE_BINARIES")
    return pathlib.Path(named) if named else CHECKOUT / ".build" / "kubernetes" / "bin"


def in_parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))


class Member:
    """One of the Kubernetes clusters, its node, and the operator in it."""

    def __init__(self, folder, name):
        self.name = name
        self.cluster = kubernetes.Cluster(folder, name, binaries())
        self.node = kubernetes.Node(self.cluster, f"{name}-1")

    def up(self, image):
        self.cluster.up()
        self.node.up([image])
        self._context = ssl.create_default_context(cafile=self.cluster.folder / "pki" / "ca.crt")
        self._context.load_cert_chain(self.cluster.folder / "pki" / "admin.crt", self.cluster.folder / "pki" / "admin.key")

    def kubectl(self, *words, check=True, **options):
        return self.cluster.kubectl("-n", NAMESPACE, *words, check=check, **options).stdout

    def apply(self, *objects):
        content = {"apiVersion": "v1", "kind": "List", "items": objects}
        return self.kubectl("apply", "-f", "-", input=json.dumps(content))

    def get(self, path):
        """What the API server says; nothing where there is none or it does not answer."""
        return self._send("GET", path)

    def patch(self, path, body):
        """The same, with a JSON merge patch: kubectl of this version knows no subresources."""
        return self._send("PATCH", path, json.dumps(body), {"Content-Type": "application/merge-patch+json"})

    def server_side_apply(self, path, body, manager="somebody"):
        """The object as it stands then; nothing where it was not taken or nobody answers."""
        kind = {"Content-Type": "application/apply-patch+yaml"}
        return self._send("PATCH", f"{path}?fieldManager={manager}&force=true", json.dumps(body), kind)

    def delete(self, path):
        """Whether it is not there any more, or is about to go."""
        return bool(self._send("DELETE", path, gone={"kind": "Status"}))

    def _send(self, method, path, body=None, headers=None, gone=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.cluster.port, timeout=3, context=self._context)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status == 404:
                return gone or {}
            return json.loads(content) if answer.status in (200, 201, 202) else {}
        except (OSError, http.client.HTTPException):
            return {}
        finally:
            connection.close()

    def resource(self, plural, name):
        return self.get(f"{GROUP}/namespaces/{NAMESPACE}/{plural}/{name}")

    def objects(self, plural, group="api/v1", **labels):
        selector = "%2C".join(f"{key}%3D{value}" for key, value in labels.items())
        return self.get(f"/{group}/namespaces/{NAMESPACE}/{plural}?labelSelector={selector}").get("items", [])

    def pods(self):
        """The nodes of Kafka here, by name."""
        labels = {"app.kubernetes.io%2Fmanaged-by": "swiftwater"}
        return {pod["metadata"]["name"]: pod for pod in self.objects("pods", **labels)}

    def condition(self, plural, name, kind):
        found = self.resource(plural, name)
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == kind:
                return condition
        return {}

    def is_ready(self, plural, name):
        """Ready, and about what is asked for now."""
        found = self.resource(plural, name)
        condition = self.condition(plural, name, "Ready")
        return condition.get("status") == "True" and condition["observedGeneration"] == found["metadata"]["generation"]

    @property
    def leader(self):
        """Who holds the Lease here; nobody has one where the time is over."""
        found = self.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{OPERATOR}")
        return found.get("spec", {}).get("holderIdentity") or None

    def metrics(self):
        """What the operator here tells of itself; nothing where it does not answer."""
        for pod in self.operators():
            with contextlib.suppress(OSError):
                address = f"http://{pod['status'].get('podIP')}:9404/metrics"
                return urllib.request.urlopen(address, timeout=2).read().decode()
        return ""

    def scale_operator(self, count):
        self.kubectl("scale", f"deployment/{OPERATOR}", f"--replicas={count}")
        until(lambda: len(self.operators()) == count, f"{count} operators in {self.name}", 60, every=0.2)

    def token(self):
        """Of the account that the chart makes for the operators of other clusters."""
        found = self.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{PEER}").get("data", {}).get("token", "")
        return base64.b64decode(found).decode()

    def operators(self):
        """The pods of the chart's Deployment."""
        return self.objects("pods", **{"app.kubernetes.io%2Fname": OPERATOR})

    def kubeconfig(self):
        """How the operators of the others come here."""
        authority = base64.b64encode(self.cluster.authority.certificate.read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "it", "cluster": {"server": self.cluster.server, "certificate-authority-data": authority}}
            ],
            "users": [{"name": PEER, "user": {"token": self.token()}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": PEER, "namespace": NAMESPACE}}],
            "current-context": "it",
        }

    def log(self, lines=60):
        """What the operator said here, of every container it had."""
        found = sorted(self.node.folder.glob(f"pod-logs/{NAMESPACE}_{OPERATOR}-*/*/*.log"), key=os.path.getmtime)
        return "\n".join(line for path in found for line in path.read_text(errors="replace").splitlines()[-lines:])


def operator_manifests(member):
    """The chart as somebody who has no helm installs it: an operator, its rights, and an account for those elsewhere."""
    repository, tag = IMAGE.split(":")
    values = {
        "member": member,
        "image.repository": repository,
        "image.tag": tag,
        "image.pullPolicy": "Never",
        "kubeconfigSecrets": json.dumps([f"{region}-kubeconfig" for region in REGIONS]),
        "peer.create": "true",
        "rbac.nodes": "true",
        "logLevel": "debug",
        "resources": json.dumps({"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}),
    }
    words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    chart = CHECKOUT / "hack" / "render-chart"
    return kubernetes.run(chart, "--name", RELEASE, "--namespace", NAMESPACE, "--include-crds", *words).stdout


class Stretched:
    """All of them, and the way from nothing to operators that know each other."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.members = {name: Member(self.folder, name) for name in REGIONS}
        self.took = {}

    def __getitem__(self, name):
        return self.members[name]

    def __iter__(self):
        return iter(self.members.values())

    def up(self):
        self.image = image = self.folder / "swiftwater.tar"
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        kubernetes.run(sys.executable, CHECKOUT / "hack/kube/pack.py", image, "--binary", binary(), IMAGE, NEXT_IMAGE)
        in_parallel(lambda member: member.up(image), self)
        self.took["clusters"] = time.monotonic() - began
        for member in self:
            self.install(member)
        # Every operator is told of every Region, its own among them.
        secrets = [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"{member.name}-kubeconfig"},
                "stringData": {"kubeconfig": json.dumps(member.kubeconfig())},
            }
            for member in self
        ]
        for member in self:
            member.apply(*secrets)
        for member in self:
            member.kubectl("rollout", "status", f"deployment/{OPERATOR}", "--timeout=60s")
        self.took["operators"] = time.monotonic() - began - self.took["clusters"]
        return self

    def install(self, member):
        member.cluster.kubectl("create", "namespace", NAMESPACE)
        # Kubernetes 1.20 knows no rules in schemas; kubectl of today would check against what the server tells.
        member.cluster.kubectl("apply", "--validate=false", "-f", "-", input=operator_manifests(member.name))
        member.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
        until(member.token, "a token")

    def down(self):
        in_parallel(lambda member: member.cluster.down(), self)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- looking

    @property
    def leader(self):
        """The member whose operator holds most of the Leases."""
        holders = [member.leader for member in self]
        for member in self:
            names = [pod["metadata"]["name"] for pod in member.operators()]
            held = [holder for holder in holders if holder and any(holder.startswith(name) for name in names)]
            if len(held) > len(self.members) / 2:
                return member
        return None

    def swiftwater(self, *words):
        """Our plugin of kubectl, as somebody who may do everything everywhere; contexts are called as the members are."""
        merged = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
        for member in self:
            found = json.loads(member.cluster.kubeconfig.read_text())
            merged["clusters"].append({**found["clusters"][0], "name": member.name})
            merged["users"].append({**found["users"][0], "name": member.name})
            context = {"cluster": member.name, "user": member.name, "namespace": NAMESPACE}
            merged["contexts"].append({"name": member.name, "context": context})
        path = self.folder / "everywhere"
        path.write_text(json.dumps(merged))
        variables = {**os.environ, "KUBECONFIG": str(path)}
        return kubernetes.run(binary(), "kubectl", *words, "-n", NAMESPACE, env=variables).stdout

    def bootstrap(self, member, name):
        return ",".join(member.resource("kafkaclusters", name)["status"]["bootstrapServers"])

    def report(self):
        """What a person would look at when a test has failed."""
        lines = []
        for member in self:
            lines.append(f"--- {member.name}")
            for words in (["get", "kafkaclusters,kafkatopics,regions,pods,pvc", "-o", "wide"], ["get", "events"]):
                lines.append(member.kubectl(*words, check=False))
            lines.append(member.log(25))
            for pod in member.pods():
                lines.append(f"--- {pod}\n" + member.kubectl("logs", pod, "--tail=25", check=False))
            said = (member.node.folder / "logs" / "kubelet.log").read_text(errors="replace").splitlines()
            lines += [f"--- the kubelet of {member.name}", *said[-25:]]
        return "\n".join(lines)

    # --- doing

    def cut(self, member):
        """A cluster with everything in it is cut off from the others; this machine still sees it."""
        self._cuts(member, "-I")

    def heal(self, member):
        self._cuts(member, "-D")

    def _cuts(self, member, how):
        bridge, inside = kubernetes.BRIDGE, [member.node.pods, f"{member.node.address}/32"]
        rules = [["FORWARD", "-i", bridge, way, net] for net in inside for way in ("-s", "-d")]
        for other in self:
            if other is member:
                continue
            for net in inside:
                rules.append(["INPUT", "-i", bridge, "-p", "tcp", "--dport", other.cluster.port, "-s", net])
            for net in (other.node.pods, f"{other.node.address}/32"):
                rules.append(["INPUT", "-i", bridge, "-p", "tcp", "--dport", member.cluster.port, "-s", net])
        for rule in rules:
            kubernetes.run("iptables", "-w", how, *rule, "-j", "DROP")


    @contextlib.contextmanager
    def only_by_doors(self, *behind):
        """Pods of these members are not reached from pods elsewhere by their own addresses, as it is where clusters do not
        share a network: only by what kube-proxies and load balancers lead to them."""
        ways = [(other, member.node.pods) for member in behind for other in self if other is not member]

        def close(how):
            for other, pods in ways:
                kubernetes.run(
                    *("ip", "netns", "exec", other.node.namespace, "iptables", "-w", how, "FORWARD"),
                    *("-m", "conntrack", "--ctstate", "NEW", "--ctorigdst", pods, "-j", "DROP"))

        close("-I")
        try:
            yield
        finally:
            close("-D")


def region(name, network="PodIP", template=None):
    return {
        "apiVersion": "kafka.swiftwater.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "provider": "local",
            "location": name,
            "access": {"kubeconfigSecret": {"name": f"{name}-kubeconfig"}},
            "network": {"type": network, **({"hostTemplate": template} if template else {})},
        },
    }


def kafka_cluster(name, shares, config=None, **spec):
    """`shares` says how many brokers and controllers each Region has."""
    regions = [
        {"name": region, "brokers": brokers, "controllers": controllers, "storage": {"size": "1Gi"}}
        for region, (brokers, controllers) in shares.items()
    ]
    quick = {
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "controller.quorum.fetch.timeout.ms": "1500",
        "controller.quorum.election.timeout.ms": "500",
        "replica.lag.time.max.ms": "3000",
        "offsets.topic.num.partitions": "3",
        "num.network.threads": "1",
    }
    return {
        "apiVersion": "kafka.swiftwater.dev/v1alpha1",
        "kind": "KafkaCluster",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "regions": regions,
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "durability": {"survive": "Region"},
            "config": {**quick, **(config or {})},
            "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
            **spec,
        },
    }


def kafka_topic(name, cluster, partitions=3, **spec):
    return {
        "apiVersion": "kafka.swiftwater.dev/v1alpha1",
        "kind": "KafkaTopic",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"cluster": {"name": cluster}, "partitions": partitions, **spec},
    }


def kafka_mirror(name, target, source, topics, role):
    return {
        "apiVersion": "kafka.swiftwater.dev/v1alpha1",
        "kind": "KafkaMirror",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"target": target, "source": {"cluster": {"name": source}}, "topics": topics, "role": role},
    }


class LoadBalancers:
    """What a provider does for the Services of a cluster: each gets an address, and the way there leads to the node."""

    NET = "10.212.0"

    def __init__(self, member):
        self.member, self.given, self._ends = member, {}, threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        while not self._ends.wait(0.3):
            for service in self.member.objects("services"):
                name = service["metadata"]["name"]
                if service["spec"]["type"] == "LoadBalancer" and not service["status"].get("loadBalancer"):
                    self._give(name)

    def _give(self, name):
        address = self.given.setdefault(name, f"{self.NET}.{len(self.given) + 1}")
        kubernetes.run("ip", "route", "replace", f"{address}/32", "via", self.member.node.address)
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{name}/status"
        self.member.patch(path, {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()
        for address in self.given.values():
            kubernetes.run("ip", "route", "del", f"{address}/32", check=False)
