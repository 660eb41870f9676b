"""The AlertmanagerConfig of the example says what deploy/alertmanager/alertmanager.yml says."""

import json
from typing import Any

import pytest
import yaml

from scripts.alertmanager_config import alertmanager_config
from scripts.kubernetes_files import ALERTMANAGER
from tests.deploy.kubernetes.kustomize import KUBERNETES, Resource, resolve

FIELDS = {
    "spec": {"route", "receivers", "inhibitRules"},
    "route": {"receiver", "groupBy", "groupWait", "groupInterval", "repeatInterval", "routes", "matchers"},
    "receivers": {"name", "pagerdutyConfigs", "slackConfigs"},
    "pagerdutyConfigs": {"routingKey", "description", "details"},
    "slackConfigs": {"apiURL", "sendResolved", "title", "text"},
    "inhibitRules": {"sourceMatch", "targetMatch", "equal"},
}
"""What the operator's definition of v1alpha1 calls the fields that are used."""


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    """Alertmanager's own file, as data."""
    read: dict[str, Any] = yaml.safe_load(ALERTMANAGER.read_text())
    return read


@pytest.fixture(scope="module")
def resource() -> Resource:
    """The resource of the example."""
    return resolve(KUBERNETES / "overlays" / "example")["AlertmanagerConfig", "graft"]


def texts(matchers: list[dict[str, str]]) -> list[str]:
    """Return matchers as Alertmanager's file has them."""
    return [f"{each['name']}{each.get('matchType', '=')}{json.dumps(each['value'])}" for each in matchers]


def route_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return a route as the operator writes it into Alertmanager's file."""
    names = {"groupBy": "group_by", "groupWait": "group_wait", "groupInterval": "group_interval"} | {
        "repeatInterval": "repeat_interval"
    }
    found = {names.get(name, name): value for name, value in told.items()}
    if "matchers" in found:
        found["matchers"] = texts(found["matchers"])
    if "routes" in found:
        found["routes"] = [route_of(each) for each in found["routes"]]
    return found


def test_routes_are_the_same(resource: Resource, configuration: dict[str, Any]) -> None:
    """Groups, times, receivers and the routes below are those of the file."""
    assert route_of(resource["spec"]["route"]) == configuration["route"]


def test_inhibitions_are_the_same(resource: Resource, configuration: dict[str, Any]) -> None:
    """What mutes what, and where, is that of the file."""
    assert [
        {
            "source_matchers": texts(rule["sourceMatch"]),
            "target_matchers": texts(rule["targetMatch"]),
            "equal": rule["equal"],
        }
        for rule in resource["spec"]["inhibitRules"]
    ] == configuration["inhibit_rules"]


def test_receivers_are_the_same(resource: Resource, configuration: dict[str, Any]) -> None:
    """Texts are those of the file, and what is secret is a key of one Secret, called as the file's own secrets."""
    (page, ticket), (its_page, its_ticket) = configuration["receivers"], resource["spec"]["receivers"]
    (told,), (pager,) = page["pagerduty_configs"], its_page["pagerdutyConfigs"]
    assert (its_page["name"], pager["description"]) == (page["name"], told["description"])
    assert {each["key"]: each["value"] for each in pager["details"]} == told["details"]
    (told,), (chat,) = ticket["slack_configs"], its_ticket["slackConfigs"]
    assert its_ticket["name"] == ticket["name"]
    assert (chat["title"], chat["text"], chat["sendResolved"]) == (told["title"], told["text"], told["send_resolved"])
    secrets = {(each["name"], f"/run/secrets/{each['key']}") for each in (pager["routingKey"], chat["apiURL"])}
    assert secrets == {
        ("graft-alerts", page["pagerduty_configs"][0]["routing_key_file"]),
        ("graft-alerts", told["api_url_file"]),
    }


def test_every_field_is_the_operators(resource: Resource) -> None:
    """The operator's definition is not Kubernetes's own: a field that it does not know would be dropped silently."""
    assert resource["apiVersion"] == "monitoring.coreos.com/v1alpha1"
    spec = resource["spec"]
    found = [("spec", spec), ("route", spec["route"])]
    found += [("route", each) for each in spec["route"]["routes"]]
    found += [(name, each) for name in ("receivers", "inhibitRules") for each in spec[name]]
    for receiver in spec["receivers"]:
        found += [(name, each) for name, configs in receiver.items() if name != "name" for each in configs]
    for kind, fields in found:
        assert fields.keys() <= FIELDS[kind], kind
    assert "continue" not in json.dumps(spec)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"route": {"matchers": ["severity=page"]}}, "severity=page is not written as"),
        ({"templates": ["x"]}, "has no templates"),
    ],
)
def test_what_cannot_be_told_is_refused(change: dict[str, Any], said: str) -> None:
    """A matcher or a part of the file that the resource has no place for ends the script, and nothing is lost."""
    with pytest.raises(ValueError, match=said):
        alertmanager_config(change, {})
