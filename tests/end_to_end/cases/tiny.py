"""Options of `graft train` for a run of seconds."""

TINY = (
    "--weights",
    "none",
    "--alpha",
    "0.35",
    "--image-size",
    "32",
    "--set",
    "phase_one.epochs=1",
    "--set",
    "data.batch_size=8",
)
