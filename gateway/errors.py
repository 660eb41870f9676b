"""What can go wrong between an HTTP request and a labelled answer.

    GatewayError
    ├── RequestError                      the request cannot be understood
    │   ├── NoSuchPathError               nothing is at that path
    │   ├── MethodNotAllowedError         something is, but not for that method
    │   ├── MalformedTargetError          a path that TensorFlow Serving's REST API does not have
    │   ├── BadParameterError             a query parameter that cannot be used
    │   ├── BadFormError                  a multipart form that cannot be read
    │   ├── BadJsonError                  a JSON body that cannot be read
    │   ├── BadHeaderError                a header that cannot be used
    │   ├── BadTensorError                a tensor that is not what the model takes, or that JSON cannot hold
    │   ├── UnknownSignatureError         the model has no signature of that name
    │   ├── UnsupportedError              what is asked for is not possible in this protocol or by this model server
    │   ├── NoImageError                a form without a file
    │   ├── UnsupportedContentTypeError   a body that is neither an image nor a form
    │   ├── BodyTooLargeError             more bytes than may be sent
    │   ├── BodyTooSlowError              the body did not arrive in time
    │   ├── TooManyImagesError          more images than may be sent at once
    │   └── ClientGoneError               the caller left before its request was read
    ├── ImageError                      one image is refused; those beside it are not
    │   ├── NotAnImageError               its bytes are no image
    │   ├── BadEncodingError              text that is no base64 where an image should be
    │   ├── UnsupportedImageError         a kind of image that is not accepted
    │   ├── TooManyPixelsError            larger than the model accepts
    │   ├── TruncatedImageError           its bytes end before the image does
    │   └── UndecodableImageError         the model could not decode it
    ├── ModelError                        the model asked for is not there
    │   ├── UnknownModelError             no model of that name is configured
    │   ├── VersionNotServedError         that version of it is not loaded
    │   ├── ModelNotLoadedError           no version of it is loaded
    │   └── NotDescribedError             it does not say what its answers mean
    ├── ModelServerError                  the model server did not answer the question
    │   ├── ModelServerUnavailableError   it cannot be reached
    │   ├── ModelServerBusyError          it has too much to do
    │   ├── MessageTooLargeError          question or answer is larger than a message may be
    │   ├── ModelServerTimeoutError       it took too long
    │   ├── QuestionRefusedError          it says the question is wrong
    │   └── ModelServerFailedError        it failed, or its answer makes no sense
    ├── BusyError                         the gateway does not ask, to protect itself or the model server
    │   ├── OverloadedError               too many requests at once
    │   └── CircuitOpenError              the model server failed several times in a row
    ├── AccessError                       the caller may not ask this, or not now
    │   ├── MissingCredentialsError       it does not say who it is
    │   ├── InvalidCredentialsError       its key or token is not valid
    │   ├── ForbiddenError                its key or token is for something else
    │   ├── TooManyRequestsError          its key has used up its limits
    │   └── TokensUnverifiableError       the keys that prove tokens cannot be had
    └── NotReadyError                     not every wanted model can be asked, or the gateway is stopping

Every message is one sentence for the caller: what was wrong, what was seen. It never holds a host name or what the
model server said; that stays in `details`, for the protocol whose callers expect it, and in the error's cause.

`BadSettingError` is outside of the family: it ends the start, and no caller ever sees it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from contract.errors import ContractError

if TYPE_CHECKING:
    import grpc


class GatewayError(Exception):
    """The family's root.

    `code` and `details` are the gRPC status and its text where one of the model server's was the reason; the text is
    empty where gRPC itself wrote it, which names hosts. `headers` go with the answer, such as `Retry-After`.
    """

    code: "grpc.StatusCode | None" = None
    details: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


class RequestError(GatewayError):
    """The request cannot be understood."""


class NoSuchPathError(RequestError):
    """Nothing is at that path."""


class MethodNotAllowedError(RequestError):
    """The path exists, but not for that method."""


class MalformedTargetError(RequestError):
    """A path that TensorFlow Serving's REST API does not have."""


