"""examples/kubernetes: each object is one of Kubernetes' own types, and the configuration in it is one that Thaw takes."""

import copy
import pathlib

import kubernetes.client
import pytest
import yaml
from kubernetes.client import ApiClient

TOP = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = list(yaml.safe_load_all((TOP / "examples" / "kubernetes" / "thaw.yaml").read_text()))


def by_kind(kind):
    (found,) = [one for one in OBJECTS if one["kind"] == kind]
    return found


def typed(value, kind):
    """What is left of a value that is read as one of Kubernetes' types and written again: keys unknown to it are gone."""
    client = ApiClient()
    return client.sanitize_for_serialization(client._ApiClient__deserialize(value, kind))


@pytest.mark.parametrize("document", OBJECTS, ids=lambda one: one["kind"])
def test_the_types_know_all_of_it(document):
    kind = "V1" + document["kind"]
    if document["kind"] == "Deployment" and not hasattr(kubernetes.client, "V1SleepAction"):  # of before Kubernetes 1.29
        document = copy.deepcopy(document)
        del document["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]
    assert typed(document, kind) == document


def test_a_key_that_the_types_do_not_know_is_found():
    document = {"apiVersion": "v1", "kind": "Service", "spec": {"prots": []}}
    assert typed(document, "V1Service") != document


def test_names_fit():
    pod = by_kind("Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    for selector in (by_kind("Deployment")["spec"]["selector"]["matchLabels"], by_kind("Service")["spec"]["selector"],
                     by_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                     by_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]):  # fmt: skip
        assert selector.items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"] for port in by_kind("Service")["spec"]["ports"]} <= set(ports)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
    served = yaml.safe_load(by_kind("ConfigMap")["data"]["thaw.yaml"])
    assert served["listen"][0]["address"] == f"0.0.0.0:{ports['https']}" and served["admin"]["address"] == f"0.0.0.0:{ports['admin']}"
    assert pod["spec"]["terminationGracePeriodSeconds"] > 30 + 5  # stop_timeout, preStop


def test_the_configuration_is_one(installed):
    projected = by_kind("Deployment")["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    paths = [item["path"] for source in projected for one in source.values() for item in one.get("items", ())]
    assert sorted(paths) == ["clients/ca.crt", "tls/tls.crt", "tls/tls.key"]
    said = installed(f"""
        thaw serve --listen 127.0.0.1:0 --pki /tmp/pki >/dev/null 2>&1 &
        until [ -e /tmp/pki/ca.pem ] && [ -e /tmp/pki/client.key ]; do sleep 0.1; done
        kill $! && wait $! || true
        mkdir -p /etc/thaw/tls /etc/thaw/clients
        cp /tmp/pki/server.pem /etc/thaw/tls/tls.crt && cp /tmp/pki/server.key /etc/thaw/tls/tls.key
        cp /tmp/pki/ca.pem /etc/thaw/clients/ca.crt
        cat >/etc/thaw/thaw.yaml <<'END'
{by_kind("ConfigMap")["data"]["thaw.yaml"]}
END
        echo 127.0.0.1 app >>/etc/hosts
        thaw check -c /etc/thaw/thaw.yaml
    """)
    assert "/etc/thaw/thaw.yaml: ok" in said
