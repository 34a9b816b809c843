"""Data sets, samplers and loaders: PyTorch's `torch.utils.data`; and readers of files, as in Rust's `wengert::data`."""

from wengert._C import Table, Vocabulary, load_csv, load_idx, load_image, read_csv, read_idx, save_image

from . import transforms
from .dataloader import DataLoader, default_collate, default_convert, get_worker_info
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .folds import KFold
from .images import ImageFolder
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "IterableDataset",
    "KFold",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "Table",
    "TensorDataset",
    "Vocabulary",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "load_csv",
    "load_idx",
    "load_image",
    "random_split",
    "read_csv",
    "read_idx",
    "save_image",
    "transforms",
]
