"""A network that solves a differential equation, as one writes it for PyTorch: only the imports differ.

u'' = −π² sin πx on [−1, 1] with u(±1) = 0, whose solution is sin πx; the loss has the network's second derivative.

    python pinn.py [--steps N]
"""

import argparse
import math

import wengert as torch
from wengert import nn


def solution(net, x):
    """Zero at both ends, whatever the network says."""
    return (1 - x * x) * net(x)


def equation(net, x):
    """What is left of the equation at each x."""
    u = solution(net, x)
    (u_x,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
    return u_xx + math.pi**2 * torch.sin(math.pi * x)


def main(args=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args(args)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1)).double()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=20, line_search_fn="strong_wolfe")
    x = torch.linspace(-1, 1, 64, dtype=torch.float64).reshape(-1, 1).requires_grad_(True)

    def closure():
        optimizer.zero_grad()
        loss = equation(net, x).square().mean()
        loss.backward()
        return loss

    for step in range(options.steps):
        loss = optimizer.step(closure)
        if step % 5 == 0:
            print(f"step {step}: {loss.item():.2e}")
    with torch.no_grad():
        places = torch.linspace(-1, 1, 201, dtype=torch.float64).reshape(-1, 1)
        error = (solution(net, places) - torch.sin(math.pi * places)).abs().max().item()
    print(f"at most {error:.2e} from the exact solution")
    return error


if __name__ == "__main__":
    main()
