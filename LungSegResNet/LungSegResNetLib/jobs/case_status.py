"""How far a case of a folder run is, in the words of events, summaries and ``results.csv``; imports nothing."""

STARTED = "started"  # of summaries only: a process has the case, or ended while it had it
RUNNING = "running"  # of events only
DONE = "done"
ALREADY_DONE = "already done"  # by an earlier run
FAILED = "failed"
NO_CT = "no CT"  # a DICOM folder of something else; looked at again when its files change
