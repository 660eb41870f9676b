"""The dashboard of the model server: TensorFlow Serving's own metrics, which our model server shows as well."""

from scripts.dashboards.description import BAD, GOOD, MODEL_SERVER, WARNING, Board, Panel, Query, Row, Variable

_OF = 'model_name=~"$model_name"'
_COUNT = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_WARMUP = ":tensorflow:serving:model_warmup_latency"
_LOADS = ":tensorflow:cc:saved_model:load_attempt_count"

_REQUESTS = Row(
    "Requests",
    (
        Panel(
            "Model servers up",
            "Model servers whose metrics Prometheus can read, of those it knows.",
            "stat",
            (Query('sum(up{job="model-server"})', "up"), Query('count(up{job="model-server"})', "known")),
            width=4,
            height=4,
            below=BAD,
            limits=((1, GOOD),),
        ),
        Panel(
            "Requests",
            "Requests answered a second.",
            "stat",
            (Query(f"sum(rate({_COUNT}{{{_OF}}}[$__rate_interval]))"),),
            unit="reqps",
            width=4,
            height=4,
        ),
        Panel(
            "Refused or failed",
            "Part of the requests whose status is not OK; one bad image among others does not make it so.",
            "stat",
            (
                Query(
                    f'(sum(rate({_COUNT}{{{_OF}, status!="OK"}}[$__rate_interval])) or vector(0))'
                    f" / sum(rate({_COUNT}{{{_OF}}}[$__rate_interval]))"
                ),
            ),
            unit="percentunit",
            width=4,
            height=4,
            limits=((0.005, WARNING), (0.03, BAD)),
        ),
        Panel(
            "Runs of graphs",
            "Runs a second; fewer than requests where requests share batches.",
            "stat",
            (Query("sum(rate(:tensorflow:core:graph_runs[$__rate_interval]))"),),
            unit="cps",
            width=4,
            height=4,
        ),
        Panel(
            "Versions loaded",
            "Attempts to load a version since the start that went well.",
            "stat",
            (Query(f'sum({_LOADS}{{status="success"}})'),),
            unit="none",
            width=4,
            height=4,
        ),
        Panel(
            "Loads that failed",
            "Attempts to load a version since the start that did not go well.",
            "stat",
            (Query(f'sum({_LOADS}{{status="fail"}}) or vector(0)'),),
            unit="none",
            width=4,
            height=4,
            limits=((1, BAD),),
        ),
        Panel(
            "Requests by status",
            "Requests answered a second, by gRPC status.",
            "stacked",
            (
                Query(
                    f"sum by (model_name, status) (rate({_COUNT}{{{_OF}}}[$__rate_interval]))",
                    "{{model_name}} {{status}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Latency",
            "From a decoded request to its answer, waiting for a batch included, of requests that went well.",
            "lines",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le) (rate({_LATENCY}_bucket{{{_OF}}}[$__rate_interval])))",
                    title,
                )
                for share, title in ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"))
            ),
            unit="µs",
        ),
        Panel(
            "99 % by version",
            "The 99th percentile by method and version; TensorFlow Serving itself does not tell versions apart.",
            "lines",
            (
                Query(
                    f"histogram_quantile(0.99, sum by (le, API, version) (rate({_LATENCY}_bucket{{{_OF}}}"
                    "[$__rate_interval])))",
                    "{{API}} {{version}}",
                ),
            ),
            unit="µs",
        ),
    ),
)

_GRAPHS = Row(
    "Graphs",
    (
        Panel(
            "Time of a run",
            "Mean time of one run of a graph, which is one batch.",
            "lines",
            (
                Query(
                    "sum by (instance) (rate(:tensorflow:core:graph_run_time_usecs[$__rate_interval]))"
                    " / sum by (instance) (rate(:tensorflow:core:graph_runs[$__rate_interval]))",
                    "{{instance}}",
                ),
            ),
            unit="µs",
        ),
        Panel(
            "Runs at a time",
            "How many runs go on at the same time, on average; at the number of batch threads nothing is left.",
            "lines",
            (
                Query(
                    "sum by (instance) (rate(:tensorflow:core:graph_run_time_usecs[$__rate_interval])) / 1e6",
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Requests for each run",
            "How many requests share a run: what batching gains. Warm-up adds runs without requests.",
            "lines",
            (
                Query(
                    f"sum by (instance) (rate({_LATENCY}_count[$__rate_interval]))"
                    " / sum by (instance) (rate(:tensorflow:core:graph_runs[$__rate_interval]))",
                    "{{instance}}",
                ),
            ),
            decimals=1,
        ),
    ),
)

_VERSIONS = Row(
    "Versions",
    (
        Panel(
            "Loads",
            "Attempts to load each version since the start.",
            "table",
            (Query(f"sum by (model_path, status) ({_LOADS})"),),
            unit="none",
            lowest=None,
            column="attempts",
        ),
        Panel(
            "Mean time to load",
            "Time that loading a version took, without its warm-up.",
            "bars",
            (
                Query(
                    "sum by (model_path) (:tensorflow:cc:saved_model:load_latency)"
                    f' / sum by (model_path) ({_LOADS}{{status="success"}})',
                    "{{model_path}}",
                ),
            ),
            unit="µs",
        ),
        Panel(
            "Mean time to warm up",
            "Time that the recorded requests of a version took before it became available.",
            "bars",
            (
                Query(
                    f"sum by (model_path, status) ({_WARMUP}_sum) / sum by (model_path, status) ({_WARMUP}_count)",
                    "{{model_path}} {{status}}",
                ),
            ),
            unit="µs",
        ),
    ),
)

MODEL_SERVER_BOARD = Board(
    MODEL_SERVER,
    "Model server",
    "TensorFlow Serving's own metrics, or our model server's, which have the same names.",
    (Variable("model_name", "Model", "label_values(:tensorflow:serving:request_count, model_name)"),),
    (_REQUESTS, _GRAPHS, _VERSIONS),
)
