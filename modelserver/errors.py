"""What can go wrong between a request and its response, or a folder and a served version.

    ServingError
    ├── SettingError         a setting the server cannot start with
    ├── LoadError               a version that cannot be loaded or warmed up
    ├── ModelNotFoundError      no such model or version
    ├── SignatureNotFoundError  no such signature in the model of the request
    ├── BadInputError           a request that the server or the graph refuses
    ├── UnsupportedTypeError    an element type that this server cannot carry
    ├── UnsupportedMethodError  a task of another kind than classification and regression
    ├── OutOfResourcesError     the graph needed more memory than there is
    ├── QueueFullError          too many batches or bytes wait to be run
    ├── CallCancelledError      nobody waits for the response any more
    ├── NotAllowedError         what this server does only where a flag allows it
    ├── StoppingError           the server ends before the response is there
    ├── BatchedOutputError      an output that cannot be split among the requests of a batch
    └── GraphError              the graph failed, and not for its inputs

Where TensorFlow Serving has a text for the same situation, the message is that text: clients look for it. What each
error is on the wire stands in `modelserver/status_codes.py`.
"""


class ServingError(Exception):
    """The family's root."""


class SettingError(ServingError):
    """A setting the server cannot start with."""


class LoadError(ServingError):
    """A version that cannot be loaded or warmed up."""


class ModelNotFoundError(ServingError):
    """No such model or version."""


class SignatureNotFoundError(ServingError):
    """No such signature in the model of the request."""


class BadInputError(ServingError):
    """A request that the server or the graph refuses."""


class UnsupportedTypeError(ServingError):
    """An element type that this server cannot carry."""


class UnsupportedMethodError(ServingError):
    """A task of another kind than classification and regression."""


class OutOfResourcesError(ServingError):
    """The graph needed more memory than there is."""


class QueueFullError(ServingError):
    """Too many batches or bytes wait to be run."""


class CallCancelledError(ServingError):
    """Nobody waits for the response any more."""


class NotAllowedError(ServingError):
    """What this server does only where a flag allows it."""


class StoppingError(ServingError):
    """The server ends before the response is there."""


class BatchedOutputError(ServingError):
    """An output that cannot be split among the requests of a batch."""


class GraphError(ServingError):
    """The graph failed, and not for its inputs."""
