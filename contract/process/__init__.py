"""What a process sets for itself and its threads, in every program of Graft."""
