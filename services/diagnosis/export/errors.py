"""What can stop an export, by name."""

from __future__ import annotations

from pathlib import Path

from services.diagnosis.bundle.errors import BundleError


class ExportLibraryMissing(BundleError):
    """The libraries that write and run ONNX are extras."""

    title, slug = "ONNX is not installed", "export-library-missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"The export needs the package {name}: pip install 'consilium[export]'.")


class ExportUnsupported(BundleError):
    """A part of the network that no graph of any batch size can be made of."""

    title, slug = "Not exportable", "export-unsupported"

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no ONNX graph of {what}.")


class ExportPlaceTaken(BundleError):
    """The directory of an export holds something else."""

    title, slug = "Directory is not an export", "export-place-taken"

    def __init__(self, directory: Path) -> None:
        super().__init__(f"{directory} holds something else than an export; name an empty or a new directory.")


class ExportDiffers(BundleError):
    """The graphs do not say what the network says; nobody should serve them."""

    title, slug = "Export differs from the bundle", "export-differs"

    def __init__(self, difference: float, limit: float) -> None:
        super().__init__(
            f"Probabilities differ by up to {difference:.2e}, and {limit:.0e} is allowed. Do not use the graphs; try "
            "the versions of torch and onnxruntime that constraints.txt names."
        )
