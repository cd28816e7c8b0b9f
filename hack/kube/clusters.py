"""Real Kubernetes clusters on this machine, side by side: processes, namespaces and one bridge, no Docker.

A cluster has an etcd, an API server, a controller manager and a scheduler of its own. A node is a containerd, a kubelet
and a kube-proxy in network, mount and PID namespaces of their own. Nodes and pods of all clusters, and this machine, reach
each other by address: one flat network, as between clusters that are peered. Needs root.

`hack/kubernetes` is the command line of this; tests import it.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import sys
import time

from certificates import Authority
from running import Process, Trouble, run, until

BRIDGE = "swk0"
# This machine's end of the bridge: where pods and nodes reach every API server.
GATEWAY = "10.210.0.1"
NODE_NET, POD_NET = "10.210", "10.211"
SERVICES = "10.96.0.0/16"
INDEX_MAX = 200
LOCK = "/run/swiftwater-kubernetes.lock"
PAUSE = "localhost/pause:1"
# Volumes that a new node offers, each a folder.
DISKS = 8
# What the nodes' DNS answers for, and nobody else: Kubernetes' own names, those of the MCS API, and what tests invent.
DOMAINS = ["cluster.local", "clusterset.local", "test"]
PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"]
HERE = pathlib.Path(__file__).resolve().parent


@contextlib.contextmanager
def alone():
    """One at a time on this machine: bridges, namespaces and ports are everybody's."""
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- the network ---------------------------------------------------------------------------------------------------

FORWARD = ["FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"]


def raise_bridge():
    """Called with the lock held."""
    if not pathlib.Path(f"/sys/class/net/{BRIDGE}").exists():
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{GATEWAY}/16", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        # Machines with a firewall of their own forward nothing without being told.
        run("iptables", "-w", "-I", *FORWARD, check=False)


def drop_bridge():
    """The bridge goes with the last cluster and the last node."""
    with alone():
        if any(free_namespace(index) is False for index in range(1, INDEX_MAX)):
            return
        if pathlib.Path(f"/sys/class/net/{BRIDGE}").exists():
            run("iptables", "-w", "-D", *FORWARD, check=False)
            run("ip", "link", "delete", BRIDGE, check=False)
        for folder in ("/var/log/pods", "/var/log/containers", "/var/lib/kubelet"):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def free_namespace(index):
    return not pathlib.Path(f"/run/netns/swk-{index}").exists()


def free_ports(count):
    """The first of so many ports in a row that nobody listens on."""
    for first in range(23000, 30000, 10):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("0.0.0.0", port))
            except OSError:
                continue
            return first
    raise Trouble("no free ports between 23000 and 30000")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- a cluster -----------------------------------------------------------------------------------------------------


