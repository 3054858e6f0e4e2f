"""What can run the network, and where; imports nothing, so that a command can list it at once."""

ENGINES = ("auto", "torch", "openvino")
DEVICES = ("auto", "cuda", "mps", "gpu", "cpu")  # gpu is Intel graphics
