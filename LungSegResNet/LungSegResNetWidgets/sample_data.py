"""Chest CTs for the module Sample Data."""

from __future__ import annotations

from pathlib import Path

_ICON = Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "LungSegResNet.png"
_CATEGORY = "LungSegResNet"
_SLICER_DATA = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
_ANALYZER_DATA = "https://github.com/rbumm/SlicerLungCTAnalyzer/releases/download/SampleData/"
# Name, address, file name and SHA-256; as in Slicer's Sample Data module and in the extension LungCTAnalyzer, which
# calls the second one its COVID chest CT.
_SAMPLES = (
    (
        "CTChest",
        f"{_SLICER_DATA}4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e",
        "CT-chest.nrrd",
        "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e",
    ),
    (
        "CTChestCOVID-19",
        f"{_ANALYZER_DATA}LungCTAnalyzerChestCT.nrrd",
        "LungCTAnalyzerChestCT.nrrd",
        "9bb74f4383bce0ced80243916e785ce564cc2c8f535e8273da8a04f80dff4287",
    ),
)
_WITH_PICTURE = ("CTChest",)  # of its own, among those of Slicer


def registerSampleData() -> None:
    """Add the samples to the module Sample Data."""
    import SampleData

    for name, address, fileName, checksum in _SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=_CATEGORY,
            sampleName=name,
            uris=address,
            fileNames=fileName,
            checksums=f"SHA256:{checksum}",
            nodeNames=name,
            thumbnailFileName=None if name in _WITH_PICTURE else str(_ICON),
        )
