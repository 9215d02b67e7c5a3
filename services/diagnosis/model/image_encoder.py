"""Image encoder: MONAI's DenseNet (arXiv 1608.06993) or ViT (arXiv 2010.11929), sized by the configuration.

Neither looks at other images of the batch (GroupNorm, LayerNorm), so a case reads the same in any batch.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from services.diagnosis.model.config import ImageConfig, ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler
from services.diagnosis.model.preprocessing.views import VIEWS


class ImageEncoder(Encoder):
    """Several images of a case, of whatever views, are one set of grid cells."""

    place: Tensor

    def __init__(self, dim: int, tokens: int, config: ImageConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.backbone = BACKBONES[config.backbone](config)
        self.project = nn.Linear(cast(int, self.backbone.channels), dim)
        self.register_buffer("place", _sine_grid(self.grid, dim), persistent=False)
        self.views = nn.Embedding(len(VIEWS), dim)
        nn.init.zeros_(self.views.weight)
        self.pooler = TokenPooler(dim, tokens)

    def grid_features(self, images: Tensor) -> Tensor:
        """[n, 1, side, side] in [0, 1] -> [n, grid * grid, dim], row by row."""
        cells: Tensor = self.project(self.backbone(images * 4 - 2))
        return cells

    def positions(self, inputs: Inputs) -> Positions:
        """Grid cells of all images.

        Args:
            inputs: `pixels` [batch, images, 1, side, side]; `present` [batch, images]; `views` [batch, images], index
                into `views.VIEWS`, unknown where it is not given.
        """
        present = inputs["present"]
        views = inputs["views"] if "views" in inputs else torch.zeros_like(present, dtype=torch.long)
        seen = self.grid_features(inputs["pixels"][present])  # [present images, cells, dim]
        cells = seen + self.place + self.views(views[present])[:, None]
        features = cells.new_zeros((*present.shape, *cells.shape[1:]))
        features[present] = cells
        mask = present[:, :, None].expand(-1, -1, cells.shape[1])
        return Positions(features.flatten(1, 2), mask.flatten(1))

    def pool(self, positions: Positions) -> Encoded:
        encoded: Encoded = self.pooler(positions.features, positions.mask)
        return encoded


class DenseNetGrid(nn.Module):
    """[n, 1, side, side] -> [n, cells, channels]: a DenseNet without its classifier."""

    def __init__(self, config: ImageConfig) -> None:
        from monai.networks.nets.densenet import DenseNet

        super().__init__()
        network = DenseNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,  # its classifier is dropped below
            init_features=config.init_features,
            growth_rate=config.growth_rate,
            block_config=config.block_config,
            norm=("group", {"num_groups": config.groups}),
            act=("relu", {"inplace": False}),
        )
        self.features = network.features
        self.channels = cast(nn.Linear, network.class_layers.out).in_features

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.features(images)).flatten(2).transpose(1, 2)


class ViTGrid(nn.Module):
    """[n, 1, side, side] -> [n, cells, channels]: a ViT without class token, a cell being a patch."""

    def __init__(self, config: ImageConfig) -> None:
        from monai.networks.nets.vit import ViT

        super().__init__()
        self.network = ViT(
            in_channels=1,
            img_size=(config.side, config.side),
            patch_size=(config.patch, config.patch),
            hidden_size=config.hidden,
            mlp_dim=config.intermediate,
            num_layers=config.layers,
            num_heads=config.heads,
            spatial_dims=2,
            classification=False,
        )
        self.channels = config.hidden

    def forward(self, images: Tensor) -> Tensor:
        cells: Tensor = self.network(images)[0]
        return cells


BACKBONES = {"densenet": DenseNetGrid, "vit": ViTGrid}


def _sine_grid(side: int, dim: int) -> Tensor:
    """[side * side, dim]: where a cell lies, since the same shadow means another thing at the base than at the apex."""
    steps = (torch.arange(side) + 0.5) / side
    frequencies = math.pi * 2.0 ** torch.arange(dim // 4 // 2).repeat_interleave(2)[: dim // 4] * 0.5
    waves = steps[:, None] * frequencies  # [side, dim/4]
    axis = torch.cat([waves.sin(), waves.cos()], dim=-1)  # [side, dim/2]
    down = axis[:, None].expand(side, side, -1)
    across = axis[None].expand(side, side, -1)
    return torch.cat([down, across], dim=-1).reshape(side * side, dim)


def build(config: ModelConfig) -> ImageEncoder:
    return ImageEncoder(config.dim, config.tokens, config.image)
