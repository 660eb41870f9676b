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
            "Model servers that Prometheus can scrape, and all that it knows.",
            "stat",
            (Query('sum(up{job="model-server"})', "up"), Query('count(up{job="model-server"})', "known")),
            width=4,
            height=4,
            below=BAD,
            limits=((1, GOOD),),
        ),
        Panel(
            "Requests",
            "Requests per second.",
            "stat",
            (Query(f"sum(rate({_COUNT}{{{_OF}}}[$__rate_interval]))"),),
            unit="reqps",
            width=4,
            height=4,
        ),
        Panel(
            "Refused or failed",
            "Share of requests whose status is not OK; one bad image among others does not fail a request.",
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
            "Runs per second; fewer than requests when requests share batches.",
            "stat",
            (Query("sum(rate(:tensorflow:core:graph_runs[$__rate_interval]))"),),
            unit="cps",
            width=4,
            height=4,
        ),
        Panel(
            "Versions loaded",
            "Successful attempts to load a version since the start.",
            "stat",
            (Query(f'sum({_LOADS}{{status="success"}})'),),
            unit="none",
            width=4,
            height=4,
        ),
        Panel(
            "Failed loads",
            "Failed attempts to load a version since the start.",
            "stat",
            (Query(f'sum({_LOADS}{{status="fail"}}) or vector(0)'),),
            unit="none",
            width=4,
            height=4,
            limits=((1, BAD),),
        ),
        Panel(
            "Requests by status",
            "Requests per second, by gRPC status.",
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
            "From the decoded request to its response, waiting for a batch included; successful requests only.",
            "lines",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le) (rate({_LATENCY}_bucket{{{_OF}}}[$__rate_interval])))",
                    title,
                )
                for share, title in ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"))
            ),
            unit="µs",
        ),
        Panel(
            "99 % by version",
            "The 99th percentile by method and version; TensorFlow Serving itself has no version label.",
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
            "Concurrent runs",
            "Mean number of concurrent runs; at the number of batch threads the model server is full.",
            "lines",
            (
                Query(
                    "sum by (instance) (rate(:tensorflow:core:graph_run_time_usecs[$__rate_interval])) / 1e6",
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Requests per run",
            "How many requests share a run: the gain from batching. Warm-up adds runs without requests.",
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
            "Time to load a version, without warm-up.",
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
            "Time to run a version's recorded warm-up requests before it becomes available.",
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
    "Metrics of TensorFlow Serving, or of our model server under the same names.",
    (Variable("model_name", "Model", "label_values(:tensorflow:serving:request_count, model_name)"),),
    (_REQUESTS, _GRAPHS, _VERSIONS),
)
