"""The Qt and MRML half of the module, one job a file; the computing half is LungSegResNetLib."""
