"""What the verbs `versions`, `withdraw` and `rollback` do."""
