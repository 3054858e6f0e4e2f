"""One network in one ``.safetensors`` file: weights, and in its metadata all that is needed to run and judge it."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors_bytes

from ..atomic import write_atomically
from ..digests import array_digest, file_digest
from ..errors import ModelError
from .architecture import HU_WINDOW, SLICE_SHAPE, whole_config

ARCHITECTURE = "HighRes2DNet"
FORMAT = "LungSegResNet network 1"
# Of files that hold a network, also of those that are refused because they can run code.
NETWORK_ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt")
_METADATA_KEY, _DIGEST_KEY = "lungsegresnet", "weights_sha256"


@dataclass(frozen=True)
class ModelCard:
    """What a network file says about itself; everything but ``config`` has a default.

    Attributes
    ----------
    config : arguments of the architecture (``in_channels``, ``classes``, ``penultimate_channels``, ``own_scales``).
    slice_shape : rows and columns of a network slice.
    hu_window : Hounsfield units that are scaled to 0 and 1.
    scales : whole-number factors by which a slice is shrunk before a pass; the logits of all passes are averaged.
    classes : names of the output channels; the second one is ``lung``.
    name, version, licence, description : for people.
    limits : known failures and limits of its data, as it was published; a person has to know them before using it.
    training : data, settings and steps of the training run.
    figures : measured results, each name with its unit.
    """

    config: dict[str, Any]
    name: str = "unnamed"
    version: str = "0"
    licence: str = "unknown"
    description: str = ""
    limits: tuple[str, ...] = ()
    architecture: str = ARCHITECTURE
    slice_shape: tuple[int, int] = SLICE_SHAPE
    hu_window: tuple[float, float] = HU_WINDOW
    scales: tuple[int, ...] = (1,)
    classes: tuple[str, ...] = ("background", "lung")
    training: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_unfinished(self) -> bool:
        """Whether its training is known to go on; other programs do not say."""
        return self.training.get("finished") is False


def default_model_path() -> Path:
    """The network that is shipped with the product."""
    here = Path(__file__).resolve().parents[1]
    name = "lungs.safetensors"
    beside_module = here.parent / "Resources" / "Models" / name
    return beside_module if beside_module.is_file() else here / "Models" / name


def save_model(path: str | os.PathLike[str], weights: dict[str, np.ndarray], card: ModelCard) -> None:
    """Write a network file atomically; ``weights`` maps parameter names to float32 arrays.

    The same weights and card are the same bytes, by whose digest others know the network.
    """
    weights = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    metadata = {"format": FORMAT, _METADATA_KEY: card_to_json(card), _DIGEST_KEY: _weights_digest(weights)}
    content = safetensors_bytes(weights, metadata)
    with write_atomically(path, overwrite=True) as temporary:
        temporary.write_bytes(_with_sorted_header(content))


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Metadata of a network file, checked.

    Raises
    ------
    ModelError : the file is missing or forbidden, no safetensors file, or of another architecture or a later format.
    """
    return _read(path, with_weights=False)[0]


def load_model(path: str | os.PathLike[str]) -> tuple[ModelCard, dict[str, np.ndarray]]:
    """Metadata and weights of a network file. Raises ModelError as ``read_card`` does, and for damaged weights."""
    return _read(path, with_weights=True)


def network_digest(model: str | os.PathLike[str] | None) -> str:
    """SHA-256 of a network file, None being the shipped one. Raises ModelError if there is no such file."""
    path = Path(model or default_model_path())
    try:
        return file_digest(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise _unreadable(path, error) from error


def weights_do_not_fit(file_name: str, reason: object) -> ModelError:
    """What an engine says of a network file whose weights are not those of its config."""
    return ModelError(f"The weights in {file_name} do not fit the network its metadata describe ({reason}).")


def _missing(path: Path) -> ModelError:
    return ModelError(f"There is no network file at {path}.")


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"The network file {path} cannot be read ({error.strerror or error}).")


