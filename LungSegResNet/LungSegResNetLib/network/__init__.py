"""The residual network: its file, its engines, its devices."""
