"""TensorFlow Serving's messages without TensorFlow: the same wire format, and nothing heavy loaded."""

import importlib.util
import json
import subprocess
import sys

import pytest

from contract.serving_messages import DataType, GetModelStatusResponse, PredictRequest, VersionState, string_tensor
from tests.places import ROOT

HEAVY = {"tensorflow", "keras", "numpy", "PIL", "grpc", "fastapi"}

COMPARE_WITH_TENSORFLOW_SERVING = """
import json
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2, get_model_metadata_pb2, get_model_status_pb2, inference_pb2, model_management_pb2,
    model_service_pb2, predict_pb2, prediction_log_pb2, prediction_service_pb2, regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2
from contract import serving_messages as ours
from scripts.serving_messages import TARGET, descriptors

request = predict_pb2.PredictRequest()
request.model_spec.name = "flowers"
request.model_spec.version.value = 3
request.model_spec.signature_name = "serving_default"
request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([b"\\xff\\xd8", b""], tf.string))
request.output_filter.append("probabilities")
response = predict_pb2.PredictResponse()
response.model_spec.version.value = 3
response.outputs["probabilities"].CopyFrom(tf.make_tensor_proto([[0.25, 0.75]], tf.float32))
response.outputs["valid"].CopyFrom(tf.make_tensor_proto([True, False]))
status = get_model_status_pb2.GetModelStatusResponse()
version = status.model_version_status.add(version=2**63 - 1, state=30)
version.status.error_code = 5
version.status.error_message = "gone"
definitions = get_model_metadata_pb2.SignatureDefMap()
definitions.signature_def["describe"].inputs["query"].dtype = 7
definitions.signature_def["describe"].inputs["query"].tensor_shape.dim.add(size=-1)
metadata = get_model_metadata_pb2.GetModelMetadataResponse()
metadata.metadata["signature_def"].Pack(definitions)
log = prediction_log_pb2.PredictionLog()
log.predict_log.request.CopyFrom(request)
log.log_metadata.sampling_config.sampling_rate = 0.5
asked = get_model_status_pb2.GetModelStatusRequest()
asked.model_spec.name = "flowers"
asked_metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
example = tf.train.Example()
example.features.feature["x"].float_list.value.extend([1.5, -2.0])
example.features.feature["name"].bytes_list.value.append(b"\\xff")
classify = classification_pb2.ClassificationRequest()
classify.model_spec.version_label = "stable"
classify.input.example_list_with_context.context.CopyFrom(example)
classify.input.example_list_with_context.examples.add()
classified = classification_pb2.ClassificationResponse()
classified.result.classifications.add().classes.add(label="roses", score=0.5)
regress = regression_pb2.RegressionRequest()
regress.input.example_list.examples.append(example)
regressed = regression_pb2.RegressionResponse()
regressed.result.regressions.add(value=5.5)
multi = inference_pb2.MultiInferenceRequest()
multi.tasks.add(method_name="tensorflow/serving/regress").model_spec.signature_name = "regress"
answers = inference_pb2.MultiInferenceResponse()
answers.results.add().regression_result.regressions.add(value=5.5)
config = model_server_config_pb2.ModelServerConfig()
model = config.model_config_list.config.add(name="flowers", base_path="/models/flowers")
model.model_version_policy.specific.versions.extend([1, 2])
model.version_labels["stable"] = 1
reload_config = model_management_pb2.ReloadConfigRequest(config=config)
reloaded = model_management_pb2.ReloadConfigResponse()
reloaded.status.error_code = 9

same = {}
for message in (
    request, response, status, definitions, metadata, log, asked, asked_metadata, example, classify, classified,
    regress, regressed, multi, answers, config, reload_config, reloaded,
):
    name = type(message).__name__
    wire = message.SerializeToString(deterministic=True)
    copy = getattr(ours, name).FromString(wire)
    same[name] = copy.SerializeToString(deterministic=True) == wire and str(copy) == str(message)

mine = ours.PredictRequest()
mine.inputs["image_bytes"].CopyFrom(ours.string_tensor([b"one", b"\\x00\\xff"]))
theirs = predict_pb2.PredictRequest.FromString(mine.SerializeToString())
print(json.dumps({
    "file is current": descriptors() == TARGET.read_bytes(),
    "same bytes": same,
    "string tensor": [value.hex() for value in tf.make_ndarray(theirs.inputs["image_bytes"]).tolist()],
    "services": [
        prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name == ours.PREDICTION_SERVICE,
        model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name == ours.MODEL_SERVICE,
    ],
}))
"""


