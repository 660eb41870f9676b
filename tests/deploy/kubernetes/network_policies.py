"""What NetworkPolicies let a pod reach, as Kubernetes reads them: policies that select a pod add up."""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.deploy.kubernetes.kustomize import Resources

Labels = dict[str, str]


@dataclass(frozen=True)
class Destination:
    """Where a packet goes: an address, and the labels of pod and namespace where a pod of the pods' network has it."""

    address: str
    port: int
    protocol: str = "TCP"
    pod: Labels | None = None
    namespace: Labels = field(default_factory=dict)


def reaches(resources: Resources, pod: Labels, destination: Destination) -> bool:
    """Return whether a pod with these labels may send to the destination; the policies' namespace has no labels."""
    rules = [
        rule
        for (kind, _), resource in resources.items()
        if kind == "NetworkPolicy" and _selects(resource["spec"]["podSelector"], pod)
        for rule in resource["spec"].get("egress", [])
    ]
    return any(_port_matches(rule, destination) and _peer_matches(rule, destination) for rule in rules)


def _selects(selector: dict[str, Any], labels: Labels) -> bool:
    assert selector.keys() <= {"matchLabels"}, selector
    wanted: Labels = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def _port_matches(rule: dict[str, Any], destination: Destination) -> bool:
    # a port's name is that of the destination's container: what these tests send to has numbers alone
    wanted = {"port": destination.port, "protocol": destination.protocol}
    return "ports" not in rule or wanted in rule["ports"]


def _peer_matches(rule: dict[str, Any], destination: Destination) -> bool:
    return "to" not in rule or any(_is_peer(peer, destination) for peer in rule["to"])


def _is_peer(peer: dict[str, Any], destination: Destination) -> bool:
    if "ipBlock" in peer:
        return ip_address(destination.address) in ip_network(peer["ipBlock"]["cidr"])
    # selectors see pods, and a pod in its node's network has the node's address: it counts as no pod
    if destination.pod is None or ("namespaceSelector" not in peer and destination.namespace):
        return False
    return _selects(peer.get("namespaceSelector", {}), destination.namespace) and _selects(
        peer.get("podSelector", {}), destination.pod
    )
