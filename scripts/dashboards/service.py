"""The dashboard of the service: traffic, errors, latency, saturation."""

from scripts.dashboards.description import BAD, GOOD, MODEL, SERVICE, WARNING, Board, Panel, Query, Row, Variable

_CHOSEN = 'route=~"$route", model=~"$model"'
_REQUESTS = 'route=~".*(/predict|/infer|/[{]target:path[}])"'
_SERVED = f'{_REQUESTS}, route=~"$route", status="2xx"'
_BURN_LIMITS = ((1, WARNING), (6, BAD))


def _quantiles(name: str, by: str = "", where: str = "") -> tuple[Query, ...]:
    """Return the median, the 90th and the 99th percentile of a histogram."""
    rate = f"sum by (le{', ' + by if by else ''}) (rate({name}_bucket{{{where}}}[$__rate_interval]))"
    label = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Query(f"histogram_quantile({share}, {rate})", f"{title}{label}")
        for share, title in ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"))
    )


def _burn(kind: str, budget: float) -> tuple[Query, ...]:
    """Return the burn rates of the namespace where it is fastest; there is one only with docker compose."""
    return tuple(
        Query(f"max(graft:requests_{kind}:ratio_rate{window}) / {budget}", window) for window in ("1h", "6h", "3d")
    )


_NOW = Row(
    "Now",
    (
        Panel(
            "Requests",
            "Requests per second, on all routes.",
            "stat",
            (Query(f"sum(rate(graft_gateway_requests_total{{{_CHOSEN}}}[$__rate_interval]))"),),
            unit="reqps",
            width=4,
            height=4,
        ),
        Panel(
            "Failed requests, 1 h",
            "Share of predict requests that failed on our side in the last hour; of several namespaces, the worst. "
            "The objective allows 0.5 %.",
            "stat",
            (Query("max(graft:requests_failed:ratio_rate1h)"),),
            unit="percentunit",
            width=4,
            height=4,
            limits=((0.005, WARNING), (0.03, BAD)),
        ),
        Panel(
            "Slow predictions, 1 h",
            "Share of predictions that took longer than 0.6 s in the last hour; of several namespaces, the worst. "
            "The objective allows 1 %.",
            "stat",
            (Query("max(graft:requests_slow:ratio_rate1h)"),),
            unit="percentunit",
            width=4,
            height=4,
            limits=((0.01, WARNING), (0.06, BAD)),
        ),
        Panel(
            "Gateways up",
            "Gateways that Prometheus can scrape, and all that it knows.",
            "stat",
            (Query('sum(up{job="gateway"})', "up"), Query('count(up{job="gateway"})', "known")),
            width=4,
            height=4,
            below=BAD,
            limits=((1, GOOD),),
        ),
        Panel(
            "Models ready",
            "Models with an available version, and all that are configured; each namespace has its own.",
            "stat",
            (
                Query("sum(max by (cluster, namespace, model) (graft_gateway_model_ready))", "ready"),
                Query("count(max by (cluster, namespace, model) (graft_gateway_model_ready))", "configured"),
            ),
            width=4,
            height=4,
            below=BAD,
            limits=((1, GOOD),),
            links_to=MODEL,
        ),
        Panel(
            "Alerts firing",
            "Graft's alerts that are firing; docs/runbook.md has a section for each.",
            "stat",
            (Query('count(ALERTS{alertname=~"Graft.*", alertstate="firing"}) or vector(0)'),),
            width=4,
            height=4,
            limits=((1, BAD),),
        ),
    ),
)

_OBJECTIVES = Row(
    "Objectives",
    (
        Panel(
            "Burn rate, availability",
            "How fast the error budget of 0.5 % is used up; at 1 it lasts exactly 30 days. 14.4 over one hour and "
            "6 over six hours page; 1 over three days opens a ticket.",
            "lines",
            _burn("failed", 0.005),
            width=12,
            limits=_BURN_LIMITS,
        ),
        Panel(
            "Burn rate, latency",
            "How fast the budget of 1 % for predictions slower than 0.6 s is used up; at 1 it lasts exactly 30 days.",
            "lines",
            _burn("slow", 0.01),
            width=12,
            limits=_BURN_LIMITS,
        ),
    ),
)

