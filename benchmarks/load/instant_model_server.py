"""A model server that responds at once, to measure a gateway: `python -m benchmarks.load.instant_model_server`.

Prints its port. It knows one model, `flowers`, in version 1; requests are only read to tell them apart, and
the response for images is always one row. A request that ends with `SLOW` gets its response a while later.
"""

import asyncio
import gc

import grpc.aio

from contract import serving_messages as messages
from tests.fakes.made_up_predictions import LABELS, manifest_for

MODEL = "flowers"
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0))
_MARK_OF_DESCRIBE = b"describe"
SLOW = b"SLOW"
_SLOW_SECONDS = 3.0


async def main() -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=_OPTIONS)
    predict, describe, status = _predict_response(), _describe_response(), _status_response()

    async def respond_predict(request: bytes, _: object) -> bytes:
        if SLOW in request[-200:]:
            await asyncio.sleep(_SLOW_SECONDS)
        return describe if _MARK_OF_DESCRIBE in request[:200] else predict

    async def respond_status(_: bytes, __: object) -> bytes:
        return status

    for service, method, reply in (
        (messages.PREDICTION_SERVICE, "Predict", respond_predict),
        (messages.MODEL_SERVICE, "GetModelStatus", respond_status),
    ):
        handler = grpc.unary_unary_rpc_method_handler(reply)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gc.freeze()
    print(port, flush=True)
    await server.wait_for_termination()


def _predict_response() -> bytes:
    response = messages.PredictResponse(model_spec={"name": MODEL, "signature_name": "serving_default"})
    response.model_spec.version.value = 1
    probabilities = response.outputs["probabilities"]
    probabilities.dtype = messages.DataType["DT_FLOAT"].number
    for size in (1, len(LABELS)):
        probabilities.tensor_shape.dim.add(size=size)
    probabilities.float_val.extend([0.7, 0.2, 0.1])
    valid = response.outputs["valid"]
    valid.dtype = messages.DataType["DT_BOOL"].number
    valid.tensor_shape.dim.add(size=1)
    valid.bool_val.append(True)
    return bytes(response.SerializeToString())


def _describe_response() -> bytes:
    response = messages.PredictResponse(model_spec={"name": MODEL, "signature_name": "describe"})
    response.model_spec.version.value = 1
    manifest = manifest_for(MODEL, 1).to_json().encode()
    response.outputs["manifest"].CopyFrom(messages.string_tensor([manifest]))
    return bytes(response.SerializeToString())


def _status_response() -> bytes:
    response = messages.GetModelStatusResponse()
    response.model_version_status.add(version=1, state=messages.VersionState.Value("AVAILABLE"))
    return bytes(response.SerializeToString())


if __name__ == "__main__":
    asyncio.run(main())