class BadParameterError(RequestError):
    """A query parameter that cannot be used."""


class BadFormError(RequestError):
    """A multipart form that cannot be read."""


class BadJsonError(RequestError):
    """A JSON body that cannot be read."""


class BadHeaderError(RequestError):
    """A header that cannot be used."""


class BadTensorError(RequestError):
    """A tensor that is not what the model takes, or that JSON cannot hold."""


class UnknownSignatureError(RequestError):
    """The model has no signature of that name."""


class UnsupportedError(RequestError):
    """What is asked for is not possible in this protocol or by this model server."""


class NoImageError(RequestError):
    """A form without a file."""


class UnsupportedContentTypeError(RequestError):
    """A body that is neither an image nor a form."""


class BodyTooLargeError(RequestError):
    """More bytes than may be sent."""


class BodyTooSlowError(RequestError):
    """The body did not arrive in time."""


class TooManyImagesError(RequestError):
    """More images than may be sent at once."""


class ClientGoneError(RequestError):
    """The caller left before its request was read."""


class ImageError(GatewayError):
    """One image is refused; those beside it are not."""


class NotAnImageError(ImageError):
    """Its bytes are no image."""


class BadEncodingError(ImageError):
    """Text that is no base64 where an image should be."""


class UnsupportedImageError(ImageError):
    """A kind of image that is not accepted."""


class TooManyPixelsError(ImageError):
    """The image is larger than the model accepts."""


class TruncatedImageError(ImageError):
    """Its bytes end before the image does."""


class UndecodableImageError(ImageError):
    """The model could not decode it."""


class ModelError(GatewayError):
    """The model asked for is not there."""


class UnknownModelError(ModelError):
    """No model of that name is configured."""


class VersionNotServedError(ModelError):
    """That version of the model is not loaded."""


class ModelNotLoadedError(ModelError):
    """No version of the model is loaded."""


class NotDescribedError(ModelError):
    """The model does not say what its answers mean."""


class ModelServerError(GatewayError):
    """The model server did not answer the question."""


class ModelServerUnavailableError(ModelServerError):
    """The model server cannot be reached."""


class ModelServerBusyError(ModelServerError):
    """The model server has too much to do."""


class MessageTooLargeError(ModelServerError):
    """The question or its answer is larger than a message may be."""


class ModelServerTimeoutError(ModelServerError):
    """The model server took too long."""


class RequestRejectedError(ModelServerError):
    """The model server says that the question is wrong."""


class ModelServerFailedError(ModelServerError):
    """The model server failed, or its answer makes no sense."""


class BusyError(GatewayError):
    """The gateway does not ask, to protect itself or the model server."""


class OverloadedError(BusyError):
    """Too many requests at once."""


class CircuitOpenError(BusyError):
    """The model server failed several times in a row."""


class AccessError(GatewayError):
    """The caller may not ask this, or not now."""


class MissingCredentialsError(AccessError):
    """The caller does not say who it is. The challenges of these errors are those of RFC 6750, section 3."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="graft"'})


class InvalidCredentialsError(AccessError):
    """The caller's key or token is not valid."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="graft", error="invalid_token"'})


class ForbiddenError(AccessError):
    """The caller's key or token is for something else."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="graft", error="insufficient_scope"'})


class TooManyRequestsError(AccessError):
    """The caller's key has used up its limits, and may ask again after `retry_after_seconds`."""

    def __init__(self, sentence: str, retry_after_seconds: int = 1) -> None:
        super().__init__(sentence)
        self.headers = {"Retry-After": str(retry_after_seconds)}


class TokensUnverifiableError(AccessError):
    """The keys that prove tokens cannot be had."""


class NotReadyError(GatewayError):
    """Not every wanted model can be asked, or the gateway is stopping."""


class BadSettingError(ContractError):
    """The gateway cannot start with these settings."""