class Cluster:
    """One control plane. `binaries` is the folder with Kubernetes' programs."""

    def __init__(self, folder, name, binaries):
        self.name = name
        self.folder = pathlib.Path(folder).resolve() / name
        self.binaries = pathlib.Path(binaries).resolve()
        self.authority = Authority(self.folder / "pki")
        self.kubeconfig = self.folder / "kubeconfig"
        self.etcd, self.api, self.manager, self.scheduler, self.names = (
            Process(self.folder, program) for program in ("etcd", *PROGRAMS[:3], "names")
        )

    @property
    def port(self):
        return int((self.folder / "port").read_text())

    @property
    def server(self):
        """Where pods of every cluster reach the API server."""
        return f"https://{GATEWAY}:{self.port}"

    def kubectl(self, *words, check=True, **options):
        return run("kubectl", "--kubeconfig", self.kubeconfig, *words, check=check, **options)

    def answers(self, path, port=None, secure=True):
        pki = self.folder / "pki"
        words = ["curl", "-sf", "-m", "5", "--cert", pki / "admin.crt", "--key", pki / "admin.key"]
        words += ["--cacert", pki / "ca.crt"] if secure else ["-k"]
        return run(*words, f"https://127.0.0.1:{port or self.port}{path}", check=False).returncode == 0

    def up(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone():
            raise_bridge()
            if not (self.folder / "port").exists():
                (self.folder / "port").write_text(str(free_ports(5)))
            self._certificates()
            self._start_etcd()
        self.start_api()
        self._start_controllers()
        (self.folder / "names").mkdir(exist_ok=True)
        self.names.start(sys.executable, HERE / "names.py", self.folder)
        until(lambda: self.answers("/api/v1/namespaces/default/serviceaccounts/default"), "the service accounts", 60)
        until(lambda: self.answers("/healthz", self.port + 4, secure=False), "the scheduler", 60)
        self.kubectl("apply", "-f", HERE / "cluster.yaml")

    def _certificates(self):
        ca, local = self.authority, f"https://127.0.0.1:{self.port}"
        ca.found(f"kubernetes-{self.name}")
        names = "localhost kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local"
        service = SERVICES.rsplit(".", 1)[0] + ".1"
        addresses = [f"IP:127.0.0.1,IP:{GATEWAY},IP:{service}", *(f"DNS:{name}" for name in names.split())]
        ca.issue("apiserver", "/CN=kube-apiserver", ",".join(addresses))
        ca.issue("etcd", "/CN=etcd", "IP:127.0.0.1")
        ca.issue("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
        for name, subject in [
            ("admin", "/O=system:masters/CN=admin"),
            ("manager", "/CN=system:kube-controller-manager"),
            ("scheduler", "/CN=system:kube-scheduler"),
        ]:
            ca.issue(name, subject)
            ca.kubeconfig(name, local, self.folder / "pki" / f"{name}.conf")
        shutil.copy(self.folder / "pki" / "admin.conf", self.kubeconfig)

    def _start_etcd(self):
        pki, client, peer = self.folder / "pki", f"https://127.0.0.1:{self.port + 1}", f"http://127.0.0.1:{self.port + 2}"
        self.etcd.start(
            *("etcd", "--name", self.name, "--data-dir", self.folder / "etcd", "--logger", "zap", "--log-level", "warn"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"{self.name}={peer}", "--client-cert-auth", "--trusted-ca-file", pki / "ca.crt"),
            # Clusters that last for minutes need no fsync for each write.
            *("--cert-file", pki / "etcd.crt", "--key-file", pki / "etcd.key", "--unsafe-no-fsync"),
        )
        # Whoever looks for free ports next has to see that these are taken.
        until(lambda: listens(self.port + 1), f"etcd of {self.name}; see {self.etcd.log}", 30)

    def start_api(self):
        pki = self.folder / "pki"
        self.api.start(
            self.binaries / "kube-apiserver",
            *("--etcd-servers", f"https://127.0.0.1:{self.port + 1}", "--etcd-cafile", pki / "ca.crt"),
            *("--etcd-certfile", pki / "apiserver.crt", "--etcd-keyfile", pki / "apiserver.key"),
            *("--secure-port", self.port, "--bind-address", "0.0.0.0", "--advertise-address", GATEWAY),
            *("--tls-cert-file", pki / "apiserver.crt", "--tls-private-key-file", pki / "apiserver.key"),
            *("--client-ca-file", pki / "ca.crt", "--kubelet-client-certificate", pki / "kubelet-client.crt"),
            *("--kubelet-client-key", pki / "kubelet-client.key", "--kubelet-preferred-address-types", "InternalIP"),
            *("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
            *("--service-account-signing-key-file", pki / "accounts.key"),
            *("--service-account-key-file", pki / "accounts.pub", "--authorization-mode", "Node,RBAC"),
            # What stands for restricted Pod Security in a version that does not have it yet.
            *("--enable-admission-plugins", "NodeRestriction,PodSecurityPolicy"),
            *("--service-cluster-ip-range", SERVICES, "--profiling=false", "--event-ttl", "30m"),
            *("--feature-gates", "APIPriorityAndFairness=false", "--etcd-count-metric-poll-period", "0"),
            # Pods leave a dead node after seconds, not after five minutes.
            *("--default-not-ready-toleration-seconds", "5", "--default-unreachable-toleration-seconds", "5"),
        )
        until(lambda: self.answers("/readyz"), f"the API server of {self.name}; see {self.api.log}", 60)

    def stop_api(self):
        """At once, as a machine dies. What the controllers do without it is theirs."""
        self.api.stop(signal.SIGKILL)

    def _start_controllers(self):
        pki = self.folder / "pki"

        def start(process, conf, port, *more):
            process.start(
                *(self.binaries / process.name, "--kubeconfig", conf, "--authentication-kubeconfig", conf),
                *("--authorization-kubeconfig", conf, "--port", "0", "--secure-port", port, "--bind-address", "127.0.0.1"),
                *("--leader-elect=false", "--profiling=false", *more),
            )

        unused = "horizontalpodautoscaling cloud-node-lifecycle route service nodeipam bootstrapsigner tokencleaner"
        unused += " ttl-after-finished attachdetach"
        start(
            *(self.manager, pki / "manager.conf", self.port + 3, "--use-service-account-credentials"),
            *("--service-account-private-key-file", pki / "accounts.key", "--root-ca-file", pki / "ca.crt"),
            *("--controllers", ",".join(["*", *(f"-{name}" for name in unused.split())])),
            *("--cluster-signing-cert-file", pki / "ca.crt", "--cluster-signing-key-file", pki / "ca.key"),
            *("--node-monitor-period", "2s", "--node-monitor-grace-period", "8s"),
        )
        start(self.scheduler, pki / "scheduler.conf", self.port + 4)

    def tell(self, file, names):
        """Names besides those that Kubernetes gives, as somebody's DNS would have them: {name: address}."""
        text = "".join(f"{address} {name}\n" for name, address in sorted(names.items()))
        # Whoever reads the folder looks at whole files only.
        (self.folder / f"{file}.new").write_text(text)
        os.replace(self.folder / f"{file}.new", self.folder / "names" / file)

    @property
    def nodes(self):
        return [Node(self, folder.name) for folder in sorted((self.folder / "nodes").glob("*"))]

    def down(self):
        """Ends everything, and removes what was made outside of the folder."""
        for node in self.nodes:
            node.down()
        # Nothing of it is needed any more.
        for process in (self.names, self.scheduler, self.manager, self.api, self.etcd):
            process.stop(signal.SIGKILL)
        drop_bridge()


# --- a node --------------------------------------------------------------------------------------------------------


class Node:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.folder = cluster.folder / "nodes" / name
        self.init = Process(self.folder, "init")

    @property
    def index(self):
        """A number that no other node on this machine has; it gives the addresses."""
        return int((self.folder / "index").read_text())

    address = property(lambda self: f"{NODE_NET}.0.{10 + self.index}")
    pods = property(lambda self: f"{POD_NET}.{self.index}.0/24")
    link = property(lambda self: f"swk{self.index}v")
    namespace = property(lambda self: f"swk-{self.index}")
    cgroup = property(lambda self: f"/swiftwater-kubernetes/{self.index}")

    def up(self, images=()):
        """Starts it, or starts it again after a crash, with the images in these archives."""
        for name in ("cni", "cni-state", "logs", "pids", "pki", "pod-logs", "container-logs", "kubelet", "containerd", "opt"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        images = [str(pathlib.Path(image).resolve()) for image in images]
        pause = self.folder.parent.parent / "pause.tar"
        if not pause.exists():
            run(sys.executable, HERE / "pack.py", pause, "--pause", PAUSE)
        with alone():
            self._network()
        self._certificates()
        self._cgroups()
        self._configuration()
        began = time.time()
        self.init.start(
            *("nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--mount", "--pid", "--fork", "--mount-proc"),
            *("--kill-child", "bash", HERE / "node.sh", self.folder, self.cluster.binaries, self.name, self.address),
            *(self.cluster.folder / "names", ",".join(DOMAINS), pause, *images),
        )
        until(lambda: self.is_ready(began), f"node {self.name} is ready; see {self.folder}/logs", 90, every=0.3)
        self._disks()

    def _network(self):
        raise_bridge()
        if not (self.folder / "index").exists():
            free = [index for index in range(1, INDEX_MAX) if free_namespace(index)]
            (self.folder / "index").write_text(str(free[0]))
        if not free_namespace(self.index):
            return
        inside = ["ip", "-n", self.namespace]
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "link", "set", self.link, "master", BRIDGE, "up")
        run(*inside, "address", "add", f"{self.address}/16", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "route", "add", "default", "via", GATEWAY)
        # The kubelet looks for a cloud: it is told at once that there is none.
        run(*inside, "route", "add", "unreachable", "169.254.0.0/16")
        run("ip", "route", "replace", self.pods, "via", self.address)

    def _certificates(self):
        ca = Authority(self.cluster.folder / "pki")
        for name, subject in [
            (f"kubelet-{self.name}", f"/O=system:nodes/CN=system:node:{self.name}"),
            (f"proxy-{self.name}", "/CN=system:kube-proxy"),
        ]:
            ca.issue(name, subject, f"IP:{self.address},DNS:{self.name}")
            ca.kubeconfig(name, self.cluster.server, self.folder / "pki" / f"{name.split('-')[0]}.conf")

    def _cgroups(self):
        """A group for the node's pods in each hierarchy."""
        root = pathlib.Path("/sys/fs/cgroup")
        if (root / "cgroup.controllers").exists():
            path = root
            for part in self.cgroup.strip("/").split("/"):
                wanted = " ".join(f"+{name}" for name in (path / "cgroup.controllers").read_text().split())
                (path / "cgroup.subtree_control").write_text(wanted)
                path = path / part
                path.mkdir(exist_ok=True)
            return
        for hierarchy in root.iterdir():
            if not (hierarchy / "cgroup.procs").exists():
                continue
            path = hierarchy
            for part in self.cgroup.strip("/").split("/"):
                path = path / part
                path.mkdir(exist_ok=True)
                if (path / "cpuset.cpus").exists():
                    for file in ("cpuset.cpus", "cpuset.mems"):
                        (path / file).write_text((hierarchy / file).read_text())

    def _configuration(self):
        folder, pki = self.folder, self.cluster.folder / "pki"
        # Nobody outside is asked for names. Pods come to the node's own DNS, and so does what runs on the node.
        (folder / "resolv.conf").write_text("")
        (folder / "resolv.node").write_text(f"nameserver {self.address}\n")
        (folder / "containerd.toml").write_text(
            f"""version = 2
root = "{folder}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # The score may not be lowered without a capability that this machine may lack.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""
        )
        addresses = {
            "type": "host-local",
            "dataDir": f"{folder}/cni-state",
            "ranges": [[{"subnet": self.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
        plugins = [{**bridge, "ipam": addresses}, {"type": "portmap", "capabilities": {"portMappings": True}}]
        network = {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}
        (folder / "cni" / "10-pods.conflist").write_text(json.dumps(network))
        kubelet = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki / f"kubelet-{self.name}.crt"),
            "tlsPrivateKeyFile": str(pki / f"kubelet-{self.name}.key"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup,
            "clusterDomain": "cluster.local",
            "clusterDNS": [self.address],
            "resolvConf": str(folder / "resolv.conf"),
            "oomScoreAdj": 0,
            "maxOpenFiles": 20000,
            "failSwapOn": False,
            "readOnlyPort": 0,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi"},
            "volumePluginDir": str(folder / "opt"),
            # What the kubelet overlooked, such as a pod that ended while one of its probes was under way, it finds that soon.
            "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "2s",
            "nodeStatusReportFrequency": "1m",
            "nodeLeaseDurationSeconds": 8,
        }
        (folder / "kubelet.json").write_text(json.dumps(kubelet))

    def is_ready(self, since=0.0):
        """Whether the API server heard so after `since`."""
        path = '{range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}'
        words = self.cluster.kubectl("get", "node", self.name, "-o", f"jsonpath={path}", check=False).stdout.split()
        if len(words) != 2 or words[0] != "True":
            return False
        heard = time.mktime(time.strptime(words[1], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        return heard >= int(since)

    def _disks(self):
        """Volumes as they are on machines with disks of their own: they stay with the node."""
        items = []
        for number in range(DISKS):
            path = self.folder / "disks" / str(number)
            path.mkdir(parents=True, exist_ok=True)
            term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [self.name]}
            items.append(
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolume",
                    "metadata": {"name": f"{self.name}-{number}"},
                    "spec": {
                        "capacity": {"storage": "20Gi"},
                        "accessModes": ["ReadWriteOnce"],
                        "persistentVolumeReclaimPolicy": "Retain",
                        "storageClassName": "disk",
                        "local": {"path": str(path)},
                        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
                    },
                }
            )
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def on(self, *words):
        """The words of a command that sees the network as the node does, with its Services and its names."""
        see_names = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--mount", "sh", "-c", see_names]
        return [*enter, str(self.folder / "resolv.node"), *map(str, words)]

    def crash(self):
        """Everything on it is gone at once, as in a power cut: PID 1 of its namespace is killed."""
        outer = self.init.pid
        if not outer:
            return
        children = pathlib.Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        self.init.stop(signal.SIGKILL)

    def cut(self):
        """Nothing comes in or out any more; what runs on it runs on."""
        run("ip", "link", "set", self.link, "down")

    def heal(self):
        run("ip", "link", "set", self.link, "up")

    def down(self):
        self.crash()
        if not (self.folder / "index").exists():
            return
        with alone():
            run("ip", "route", "delete", self.pods, check=False)
            run("ip", "link", "delete", self.link, check=False)
            if not free_namespace(self.index):
                run("ip", "netns", "delete", self.namespace, check=False)
        root = pathlib.Path("/sys/fs/cgroup")
        tops = [root] if (root / "cgroup.controllers").exists() else [one for one in root.iterdir() if one.is_dir()]
        for top in tops:
            group = top / self.cgroup.strip("/")
            for path in [*sorted(group.rglob("*/"), reverse=True), group, group.parent] if group.exists() else []:
                # A process that was killed leaves its group a moment later.
                for _ in range(20):
                    try:
                        path.rmdir()
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        if path == group.parent or not path.is_dir():
                            break
                        time.sleep(0.05)


# --- the command line ----------------------------------------------------------------------------------------------


def main(words):
    verb, folder, binaries, *rest = words
    match verb, rest:
        case "up", [name]:
            cluster = Cluster(folder, name, binaries)
            cluster.up()
            print(f"{name} runs: export KUBECONFIG={cluster.kubeconfig}")
        case "node", [name, node, *images]:
            made = Node(Cluster(folder, name, binaries), node)
            made.up(images)
            print(f"{node} is ready at {made.address}, its pods are in {made.pods}")
        case "on", [name, node, *command] if command:
            words = Node(Cluster(folder, name, binaries), node).on(*command)
            os.execvp(words[0], words)
        case "crash", [name, node]:
            Node(Cluster(folder, name, binaries), node).crash()
        case "down", names:
            for name in names or [one.parent.name for one in sorted(pathlib.Path(folder).glob("*/port"))]:
                Cluster(folder, name, binaries).down()
                shutil.rmtree(pathlib.Path(folder) / name, ignore_errors=True)
                print(f"{name} is gone")
        case _:
            raise Trouble("these words are no command; see hack/kubernetes --help")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Trouble as trouble:
        sys.exit(f"kubernetes: {trouble}")
