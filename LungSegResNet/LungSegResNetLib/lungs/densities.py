"""Densities that more than one step takes as a limit."""

BORDER_HU = -400.0  # half-way from aerated lung to the chest wall
DENSE_HU = -300  # denser is no aerated lung; a whole number, since numpy compares those without conversion
