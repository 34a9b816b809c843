"""A model that is watched by hooks, trained in two phases, saved and loaded."""

import copy
import io
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

rng = np.random.default_rng(2)
x = torch.tensor(rng.normal(size=(48, 6)), dtype=torch.float32)
y = (x[:, :1] * x[:, 1:2]).tanh() + 0.1 * x[:, 2:3]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.body = nn.Sequential(OrderedDict([("up", nn.Linear(width, 2 * width)), ("act", nn.SiLU()), ("down", nn.Linear(2 * width, width))]))
        self.scale = nn.Parameter(torch.full((width,), 0.5))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls += 1
        return x + self.scale * self.body(self.norm(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 12)
        self.blocks = nn.ModuleDict({"first": Residual(12), "second": Residual(12)})
        self.head = nn.Linear(12, 1)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks.values():
            x = block(x)
        return self.head(x)


torch.manual_seed(0)
model = Model()
for p in model.stem.parameters():
    p.requires_grad = False

activations, gradients = {}, {}


def keep(name):
    def hook(module, args, output):
        activations[name] = output.detach().abs().mean().item()

    return hook


handles = [block.register_forward_hook(keep(name)) for name, block in model.blocks.items()]
model.head.register_full_backward_hook(lambda m, gi, go: gradients.update(head=(gi[0].abs().sum().item(), go[0].abs().sum().item())))
model.blocks["first"].scale.register_hook(lambda g: g * 0.5)

criterion = nn.SmoothL1Loss()
groups = [{"params": model.blocks.parameters()}, {"params": model.head.parameters(), "lr": 0.02}, {"params": model.stem.parameters()}]
optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)
warmup = LinearLR(optimizer, start_factor=0.2, total_iters=5)
scheduler = SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, T_max=20)], milestones=[5])
average = copy.deepcopy(model)

for epoch in range(25):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.5)
    optimizer.step()
    scheduler.step()
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters()):
            mean.mul_(0.9).add_(p, alpha=0.1)
    if epoch % 5 == 0:
        rates = [round(group["lr"], 6) for group in optimizer.param_groups]
        print(f"epoch {epoch}: loss {loss.item():.5f} rates {rates}")

for handle in handles:
    handle.remove()
print({name: round(value, 4) for name, value in activations.items()})
print("at the head", [round(v, 4) for v in gradients["head"]])
print("calls", int(model.blocks["first"].calls), "frozen", model.stem.weight.grad is None)

file = io.BytesIO()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
file.seek(0)
checkpoint = torch.load(file)
again = Model()
print(again.load_state_dict(checkpoint["model"]))
again.eval()
model.eval()
with torch.no_grad():
    print("same", torch.allclose(again(x), model(x)), f"average {criterion(average(x), y).item():.5f}")
