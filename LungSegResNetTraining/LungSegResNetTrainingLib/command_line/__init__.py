"""The ``lungsegresnet-train`` command: one module for each subcommand."""
