"""The ``lungsegresnet`` command: one module for each subcommand."""
