"""What can go wrong between a trained model and published files.

    ExportError
    ├── CheckError       a predictor that a check compares cannot be reached
    ├── ConversionError  the published graph cannot become a TFLite file
    ├── ExpectationError an image is not answered as its users expect; a gate said no
    ├── FixtureError     the images that should prove the export cannot be had
    ├── LiteGateError    no TFLite file answers well enough; a gate said no
    ├── NoRoomError      the disk of the versions has too little room
    ├── OperationError   the oldest TensorFlow Serving cannot run the graph; a gate said no
    ├── ParityError      the exported model does not answer as the trained one; a gate said no
    ├── RegressionError  the version is worse than the one it must be better than; a gate said no
    └── UnchangedError   a version with the same content is published already; a gate said no

Every message is one sentence for the person at the command line: what was wrong, what was seen, what to do.
"""


class ExportError(Exception):
    """The family's root."""


class CheckError(ExportError):
    """A predictor that a check compares cannot be reached, or is another model."""


class FixtureError(ExportError):
    """The images that should prove the export cannot be had."""


class NoRoomError(ExportError):
    """The disk of the versions has too little room."""


class ParityError(ExportError):
    """The exported model does not answer as the trained one."""


class ConversionError(ExportError):
    """The published graph cannot become a TFLite file."""


class LiteGateError(ExportError):
    """No TFLite file answers well enough."""


class ExpectationError(ExportError):
    """An image is not answered as its users expect."""


class OperationError(ExportError):
    """The oldest TensorFlow Serving that is supported cannot run the graph."""


class RegressionError(ExportError):
    """The version is significantly worse than the one it must be better than."""


class UnchangedError(ExportError):
    """A version with the same content is published already."""
