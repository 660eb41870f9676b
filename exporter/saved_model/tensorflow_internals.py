"""What the exporter takes of TensorFlow that TensorFlow does not document, all in one place.

TensorFlow has no public way to turn variables into constants, nor a documented module for a SavedModel's message; so
its version is capped in pyproject.toml, and tests/test_library_internals.py names what is used.
"""

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

SavedModelMessage = saved_model_pb2.SavedModel
freeze_variables = convert_variables_to_constants_v2
