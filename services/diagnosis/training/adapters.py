"""Low-rank adapters (LoRA, arXiv 2106.09685): a large pretrained encoder learns through a few small matrices.

Through `peft`. The adapted weights are folded into the plain ones when training ends, so that a bundle holds an
ordinary encoder and serving needs neither `peft` nor more time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class AdapterConfig:
    """`rank` 0: no adapters, every weight learns."""

    rank: int = 0
    alpha: float = 16.0
    """The update is scaled by alpha / rank."""
    dropout: float = 0.0
    module: str = ""
    """Where in the encoder the pretrained part stands, such as `bert`; the rest of the encoder learns as it is."""
    targets: tuple[str, ...] = ("query", "value")
    """Ends of the names of the linear layers that are adapted; BERT's attention by default."""


class Adapted:
    """A module whose own weights are frozen, with adapters beside some of its linear layers."""

    def __init__(self, module: nn.Module, config: AdapterConfig) -> None:
        """Adapts `module` in place; what it computes is at first unchanged.

        Raises: ValueError: `config.rank` is 0, or no layer is named like `config.targets`.
        """
        from peft import LoraConfig, inject_adapter_in_model

        told = LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,  # type: ignore[arg-type]  # peft divides by it; a fraction is as good
            lora_dropout=config.dropout,
            target_modules=list(config.targets),
        )
        inject_adapter_in_model(told, module)
        self.module = module

    def trainable(self) -> list[nn.Parameter]:
        """The matrices that learn."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    def fold(self) -> None:
        """Add the learned updates to the plain weights and take the adapters out; all weights can learn again."""
        from peft.tuners.lora import LoraLayer

        for name, layer in list(self.module.named_modules()):
            if isinstance(layer, LoraLayer):
                layer.merge()
                parent: Any = self.module.get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], layer.get_base_layer())
        self.module.requires_grad_(True)
