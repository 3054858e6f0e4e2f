"""Measurements, comparisons and pictures of lungs."""
