"""The errors of training.

    TrainerError
    ├── ConfigurationError   a setting that cannot be used
    ├── DataSetError         a folder that is not a usable data set
    ├── LeakageError         the same image in two splits or classes
    ├── StorageError         not enough disk space for a run
    ├── WeightsError         base weights that cannot be loaded or do not fit
    ├── DivergedError        the loss, or another value, became NaN or infinite
    ├── RunNotFoundError     a run that does not exist
    └── RunFileError         a file of a run that cannot be read

Every message is one sentence for the person at the command line: what was wrong, what was seen, what to do.
"""


class TrainerError(Exception):
    """The base class of all errors of training."""


class ConfigurationError(TrainerError):
    """A setting that cannot be used."""


class DataSetError(TrainerError):
    """A folder that is not a usable data set."""


class LeakageError(TrainerError):
    """The same image in two splits, or under two classes."""


class StorageError(TrainerError):
    """Not enough disk space for a run."""


class WeightsError(TrainerError):
    """Base weights that cannot be loaded or do not fit."""


class DivergedError(TrainerError):
    """The loss, or an input or output of the network, became NaN or infinite."""


class RunNotFoundError(TrainerError):
    """A run that does not exist."""


class RunFileError(TrainerError):
    """A file of a run that cannot be read."""
