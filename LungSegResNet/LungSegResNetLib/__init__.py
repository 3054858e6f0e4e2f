"""Lung segmentation in chest CT with a 2D residual network, as plain Python.

Nothing in this package imports ``slicer``, ``qt``, ``ctk`` or ``vtk``: the same
code serves the 3D Slicer module, the ``lungsegresnet`` command and the tests.
"""

__version__ = "0.1.0"
