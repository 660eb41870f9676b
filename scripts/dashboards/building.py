"""From descriptions to Grafana's JSON, by Grafana's own builders, which know the fields and their types."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from scripts.dashboards.description import MODEL, MODEL_SERVER, SERVICE, Board, Panel, Query, Row, Variable
from scripts.dashboards.place import PLACE_VARIABLES, in_place

_GRID_WIDTH = 24
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_TITLES = {SERVICE: "Service", MODEL: "Model", MODEL_SERVER: "Model server"}
_HIDDEN_COLUMNS = ("Time", "__name__", "instance", "job")
_SAME_PLACE = "&".join(f"${{{variable.name}:queryparam}}" for variable in PLACE_VARIABLES)

_Builder = bargauge.Panel | heatmap.Panel | stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel


def to_json(board: Board) -> str:
    """Return the file that Grafana reads: classic dashboard JSON with sorted keys."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(_dashboard(board).build()) + "\n"


def _dashboard(board: Board) -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard(f"Graft / {board.title}")
        .uid(board.identifier)
        .description(board.meaning)
        .tags(["graft"])
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .annotation(_alerts())
    )
    for variable in PLACE_VARIABLES:
        made.with_variable(_variable(variable, variable.values))
    for variable in board.variables:
        made.with_variable(_variable(variable, in_place(variable.values)))
    for identifier in (SERVICE, MODEL, MODEL_SERVER):
        if identifier != board.identifier:
            made.link(_link(identifier, board.identifier))
    for placed in _placed(board.rows):
        if isinstance(placed, dashboard.Row):
            made.with_row(placed)
        else:
            made.with_panel(placed)
    return made


def _variable(variable: Variable, values: str) -> dashboard.QueryVariable:
    made = (
        dashboard.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(_SOURCE)
        .query(values)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(variable.several)
        .include_all(variable.several)
    )
    if variable.several:
        everything = models.VariableOption(text="All", value="$__all")
        made.all_value(".*").current(everything)
    return made


def _alerts() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(_SOURCE)
        .enable(True)
        .icon_color("red")
        .expr(in_place('ALERTS{alertname=~"Graft.*", alertstate="firing"}'))
    )


def _link(identifier: str, here: str) -> dashboard.DashboardLink:
    """Return a link that takes time and place along, and the model where it is one: its dashboard cannot show all."""
    takes_all = here == MODEL
    return (
        dashboard.DashboardLink(_TITLES[identifier])
        .type(models.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{identifier}" if takes_all else f"/d/{identifier}?{_SAME_PLACE}")
        .include_vars(takes_all)
        .keep_time(True)
    )


def _placed(rows: tuple[Row, ...]) -> Iterator[dashboard.Row | _Builder]:
    """Yield headings and panels from left to right and from top to bottom, numbered from 1."""
    number, top = 0, 0
    for row in rows:
        number += 1
        at = models.GridPos(h=1, w=_GRID_WIDTH, x=0, y=top)
        yield dashboard.Row(row.title).id(number).grid_pos(at)
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _GRID_WIDTH:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            yield _panel(panel).id(number).grid_pos(models.GridPos(h=panel.height, w=panel.width, x=left, y=top))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(panel: Panel) -> _Builder:
    made = _kinds(panel).title(panel.title).description(panel.meaning).datasource(_SOURCE).unit(panel.unit)
    made.thresholds(_thresholds(panel))
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        made.with_target(_target(query, panel).ref_id(letter))
    if panel.lowest is not None:
        made.min(panel.lowest)
    if panel.highest is not None:
        made.max(panel.highest)
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.words:
        results = {
            str(value): models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, text, color) in enumerate(panel.words)
        }
        made.mappings([models.ValueMap(options=results)])
    if panel.links_to is not None:
        made.links([_link(panel.links_to, here="")])
    return made


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=panel.below)]
    steps += [models.Threshold(value=value, color=color) for value, color in panel.limits]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: Query, panel: Panel) -> prometheus.Dataquery:
    made = (
        prometheus.Dataquery()
        .expr(in_place(query.expression))
        .legend_format(query.legend or "__auto")
        .datasource(_SOURCE)
    )
    if panel.kind == "table":
        return made.instant().format(PromQueryFormat.TABLE)
    if panel.kind == "heatmap":
        return made.range().format(PromQueryFormat.HEATMAP)
    if panel.kind in {"stat", "bars"}:
        return made.instant()
    return made.range().exemplar("_seconds_bucket" in query.expression)


def _kinds(panel: Panel) -> _Builder:
    made: dict[str, _Builder] = {
        "lines": _lines(panel),
        "stacked": _lines(panel).fill_opacity(40).stacking(_stacked()),
        "stat": stat.Panel()
        .reduce_options(_last())
        .graph_mode(options.BigValueGraphMode.NONE)
        .color_scheme(_by_threshold()),
        "bars": bargauge.Panel().reduce_options(_last()).color_scheme(_by_threshold()),
        "states": statetimeline.Panel().merge_values(True).legend(_legend()).color_scheme(_by_threshold()),
        "heatmap": _heatmap(panel),
        "table": _table(panel),
    }
    return made[panel.kind]


def _lines(panel: Panel) -> timeseries.Panel:
    style = options.GraphThresholdsStyleMode.DASHED if panel.limits else options.GraphThresholdsStyleMode.OFF
    return (
        timeseries.Panel()
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(8)
        .show_points(options.VisibilityMode.NEVER)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING))
    )


def _heatmap(panel: Panel) -> heatmap.Panel:
    # a scheme that Grafana turns round in the dark theme, so that few is always near the background
    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    return (
        heatmap.Panel()
        .calculate(False)
        .color(colors)
        .exemplars_color("orange")
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
    )


def _table(panel: Panel) -> table.Panel:
    hidden = _HIDDEN_COLUMNS if panel.column else (*_HIDDEN_COLUMNS, "Value")
    columns = {"excludeByName": dict.fromkeys(hidden, True), "renameByName": {"Value": panel.column or ""}}
    return (
        table.Panel()
        .color_scheme(_by_threshold())
        .cell_options(options.TableColorTextCellOptions() if panel.limits else options.TableAutoCellOptions())
        .with_transformation(models.DataTransformerConfig(id_val="organize", options=columns))
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
    )


def _stacked() -> common.StackingConfig:
    return common.StackingConfig().mode(options.StackingMode.NORMAL)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _by_threshold() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)
