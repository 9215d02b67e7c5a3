"""Image encoder: a small MONAI DenseNet (arXiv 1608.06993); GroupNorm makes a case read the same in any batch."""

from __future__ import annotations

import math
from typing import cast

import torch
from monai.networks.nets.densenet import DenseNet
from torch import Tensor, nn

from services.diagnosis.model.config import ImageConfig, ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler


class ImageEncoder(Encoder):
    """Several images of a case are one set of grid cells."""

    place: Tensor

    def __init__(self, dim: int, tokens: int, config: ImageConfig) -> None:
        super().__init__()
        self.grid = config.side // 8
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
        self.project = nn.Linear(cast(nn.Linear, network.class_layers.out).in_features, dim)
        self.register_buffer("place", _sine_grid(self.grid, dim), persistent=False)
        self.pooler = TokenPooler(dim, tokens)

    def grid_features(self, images: Tensor) -> Tensor:
        """[n, 1, side, side] in [0, 1] -> [n, grid * grid, dim], row by row."""
        features = self.features(images * 4 - 2)  # [n, channels, grid, grid]
        cells: Tensor = self.project(torch.relu(features).flatten(2).transpose(1, 2))
        return cells

    def positions(self, inputs: Inputs) -> Positions:
        """`pixels` [batch, images, 1, side, side]; `present` [batch, images]."""
        present = inputs["present"]
        cells = self.grid_features(inputs["pixels"][present]) + self.place  # [present images, cells, dim]
        features = cells.new_zeros((*present.shape, *cells.shape[1:]))
        features[present] = cells
        mask = present[:, :, None].expand(-1, -1, cells.shape[1])
        return Positions(features.flatten(1, 2), mask.flatten(1))

    def pool(self, positions: Positions) -> Encoded:
        encoded: Encoded = self.pooler(positions.features, positions.mask)
        return encoded


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
