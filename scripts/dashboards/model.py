"""The dashboard of one model: its versions, its predictions, and drift."""

from scripts.dashboards.description import BAD, GOOD, MODEL, WARNING, Board, Panel, Query, Row, Variable

_OF = 'model="$model"'

_VERSIONS = Row(
    "Versions",
    (
        Panel(
            "Ready",
            "Whether a version is available.",
            "stat",
            (Query(f"max(graft_gateway_model_ready{{{_OF}}})"),),
            words=((0, "no", BAD), (1, "yes", GOOD)),
            width=4,
            height=4,
        ),
        Panel(
            "Served version",
            "The highest version that is available.",
            "stat",
            (Query(f"max(graft_gateway_model_served_version{{{_OF}}})"),),
            unit="none",
            width=4,
            height=4,
            lowest=None,
        ),
        Panel(
            "Newest version",
            "The highest version that the model server knows; if it stays above the served one, a swap is stuck.",
            "stat",
            (Query(f"max(graft_gateway_model_newest_version{{{_OF}}})"),),
            unit="none",
            width=4,
            height=4,
            lowest=None,
        ),
        Panel(
            "What is served",
            "The versions with a manifest: digest of the files, architecture, and lineage id.",
            "table",
            (Query(f"max by (model, version, digest, architecture, lineage_id) (graft_gateway_model_info{{{_OF}}})"),),
            unit="none",
            width=12,
            height=4,
            lowest=None,
        ),
        Panel(
            "Versions by state",
            "How many versions the model server has in each state.",
            "stacked",
            (Query(f"max by (state) (graft_gateway_model_versions{{{_OF}}})", "{{state}}"),),
            unit="none",
            decimals=0,
        ),
        Panel(
            "Predictions by version",
            "Successful requests per second, by the version that served them; shows when a swap happened.",
            "stacked",
            (
                Query(
                    f'sum by (version) (rate(graft_gateway_requests_total{{{_OF}, outcome="ok"}}[$__rate_interval]))',
                    "version {{version}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Outcomes other than ok",
            "Failed and refused requests per second for this model, by error code.",
            "stacked",
            (
                Query(
                    f'sum by (outcome) (rate(graft_gateway_requests_total{{{_OF}, outcome!="ok"}}[$__rate_interval]))',
                    "{{outcome}}",
                ),
            ),
            unit="reqps",
        ),
    ),
)

_PREDICTIONS = Row(
    "Predictions",
    (
        Panel(
            "Classes",
            "Images per second by predicted class; classes beyond the first hundred count as other.",
            "stacked",
            (Query(f"sum by (class) (rate(graft_gateway_predicted_total{{{_OF}}}[$__rate_interval]))", "{{class}}"),),
            unit="cps",
            width=12,
        ),
        Panel(
            "Share of each class, time range",
            "The share of images predicted as each class in the dashboard's time range.",
            "bars",
            (
                Query(
                    f"sum by (class) (increase(graft_gateway_predicted_total{{{_OF}}}[$__range]))"
                    f" / scalar(sum(increase(graft_gateway_predicted_total{{{_OF}}}[$__range])))",
                    "{{class}}",
                ),
            ),
            unit="percentunit",
            width=12,
            highest=1,
        ),
        Panel(
            "Confidence",
            "Distribution of the predicted class's probability.",
            "heatmap",
            (Query(f"sum by (le) (increase(graft_gateway_confidence_bucket{{{_OF}}}[$__rate_interval]))", "{{le}}"),),
            unit="percentunit",
        ),
        Panel(
            "Mean confidence by version",
            "The mean probability of the predicted class; versions may differ in how confident they are.",
            "lines",
            (
                Query(
                    f"sum by (version) (rate(graft_gateway_confidence_sum{{{_OF}}}[$__rate_interval]))"
                    f" / sum by (version) (rate(graft_gateway_confidence_count{{{_OF}}}[$__rate_interval]))",
                    "version {{version}}",
                ),
            ),
            unit="percentunit",
            highest=1,
        ),
        Panel(
            "Low-confidence predictions",
            "Share of images whose predicted class has a probability of at most 0.5.",
            "lines",
            (
                Query(
                    f'sum by (version) (rate(graft_gateway_confidence_bucket{{{_OF}, le="0.5"}}[$__rate_interval]))'
                    f" / sum by (version) (rate(graft_gateway_confidence_count{{{_OF}}}[$__rate_interval]))",
                    "version {{version}}",
                ),
            ),
            unit="percentunit",
            highest=1,
        ),
    ),
)

_DRIFT = Row(
    "Drift",
    (
        Panel(
            "Drift relative to its threshold",
            "The population stability index over its threshold, which depends on the window's size. "
            "Above 1 it is more than chance; after half an hour a ticket opens.",
            "bars",
            (
                Query(
                    f"max by (version, feature) (graft_gateway_drift_psi{{{_OF}}}"
                    f" / graft_gateway_drift_threshold_psi{{{_OF}}})",
                    "{{feature}}, version {{version}}",
                ),
            ),
            limits=((0.7, WARNING), (1, BAD)),
            width=12,
            unit="percentunit",
        ),
        Panel(
            "Images in the window",
            "How many of the latest images are compared. Below the minimum there are no indices.",
            "lines",
            (Query(f"max by (version) (graft_gateway_drift_images{{{_OF}}})", "version {{version}}"),),
            width=12,
        ),
        Panel(
            "Population stability index",
            "How far classes, confidence, brightness and size have drifted from the version's test images.",
            "lines",
            (
                Query(
                    f"max by (version, feature) (graft_gateway_drift_psi{{{_OF}}})", "{{feature}}, version {{version}}"
                ),
                Query(
                    f"max by (version, feature) (graft_gateway_drift_threshold_psi{{{_OF}}})",
                    "threshold {{feature}}, version {{version}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Jensen-Shannon distance",
            "The same as a distance from 0 (identical) to 1 (disjoint).",
            "lines",
            (
                Query(
                    f"max by (version, feature) (graft_gateway_drift_js_distance{{{_OF}}})",
                    "{{feature}}, version {{version}}",
                ),
            ),
            width=12,
            highest=1,
        ),
    ),
)

MODEL_BOARD = Board(
    MODEL,
    "Model",
    "The versions of one model, their predictions, and whether production images still look like the test images.",
    (Variable("model", "Model", "label_values(graft_gateway_model_ready, model)", several=False),),
    (_VERSIONS, _PREDICTIONS, _DRIFT),
)
