"""The command line: from words to a command, what it does, and one exit status."""
