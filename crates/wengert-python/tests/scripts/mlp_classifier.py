"""Two half moons, told apart by a network of three layers."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(0)
rng = np.random.default_rng(1)
angle = rng.uniform(0, np.pi, 200)
upper = np.stack([np.cos(angle[:100]), np.sin(angle[:100])], 1)
lower = np.stack([1 - np.cos(angle[100:]), 0.5 - np.sin(angle[100:])], 1)
points = np.concatenate([upper, lower]) + 0.1 * rng.standard_normal((200, 2))
x = torch.tensor(points, dtype=torch.float32)
y = torch.cat([torch.zeros(100), torch.ones(100)]).long()


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return self.fc3(x)


model = Net(16)
print(model)
print("parameters:", sum(p.numel() for p in model.parameters() if p.requires_grad))
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.02)

for epoch in range(60):
    model.train()
    optimizer.zero_grad()
    logits = model(x)
    loss = criterion(logits, y)
    loss.backward()
    optimizer.step()
    if epoch % 10 == 9:
        model.eval()
        with torch.no_grad():
            accuracy = (model(x).argmax(dim=1) == y).float().mean()
        print(f"epoch {epoch}: loss {loss.item():.4f} accuracy {accuracy.item():.3f}")
