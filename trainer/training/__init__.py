"""The two phases of fine-tuning, stage by stage."""
