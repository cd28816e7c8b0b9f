"""charts/: what is rendered for which values, by the words that Helm is made of, and whether others can read it."""

import subprocess

import kubernetes_validate
import lupa
import pytest
import yaml
from broker import CHECKOUT

CHART = CHECKOUT / "charts" / "swiftwater"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
EVERYTHING = ["allNamespaces=true", "rbac.nodes=true", "peer.create=true", "metrics.serviceMonitor.enabled=true"]


def render(*arguments, status=0):
    done = subprocess.run(
        [CHECKOUT / "hack" / "render-chart", *map(str, arguments)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def rendered(*arguments):
    return [document for document in yaml.safe_load_all(render(*arguments)) if document]


def settings(*words):
    return [argument for word in words for argument in ("--set", word)]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def rules(documents, kind="Role", name="swiftwater-operator"):
    return [rule for role in of_kind(documents, kind) if role["metadata"]["name"].endswith(name) for rule in role["rules"]]


def test_there_is_an_example_for_each_member():
    assert {file.stem for file in EXAMPLES} == {"eu-west", "eu-central", "eu-north", "one"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_a_deployment_with_rights_in_its_namespace_and_nowhere_else(file):
    documents = rendered("-f", file, "--namespace", "kafka-system")
    assert {"ServiceAccount", "Role", "RoleBinding", "Deployment", "Service"} <= {d["kind"] for d in documents}
    assert not of_kind(documents, "ClusterRole")
    assert {document["metadata"]["namespace"] for document in documents} == {"kafka-system"}
    (deployment,) = of_kind(documents, "Deployment")
    (account,) = of_kind(documents, "ServiceAccount")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    member = yaml.safe_load(file.read_text())["member"]
    assert f"--member={member}" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_secrets_are_granted_by_name_only():
    assert not [rule for rule in rules(rendered()) if "secrets" in rule["resources"]]
    documents = rendered(*settings("kubeconfigSecrets=[a-kubeconfig, b-kubeconfig]"))
    (rule,) = [rule for rule in rules(documents) if "secrets" in rule["resources"]]
    assert rule["resourceNames"] == ["a-kubeconfig", "b-kubeconfig"]
    assert rule["verbs"] == ["list", "watch"]


@pytest.mark.parametrize("values", [[], EVERYTHING], ids=["least", "most"])
def test_no_rule_grants_everything(values):
    documents = rendered(*settings(*values))
    found = [rule for kind in ("Role", "ClusterRole") for role in of_kind(documents, kind) for rule in role["rules"]]
    assert found
    for rule in found:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert rule.get("resourceNames") != []


def test_all_namespaces_leave_secrets_and_leases_in_the_own_one():
    documents = rendered(*settings("allNamespaces=true", "kubeconfigSecrets=[a-kubeconfig]"))
    wide = rules(documents, "ClusterRole")
    assert {"secrets", "leases", "nodes"}.isdisjoint(resource for rule in wide for resource in rule["resources"])
    own = {resource for rule in rules(documents) for resource in rule["resources"]}
    assert own == {"configmaps", "leases", "secrets"}
    (deployment,) = of_kind(documents, "Deployment")
    assert "--all-namespaces" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_peer_has_the_rights_of_an_operator_without_secrets():
    documents = rendered(*settings("peer.create=true", "kubeconfigSecrets=[a-kubeconfig]"))
    peer = rules(documents, name="swiftwater-peer")
    assert peer == [rule for rule in rules(documents) if "secrets" not in rule["resources"]]


def test_the_pod_is_restricted():
    (deployment,) = of_kind(rendered(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & set(pod)


@pytest.mark.parametrize("version", ["1.25", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("values", [[], EVERYTHING], ids=["least", "most"])
def test_kubernetes_knows_every_field(version, values):
    for document in rendered(*settings(*values)):
        if document["kind"] != "ServiceMonitor":
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(
    "value, complaint",
    [
        ("replica=2", "replica is not allowed"),
        ("replicas=many", "replicas"),
        ("logLevel=loud", "logLevel"),
        ("metrics.port=80", "greater than or equal to 1024"),
        ("kubeconfigSecrets=[A_b]", "kubeconfigSecrets.0"),
        ("kubeconfigSecrets=[a, a]", "kubeconfigSecrets"),
        ("kubeconfigSecrets=['*']", "kubeconfigSecrets.0"),
        ("member=EU", "member"),
        ("image.pullPolicy=Sometimes", "image.pullPolicy"),
        ("rbac.secrets=true", "secrets is not allowed"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(value, complaint):
    words = render("--set", value, status=1)
    assert "the specifications of the schema" in words and complaint in words
    assert len(words.splitlines()) == 1


def test_what_the_renderer_does_not_know_is_refused(tmp_path):
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: it\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("known: 1\n")
    (chart / "values.schema.json").write_text("{}")
    renderer = CHECKOUT / ".build" / "render-chart"
    render()
    for text, complaint in [
        ("a: {{ .Values.unknown }}", "unknown"),
        ("a: {{ lookup `v1` `Pod` `` `` }}", "lookup"),
        ("a: {{ .Capabilities.KubeVersion }}", "Capabilities"),
        ("a: b\n c: d", "it.yaml"),
    ]:
        (chart / "templates" / "it.yaml").write_text(text)
        done = subprocess.run([renderer, chart], capture_output=True, text=True)
        assert done.returncode == 1 and complaint in done.stderr, text


def test_the_definitions_of_the_chart_are_those_in_crds():
    ours = {file.name: file.read_bytes() for file in (CHECKOUT / "crds").iterdir()}
    assert {file.name: file.read_bytes() for file in (CHART / "crds").iterdir()} == ours
    documents = rendered("--include-crds")
    assert [d["kind"] for d in documents[:3]] == ["CustomResourceDefinition"] * 3
    for definition in documents[:3]:
        kubernetes_validate.validate(definition, kubernetes_validate.latest_version(), strict=True)


def test_the_notes_say_what_may_be_read():
    assert "It may read no Secrets" in render("--notes")
    assert "a-kubeconfig" in render("--notes", *settings("kubeconfigSecrets=[a-kubeconfig]"))


# Argo CD's view of health.

CONDITION = {"Ready": "True", "Reconciling": "False", "Stalled": "False"}


def health(object):
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    script = (CHECKOUT / "charts" / "argocd" / "health.lua").read_text()
    # As from JSON: arrays count from 1, and what is missing is nil.
    check = lua.eval("function(obj, script) return load(script, 'health', 't', {obj = obj, ipairs = ipairs, string = string})() end")
    return dict(check(lua.table_from(object, recursive=True), script))


def object(generation=2, observed=2, **conditions):
    told = {**CONDITION, **conditions}
    listed = [{"type": type, "status": status, "message": f"about {type}"} for type, status in told.items() if status]
    return {"metadata": {"generation": generation}, "status": {"observedGeneration": observed, "conditions": listed}}


@pytest.mark.parametrize(
    "object, status, message",
    [
        ({"metadata": {"generation": 1}}, "Progressing", "No operator"),
        (object(observed=1), "Progressing", "generation 2"),
        (object(), "Healthy", "about Ready"),
        (object(Reconciling="True", Ready="False"), "Progressing", "about Reconciling"),
        (object(Stalled="True"), "Degraded", "about Stalled"),
        (object(Ready="False"), "Degraded", "about Ready"),
        (object(Ready="Unknown"), "Unknown", "about Ready"),
        (object(Ready=None), "Progressing", "No operator"),
    ],
)
def test_argo_is_told_how_a_resource_is(object, status, message):
    found = health(object)
    assert found["status"] == status and message in found["message"]


def test_argo_is_told_the_same_for_every_kind():
    script = (CHECKOUT / "charts" / "argocd" / "health.lua").read_text()
    patch = yaml.safe_load((CHECKOUT / "charts" / "argocd" / "argocd-cm.yaml").read_text())
    kinds = {yaml.safe_load(file.read_text())["spec"]["names"]["kind"] for file in (CHECKOUT / "crds").glob("*.yaml")}
    prefix = "resource.customizations.health.kafka.swiftwater.dev_"
    assert patch["data"] == {prefix + kind: script for kind in kinds}
