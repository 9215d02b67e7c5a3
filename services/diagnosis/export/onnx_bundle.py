"""From a bundle to a directory of ONNX graphs that were asked and say the same."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.export.checking import LIMIT, Difference, OnnxNetwork, check_batches, compare, example_inputs
from services.diagnosis.export.errors import ExportDiffers
from services.diagnosis.export.writing import (
    describe,
    graphs_of,
    make_room,
    require_libraries,
    write_document,
    write_graphs,
)
from services.diagnosis.inference.predictor import Predictor


@dataclass(frozen=True)
class Export:
    """What was written."""

    bundle: BundleIdentity
    files: tuple[str, ...]
    difference: Difference


def export_bundle(bundle: Path, out: Path) -> Export:
    """Write the graphs of a verified bundle into `out`, ask them and the network the same, and describe them.

    `export.json` is written last, so that a directory without it holds no export; graphs that differ are removed.

    Raises: BundleError: the bundle; ExportLibraryMissing, ExportUnsupported, ExportPlaceTaken, ExportDiffers.
    """
    require_libraries()
    predictor = Predictor.load(bundle)
    with torch.no_grad():
        graphs = graphs_of(predictor.engine.network, example_inputs(predictor))
        make_room(out)
        write_graphs(out, graphs)
        difference = compare(predictor, OnnxNetwork(out, [graph.name for graph in graphs]), check_batches())
    if not difference.probabilities <= LIMIT:
        shutil.rmtree(out)
        raise ExportDiffers(difference.probabilities, LIMIT)
    write_document(out, describe(graphs, predictor.bundle, {**asdict(difference), "limit": LIMIT}))
    return Export(predictor.bundle, tuple(f"{graph.name}.onnx" for graph in graphs), difference)
