"""What can go wrong between an HTTP request and a labelled answer.

    GatewayError
    ├── RequestError                      the request cannot be understood
    │   ├── NoSuchPathError               nothing is at that path
    │   ├── MethodNotAllowedError         something is, but not for that method
    │   ├── BadParameterError             a query parameter that cannot be used
    │   ├── BadFormError                  a multipart form that cannot be read
    │   ├── NoPictureError                a form without a file
    │   ├── UnsupportedContentTypeError   a body that is neither a picture nor a form
    │   ├── BodyTooLargeError             more bytes than may be sent
    │   ├── TooManyPicturesError          more pictures than may be sent at once
    │   └── ClientGoneError               the caller left before its request was read
    ├── PictureError                      one picture is refused; those beside it are not
    │   ├── NotAnImageError               its bytes are no picture
    │   ├── UnsupportedImageError         a kind of picture that is not accepted
    │   └── UndecodableImageError         the model could not decode it
    ├── ModelError                        the model asked for is not there
    │   ├── UnknownModelError             no model of that name is configured
    │   ├── VersionNotServedError         that version of it is not loaded
    │   └── ModelNotLoadedError           no version of it is loaded
    ├── ModelServerError                  the model server did not answer the question
    │   ├── ModelServerUnavailableError   it cannot be reached
    │   ├── ModelServerBusyError          it has too much to do
    │   ├── ModelServerTimeoutError       it took too long
    │   ├── QuestionRefusedError          it says the question is wrong
    │   └── ModelServerFailedError        it failed, or its answer makes no sense
    └── NotReadyError                     not every wanted model can be asked

Every message is one sentence for the caller: what was wrong, what was seen. It never holds a host name or what the
model server said; those stay in the error's cause.
"""


class GatewayError(Exception):
    """The family's root."""


class RequestError(GatewayError):
    """The request cannot be understood."""


class NoSuchPathError(RequestError):
    """Nothing is at that path."""


class MethodNotAllowedError(RequestError):
    """The path exists, but not for that method."""


class BadParameterError(RequestError):
    """A query parameter that cannot be used."""


class BadFormError(RequestError):
    """A multipart form that cannot be read."""


class NoPictureError(RequestError):
    """A form without a file."""


class UnsupportedContentTypeError(RequestError):
    """A body that is neither a picture nor a form."""


class BodyTooLargeError(RequestError):
    """More bytes than may be sent."""


class TooManyPicturesError(RequestError):
    """More pictures than may be sent at once."""


class ClientGoneError(RequestError):
    """The caller left before its request was read."""


class PictureError(GatewayError):
    """One picture is refused; those beside it are not."""


class NotAnImageError(PictureError):
    """Its bytes are no picture."""


class UnsupportedImageError(PictureError):
    """A kind of picture that is not accepted."""


class UndecodableImageError(PictureError):
    """The model could not decode it."""


class ModelError(GatewayError):
    """The model asked for is not there."""


class UnknownModelError(ModelError):
    """No model of that name is configured."""


class VersionNotServedError(ModelError):
    """That version of the model is not loaded."""


class ModelNotLoadedError(ModelError):
    """No version of the model is loaded."""


class ModelServerError(GatewayError):
    """The model server did not answer the question."""


class ModelServerUnavailableError(ModelServerError):
    """The model server cannot be reached."""


class ModelServerBusyError(ModelServerError):
    """The model server has too much to do."""


class ModelServerTimeoutError(ModelServerError):
    """The model server took too long."""


class QuestionRefusedError(ModelServerError):
    """The model server says that the question is wrong."""


class ModelServerFailedError(ModelServerError):
    """The model server failed, or its answer makes no sense."""


class NotReadyError(GatewayError):
    """Not every wanted model can be asked."""
