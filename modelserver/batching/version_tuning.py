"""Parameters of batching for a version that was just loaded, measured with one of its warm-up requests."""

from collections.abc import Callable, Iterator
from pathlib import Path

from modelserver.batching.parameters import BatchParameters
from modelserver.batching.tuning import SIZES, Point, choose, curve, sentence
from modelserver.errors import ServingError
from modelserver.model.calls import GraphCall
from modelserver.model.version import Model
from modelserver.requests.handlers import PREDICT
from modelserver.versions.warmup import first_predict_request


def sample_call(model: Model, folder: Path) -> GraphCall | None:
    """Return the first Predict request among the warm-up requests in `folder`; None where there is none.

    Raises:
        ServingError: it does not fit the model.
    """
    request = first_predict_request(folder)
    return PREDICT.read(model, request) if request else None


def curve_of(model: Model, sample: GraphCall, seconds: float, seconds_per_point: float = 0.2) -> Iterator[Point]:
    """Measure batches as `curve` does; only single rows where these are not cheaper together."""
    sizes = SIZES if model.gains_from_batches else SIZES[:1]
    return curve(model.call, sample, seconds, seconds_per_point, sizes)


Load = Callable[[Path], Model]


ONE_BY_ONE = BatchParameters(max_execution_batch_size=1, max_enqueued_batches=BatchParameters().max_batch_size)
"""For engines that gain nothing from batches: one row per processor at a time, and a queue for the largest request."""


class FirstVersionTuning:
    """Chooses the parameters once, for the first version that is loaded, by one of its warm-up requests.

    `use` is called with them, and `say` with a sentence about them.
    """

    def __init__(self, use: Callable[[BatchParameters], None], say: Callable[[str], None], seconds: float) -> None:
        self._use = use
        self._say = say
        self._seconds = seconds
        self._is_done = False

    def __call__(self, model: Model, folder: Path) -> None:
        """Measure, unless that was done before."""
        if self._is_done:
            return
        self._is_done = True
        if not model.gains_from_batches:
            self._use(ONE_BY_ONE)
            self._say(f"Each row starts by itself: {model.engine} gains nothing from batches.")
            return
        try:
            sample = sample_call(model, folder)
            points = list(curve_of(model, sample, self._seconds)) if sample and sample.rows() else []
        except ServingError as error:
            self._say(f"Batching with default parameters: measuring failed ({error}).")
            return
        if not points:
            self._say("Batching with default parameters: the version has no warm-up request to measure it with.")
            return
        chosen = choose(points)
        self._use(chosen)
        self._say(sentence(points, chosen))


def tuned(load: Load, tuning: FirstVersionTuning) -> Load:
    """Return `load` with the measurement at its end, before the version is served."""

    def load_and_measure(folder: Path) -> Model:
        model = load(folder)
        tuning(model, folder)
        return model

    return load_and_measure
