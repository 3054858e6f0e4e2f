"""What a user can choose on the command line and in the panels; imports nothing, so that it can be listed at once."""

ENGINES = ("auto", "torch", "openvino")
TORCH_DEVICES = ("auto", "cuda", "mps", "cpu")  # the panels offer these, too
DEVICES = (*TORCH_DEVICES, "gpu")  # Intel graphics
MASK_FORMATS = ("seg.nrrd", "nii.gz")  # of a folder run
MOST_SMOOTHING_MM = 20.0
