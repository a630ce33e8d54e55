import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from training.recipe.optimizer import ChannelsLastAdamW


def network(layout: torch.memory_format) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 4, 1), nn.Flatten(), nn.Linear(36, 3))
    return net.to(memory_format=layout)


def descend(net: nn.Sequential, optimizer: AdamW, seed: int) -> None:
    images = torch.randn(4, 8, 5, 5, generator=torch.Generator().manual_seed(seed))
    net(images).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def averages(optimizer: AdamW) -> list[Tensor]:
    return [state[name] for state in optimizer.state_dict()["state"].values() for name in ("exp_avg", "exp_avg_sq")]


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_weights_and_state_are_those_of_adamw(layout: torch.memory_format) -> None:
    net = network(layout)
    other = copy.deepcopy(net)
    ours, theirs = ChannelsLastAdamW(net.parameters(), fused=True), AdamW(other.parameters(), fused=True)
    for seed in range(3):
        descend(net, ours, seed)
        descend(other, theirs, seed)
    for one, two in ((net.state_dict().values(), other.state_dict().values()), (averages(ours), averages(theirs))):
        assert all(torch.equal(a, b) and a.shape == b.shape for a, b in zip(one, two, strict=True))
    assert [each.stride() for each in net.parameters()] == [each.stride() for each in other.parameters()]


def test_it_goes_on_from_a_saved_state() -> None:
    net = network(torch.channels_last)
    optimizer = ChannelsLastAdamW(net.parameters(), fused=True)
    descend(net, optimizer, 0)
    again = network(torch.channels_last)
    again.load_state_dict(copy.deepcopy(net.state_dict()))
    restored = ChannelsLastAdamW(again.parameters(), fused=True)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    descend(net, optimizer, 1)
    descend(again, restored, 1)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))


def test_layers_that_do_not_learn_are_left_alone() -> None:
    net = network(torch.channels_last)
    first = next(net.parameters()).requires_grad_(False)
    before = first.clone()
    descend(net, ChannelsLastAdamW(net.parameters(), fused=True), 0)
    assert torch.equal(first, before)
