"""Judging a network on cases with reference masks: results case by case, statistics, pictures and one report."""
