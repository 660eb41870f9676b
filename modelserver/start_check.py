"""The check of a configuration and of the ports before the seconds that TensorFlow takes to start."""

from modelserver.batching.parameters import batch_parameters
from modelserver.grpc.metrics_port import metrics_path
from modelserver.grpc.ports import check_ports
from modelserver.grpc.tls import server_credentials
from modelserver.settings import ModelServerSettings
from modelserver.tracing.switch import check_tracing
from modelserver.versions.configs import model_configs


def check_configuration(settings: ModelServerSettings) -> None:
    """Read every configuration file that the settings name, and see that the ports are free.

    Raises:
        SettingError: one cannot be read or used, a port is taken, or calls cannot be traced as was asked.
    """
    model_configs(settings)
    batch_parameters(settings)
    metrics_path(settings.monitoring_config_file)
    if settings.ssl_config_file is not None:
        server_credentials(settings.ssl_config_file)
    check_tracing(settings)
    check_ports(settings)
