"""The gateway's errors, from an HTTP request to labelled predictions.

    GatewayError
    ├── RequestError                      the request cannot be understood
    │   ├── NoSuchPathError               there is no such path
    │   ├── MethodNotAllowedError         the path exists, but not for that method
    │   ├── MalformedTargetError          a path that TensorFlow Serving's REST API does not have
    │   ├── BadParameterError             a query parameter that cannot be used
    │   ├── BadFormError                  a multipart form that cannot be read
    │   ├── BadJsonError                  a JSON body that cannot be read
    │   ├── BadHeaderError                a header that cannot be used
    │   ├── BadTensorError                a tensor that the model does not take, or that JSON cannot represent
    │   ├── UnknownSignatureError         the model has no signature of that name
    │   ├── UnsupportedError              not supported by this protocol or this model server
    │   ├── NoImageError                a form without a file
    │   ├── UnsupportedContentTypeError   a body that is neither an image nor a form
    │   ├── BodyTooLargeError             the body is too large
    │   ├── BodyTooSlowError              the body did not arrive in time
    │   ├── TooManyImagesError            too many images in one request
    │   └── ClientGoneError               the caller left before its request was read
    ├── ImageError                        one image is rejected; the others in its request are not
    │   ├── NotAnImageError               its bytes are not an image
    │   ├── BadEncodingError              its text is not base64
    │   ├── UnsupportedImageError         its format is not accepted
    │   ├── TooManyPixelsError            larger than the model accepts
    │   ├── CostlyImageError              more work to decode than its pixels need
    │   ├── TruncatedImageError           its bytes end before the image does
    │   └── UndecodableImageError         the model could not decode it
    ├── ModelError                        the requested model is not available
    │   ├── UnknownModelError             no model of that name is configured
    │   ├── VersionNotServedError         the requested version is not loaded
    │   ├── ModelNotLoadedError           no version of the model is loaded
    │   └── NotDescribedError             the model has no manifest, so its outputs cannot be labelled
    ├── ModelServerError                  the model server did not complete the request
    │   ├── ModelServerUnavailableError   it cannot be reached
    │   ├── ModelServerBusyError          it is overloaded
    │   ├── MessageTooLargeError          the request or response exceeds the message size limit
    │   ├── ModelServerTimeoutError       it took too long
    │   ├── RequestRejectedError          it rejected the request as invalid
    │   └── ModelServerFailedError        it failed, or its response is invalid
    ├── BusyError                         the gateway sheds load, to protect itself or the model server
    │   ├── OverloadedError               too many requests at once
    │   └── CircuitOpenError              the model server failed several times in a row
    ├── AccessError                       the caller is not authorized, or has reached a limit
    │   ├── MissingCredentialsError       the request has no credentials
    │   ├── InvalidCredentialsError       the key or token is not valid
    │   ├── ForbiddenError                the key or token lacks the required scope
    │   ├── TooManyRequestsError          the key has reached its limits
    │   └── TokensUnverifiableError       the keys to verify tokens are not available
    └── NotReadyError                     a configured model is not available, or the gateway is stopping

Every message is one sentence for the caller: what was wrong, what was seen. It never contains a host name or the
model server's own text; that stays in `details`, for the protocol whose callers expect it, and in the error's cause.

`BadSettingError` is not a GatewayError: it stops the start, and no caller ever sees it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from contract.errors import ContractError

if TYPE_CHECKING:
    import grpc


class GatewayError(Exception):
    """The base class of the gateway's errors.

    `code` and `details` are the gRPC status and its text if a call to the model server was the cause; the text is empty
    if gRPC itself wrote it, since that names hosts. `headers` are sent with the response, such as `Retry-After`.
    """

    code: "grpc.StatusCode | None" = None
    details: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


class RequestError(GatewayError):
    """The request cannot be understood."""


class NoSuchPathError(RequestError):
    """There is no such path."""


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
    """A tensor that the model does not take, or that JSON cannot represent."""


class UnknownSignatureError(RequestError):
    """The model has no signature of that name."""


class UnsupportedError(RequestError):
    """The request is not supported by this protocol or this model server."""


class NoImageError(RequestError):
    """A form without a file."""


class UnsupportedContentTypeError(RequestError):
    """A body that is neither an image nor a form."""


class BodyTooLargeError(RequestError):
    """The body is too large."""


class BodyTooSlowError(RequestError):
    """The body did not arrive in time."""


class TooManyImagesError(RequestError):
    """There are too many images in one request."""


class ClientGoneError(RequestError):
    """The caller left before its request was read."""


class ImageError(GatewayError):
    """One image is rejected; the others in its request are not."""


class NotAnImageError(ImageError):
    """The bytes are not an image."""


class BadEncodingError(ImageError):
    """The text of an image is not base64."""


class UnsupportedImageError(ImageError):
    """The image's format is not accepted."""


class TooManyPixelsError(ImageError):
    """The image is larger than the model accepts."""


class CostlyImageError(ImageError):
    """Decoding the image would take far more than its pixels need."""


class TruncatedImageError(ImageError):
    """The bytes end before the image does."""


class UndecodableImageError(ImageError):
    """The model could not decode it."""


class ModelError(GatewayError):
    """The requested model is not available."""


class UnknownModelError(ModelError):
    """No model of that name is configured."""


class VersionNotServedError(ModelError):
    """The requested version of the model is not loaded."""


class ModelNotLoadedError(ModelError):
    """No version of the model is loaded."""


class NotDescribedError(ModelError):
    """The model has no manifest, so its outputs cannot be labelled."""


class ModelServerError(GatewayError):
    """The model server did not complete the request."""


class ModelServerUnavailableError(ModelServerError):
    """The model server cannot be reached."""


class ModelServerBusyError(ModelServerError):
    """The model server is overloaded."""


class MessageTooLargeError(ModelServerError):
    """The request or response exceeds the message size limit."""


class ModelServerTimeoutError(ModelServerError):
    """The model server took too long."""


class RequestRejectedError(ModelServerError):
    """The model server rejected the request as invalid."""


class ModelServerFailedError(ModelServerError):
    """The model server failed, or its response is invalid."""


class BusyError(GatewayError):
    """The gateway sheds load, to protect itself or the model server."""


class OverloadedError(BusyError):
    """Too many requests at once."""


class CircuitOpenError(BusyError):
    """The model server failed several times in a row."""


class AccessError(GatewayError):
    """The caller is not authorized, or has reached a limit."""


class MissingCredentialsError(AccessError):
    """The request has no credentials. The challenges of these errors are those of RFC 6750, section 3."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="graft"'})


class InvalidCredentialsError(AccessError):
    """The caller's key or token is not valid."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="graft", error="invalid_token"'})


class ForbiddenError(AccessError):
    """The caller's key or token lacks the required scope."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="graft", error="insufficient_scope"'})


class TooManyRequestsError(AccessError):
    """The caller's key has reached its limits; it may try again after `retry_after_seconds`."""

    def __init__(self, sentence: str, retry_after_seconds: int = 1) -> None:
        super().__init__(sentence)
        self.headers = {"Retry-After": str(retry_after_seconds)}


class TokensUnverifiableError(AccessError):
    """The keys to verify tokens are not available."""


class NotReadyError(GatewayError):
    """A configured model is not available, or the gateway is stopping."""


class BadSettingError(ContractError):
    """The gateway cannot start with these settings."""
