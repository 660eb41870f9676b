"""What py-spy saw of a gateway is told apart by part."""

from benchmarks.load.gateway_parts import REST, count_parts

FRAMES = (
    "<module> (graft/__main__.py:6);RequestMiddleware.__call__ (gateway/http/middleware.py:62);"
    "predict_images (gateway/native/images.py:45)"
)
STACKS = (
    f"{FRAMES};predict (gateway/predict/prediction.py:110) 5",
    f"{FRAMES};predict (gateway/predict/prediction.py:115);Stage.__exit__ (gateway/observability/observation.py:127);"
    "Histogram.observe (prometheus_client/metrics.py:706);"
    "MutexValue.inc (prometheus_client/values.py:28) 3",
    f"{FRAMES};ModelClient.call (gateway/backend/model_client.py:116);"
    "UnaryUnaryCall.__init__ (grpc/aio/_call.py:569) 7",
    "<module> (graft/__main__.py:6);Runner.run (asyncio/runners.py:118) 2",
    "Thread._bootstrap (threading.py:1002);Thread.run (threading.py:982);_worker (concurrent/futures/thread.py:81) 99",
)


def test_each_sample_has_one_part() -> None:
    """Samples are counted once, at the most particular part, and threads that wait are left out."""
    assert count_parts(STACKS) == {
        "slot, circuit, stages, request handler": 5,
        "metrics": 3,
        "gRPC's Python part": 7,
        REST: 2,
    }
