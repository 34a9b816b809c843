//! Parts of datasets.

use super::dataset::{Dataset, Subset};
use super::generator_for;
use std::sync::Arc;
use wengert_array::{Error, ErrorKind, raise};

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let order = generator_for(seed, 0, u64::MAX).permutation(n);
    order.as_slice::<i64>().iter().map(|i| *i as usize).collect()
}

/// Divides a dataset at random into parts of these shares, which add up to 1. What rounding leaves goes to the first
/// parts, one each.
///
/// # Panics
/// If the shares do not add up to 1.
#[track_caller]
pub fn random_split<D: Dataset>(dataset: D, shares: &[f64], seed: u64) -> Vec<Subset<Arc<D>>> {
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > 1e-6 || shares.iter().any(|s| *s < 0.0) {
        raise(Error::new(
            ErrorKind::Value,
            "random_split",
            format!("the shares {shares:?} do not add up to 1"),
        ));
    }
    let n = dataset.len();
    let mut counts: Vec<usize> = shares.iter().map(|s| (n as f64 * s).floor() as usize).collect();
    let left = n.saturating_sub(counts.iter().sum());
    let parts = counts.len();
    (0..left).for_each(|i| counts[i % parts] += 1);
    random_split_counts(dataset, &counts, seed)
}

/// Divides a dataset at random into parts of so many examples.
///
/// # Panics
/// If the counts do not add up to all of them.
#[track_caller]
pub fn random_split_counts<D: Dataset>(dataset: D, counts: &[usize], seed: u64) -> Vec<Subset<Arc<D>>> {
    let n = dataset.len();
    if counts.iter().sum::<usize>() != n {
        let message = format!("the counts {counts:?} do not add up to the {n} examples");
        raise(Error::new(ErrorKind::Value, "random_split", message));
    }
    let (dataset, order) = (Arc::new(dataset), shuffled(n, seed));
    let mut at = 0;
    let part = |count: &usize| {
        at += count;
        Subset::new(dataset.clone(), &order[at - count..at])
    };
    counts.iter().map(part).collect()
}

/// `k` ways to divide examples into those to train with and those to test with, such that each is tested once.
///
/// ```
/// use wengert::data::KFold;
///
/// for (train, test) in KFold::new(10, 5).shuffle(3) {
///     assert_eq!((train.len(), test.len()), (8, 2));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct KFold {
    order: Vec<usize>,
    k: usize,
    next: usize,
}

impl KFold {
    /// `n` examples in order.
    ///
    /// # Panics
    /// If `k` is below 2 or above `n`.
    #[track_caller]
    pub fn new(n: usize, k: usize) -> KFold {
        if k < 2 || k > n {
            raise(Error::new(
                ErrorKind::Value,
                "KFold",
                format!("cannot divide {n} examples into {k} parts"),
            ));
        }
        KFold {
            order: (0..n).collect(),
            k,
            next: 0,
        }
    }

    /// In random order.
    #[must_use]
    pub fn shuffle(self, seed: u64) -> KFold {
        KFold {
            order: shuffled(self.order.len(), seed),
            ..self
        }
    }
}

impl Iterator for KFold {
    type Item = (Vec<usize>, Vec<usize>);
    fn next(&mut self) -> Option<(Vec<usize>, Vec<usize>)> {
        let (i, n) = (self.next, self.order.len());
        if i >= self.k {
            return None;
        }
        self.next += 1;
        // The first parts are one larger where k does not divide n, as scikit-learn has it.
        let start = |i: usize| i * (n / self.k) + i.min(n % self.k);
        let (from, to) = (start(i), start(i + 1));
        let train = self.order[..from]
            .iter()
            .chain(&self.order[to..])
            .copied()
            .collect();
        Some((train, self.order[from..to].to_vec()))
    }
}
