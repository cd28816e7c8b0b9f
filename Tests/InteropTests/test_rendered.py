"""What the operator makes of a KafkaCluster, held against the schemas of the newest Kubernetes."""

import json
import urllib.request

import kubernetes_validate
import pytest
from broker import until
from test_local import Local

# A Region for each way in which brokers are reached without names that would have to be resolved.
NETWORKS = {
    "a": {"type": "PodIP"},
    "b": {"type": "NodePort"},
    "c": {"type": "LoadBalancer"},
    "d": {"type": "HostTemplate", "hostTemplate": "127.0.0.1{ordinal}"},
}
PLURALS = {
    "api/v1": ["services", "configmaps", "serviceaccounts", "persistentvolumeclaims"],
    "apis/apps/v1": ["statefulsets"],
    "apis/networking.k8s.io/v1": ["networkpolicies"],
    "apis/policy/v1": ["poddisruptionbudgets"],
}


@pytest.fixture
def local(tmp_path):
    made = Local(tmp_path / "local")
    yield made
    made.kill()


def resource(kind, name, spec):
    meta = {"name": name, "namespace": "kafka"}
    return {"apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def test_what_is_rendered_is_what_the_newest_kubernetes_takes(local, tmp_path):
    regions = [
        resource(
            "Region",
            name,
            {
                "access": {"kubeconfigSecret": {"name": f"{name}-kubeconfig"}},
                "network": network,
                "scheduling": {"zones": ["z1", "z2"], "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "kafka"}]},
            },
        )
        for name, network in NETWORKS.items()
    ]
    shares = [{"name": name, "brokers": 1, "controllers": 1, "storage": {"size": "1Gi"}} for name in NETWORKS]
    resources = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    cluster = resource("KafkaCluster", "orders", {"regions": shares, "resources": resources})
    arguments = ["--regions", ",".join(NETWORKS)]
    for number, made in enumerate([*regions, cluster]):
        file = tmp_path / f"{number}.yaml"
        file.write_text(json.dumps(made))
        arguments += ["--apply", str(file)]
    local.up(*arguments)

    def objects(region, group, plural):
        address = local.status()[region][1]
        path = f"{address}/{group}/namespaces/kafka/{plural}?labelSelector=kafka.swiftwater.dev%2Fcluster%3Dorders"
        found = json.load(urllib.request.urlopen(path, timeout=5))
        return [{"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List"), **one} for one in found["items"]]

    # Where brokers tell an address, there is a StatefulSet once it is known.
    for region in "ad":
        until(lambda: objects(region, "apis/apps/v1", "statefulsets"), f"a StatefulSet in {region}", 60, every=0.2)
    checked = set()
    for region in NETWORKS:
        for group, plurals in PLURALS.items():
            for plural in plurals:
                for made in objects(region, group, plural):
                    kubernetes_validate.validate(made, desired_version=kubernetes_validate.latest_version(), strict=True)
                    checked.add(made["kind"])
    kinds = "Service ConfigMap ServiceAccount PersistentVolumeClaim StatefulSet NetworkPolicy PodDisruptionBudget"
    assert checked == set(kinds.split())
