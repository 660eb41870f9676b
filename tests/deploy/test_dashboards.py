"""The dashboards in the tree: made by the script, whole, readable in both themes, linked, and without overlaps."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from scripts.dashboards.__main__ import BOARDS, FOLDER, files
from scripts.dashboards.place import in_place

PROVISIONING = FOLDER.parent / "provisioning"
NAMED_COLORS = {"green", "orange", "red"}

Json = dict[str, Any]

each_dashboard = pytest.mark.parametrize("name", sorted(files()))


def read(name: str) -> Json:
    content: Json = json.loads((FOLDER / name).read_text())
    return content


def panels_of(dashboard: Json) -> list[Json]:
    """Return the panels that show something, without the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def strings_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings_in(each)


def test_files_are_what_the_script_makes() -> None:
    """The folder holds the files of `python -m scripts.dashboards`, byte for byte, and no others."""
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == files()


@each_dashboard
def test_grafanas_own_types_know_every_field(name: str) -> None:
    """Read by Grafana's own classes and written again, a dashboard has lost nothing."""
    content = read(name)
    again = json.loads(json.dumps(Dashboard.from_json(content), default=lambda value: value.to_json()))
    assert again == content


@each_dashboard
def test_panels_say_what_they_show(name: str) -> None:
    """Every panel has a title of its own, a description, a known unit, and queries to the chosen source."""
    panels = panels_of(read(name))
    known = {value for value in vars(units).values() if isinstance(value, str)}
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in known, panel["title"]
        assert panel["targets"], panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@each_dashboard
def test_panels_do_not_overlap(name: str) -> None:
    """Every panel has cells of its own inside the grid's 24 columns, and a number of its own."""
    panels = read(name)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = []
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells.append({(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])})
    assert not any(one & other for one, other in combinations(cells, 2))


@each_dashboard
def test_colors_follow_the_theme(name: str) -> None:
    """Colours are names of Grafana's palette, which has a shade for each theme; there is no code of a colour."""
    content = read(name)
    assert not [text for text in strings_in(content) if re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(", text)]
    steps = [step for panel in panels_of(content) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert {step["color"] for step in steps} <= NAMED_COLORS


@each_dashboard
def test_variables_are_used(name: str) -> None:
    """Every variable is in some query, and every variable in a query is defined or Grafana's own."""
    content = read(name)
    defined = {variable["name"] for variable in content["templating"]["list"]}
    texts = [target["expr"] for panel in panels_of(content) for target in panel["targets"]]
    used = {found for text in texts for found in re.findall(r"\$(\w+)", text)}
    assert used | {"datasource"} == defined | (used & {"__rate_interval", "__range"})


def test_dashboards_link_to_each_other() -> None:
    """Each dashboard has a link to both others, every link leads to a dashboard, and takes the place along."""
    boards = {board.identifier for board in BOARDS}
    place = "?${cluster:queryparam}&${namespace:queryparam}"
    for name in files():
        content = read(name)
        assert {link["url"].removesuffix(place) for link in content["links"]} == {
            f"/d/{board}" for board in boards - {content["uid"]}
        }
        links = [link for panel in panels_of(content) for link in panel.get("links", [])]
        assert {link["url"].removesuffix(place).removeprefix("/d/") for link in links} <= boards
        assert all(link["url"].endswith(place) != link["includeVars"] for link in [*content["links"], *links])


@each_dashboard
def test_a_place_can_be_chosen(name: str) -> None:
    """Cluster and namespace come first, stand for all of them at first, and for series without these labels, too."""
    source, *variables = read(name)["templating"]["list"]
    assert source["name"] == "datasource"
    assert [each["name"] for each in variables[:2]] == ["cluster", "namespace"]
    for variable in variables[:2]:
        assert (variable["allValue"], variable["current"]["value"], variable["multi"]) == (".*", "$__all", True)
    for variable in variables[1:]:
        assert 'cluster=~"$cluster"' in variable["query"]
    for variable in variables[2:]:
        assert 'namespace=~"$namespace"' in variable["query"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("max(graft:a:rate1h) / 2", "max(graft:a:rate1h{PLACE}) / 2"),
        ('rate(:tensorflow:a{b="}", c=~"[{]x[}]"}[1m])', 'rate(:tensorflow:a{b="}", c=~"[{]x[}]", PLACE}[1m])'),
        ("sum by (upper, up_to) (graft_up{})", "sum by (upper, up_to) (graft_up{PLACE})"),
        ('count(up{job="up"}) - up', 'count(up{job="up", PLACE}) - up{PLACE}'),
    ],
)
def test_every_series_of_a_query_is_of_the_chosen_place(expression: str, expected: str) -> None:
    """Series with and without conditions get the choice, and neither texts nor labels are taken for one."""
    assert in_place(expression) == expected.replace("PLACE", 'cluster=~"$cluster", namespace=~"$namespace"')


def test_grafana_finds_source_and_files() -> None:
    """What is provisioned is one data source, by default, and the folder where the dashboards are mounted."""
    (source,) = _provisioned("datasources/prometheus.yml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    (provider,) = _provisioned("dashboards/graft.yml")["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    scraping = yaml.safe_load((Path(FOLDER).parents[1] / "prometheus" / "prometheus.yml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == scraping["scrape_interval"]


def _provisioned(path: str) -> Json:
    content: Json = yaml.safe_load((PROVISIONING / path).read_text())
    return content
