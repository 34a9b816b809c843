#!/usr/bin/env python3
"""Make optim.safetensors: what PyTorch's optimizers and schedules do, to compare ours with.

Needs: pip install torch numpy safetensors. Run: python optim.py

Each optimizer trains Linear(8, 16), Tanh, Linear(16, 3) for 50 steps of mean cross entropy, from the same weights,
in f64 and in f32. Step s uses the 32 rows (s * 32 + i) % 96. Lion, which PyTorch lacks, is written out from
its paper. Muon's iteration is run in the parameters' own precision, where PyTorch would go through bfloat16, and
trains the two matrices only.

Tensors written:
    x, y                               the data
    init.{0,2}.{weight,bias}           where every run starts
    {run}.{f64,f32}.losses             [50] or [3], before each step
    {run}.{f64,f32}.weights            all parameters at the end, one after the other
    schedule.{name}                    [101], the learning rate at the start and after each of 100 steps
    momentum.{name}                    likewise, of the schedules that change it
"""

import copy
import math
from pathlib import Path

import torch
from optimizers import Lion
from safetensors.torch import save_file
from torch import nn, optim
from torch.optim import lr_scheduler as s

HERE = Path(__file__).resolve().parent
STEPS, BATCH, ROWS = 50, 32, 96

RUNS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=1e-2),
    "sgd_maximize": lambda p: optim.SGD(p, lr=0.01, maximize=True),
    "adam_amsgrad": lambda p: optim.Adam(p, lr=1e-2, weight_decay=1e-2, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2, betas=(0.8, 0.95)),
    "nadam": lambda p: optim.NAdam(p, lr=1e-2, weight_decay=1e-2),
    "nadam_decoupled": lambda p: optim.NAdam(p, lr=1e-2, weight_decay=1e-2, decoupled_weight_decay=True),
    "radam": lambda p: optim.RAdam(p, lr=1e-2, weight_decay=1e-2),
    "adamax": lambda p: optim.Adamax(p, lr=1e-2, weight_decay=1e-2),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-2, weight_decay=1e-2),
    "rmsprop_centered": lambda p: optim.RMSprop(p, lr=1e-3, centered=True),
    "rmsprop_momentum": lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.9),
    "rmsprop_both": lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.9, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.01, weight_decay=1e-2, initial_accumulator_value=0.1),
    "adadelta": lambda p: optim.Adadelta(p, lr=1.0, weight_decay=1e-2),
    "lion": lambda p: Lion(p, lr=1e-3, weight_decay=0.1),
    "muon": lambda p: optim.Muon([q for q in p if q.ndim == 2], lr=1e-2),
    "muon_plain": lambda p: optim.Muon([q for q in p if q.ndim == 2], lr=1e-2, nesterov=False,
                                       adjust_lr_fn="match_rms_adamw"),
    "groups": lambda p: optim.AdamW([{"params": [q for q in p if q.ndim == 2], "weight_decay": 0.1},
                                     {"params": [q for q in p if q.ndim == 1], "lr": 1e-3}],
                                    lr=1e-2, weight_decay=0.0),
    "lbfgs": lambda p: optim.LBFGS(p, lr=0.1, max_iter=4, history_size=5),
    "lbfgs_wolfe": lambda p: optim.LBFGS(p, lr=1.0, max_iter=4, line_search_fn="strong_wolfe"),
}


def sgd():
    return optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5, momentum=0.9)


