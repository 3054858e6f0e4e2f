"""Whole runs: one case, a folder of cases, and how they are reported."""
