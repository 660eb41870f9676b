"""Where an image's time goes: what is read from the gateway's metrics, and that the parts add up."""

import pytest

from benchmarks.load.request_path import RequestPath, path_table, read_totals

METRICS = """\
# HELP graft_gateway_request_duration_seconds From the head of a request to the end of its response.
# TYPE graft_gateway_request_duration_seconds histogram
graft_gateway_request_duration_seconds_bucket{route="/v1/predict",protocol="native",status="2xx",le="+Inf"} 4.0
graft_gateway_request_duration_seconds_count{route="/v1/predict",protocol="native",status="2xx"} 3.0
graft_gateway_request_duration_seconds_sum{route="/v1/predict",protocol="native",status="2xx"} 0.1
graft_gateway_request_duration_seconds_count{route="/v1/predict",protocol="native",status="4xx"} 1.0
graft_gateway_request_duration_seconds_sum{route="/v1/predict",protocol="native",status="4xx"} 0.02
graft_gateway_request_duration_seconds_count{route="/metrics",protocol="none",status="2xx"} 9.0
graft_gateway_request_duration_seconds_sum{route="/metrics",protocol="none",status="2xx"} 9.0
# HELP graft_gateway_stage_duration_seconds Stages of a request.
# TYPE graft_gateway_stage_duration_seconds histogram
graft_gateway_stage_duration_seconds_count{stage="model_server"} 4.0
graft_gateway_stage_duration_seconds_sum{stage="model_server"} 0.1
"""


def test_sums_and_counts_are_read_of_images_alone() -> None:
    """Requests for the metrics themselves do not count, all statuses do, and each stage goes by its name."""
    totals = read_totals(METRICS)
    assert totals == {
        "graft_gateway_request_duration_seconds": (pytest.approx(0.12), 4.0),
        "model_server": (0.1, 4.0),
    }


@pytest.mark.parametrize("alone", [(3.0, 6.0), (None, None)], ids=["with the engine alone", "without"])
def test_the_parts_of_the_way_add_up(alone: tuple[float | None, float | None]) -> None:
    """What is left over at each step is shown too, so that nothing is lost between client and network."""
    stages = {"receive": 0.5, "guard": 0.25, "queue": 0.0, "model_server": 10.0, "label": 0.25}
    table = path_table(RequestPath(13.0, 12.0, stages), "litert", *alone)
    what, ms, _ = (list(map(str, column.cells)) for column in table.columns)
    by_depth: dict[int, list[float]] = {}
    for name, value in zip(what, ms, strict=True):
        by_depth.setdefault(len(name) - len(name.lstrip()), []).append(float(value))
    assert sum(by_depth[2]) == pytest.approx(by_depth[0][0])
    assert sum(by_depth[4]) == pytest.approx(12.0)
    assert by_depth.get(6, []) == ([3.0, 6.0, 1.0] if alone[0] else [])
