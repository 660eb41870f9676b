"""What can go wrong between labelled pictures and a trained model.

    TrainerError
    ├── ConfigurationError   a setting that cannot be used
    ├── DataSetError         a folder that is no data set
    ├── LeakageError         the same picture in two splits
    ├── StorageError         no room for what a run keeps on disk
    ├── WeightsError         base weights that cannot be had or do not fit
    ├── DivergedError        the loss, or another value, became NaN or infinite
    ├── RunNotFoundError     no such training run
    └── RunFileError         a file of a run that cannot be read

Every message is one sentence for the person at the command line: what was wrong, what was seen, what to do.
"""


class TrainerError(Exception):
    """The family's root."""


class ConfigurationError(TrainerError):
    """A setting that cannot be used."""


class DataSetError(TrainerError):
    """A folder that is no data set."""


class LeakageError(TrainerError):
    """The same picture in two splits."""


class StorageError(TrainerError):
    """No room for what a run keeps on disk."""


class WeightsError(TrainerError):
    """Base weights that cannot be had or do not fit."""


class DivergedError(TrainerError):
    """The loss, or a value that goes into the network or comes out of it, became NaN or infinite."""


class RunNotFoundError(TrainerError):
    """No such training run."""


class RunFileError(TrainerError):
    """A file of a run that cannot be read."""
