"""From Hounsfield units to lungs."""