SCHEDULES = {
    "step": lambda o: s.StepLR(o, 7, gamma=0.5),
    "multi_step": lambda o: s.MultiStepLR(o, [5, 20, 20, 60], gamma=0.3),
    "constant": lambda o: s.ConstantLR(o, 0.25, 10),
    "linear": lambda o: s.LinearLR(o, 0.1, 0.8, 30),
    "exponential": lambda o: s.ExponentialLR(o, 0.97),
    "polynomial": lambda o: s.PolynomialLR(o, 60, power=2.0),
    "cosine": lambda o: s.CosineAnnealingLR(o, 30, eta_min=0.01),
    "restarts": lambda o: s.CosineAnnealingWarmRestarts(o, 7, T_mult=2, eta_min=0.01),
    "restarts_even": lambda o: s.CosineAnnealingWarmRestarts(o, 9),
    "one_cycle": lambda o: s.OneCycleLR(o, 0.7, total_steps=101),
    "one_cycle_three": lambda o: s.OneCycleLR(o, 0.7, total_steps=101, three_phase=True, anneal_strategy="linear",
                                              pct_start=0.25, div_factor=10, final_div_factor=100),
    "cyclic": lambda o: s.CyclicLR(o, 0.01, 0.3, step_size_up=9, step_size_down=14),
    "cyclic_2": lambda o: s.CyclicLR(o, 0.01, 0.3, step_size_up=10, mode="triangular2", cycle_momentum=False),
    "cyclic_exp": lambda o: s.CyclicLR(o, 0.01, 0.3, step_size_up=10, mode="exp_range", gamma=0.98),
    "lambda": lambda o: s.LambdaLR(o, lambda t: 1 / (1 + t)),
    "multiplicative": lambda o: s.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 10)),
    "sequential": lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 10), s.CosineAnnealingLR(o, 40),
                                               s.ExponentialLR(o, 0.9)], [10, 50]),
    "chained": lambda o: s.ChainedScheduler([s.ConstantLR(o, 0.5, 20), s.ExponentialLR(o, 0.98)]),
    "warm_up": lambda o: s.SequentialLR(o, [s.LinearLR(o, 1 / 11, 1.0, 10), s.CosineAnnealingLR(o, 90)], [10]),
}


def train(model, optimizer, x, y):
    losses = []
    full = isinstance(optimizer, optim.LBFGS)
    for step in range(3 if full else STEPS):
        rows = torch.arange(ROWS) if full else (step * BATCH + torch.arange(BATCH)) % ROWS

        def closure():
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            return loss

        if full:
            loss = optimizer.step(closure)
        else:
            loss = closure()
            optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def plateau(mode):
    optimizer = sgd()
    schedule = s.ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=3, cooldown=2, threshold=1e-2,
                                   threshold_mode="rel" if mode == "min" else "abs", min_lr=0.01)
    rates = [optimizer.param_groups[0]["lr"]]
    for t in range(100):
        measure = 1 / (1 + t // 8) + 0.1 * math.sin(t)
        schedule.step(measure if mode == "min" else -measure)
        rates.append(optimizer.param_groups[0]["lr"])
    return torch.tensor(rates, dtype=torch.float64)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    start = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    x = torch.randn(ROWS, 8)
    y = (x @ torch.randn(8, 3)).argmax(1)
    out = {"x": x, "y": y} | {f"init.{k}": v.clone() for k, v in start.state_dict().items()}
    for run, make in RUNS.items():
        kept = {}
        for name, dtype in [("f64", torch.float64), ("f32", torch.float32)]:
            # NAdam keeps a product of momenta in the default dtype.
            torch.set_default_dtype(dtype)
            model = copy.deepcopy(start).to(dtype)
            losses = train(model, make(list(model.parameters())), x.to(dtype), y)
            weights = nn.utils.parameters_to_vector(model.parameters()).detach()
            out[f"{run}.{name}.losses"], out[f"{run}.{name}.weights"] = losses, weights
            kept[name] = (losses, weights)
        gap = [(a.double() - b.double()).abs().max().item() / b.abs().max().item()
               for a, b in zip(kept["f32"], kept["f64"])]
        losses = kept["f64"][0]
        print(f"{run:18} f32 to f64: losses {gap[0]:.1e} weights {gap[1]:.1e}   loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    for name, make in SCHEDULES.items():
        optimizer = sgd()
        schedule = make(optimizer)
        group = optimizer.param_groups[0]
        rates, momenta = [group["lr"]], [group["momentum"]]
        for _ in range(100):
            optimizer.step()
            schedule.step()
            rates.append(group["lr"])
            momenta.append(group["momentum"])
        out[f"schedule.{name}"] = torch.tensor(rates, dtype=torch.float64)
        if len(set(momenta)) > 1:
            out[f"momentum.{name}"] = torch.tensor(momenta, dtype=torch.float64)
    for mode in ["min", "max"]:
        out[f"schedule.plateau_{mode}"] = plateau(mode)
    save_file(out, HERE / "optim.safetensors", metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
