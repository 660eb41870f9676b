"""Writing a SavedModel with its serving signatures."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import ServedGraph, SignatureSpec, SignatureTensor
from contract.versions import LABELS
from exporter.saved_model.network import ServedNetwork, make_served_network
from exporter.saved_model.signatures import ServingSignatures
from trainer.runs.full_disk import full_disk_as_os_error
from trainer.runs.trained_model import read_run


@dataclass(frozen=True)
class Written:
    """What a written SavedModel offers, and what was done to the network in it."""

    signatures: dict[str, SignatureSpec]
    served_graph: ServedGraph


def write_saved_model(
    run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool = True, heatmap: bool = False
) -> Written:
    """Write the run's model with its serving signatures to `target`; `fold` its BatchNorm layers or not.

    With `heatmap` it has the signature of that name.

    Call it in a fresh process: TensorFlow numbers its functions per process, and only the first export of a
    process has the same bytes every time.
    """
    run = read_run(run_folder)
    network = make_served_network(run.load_model(), image_input, fold=fold, heatmap=heatmap)
    signatures = save(network, run.record.labels, image_input, target)
    return Written(signatures, network.description)


def save(
    network: ServedNetwork, labels: tuple[str, ...], image_input: ImageInput, target: Path
) -> dict[str, SignatureSpec]:
    """Write a SavedModel of a network with its signatures to `target`, and describe them."""
    target.mkdir(parents=True, exist_ok=True)
    # not where temporary files lie: a killed process would leave it there, and another disk could be the full one
    with full_disk_as_os_error(), tempfile.TemporaryDirectory(prefix=".labels-", dir=target) as folder:
        labels_file = Path(folder) / Path(LABELS).name
        labels_file.write_text("".join(f"{label}\n" for label in labels))
        root = tf.Module()
        root.labels = tf.saved_model.Asset(str(labels_file))
        root.model_variables = network.variables
        signatures = ServingSignatures(network.predict, labels, image_input, root.labels, network.heatmap).concrete()
        # the gradients of EfficientNet's swish would take three quarters of the time, and this graph is never trained
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(root, str(target), signatures=signatures, options=options)
    return {name: _describe(function) for name, function in signatures.items()}


def _describe(function: Any) -> SignatureSpec:
    (inputs,) = function.structured_input_signature[0] or (function.structured_input_signature[1],)
    specs = [inputs] if isinstance(inputs, tf.TensorSpec) else list(inputs.values())
    return SignatureSpec(
        inputs={spec.name: _spec(spec) for spec in specs},
        outputs={name: _spec(tensor) for name, tensor in function.structured_outputs.items()},
    )


def _spec(tensor: Any) -> SignatureTensor:
    return SignatureTensor(dtype=tensor.dtype.name, shape=tuple(tensor.shape.as_list()))
