"""Names of the files in the folder of a run; imports nothing, so that a panel knows them without any package."""

NETWORK = "network.safetensors"
CHECKPOINT = "checkpoint.pt"
LOCK = "run.lock"
LOG, CURVES = "progress.csv", "curves.png"
