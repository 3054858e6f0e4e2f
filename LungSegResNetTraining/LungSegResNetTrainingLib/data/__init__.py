"""Data sets of CTs and reference masks: finding, reading, checking, dividing, drafting."""
