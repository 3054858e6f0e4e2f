"""Names of a run's events (the key ``event`` of a JSON line) and of the stages of a case; imports nothing."""

STAGE = "stage"
PROGRESS = "progress"
WARNING = "warning"
CASE = "case"
ERROR = "error"  # a command failed
END = "end"  # of a command, in a process that does one after another

READ = "read"
LOAD_NETWORK = "load network"
SEGMENT = "segment"
WRITE = "write"