_TRAFFIC = Row(
    "Traffic",
    (
        Panel(
            "Requests by route",
            "Requests per second by route template.",
            "stacked",
            (
                Query(
                    f"sum by (route) (rate(graft_gateway_requests_total{{{_CHOSEN}}}[$__rate_interval]))", "{{route}}"
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Requests by protocol and model",
            "Requests per second by protocol and model; unknown is a name that is not configured.",
            "stacked",
            (
                Query(
                    f"sum by (protocol, model) (rate(graft_gateway_requests_total{{{_CHOSEN}}}[$__rate_interval]))",
                    "{{protocol}}, {{model}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Images",
            "Images per second; a request may hold several. outcome is ok or the error code.",
            "stacked",
            (
                Query(
                    'sum by (outcome) (rate(graft_gateway_images_total{model=~"$model"}[$__rate_interval]))',
                    "{{outcome}}",
                ),
            ),
            unit="cps",
        ),
    ),
)

_ERRORS = Row(
    "Errors",
    (
        Panel(
            "Outcomes other than ok",
            "Failed and refused requests per second, by error code (docs/predict-api.md).",
            "stacked",
            (
                Query(
                    "sum by (outcome) "
                    f'(rate(graft_gateway_requests_total{{{_CHOSEN}, outcome!="ok"}}[$__rate_interval]))',
                    "{{outcome}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Refusals",
            "Requests and images per second that were refused as invalid: client errors. "
            "No objective counts them, but a jump often follows a release of a client app.",
            "stacked",
            (Query("sum by (reason) (rate(graft_gateway_refusals_total[$__rate_interval]))", "{{reason}}"),),
            unit="cps",
        ),
        Panel(
            "Calls to the model server",
            "gRPC calls per second by method and status, and a lower bound of the retries.",
            "lines",
            (
                Query(
                    "sum by (method, code) (rate(graft_gateway_backend_duration_seconds_count[$__rate_interval]))",
                    "{{method}} {{code}}",
                ),
                Query(
                    "clamp_min(sum(rate(graft_gateway_backend_attempts_total[$__rate_interval]))"
                    ' - sum(rate(graft_gateway_backend_duration_seconds_count{code!="UNAVAILABLE"}[$__rate_interval]))'
                    ", 0)",
                    "retries, at least",
                ),
            ),
            unit="cps",
        ),
    ),
)

_LATENCY = Row(
    "Latency",
    (
        Panel(
            "Predict requests",
            "From the request head to the end of the response, slow uploads included; only requests that were served "
            "(2xx), as refusals are fast. Dashed: the objective.",
            "lines",
            _quantiles("graft_gateway_request_duration_seconds", where=_SERVED),
            unit="s",
            limits=((0.6, BAD),),
        ),
        Panel(
            "Distribution of predict requests",
            "How many of them took how long.",
            "heatmap",
            (
                Query(
                    "sum by (le) (increase(graft_gateway_request_duration_seconds_bucket"
                    f"{{{_SERVED}}}[$__rate_interval]))",
                    "{{le}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "99 % by route",
            "The 99th percentile of each route, of requests that were served (2xx).",
            "lines",
            (
                _quantiles("graft_gateway_request_duration_seconds", by="route", where='route=~"$route", status="2xx"')[
                    2
                ],
            ),
            unit="s",
        ),
        Panel(
            "Mean time in each stage",
            "receive: the body arrives; guard: image headers are checked; queue: waiting for a slot; "
            "model_server: the gRPC call; label: scores become labels.",
            "stacked",
            (
                Query(
                    "sum by (stage) (rate(graft_gateway_stage_duration_seconds_sum[$__rate_interval]))"
                    " / sum by (stage) (rate(graft_gateway_stage_duration_seconds_count[$__rate_interval]))",
                    "{{stage}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "99 % of each stage",
            "The 99th percentile of each stage; percentiles do not add up.",
            "lines",
            (_quantiles("graft_gateway_stage_duration_seconds", by="stage")[2],),
            unit="s",
        ),
        Panel(
            "99 % of calls to the model server",
            "The 99th percentile of gRPC calls by method.",
            "lines",
            (_quantiles("graft_gateway_backend_duration_seconds", by="method")[2],),
            unit="s",
        ),
    ),
)

_SATURATION = Row(
    "Saturation",
    (
        Panel(
            "In flight and queued",
            "Requests in flight and queued, over all gateways, and the limit of requests in flight.",
            "lines",
            (
                Query("sum(graft_gateway_in_flight)", "in flight"),
                Query("sum(graft_gateway_queued)", "queued"),
                Query("sum(graft_gateway_in_flight_limit)", "limit"),
            ),
        ),
        Panel(
            "Shed",
            "Requests per second that were shed because of overload.",
            "stacked",
            (Query("sum by (reason) (rate(graft_gateway_shed_total[$__rate_interval]))", "{{reason}}"),),
            unit="reqps",
        ),
        Panel(
            "Circuits",
            "The circuit breaker of each model; while it is open, callers get 503 at once.",
            "states",
            (Query('max by (model) (graft_gateway_circuit_state{model=~"$model"})', "{{model}}"),),
            words=((0, "closed", GOOD), (1, "half open", WARNING), (2, "open", BAD)),
            limits=((1, WARNING), (2, BAD)),
        ),
    ),
)

_IMAGES = Row(
    "Images and credentials",
    (
        Panel(
            "Size of images",
            "Encoded size of uploaded images.",
            "lines",
            _quantiles("graft_gateway_image_bytes"),
            unit="bytes",
        ),
        Panel(
            "Pixels of images",
            "Width times height, from the header.",
            "lines",
            _quantiles("graft_gateway_image_pixels"),
            unit="short",
        ),
        Panel(
            "Certificates and keys",
            "Time until each expires; negative once expired.",
            "table",
            (Query("sort(min by (kind, name) (graft_gateway_credential_expiry_timestamp_seconds) - time())"),),
            unit="dtdurations",
            lowest=None,
            below=BAD,
            limits=((2 * 86400, WARNING), (14 * 86400, GOOD)),
            column="left",
        ),
    ),
)

SERVICE_BOARD = Board(
    SERVICE,
    "Service",
    "The gateway as callers see it, and the causes.",
    (
        Variable("route", "Route", "label_values(graft_gateway_requests_total, route)"),
        Variable("model", "Model", "label_values(graft_gateway_requests_total, model)"),
    ),
    (_NOW, _OBJECTIVES, _TRAFFIC, _ERRORS, _LATENCY, _SATURATION, _IMAGES),
)
