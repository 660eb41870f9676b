"""What a run's folder says of itself."""