def output_of(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compared() -> dict[str, object]:
    """What a process that has the real package found."""
    if importlib.util.find_spec("tensorflow_serving") is None:
        pytest.skip("tensorflow-serving-api is not installed; `make setup` installs it")
    found: dict[str, object] = json.loads(output_of(COMPARE_WITH_TENSORFLOW_SERVING).splitlines()[-1])
    return found


def test_committed_descriptors_are_those_of_the_package(compared: dict[str, object]) -> None:
    """The committed file is what `make messages` would write now."""
    assert compared["file is current"] is True


def test_messages_round_trip_to_the_same_bytes(compared: dict[str, object]) -> None:
    """Each message of the real package, read and written by ours, has the same bytes."""
    assert compared["same bytes"] == {
        "PredictRequest": True,
        "PredictResponse": True,
        "GetModelStatusResponse": True,
        "SignatureDefMap": True,
        "GetModelMetadataResponse": True,
        "PredictionLog": True,
        "GetModelStatusRequest": True,
        "GetModelMetadataRequest": True,
        "Example": True,
        "ClassificationRequest": True,
        "ClassificationResponse": True,
        "RegressionRequest": True,
        "RegressionResponse": True,
        "MultiInferenceRequest": True,
        "MultiInferenceResponse": True,
        "ModelServerConfig": True,
        "ReloadConfigRequest": True,
        "ReloadConfigResponse": True,
    }


def test_string_tensor_is_one_for_tensorflow(compared: dict[str, object]) -> None:
    """TensorFlow reads a string tensor of ours as the same bytes."""
    assert compared["string tensor"] == [b"one".hex(), b"\x00\xff".hex()]


def test_services_have_their_full_names(compared: dict[str, object]) -> None:
    """The services are called as the real package calls them."""
    assert compared["services"] == [True, True]


def test_importing_the_contract_loads_nothing_heavy() -> None:
    """A fresh process that imports every module of the contract has loaded no array, image or server library."""
    names = [path.stem for path in (ROOT / "contract").glob("*.py") if path.stem != "__init__"]
    imports = "".join(f"import contract.{name}\n" for name in names)
    loaded = output_of(f"import json, sys\n{imports}print(json.dumps(sorted(sys.modules)))")
    modules = set(json.loads(loaded))
    assert "contract.serving_messages" in modules
    assert {name.split(".")[0] for name in modules} & HEAVY == set()


def test_string_tensor_declares_its_shape() -> None:
    """A string tensor has dtype string and one dimension, also when it is empty."""
    tensor = string_tensor([b"a", b"b", b"c"])
    assert (tensor.dtype, [dim.size for dim in tensor.tensor_shape.dim]) == (7, [3])
    assert [dim.size for dim in string_tensor([]).tensor_shape.dim] == [0]
    assert DataType["DT_STRING"].number == 7


def test_message_with_unknown_content_is_refused() -> None:
    """A field that the message does not have cannot be set."""
    with pytest.raises(ValueError, match="no_such_field"):
        PredictRequest(no_such_field=1)


def test_states_have_their_names() -> None:
    """The state of a version can be told by name."""
    response = GetModelStatusResponse()
    response.model_version_status.add(version=1, state=VersionState.Value("AVAILABLE"))
    assert VersionState.Name(response.model_version_status[0].state) == "AVAILABLE"
    assert response.model_version_status[0].state == 30
