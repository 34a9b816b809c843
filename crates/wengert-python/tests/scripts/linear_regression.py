"""A line through points, with gradient descent written by hand."""

import numpy as np
import torch

rng = np.random.default_rng(0)
x = torch.from_numpy(rng.uniform(-1, 1, (64, 3)).astype(np.float32))
true_w = torch.tensor([[2.0], [-3.0], [0.5]])
noise = torch.from_numpy(0.01 * rng.standard_normal((64, 1)).astype(np.float32))
y = x @ true_w + 1.5 + noise

w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
learning_rate = 0.5

for epoch in range(40):
    prediction = x @ w + b
    loss = ((prediction - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= learning_rate * w.grad
        b -= learning_rate * b.grad
        w.grad.zero_()
        b.grad = None
    if epoch % 5 == 0:
        print(f"epoch {epoch}: loss {loss.item():.6f}")

print("w", w.flatten().tolist(), "b", b.item())
