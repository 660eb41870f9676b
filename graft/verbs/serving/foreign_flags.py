"""How `graft modelserver` reads flags: as `tensorflow_model_server` does, and with a sentence for those it has not."""

import difflib
import re
from typing import Any

from typer.core import TyperCommand

from graft.errors import CommandError

SWITCH = "[=true|false]"
"""The metavar that makes an option a switch, which may stand alone."""

_GATEWAY = "the REST API is the gateway's, `graft gateway`"
_GRAPH = "TensorFlow's defaults hold here"
_ONE_AT_A_TIME = "versions are loaded in the background, one at a time"
_NOT_HERE = "there is nothing of the kind here"

FOREIGN = {
    "--enable_grpc_healthcheck_service": "the health service is always on",
    "--enable_per_model_batching_parameters": "one batching_parameters_file is for all models",
    "--enable_profiler": _NOT_HERE,
    "--enable_serialization_as_tensor_content": "outputs are always sent in typed fields",
    "--enable_signature_method_name_check": "names of methods are always checked as by default there",
    "--flush_filesystem_caches": _NOT_HERE,
    "--force_allow_any_version_labels_for_unavailable_models": "a label in use never moves to a version not served",
    "--grpc_socket_path": "it listens on --host and --port",
    "--mixed_precision": _GRAPH,
    "--num_load_threads": _ONE_AT_A_TIME,
    "--num_request_iterations_for_warmup": "each request is replayed once",
    "--num_tflite_interpreters_per_pool": "--tensorflow_inter_op_parallelism says how many there are",
    "--num_tflite_pools": "there is one pool for each version",
    "--num_unload_threads": _ONE_AT_A_TIME,
    "--per_process_gpu_memory_fraction": _GRAPH,
    "--platform_config_file": "it serves SavedModels alone",
    "--prefer_tflite_model": "--engine chooses what runs networks",
    "--remove_unused_fields_from_bundle_metagraph": _GRAPH,
    "--rest_api_enable_cors_support": _GATEWAY,
    "--rest_api_num_threads": _GATEWAY,
    "--rest_api_timeout_in_ms": _GATEWAY,
    "--saved_model_tags": "the tag is always `serve`",
    "--skip_initialize_tpu": _GRAPH,
    "--tensorflow_session_config_file": _GRAPH,
    "--tensorflow_session_parallelism": _GRAPH,
    "--thread_pool_factory_config_file": _GRAPH,
    "--use_alts_credentials": "--ssl_config_file offers TLS",
    "--version": "`graft --help` and `pip show graft` tell what is installed",
    "--xla_cpu_compilation_enabled": _GRAPH,
    "--xla_gpu_compilation_enabled": _GRAPH,
}
"""TensorFlow Serving's flags that this server does not have, with the reason."""

_FLAG = re.compile(r"(--?[A-Za-z][\w-]*)(?:=.*)?", re.DOTALL)
_EMPTY_FILE = re.compile(r"--\w+_file=")


class ServingFlags(TyperCommand):
    """A command whose switches may stand alone or with a value: `--flag`, `--flag=true`, `--flag=false`.

    An empty value for a file stands for none, as in TensorFlow Serving.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what this server does not have, and give a switch that stands alone the value it means.

        Raises:
            CommandError: a flag is not known.
        """
        given = [arg for arg in args if not _EMPTY_FILE.fullmatch(arg)]
        known = {flag: option for option in self.get_params(ctx) for flag in option.opts}
        for arg in given:
            if (flag := _FLAG.fullmatch(arg)) and flag[1] not in known:
                raise CommandError(_rejection(flag[1], [name for name in known if name.startswith("--")]))
        switches = {flag for flag, option in known.items() if getattr(option, "metavar", None) == SWITCH}
        return super().parse_args(ctx, [f"{arg}=true" if arg in switches else arg for arg in given])


def _rejection(flag: str, known: list[str]) -> str:
    if flag in FOREIGN:
        return f"{flag} is a flag of TensorFlow Serving that this server does not have: {FOREIGN[flag]}; leave it out."
    spelled = f"--{flag.lstrip('-').replace('-', '_')}"
    (nearest,) = difflib.get_close_matches(spelled, known, n=1, cutoff=0.0)
    return f"There is no flag {flag}; the nearest is {nearest}."
