"""Stands in for the Qt half of 3D Slicer, so that the modules run here on the real MRML scene.

The package ``slicer-core`` brings Slicer's own scene, nodes, logics and ``slicer.util``. What it lacks is made here
from PySide6: the modules ``qt`` and ``ctk``, the qMRML widgets, ``slicer.ScriptedLoadableModule``,
``slicer.parameterNodeWrapper``, ``slicer.i18n``, ``slicer.app`` and ``slicer.modules``. Names, arguments and behaviour
follow Slicer 5.10; what the extension does not use is left out. The extension does not know of this package.

Two environment variables have the real parts take the place of these: ``SLICER_HOST_PYTHONQT``, the folder of the
extension module that ``pythonqt`` builds, and ``SLICER_HOST_SOURCES``, Slicer's folder ``Base/Python/slicer``.

Example
-------
>>> import slicer_host
>>> host = slicer_host.start()
>>> widget = host.openModule("LungSegResNet")
"""

from __future__ import annotations

from .host import Host, start

__all__ = ["Host", "start"]
