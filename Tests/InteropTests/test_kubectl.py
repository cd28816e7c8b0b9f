"""`kubectl swiftwater`: this program as a plugin of kubectl, against the small API servers of `swiftwater local`."""

import json
import os
import shutil
import subprocess
import urllib.request

import pytest
import yaml
from broker import CHECKOUT, binary, until
from test_local import EXAMPLES, Local

# A machine with other work starts Regions slowly.
pytestmark = pytest.mark.timeout(400)

KUBECTL = os.environ.get("SWIFTWATER_TEST_KUBECTL") or shutil.which("kubectl")


class Plugin:
    def __init__(self, folder, local):
        self.local = local
        self.folder = folder
        os.symlink(binary(), folder / "kubectl-swiftwater")

    def run(self, *words, status=0, through=None):
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.local.folder / "kubeconfig") if self.local else "/nowhere",
            "PATH": f"{self.folder}:{os.environ['PATH']}",
        }
        command = [through, "swiftwater"] if through else [self.folder / "kubectl-swiftwater"]
        done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def get(self, region, path):
        return json.load(urllib.request.urlopen(self.local.status()[region][1] + path, timeout=5))

    def send(self, region, path, object):
        body = json.dumps(object).encode()
        request = urllib.request.Request(
            self.local.status()[region][1] + path, data=body, headers={"Content-Type": "application/json"}
        )
        return json.load(urllib.request.urlopen(request, timeout=5))


@pytest.fixture
def local(tmp_path):
    made = Local(tmp_path / "local")
    yield made
    made.kill()


@pytest.fixture
def plugin(tmp_path, local):
    (tmp_path / "bin").mkdir()
    return Plugin(tmp_path / "bin", local)


