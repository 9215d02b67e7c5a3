"""The graphs of a bundle say what the bundle says, about cases and sizes that they were not traced with."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper
from typer.testing import CliRunner, Result

from services.diagnosis.bundle.cli import bundle as commands
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.manifest import verify_manifest
from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.probes.batched import collate
from services.diagnosis.export import onnx_bundle, writing
from services.diagnosis.export.checking import OnnxNetwork, compare, example_inputs
from services.diagnosis.export.errors import ExportUnsupported
from services.diagnosis.export.graphs import FUSION, FUSION_INPUTS
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.config import ImageConfig, ModelConfig, NoteConfig, VitalsConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.ward.generate import iter_cases

ANOTHER_WARD = 90210


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("onnx") / "graphs"
    return out, CliRunner().invoke(commands, ["export", "--onnx", str(out)])


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(DEMO_BUNDLE)


@pytest.fixture(scope="module")
def drawn() -> list[CaseInput]:
    return [case for case, _ in iter_cases(ANOTHER_WARD, 0, 4, side=512)]


def test_the_command_says_what_it_wrote_and_how_far_it_is_off(exported: tuple[Path, Result]) -> None:
    out, result = exported
    assert result.exit_code == 0, result.output
    assert verify_manifest(DEMO_BUNDLE).digest in result.stdout
    assert "max |Δp|" in result.stdout
    assert {path.stem for path in out.glob("*.onnx")} == {*MODALITIES, FUSION}


def test_the_document_names_what_goes_in_and_out(exported: tuple[Path, Result]) -> None:
    out, _ = exported
    document = json.loads((out / "export.json").read_text())
    assert document["bundle"]["digest"] == verify_manifest(DEMO_BUNDLE).digest
    assert document["check"]["probabilities"] <= document["check"]["limit"] == 1e-4
    assert document["check"]["answers"] == 9 * len(PATTERNS)
    for name, told in document["graphs"].items():
        graph = onnx.load(str(out / name), load_external_data=False)
        assert [item.name for item in graph.graph.input] == list(told["inputs"])
        assert [item.name for item in graph.graph.output] == told["outputs"]
        assert {item.version for item in graph.opset_import if not item.domain} == {document["opset"]}
    assert document["graphs"]["image.onnx"]["inputs"]["pixels"]["shape"] == ["batch", "images", 1, 128, 128]


def test_another_ward_gives_the_same_probabilities(
    exported: tuple[Path, Result], predictor: Predictor, drawn: list[CaseInput]
) -> None:
    graphs = OnnxNetwork(exported[0], [*MODALITIES, FUSION])
    long_note = replace(drawn[0].notes[0], text=" ".join([drawn[0].notes[0].text] * 4))
    odd = replace(drawn[0], notes=(long_note, *drawn[1].notes), images=drawn[0].images * 3)
    assert predictor.prepare(odd)["note"].inputs["input_ids"].shape[1] > 3
    with torch.no_grad():
        found = compare(predictor, graphs, iter([(drawn[2],), (odd,), (*drawn, odd, drawn[3], drawn[1])]))
    assert found.probabilities < 1e-4
    assert found.answers == 9 * len(PATTERNS)


def test_a_graph_with_another_weight_is_not_let_through(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = writing.write_graphs

    def tamper(directory: Path, graphs: list[writing.Graph]) -> None:
        honest(directory, graphs)
        path = directory / f"{FUSION}.onnx"
        model = onnx.load(str(path))
        (bias,) = (item for item in model.graph.initializer if item.name.endswith("members.0.bias"))
        values = numpy_helper.to_array(bias).copy()
        values[0] += 0.01
        bias.CopyFrom(numpy_helper.from_array(values, bias.name))
        onnx.save(model, str(path))

    monkeypatch.setattr(onnx_bundle, "write_graphs", tamper)
    result = CliRunner().invoke(commands, ["export", "--onnx", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert result.stderr.startswith("Export differs from the bundle")
    assert not (tmp_path / "out").exists()


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = CliRunner().invoke(commands, ["export", "--onnx", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "onnxruntime: pip install 'consilium[export]'" in result.stderr


def test_a_directory_with_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    result = CliRunner().invoke(commands, ["export", "--onnx", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("Directory is not an export")
    assert (tmp_path / "thesis.md").exists()


OTHER_SIZES = ModelConfig(
    dim=16,
    tokens=4,
    image=ImageConfig(side=64, backbone="vit", hidden=32, layers=2, intermediate=64),
    note=NoteConfig(vocab_size=60, hidden=16, intermediate=32),
    vitals=VitalsConfig(width=16, values=16),
)


def test_the_dense_vitals_encoder_is_refused_by_name(predictor: Predictor) -> None:
    network = ConsiliumNetwork(replace(OTHER_SIZES, vitals=VitalsConfig(kind="dense", width=16)))
    with pytest.raises(ExportUnsupported, match="kind latent"):
        writing.graphs_of(network, {"vitals": example_inputs(predictor)["vitals"]})


def test_running_summaries_are_refused_by_name(predictor: Predictor) -> None:
    network = ConsiliumNetwork(replace(OTHER_SIZES, vitals=replace(OTHER_SIZES.vitals, running_bins=4)))
    with pytest.raises(ExportUnsupported, match="running_bins 0"):
        writing.graphs_of(network, {"vitals": example_inputs(predictor)["vitals"]})


def test_another_backbone_is_exported_too(predictor: Predictor, drawn: list[CaseInput], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ConsiliumNetwork(OTHER_SIZES).eval().requires_grad_(False)
    examples = {name: fitted(name, inputs) for name, inputs in example_inputs(predictor).items()}
    writing.write_graphs(tmp_path, writing.graphs_of(network, examples))
    graphs = OnnxNetwork(tmp_path, [*MODALITIES, FUSION])
    for cases in (drawn[:1], drawn):
        for name in MODALITIES:
            prepared = [predictor.prepare(case)[name].inputs for case in cases]
            inputs = fitted(name, collate(prepared))
            torch.testing.assert_close(
                graphs.encode(name, inputs).tokens, network.encoder(name)(inputs).tokens, atol=1e-4, rtol=0
            )
    assert tuple(writing.graphs_of(network, examples)[-1].inputs) == FUSION_INPUTS


def fitted(name: str, inputs: Inputs) -> Inputs:
    """The demo bundle's inputs, cut to the sizes of the other network."""
    if name == "image":
        return {**inputs, "pixels": inputs["pixels"][..., ::2, ::2].contiguous()}
    return {**inputs, "input_ids": inputs["input_ids"] % 60} if name == "note" else inputs
