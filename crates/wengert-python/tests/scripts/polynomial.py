"""sin(x) by polynomials, with an operation of one's own."""

import math

import torch


class ThirdLegendre(torch.autograd.Function):
    """P(x) = (5x^3 - 3x) / 2."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * x**2 - 1)


device = torch.device("cpu")
x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=torch.float32)
y = torch.sin(x)

a = torch.full((), 0.0, device=device, requires_grad=True)
b = torch.full((), -1.0, device=device, requires_grad=True)
c = torch.full((), 0.0, device=device, requires_grad=True)
d = torch.full((), 0.3, device=device, requires_grad=True)

for step in range(400):
    third = ThirdLegendre.apply
    prediction = a + b * third(c + d * x)
    loss = (prediction - y).pow(2).sum()
    if step % 50 == 0:
        print(step, loss.item())
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= 5e-6 * p.grad
            p.grad = None

print(f"y = {a.item():.5f} + {b.item():.5f} * P3({c.item():.5f} + {d.item():.5f} x)")
