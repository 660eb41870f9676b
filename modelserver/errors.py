"""What can go wrong between a request and its answer, or a folder and a served version.

    ModelServerError
    ├── BadSettingError         a setting the server cannot start with
    ├── LoadError               a version that cannot be loaded or warmed up
    ├── ModelNotFoundError      no such model or version
    ├── SignatureNotFoundError  no such signature in the model that was asked
    ├── BadInputError           a request that the server or the graph refuses
    ├── UnsupportedTypeError    an element type that this server cannot carry
    ├── UnsupportedMethodError  a task of another kind than classification and regression
    ├── OutOfResourcesError     the graph needed more memory than there is
    ├── QueueFullError          too many batches wait to be run
    ├── BatchedOutputError      an output that cannot be split among the requests of a batch
    └── GraphError              the graph failed, and not for its inputs

Where TensorFlow Serving has a text for the same situation, the message is that text: clients look for it. What each
error is on the wire stands in `modelserver/status_codes.py`.
"""


class ModelServerError(Exception):
    """The family's root."""


class BadSettingError(ModelServerError):
    """A setting the server cannot start with."""


class LoadError(ModelServerError):
    """A version that cannot be loaded or warmed up."""


class ModelNotFoundError(ModelServerError):
    """No such model or version."""


class SignatureNotFoundError(ModelServerError):
    """No such signature in the model that was asked."""


class BadInputError(ModelServerError):
    """A request that the server or the graph refuses."""


class UnsupportedTypeError(ModelServerError):
    """An element type that this server cannot carry."""


class UnsupportedMethodError(ModelServerError):
    """A task of another kind than classification and regression."""


class OutOfResourcesError(ModelServerError):
    """The graph needed more memory than there is."""


class QueueFullError(ModelServerError):
    """Too many batches wait to be run."""


class BatchedOutputError(ModelServerError):
    """An output that cannot be split among the requests of a batch."""


class GraphError(ModelServerError):
    """The graph failed, and not for its inputs."""
