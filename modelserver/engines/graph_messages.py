"""SavedModels, their graphs and session options as messages, without TensorFlow: see `contract.private_messages`."""

from pathlib import Path

from contract.private_messages import PrivateMessages

_messages = PrivateMessages(Path(__file__).with_name("graph_messages.binpb"))

SavedModel = _messages.message("tensorflow.SavedModel")
GraphDef = _messages.message("tensorflow.GraphDef")
ConfigProto = _messages.message("tensorflow.ConfigProto")
