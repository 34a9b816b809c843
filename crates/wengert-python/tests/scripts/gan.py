"""A generator and a discriminator of points on a circle."""

import math

import torch
import torch.nn as nn

torch.manual_seed(0)
batch, latent = 32, 4

generator = nn.Sequential(nn.Linear(latent, 16), nn.LeakyReLU(0.2), nn.Linear(16, 2), nn.Tanh())
discriminator = nn.Sequential(
    nn.Linear(2, 16),
    nn.LeakyReLU(0.2),
    nn.Linear(16, 16),
    nn.LeakyReLU(0.2),
    nn.Linear(16, 1),
)
criterion = nn.BCEWithLogitsLoss()
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
real_label = torch.ones(batch, 1)
fake_label = torch.zeros(batch, 1)

for step in range(30):
    angle = torch.rand(batch) * 2 * math.pi
    real = 0.8 * torch.stack([angle.cos(), angle.sin()], dim=1)

    discriminator.zero_grad()
    loss_real = criterion(discriminator(real), real_label)
    fake = generator(torch.randn(batch, latent))
    loss_fake = criterion(discriminator(fake.detach()), fake_label)
    loss_d = loss_real + loss_fake
    loss_d.backward()
    optimizer_d.step()

    generator.zero_grad()
    loss_g = criterion(discriminator(fake), real_label)
    loss_g.backward()
    optimizer_g.step()
    if step % 5 == 4:
        radius = fake.detach().norm(dim=1).mean()
        print(f"step {step}: D {loss_d.item():.4f} G {loss_g.item():.4f} radius {radius.item():.4f}")
