"""Ratings of films by viewers, as products of learned vectors."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(5)
n_users, n_items, rank = 12, 15, 3
true = rng.normal(size=(n_users, rank)) @ rng.normal(size=(rank, n_items))
seen = rng.random((n_users, n_items)) < 0.6
users, items = np.nonzero(seen)
ratings = true[users, items].astype(np.float32)

users = torch.as_tensor(users, dtype=torch.int64)
items = torch.as_tensor(items, dtype=torch.int64)
ratings = torch.as_tensor(ratings)


class Factors(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(n_users, rank)
        self.item = nn.Embedding(n_items, rank)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, u, i):
        dot = (self.user(u) * self.item(i)).sum(dim=-1)
        return dot + self.user_bias(u).squeeze(-1) + self.item_bias(i).squeeze(-1)


torch.manual_seed(0)
model = Factors()
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3, weight_decay=1e-4)
order = torch.randperm(len(ratings))
batches = order.chunk(4)

for epoch in range(20):
    losses = []
    for batch in batches:
        loss = nn.functional.mse_loss(model(users[batch], items[batch]), ratings[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 4 == 3:
        print(f"epoch {epoch}: {np.mean(losses):.5f}")

with torch.no_grad():
    whole = model.user.weight @ model.item.weight.T + model.user_bias.weight + model.item_bias.weight.T
    error = (whole - torch.tensor(true, dtype=torch.float32))[torch.tensor(seen)]
print(f"error of what was seen {error.pow(2).mean().sqrt().item():.4f}")