def test_the_story_of_a_cluster_is_told_in_a_few_lines(local, plugin):
    local.up(*[word for file in EXAMPLES for word in ("--apply", str(file))])
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.2)
    until(lambda: local.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    told = plugin.run("status", "--namespace", "kafka", through=KUBECTL)
    assert "KafkaCluster kafka/orders: Ready since" in told
    for region in ("eu-west", "eu-central", "eu-north"):
        assert any(region in line and "1 of 1" in line and "answers" in line for line in told.splitlines())
    assert "topics: 2 of 2 are Ready" in told
    assert len(told.splitlines()) < 20
    local.tell("stop-region", "eu-north")
    words = ("status", "orders", "-n", "kafka")
    until(lambda: "! RegionsReachable is False: eu-north" in plugin.run(*words), "what is missing is told", 60, every=0.3)
    assert "not seen since" in plugin.run(*words)
    complaint = plugin.run("status", "ordres", "-n", "kafka", status=1)
    assert "no KafkaCluster ordres" in complaint and "there are orders" in complaint


def registered(plugin, name, *more, status=0):
    return plugin.run("regions", "register", name, "--context", "a", "--namespace", "kafka", *more, status=status)


def test_a_region_is_registered_with_the_rights_that_an_operator_needs(local, plugin):
    local.up("--regions", "a,b")
    told = registered(plugin, "far", "--from", "b", "--provider", "aws", "--sovereignty", "EU", "--network", "PodIP")
    assert "a: Region far" in told and "b: ServiceAccount swiftwater-peer" in told
    assert "kubeconfigSecrets: [..., far-kubeconfig]" in told
    region = "/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/regions/far"
    until(
        lambda: any(
            c["type"] == "Reachable" and c["status"] == "True"
            for c in plugin.get("a", region).get("status", {}).get("conditions", [])
        ),
        "the operator reaches the Region as the account", 60, every=0.2,
    )
    spec = plugin.get("a", region)["spec"]
    assert spec["provider"] == "aws" and spec["sovereignty"] == ["EU"] and spec["network"]["type"] == "PodIP"
    # A second time changes nothing but the Secret, which is how a token is rotated.
    registered(plugin, "far", "--from", "b")


def test_what_may_not_be_done_is_said_before_anything_is(local, plugin):
    local.up("--regions", "a,b")
    kubeconfig = local.folder / "kubeconfig"
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"].append({"name": "guest", "user": {"token": "serviceaccount:kafka:guest"}})
    config["contexts"].append({"name": "guest", "context": {"cluster": "b", "user": "guest", "namespace": "kafka"}})
    kubeconfig.write_text(yaml.safe_dump(config))
    complaint = registered(plugin, "far", "--from", "guest", status=1)
    assert "guest: you may not create serviceaccounts in namespace kafka" in complaint
    assert "patch roles.rbac.authorization.k8s.io in namespace kafka" in complaint and "nothing was changed" in complaint
    assert not plugin.get("b", "/api/v1/namespaces/kafka/serviceaccounts")["items"]
    complaint = plugin.run("status", "--context", "guest", status=1)
    assert "guest: may not list kafkaclusters.kafka.swiftwater.dev in namespace kafka" in complaint


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["regions", "register", "Far", "--from", "b"], "Far is no name of a Region"),
        (["regions", "forget", "far"], "unknown command forget; there is register"),
        (["regions", "register", "far"], "needs --from CONTEXT"),
        (["regions", "register", "far", "-o", "xml"], "yaml is needed"),
        (["regions", "register", "far", "-o", "yaml", "--network", "Tunnel"], "one of PodIP, MultiClusterService"),
        (["rehome"], "needs MEMBER"),
        (["sttus"], "did you mean status?"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(tmp_path, words, complaint):
    plugin = Plugin(tmp_path, None)
    said = plugin.run(*words, status=2)
    assert complaint in said and len(said.splitlines()) == 1


@pytest.mark.skipif(not KUBECTL, reason="there is no kubectl")
def test_kubectl_applies_the_chart(tmp_path, local):
    local.up("--regions", "a")
    rendered = subprocess.run(
        [CHECKOUT / "hack" / "render-chart", "--include-crds", "--set", "allNamespaces=true", "--set", "peer.create=true"],
        capture_output=True, text=True, check=True,
    ).stdout
    environment = {**os.environ, "KUBECONFIG": str(local.folder / "kubeconfig"), "HOME": str(tmp_path)}
    for expected in ("serverside-applied", "serverside-applied"):
        done = subprocess.run(
            [KUBECTL, "apply", "--server-side", "--force-conflicts", "-f", "-"], env=environment, input=rendered,
            capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 0, done.stderr
        kinds = len([document for document in yaml.safe_load_all(rendered) if document])
        assert len([line for line in done.stdout.splitlines() if line.endswith(expected)]) == kinds


def test_for_a_gitops_repository_it_is_printed_and_nobody_is_asked(tmp_path):
    plugin = Plugin(tmp_path, None)
    words = ("regions", "register", "far", "-n", "kafka", "-o", "yaml", "--location", "eu-west-1")
    documents = list(yaml.safe_load_all(plugin.run(*words)))
    assert [d["kind"] for d in documents] == ["ServiceAccount", "Secret", "Role", "RoleBinding", "Region"]
    # The same account, token and rights as the chart's.
    chart = subprocess.run(
        [CHECKOUT / "hack" / "render-chart", "--set", "peer.create=true"], capture_output=True, text=True, check=True
    )
    peer = {d["kind"]: d for d in yaml.safe_load_all(chart.stdout) if d and d["metadata"]["name"] == "swiftwater-peer"}
    for document in documents[:-1]:
        other = peer[document["kind"]]
        for field in set(document) - {"metadata"}:
            assert document[field] == other[field], field
    wide = list(yaml.safe_load_all(plugin.run(*words, "--all-namespaces", "--machines")))
    assert [d["kind"] for d in wide[4:6]] == ["ClusterRole", "ClusterRoleBinding"]


def test_what_was_applied_in_a_member_that_is_gone_gets_a_new_home(local, plugin):
    local.up("--regions", "a,b,c", "--apply", str(write_regions(plugin.folder, ["a", "b", "c"])))
    path = "/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/regions/c"

    def origin(region):
        try:
            return plugin.get(region, path)["metadata"].get("labels", {}).get("kafka.swiftwater.dev/origin", region)
        except OSError:
            return None

    until(lambda: origin("b") == "a" and origin("c") == "a", "copies in every member", 60, every=0.2)
    complaint = plugin.run("rehome", "a", "--context", "b", "--also", "a", "-n", "kafka", status=1)
    assert "a is not gone" in complaint
    local.tell("stop-region", "a")
    told = plugin.run("rehome", "a", "--context", "b", "--also", "c", "-n", "kafka")
    assert "Region c: its original is in b now" in told
    until(lambda: origin("b") == "b" and origin("c") == "b", "b is the origin", 30, every=0.2)
    # The one who was thought to be lost comes back, and follows.
    local.tell("start-region", "a")
    until(lambda: origin("a") == "b", "a has a copy", 60, every=0.2)
    assert "nothing in the namespace kafka" in plugin.run("rehome", "x", "--context", "b", "-n", "kafka", status=1)


def write_regions(folder, names):
    file = folder / "regions.yaml"
    file.write_text(
        yaml.safe_dump_all(
            [
                {
                    "apiVersion": "kafka.swiftwater.dev/v1alpha1",
                    "kind": "Region",
                    "metadata": {"name": name, "namespace": "kafka"},
                    "spec": {"access": {"kubeconfigSecret": {"name": f"{name}-kubeconfig"}}},
                }
                for name in names
            ]
        )
    )
    return file