def _with_sorted_header(content: bytes) -> bytes:
    """The same safetensors file with the keys of its header in order; the library writes metadata in any order."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of 8 bytes
    return len(header).to_bytes(8, "little") + header + content[end:]


def _read(path: str | os.PathLike[str], with_weights: bool) -> tuple[ModelCard, dict[str, np.ndarray]]:
    path = Path(path)
    try:
        if not path.is_file():
            raise _missing(path)
        _refuse_pickle(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()} if with_weights else {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path.name} is not a readable network file: it is damaged or not in safetensors format ({error})."
        ) from error
    if _METADATA_KEY not in metadata:
        raise ModelError(
            f"{path.name} is a safetensors file, but not a LungSegResNet network: its metadata are missing."
        )
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path.name} has the format '{metadata.get('format')}', but this version reads '{FORMAT}'.")
    card = card_from_json(path.name, metadata[_METADATA_KEY])
    if with_weights:
        _refuse_damaged_weights(path.name, weights, metadata.get(_DIGEST_KEY))
    return card, weights


def _refuse_damaged_weights(file_name: str, weights: dict[str, np.ndarray], digest: str | None) -> None:
    """Raise ModelError for weights that are not those that were saved, as a copy that broke off may leave them.

    Files of other programs have no digest; no network works with what is refused of them.
    """
    if digest is not None and digest != _weights_digest(weights):
        raise ModelError(f"{file_name} is damaged: its weights are not those that were saved; get the file again.")
    for name, values in weights.items():
        if not np.isfinite(values).all() or (name.endswith("running_var") and (values < 0).any()):
            raise ModelError(
                f"{file_name} has weights that no network can have ({name}): it is damaged, or its training failed."
            )


def _weights_digest(weights: dict[str, np.ndarray]) -> str:
    """SHA-256 of the names and values of weights, least byte first on every machine."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {array_digest(weights[name])}\n".encode())
    return digest.hexdigest()


def card_to_json(card: ModelCard) -> str:
    """A card as the text that a network file holds."""
    return json.dumps(asdict(card), sort_keys=True)


def card_from_json(source: str, text: str) -> ModelCard:
    """Inverse of ``card_to_json``, checked; ``source`` is the name of its file.

    Raises
    ------
    ModelError : it cannot be understood, or is of another architecture.
    """
    try:
        values = json.loads(text)
        for key in ("slice_shape", "hu_window", "scales", "classes"):
            values[key] = tuple(values[key])
        values["limits"] = tuple(map(str, values["limits"]))
        card = ModelCard(**values)
        problem = _why_it_cannot_be_run(card)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(f"The metadata of {source} cannot be understood ({error}).") from error
    if card.architecture != ARCHITECTURE:
        raise ModelError(f"{source} holds a '{card.architecture}' network; this version runs '{ARCHITECTURE}'.")
    if problem:
        raise ModelError(f"The metadata of {source} ask for {problem}.")
    return card


def _why_it_cannot_be_run(card: ModelCard) -> str:
    """What a card asks for that no network has here, in words; empty where it can be run."""
    if not isinstance(card.config, dict):
        return f"the config {card.config}; it has to name the arguments of the architecture"
    config = whole_config(card.config)
    if config["in_channels"] != 1:
        return f"{config['in_channels']} input channels; there has to be one"
    if len(card.slice_shape) != 2 or not all(isinstance(n, int) and n > 0 and n % 8 == 0 for n in card.slice_shape):
        return f"slices of {_listed(card.slice_shape)}; rows and columns have to be multiples of 8"
    if len(card.hu_window) != 2 or not -math.inf < float(card.hu_window[0]) < float(card.hu_window[1]) < math.inf:
        return f"the HU window {_listed(card.hu_window)}; it has to be a lower and a higher number"
    divide = [isinstance(n, int) and n >= 1 and all(size % n == 0 for size in card.slice_shape) for n in card.scales]
    if not divide or not all(divide):
        return f"the scales {_listed(card.scales)}; they have to be whole numbers that divide rows and columns"
    own = config["own_scales"]
    if not (isinstance(own, (list, tuple)) and all(isinstance(n, int) for n in own) and set(own) <= set(card.scales)):
        return f"weights of their own for the passes {own}; they have to be some of the scales {_listed(card.scales)}"
    if not len(card.classes) == config["classes"] >= 2 or card.classes[1] != "lung":
        return f"the classes {_listed(card.classes)}; the config has to count them, and the second one has to be lung"
    return ""


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values)) or "none"


def _refuse_pickle(path: Path) -> None:
    """Zip archives (torch.save) and raw pickles can run code when opened, so they are named and left alone."""
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file starts with its header's length (8 bytes, little endian), which may look like a pickle's
    # or an archive's first two bytes; the zeros and the brace behind it do not.
    if start[4:] == b"\0\0\0\0{":
        return
    if start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        raise ModelError(
            f"{path.name} is a pickle file (PyTorch checkpoint), and such files can run code; "
            "only .safetensors networks are opened."
        )
