"""Names of the stages of a training run, as its events have them; imports nothing."""

READING_CASES = "read and check cases"
TRAINING = "train"
