"""TensorFlow's C library without its Python: decodes images where LiteRT runs the network.

It is the library of the installed Python package, which this loads in half a second and 290 MB, where all of
`import tensorflow` took 8 seconds and 610 MB (`docs/performance.md`). The declarations are those that a session needs,
from `tensorflow/c/c_api.h`, `tf_tensor.h` and `tf_tstring.h`; the API is stable over releases, as bindings of other
languages rely on it.
"""

import ctypes
import functools
import importlib.util
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from contract.process.native_stderr import discarded_native_stderr
from modelserver.errors import LoadError

STRING_BYTES = 24
"""Size of a TF_TString, which is what the elements of a string tensor are."""

_FILES = {"linux": "libtensorflow_cc.so.2", "darwin": "libtensorflow_cc.2.dylib"}
"""It finds the other libraries of the package by itself."""


class Output(ctypes.Structure):
    """TF_Output: one of the tensors that an operation of a graph makes, or takes from the caller."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


_NOTHING: Any = None

_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (_NOTHING, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewBufferFromString": (c_void_p, (c_char_p, c_size_t)),
    "TF_DeleteBuffer": (_NOTHING, (c_void_p,)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_DeleteGraph": (_NOTHING, (c_void_p,)),
    "TF_NewImportGraphDefOptions": (c_void_p, ()),
    "TF_DeleteImportGraphDefOptions": (_NOTHING, (c_void_p,)),
    "TF_GraphImportGraphDef": (_NOTHING, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (_NOTHING, (c_void_p,)),
    "TF_SetConfig": (_NOTHING, (c_void_p, c_char_p, c_size_t, c_void_p)),
    "TF_NewSession": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "TF_DeleteSession": (_NOTHING, (c_void_p, c_void_p)),
    "TF_SessionRun": (
        _NOTHING,
        (
            *(c_void_p, c_void_p),  # the session, and options that are not used
            *(POINTER(Output), POINTER(c_void_p), c_int),  # inputs
            *(POINTER(Output), POINTER(c_void_p), c_int),  # outputs
            *(c_void_p, c_int, c_void_p, c_void_p),  # operations without outputs, metadata, status
        ),
    ),
    "TF_AllocateTensor": (c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    "TF_DeleteTensor": (_NOTHING, (c_void_p,)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_TensorType": (c_int, (c_void_p,)),
    "TF_NumDims": (c_int, (c_void_p,)),
    "TF_Dim": (c_int64, (c_void_p, c_int)),
    "TF_StringInit": (_NOTHING, (c_void_p,)),
    "TF_StringAssignView": (_NOTHING, (c_void_p, c_char_p, c_size_t)),
}
"""Result and arguments of each function."""


@functools.cache
def tensorflow_library() -> Any:
    """Return the library with its functions declared; loaded once per process, and shared with `import tensorflow`.

    Calls let other Python threads run.

    Raises:
        LoadError: TensorFlow is not installed, or not with a library that has the C API.
    """
    package = importlib.util.find_spec("tensorflow")
    if package is None or not package.submodule_search_locations:
        raise LoadError("TensorFlow is not installed; LiteRT needs its library to decode images.")
    folder = Path(package.submodule_search_locations[0])
    try:
        with discarded_native_stderr():
            # RTLD_LOCAL: it brings another OpenSSL, which Python's, if loaded later, would call
            library = ctypes.CDLL(str(folder / _FILES[sys.platform]), mode=ctypes.RTLD_LOCAL)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except KeyError as error:
        raise LoadError(f"On {sys.platform} the LiteRT engine is not supported; take --engine tensorflow.") from error
    except (OSError, AttributeError) as error:
        raise LoadError(f"TensorFlow's library in {folder} cannot be used: {error}.") from error
    return library
