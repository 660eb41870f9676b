"""The dashboard of one model: its versions, what it says, and whether that has moved."""

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
            "The highest version that the model server knows; higher than the served one for long is a stuck swap.",
            "stat",
            (Query(f"max(graft_gateway_model_newest_version{{{_OF}}})"),),
            unit="none",
            width=4,
            height=4,
            lowest=None,
        ),
        Panel(
            "What is served",
            "The versions that describe themselves: digest of the files, architecture, and the id in the lineage.",
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
            "Answers by version",
            "Requests answered with ok a second, by the version that answered: a swap is a crossing of two lines.",
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
            "Requests for this model that failed or were refused, a second, by code of the error.",
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
    "What it says",
    (
        Panel(
            "Classes",
            "Images a second by their likeliest class; classes beyond the first hundred are other.",
            "stacked",
            (Query(f"sum by (class) (rate(graft_gateway_predicted_total{{{_OF}}}[$__rate_interval]))", "{{class}}"),),
            unit="cps",
            width=12,
        ),
        Panel(
            "Part of each class, shown time",
            "The part of all images of the time shown that each class has.",
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
            "The probability of the likeliest class: how many images had which.",
            "heatmap",
            (Query(f"sum by (le) (increase(graft_gateway_confidence_bucket{{{_OF}}}[$__rate_interval]))", "{{le}}"),),
            unit="percentunit",
        ),
        Panel(
            "Mean confidence by version",
            "The mean probability of the likeliest class; a new version may be more or less sure than the old one.",
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
            "Unsure answers",
            "Part of the images whose likeliest class has at most half of the probability.",
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
            "Drift as part of its threshold",
            "The population stability index over its threshold, which depends on the window's size. "
            "Above 1, chance does not explain it; after half an hour a ticket opens.",
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
            "How many of the latest images are compared. There are no indices before there are enough.",
            "lines",
            (Query(f"max by (version) (graft_gateway_drift_images{{{_OF}}})", "version {{version}}"),),
            width=12,
        ),
        Panel(
            "Population stability index",
            "How far classes, confidence, brightness and size are from the images that the version was evaluated on.",
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
            "The same as a distance from 0, alike, to 1, nothing in common.",
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
    "The versions of one model, what they say, and whether their images are still those they were made for.",
    (Variable("model", "Model", "label_values(graft_gateway_model_ready, model)", several=False),),
    (_VERSIONS, _PREDICTIONS, _DRIFT),
)
