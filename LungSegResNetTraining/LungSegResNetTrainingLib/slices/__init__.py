"""The slices a network learns from."""
