"""The gRPC services and the metrics port."""
