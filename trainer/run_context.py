"""What the steps of one run share, from the first epoch to the report: one frozen object instead of many arguments."""

from dataclasses import dataclass

from lineage.store import Lineage
from trainer.config import TrainingConfig
from trainer.data.image_folder import Split
from trainer.data.loading import LoadedImages
from trainer.models.network import Network
from trainer.progress import Progress
from trainer.run_folder import RunFolder
from trainer.training.context import TrainingContext
from trainer.training.input_pipeline import InputPipeline
from trainer.training.pixel_pipelines import make_test_pipeline, make_training_data
from trainer.training.prediction import Predictor
from trainer.training.state import TrainingState


@dataclass(frozen=True)
class RunContext:
    """One run: its folder, its images, what trains its network, and the lineage that records it.

    `held_out` are the images that the network does not learn from: val, and test if there is a test split.
    """

    folder: RunFolder
    images: LoadedImages
    training: TrainingContext
    held_out: dict[Split, InputPipeline]
    lineage: Lineage | None

    @property
    def judged_on(self) -> Split:
        """The split that says how good the model is: test, or val where there is none."""
        return self.images.found.held_out

    @property
    def config(self) -> TrainingConfig:
        """The settings of the run."""
        return self.training.config

    @property
    def progress(self) -> Progress:
        """Where the progress of the run is reported."""
        return self.training.progress

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in label order."""
        return self.images.found.labels


def make_run_context(
    folder: RunFolder,
    network: Network,
    images: LoadedImages,
    config: TrainingConfig,
    progress: Progress,
    lineage: Lineage | None,
) -> RunContext:
    """Return the context of a run that begins, or of one that is resumed from the checkpoint in its folder."""
    splits, image_input = images.splits, images.image_input
    training = TrainingContext(
        network=network,
        predictor=Predictor(network.model),
        data=make_training_data(splits["train"], splits["val"], network.classes, image_input, config),
        config=config,
        state=TrainingState(folder.checkpoint),
        progress=progress,
        budget=images.budget,
    )
    held_out: dict[Split, InputPipeline] = {"val": training.data.val}
    if "test" in splits:
        held_out["test"] = make_test_pipeline(splits["test"], network.classes, image_input)
    return RunContext(folder, images, training, held_out, lineage)
