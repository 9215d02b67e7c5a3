"""Graphs into files: ONNX in fp32, and `export.json`, which says what goes in and what comes out."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.export.errors import ExportLibraryMissing, ExportPlaceTaken
from services.diagnosis.export.graphs import (
    AXES,
    FUSION,
    FUSION_INPUTS,
    FUSION_OUTPUTS,
    OUTPUTS,
    FusionGraph,
    encoder_graph,
)
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.network import ConsiliumNetwork

SCHEMA = "consilium-onnx/1"
OPSET = 18
DOCUMENT = "export.json"
BATCH = ("batch",)


@dataclass(frozen=True)
class Graph:
    """One file: its name without `.onnx`, inputs and outputs in order, and which axes may be of any length."""

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]

    @property
    def axes(self) -> dict[str, dict[int, str]]:
        """Input or output -> axis -> what it counts."""
        known = AXES.get(self.name, {})
        axes = {name: dict(enumerate(known.get(name, BATCH))) for name in self.inputs}
        return axes | {name: {1 if name == "logits" else 0: "batch"} for name in self.outputs}


def require_libraries() -> None:
    """Raises: ExportLibraryMissing."""
    for name in ("onnx", "onnxruntime"):
        try:
            __import__(name)
        except ImportError as error:
            raise ExportLibraryMissing(name) from error


def graphs_of(network: ConsiliumNetwork, examples: Mapping[str, Inputs]) -> list[Graph]:
    """All graphs of a network.

    Args: examples: modality -> inputs of any sizes; they are traced and leave nothing behind.
    Raises: ExportUnsupported.
    """
    graphs = [
        Graph(name, encoder_graph(network, name, tuple(inputs)), inputs, OUTPUTS) for name, inputs in examples.items()
    ]
    config, modalities = network.config, len(network.encoders)
    tokens = torch.zeros(2, modalities, config.tokens, config.dim)
    fused = (tokens, tokens[:, :, 0], torch.ones(2, modalities, dtype=torch.bool))
    inputs = dict(zip(FUSION_INPUTS, fused, strict=True))
    return [*graphs, Graph(FUSION, FusionGraph(network.fusion).eval(), inputs, FUSION_OUTPUTS)]


def make_room(directory: Path) -> None:
    """An empty directory; the export that lay there is gone.

    Raises: ExportPlaceTaken.
    """
    taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    if taken and not (directory / DOCUMENT).is_file():
        raise ExportPlaceTaken(directory)
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)


def write_graphs(directory: Path, graphs: Sequence[Graph]) -> None:
    """`<name>.onnx` of each, checked against the standard."""
    import onnx

    for graph in graphs:
        path = directory / f"{graph.name}.onnx"
        with warnings.catch_warnings(), torch.no_grad():
            # The exporter by tracing is the one that needs no further package; it is called old, and it warns of each
            # Python number in the code. What a wrong constant would do is found by asking about other sizes.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.module,
                tuple(graph.inputs.values()),
                str(path),
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_axes=graph.axes,
                opset_version=OPSET,
                dynamo=False,
            )
        onnx.checker.check_model(str(path))


def describe(graphs: Sequence[Graph], bundle: BundleIdentity, check: Mapping[str, Any]) -> dict[str, Any]:
    """`export.json`: axes are numbers where they are fixed and names where they are not."""
    return {
        "schema": SCHEMA,
        "bundle": {"name": bundle.name, "version": bundle.version, "digest": bundle.digest},
        "opset": OPSET,
        "torch": torch.__version__,
        "modalities": [graph.name for graph in graphs if graph.name != FUSION],
        "graphs": {
            f"{graph.name}.onnx": {
                "inputs": {name: _told(graph, name, tensor) for name, tensor in graph.inputs.items()},
                "outputs": list(graph.outputs),
            }
            for graph in graphs
        },
        "check": dict(check),
    }


def write_document(directory: Path, document: Mapping[str, Any]) -> None:
    (directory / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _told(graph: Graph, name: str, tensor: Tensor) -> dict[str, Any]:
    axes = graph.axes[name]
    shape = [axes.get(axis, size) for axis, size in enumerate(tensor.shape)]
    return {"type": str(tensor.dtype).removeprefix("torch."), "shape": shape}
