"""Training and evaluation of lung segmentation networks, as plain Python on top of ``LungSegResNetLib``."""
