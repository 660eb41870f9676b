"""Two-phase fine-tuning, and training from scratch where there is nothing to preserve.

What the base knew is kept by these rules: the head learns first, on a frozen base; the base moves only once the head
has settled; then only its last layers move, 10 to 100 times more slowly; BatchNorm never moves; and a stage that ends
worse than what came before it is undone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.config import TrainingConfig
from trainer.data.pixel_store import MemoryBudget
from trainer.models.network import Network
from trainer.progress import Epoch, PhaseName, Progress
from trainer.runs.record import GateOutcome
from trainer.training.feature_cache import compute_features, cuts_worth_caching, is_cacheable
from trainer.training.gate import judge_head
from trainer.training.input_pipeline import TrainingData
from trainer.training.prediction import Predictor
from trainer.training.stage_training import Classroom, train_stage
from trainer.training.stages import Score, Stage, StageOutcome, plan_phase_two
from trainer.training.state import Journal


@dataclass(frozen=True)
class Outcome:
    """How training went: every stage and epoch, and whose weights the network has now."""

    kept: PhaseName
    score: Score
    stages: tuple[StageOutcome, ...]
    epochs: tuple[Epoch, ...]
    gate: GateOutcome | None
    notes: tuple[str, ...]


def fine_tune(
    network: Network,
    predictor: Predictor,
    pixels: TrainingData,
    config: TrainingConfig,
    progress: Progress,
    journal: Journal,
    budget: MemoryBudget,
) -> Outcome:
    """Train the head, then head and last layers of the base; a stage that ends worse is undone.

    `pixels` are the training and validation pictures, `predictor` answers with the whole network, which is changed in
    place.

    Raises:
        DivergedError: the loss of phase one became NaN or infinite; the journal holds the epochs before.
    """
    head = Stage(phase="phase_one", unfrozen=0)
    stages = plan_phase_two(network, config)
    features = _features(network, [head, *stages], pixels, config, budget, progress)
    lessons = _Lessons(network, predictor, pixels, features, config, progress, journal)
    lessons.put_back_weights()
    learned = lessons.teach(head)
    gate = journal.gate or judge_head(learned, journal.epochs, config.phase_one.patience, network.classes, config.gate)
    journal.pass_gate(gate)
    if not gate.opened or gate.forced:
        progress.on_note(gate.reason)
    for stage in stages if gate.opened else ():
        lessons.teach(stage)
    return _outcome(journal)


def train_from_scratch(
    network: Network,
    predictor: Predictor,
    pixels: TrainingData,
    config: TrainingConfig,
    progress: Progress,
    journal: Journal,
) -> Outcome:
    """Train every layer in one phase, with the settings of phase one; see `fine_tune`."""
    lessons = _Lessons(network, predictor, pixels, {}, config, progress, journal)
    lessons.put_back_weights()
    lessons.teach(Stage(phase="from_scratch", unfrozen=len(network.base.layers)))
    return _outcome(journal)


def _features(
    network: Network,
    stages: list[Stage],
    pixels: TrainingData,
    config: TrainingConfig,
    budget: MemoryBudget,
    progress: Progress,
) -> dict[int, TrainingData]:
    if not is_cacheable(config):
        return {}
    rows = sum(feed.variants * feed.pictures for feed in (pixels.train, pixels.val))
    cuts = cuts_worth_caching(network, [stage.unfrozen for stage in stages], rows)
    return compute_features(network, cuts, pixels, config, budget, progress)


@dataclass(frozen=True)
class _Lessons:
    """Stages in turn, each on cached features where there are some, else on pictures."""

    network: Network
    predictor: Predictor
    pixels: TrainingData
    features: Mapping[int, TrainingData]
    config: TrainingConfig
    progress: Progress
    journal: Journal

    def put_back_weights(self) -> None:
        """Give the network the weights that a resumed run had."""
        if stage := self.journal.stands_in:
            self._set_what_learns(stage)
            variables = self.network.changing_variables(stage.phase)
            for variable, value in zip(variables, self.journal.weights, strict=True):
                variable.assign(value)

    def teach(self, stage: Stage) -> StageOutcome:
        """Train the stage, unless a resumed run has ended it already, and say if it was undone."""
        if ended := self.journal.outcome_of(stage):
            return ended
        self._set_what_learns(stage)
        cut = None if stage.phase == "from_scratch" else self.network.cut_for(stage.unfrozen)
        model, predictor, data = self.network.model, self.predictor, self.pixels
        if cut is not None and cut in self.features:
            model, data = self.network.tail(cut), self.features[cut]
            predictor = Predictor(model)
        with self.network.still_front(stage.unfrozen):
            room = Classroom(self.network, model, predictor, data, self.config, self.journal, self.progress)
            outcome = train_stage(stage, room)
        if outcome.remark or not outcome.kept:
            self.progress.on_note(_remark(outcome))
        return outcome

    def _set_what_learns(self, stage: Stage) -> None:
        if stage.phase == "from_scratch":
            self.network.unfreeze_everything()
        else:
            self.network.unfreeze(stage.unfrozen)


def _remark(outcome: StageOutcome) -> str:
    if outcome.kept:
        return f"Phase two, last {outcome.stage.unfrozen} layers: its best epoch is kept. {outcome.remark}"
    why = outcome.remark or "It found nothing that was better on the validation pictures in both loss and accuracy."
    return f"Phase two, last {outcome.stage.unfrozen} layers: undone, the weights from before are kept. {why}"


def _outcome(journal: Journal) -> Outcome:
    kept = [outcome for outcome in journal.outcomes if outcome.kept]
    notes = [_remark(outcome) for outcome in journal.outcomes if outcome.remark or not outcome.kept]
    if journal.gate and (journal.gate.forced or not journal.gate.opened):
        notes.insert(0, journal.gate.reason)
    return Outcome(kept[-1].stage.phase, kept[-1].score, journal.outcomes, journal.epochs, journal.gate, tuple(notes))
