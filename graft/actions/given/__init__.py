"""What a verb was given on the command line: the kind that it needs, or a sentence that says what to give instead."""
