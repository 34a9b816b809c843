//! Datasets.

use super::collate::Collate;
use super::{Generator, generator_for};
use crate::tensor::Tensor;
use std::sync::Arc;
use wengert_array::{Error, ErrorKind, Result, catch, raise};

/// Examples by number.
///
/// ```
/// use wengert::{Result, Tensor};
/// use wengert::data::{DataLoader, Dataset, Generator};
///
/// /// Noisy points of a parabola.
/// struct Parabola;
///
/// impl Dataset for Parabola {
///     type Item = [Tensor; 2];
///     fn len(&self) -> usize {
///         100
///     }
///     fn get(&self, index: usize, random: &mut Generator) -> Result<[Tensor; 2]> {
///         let x = Tensor::full([1], index as f64 / 100.0);
///         let noise = Tensor::from(random.normal(&[1].into(), 0.0, 0.1, x.dtype()));
///         Ok([x.clone(), x.square() + noise])
///     }
/// }
///
/// let [x, y] = DataLoader::new(Parabola).batch_size(8).workers(2).iter().next().unwrap().unwrap();
/// assert_eq!((x.shape(), y.shape()), ([8, 1].into(), [8, 1].into()));
/// ```
pub trait Dataset: Send + Sync {
    /// An example.
    type Item: Collate;

    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Example `index`. Random numbers, for augmentation, come from `random`, which depends on the loader's seed, the
    /// epoch and the index only.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, index: usize, random: &mut Generator) -> Result<Self::Item>;

    /// A batch of examples. Override it where they can be read together faster.
    ///
    /// # Errors
    /// If one cannot be read, or they do not fit each other.
    fn batch(&self, rows: &[usize], seed: u64, epoch: u64) -> Result<<Self::Item as Collate>::Batch> {
        let items = rows
            .iter()
            .map(|i| self.get(*i, &mut generator_for(seed, epoch, *i as u64)));
        Collate::collate(items.collect::<Result<Vec<_>>>()?)
    }
}

impl<D: Dataset + ?Sized> Dataset for Arc<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        (**self).len()
    }
    fn get(&self, index: usize, random: &mut Generator) -> Result<D::Item> {
        (**self).get(index, random)
    }
    fn batch(&self, rows: &[usize], seed: u64, epoch: u64) -> Result<<D::Item as Collate>::Batch> {
        (**self).batch(rows, seed, epoch)
    }
}

/// Tensors whose first dimension counts the examples.
#[derive(Clone, Debug)]
pub struct TensorDataset<const N: usize>([Tensor; N]);

impl<const N: usize> TensorDataset<N> {
    /// Of these tensors.
    ///
    /// # Panics
    /// If their first dimensions differ in size, or there are none.
    #[track_caller]
    pub fn new(tensors: [Tensor; N]) -> TensorDataset<N> {
        let sizes: Vec<Option<usize>> = tensors.iter().map(|t| t.shape().first().copied()).collect();
        if N == 0 || sizes.iter().any(|n| n.is_none() || *n != sizes[0]) {
            let shapes: Vec<String> = tensors.iter().map(|t| t.shape().to_string()).collect();
            let message = format!("the tensors are of shapes {}", shapes.join(", "));
            raise(
                Error::new(ErrorKind::Shape, "TensorDataset", message)
                    .note("their first dimensions count the examples, and must be of one size"),
            );
        }
        TensorDataset(tensors.map(|t| t.detach()))
    }

    /// The tensors.
    pub fn tensors(&self) -> &[Tensor; N] {
        &self.0
    }
}

impl<const N: usize> Dataset for TensorDataset<N> {
    type Item = [Tensor; N];
    fn len(&self) -> usize {
        self.0[0].size(0)
    }
    fn get(&self, index: usize, _: &mut Generator) -> Result<[Tensor; N]> {
        catch(|| self.0.each_ref().map(|t| t.select(0, index as isize)))
    }
    fn batch(&self, rows: &[usize], _: u64, _: u64) -> Result<[Tensor; N]> {
        let rows: Vec<i64> = rows.iter().map(|i| *i as i64).collect();
        let rows = Tensor::from_slice(&rows, [rows.len()]);
        catch(|| self.0.each_ref().map(|t| t.index_select(0, &rows)))
    }
}

/// Some examples of a dataset.
#[derive(Clone, Debug)]
pub struct Subset<D> {
    dataset: D,
    rows: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The examples of these numbers, in this order.
    ///
    /// # Panics
    /// If one is out of range.
    #[track_caller]
    pub fn new(dataset: D, rows: impl Into<Vec<usize>>) -> Subset<D> {
        let (rows, n) = (rows.into(), dataset.len());
        if let Some(bad) = rows.iter().find(|i| **i >= n) {
            raise(Error::new(
                ErrorKind::Index,
                "Subset",
                format!("there is no example {bad} among {n}"),
            ));
        }
        Subset { dataset, rows }
    }

    /// The numbers of its examples in the whole.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        self.rows.len()
    }
    fn get(&self, index: usize, random: &mut Generator) -> Result<D::Item> {
        self.dataset.get(self.rows[index], random)
    }
    fn batch(&self, rows: &[usize], seed: u64, epoch: u64) -> Result<<D::Item as Collate>::Batch> {
        let rows: Vec<usize> = rows.iter().map(|i| self.rows[*i]).collect();
        self.dataset.batch(&rows, seed, epoch)
    }
}

/// Datasets one after the other.
#[derive(Clone, Debug)]
pub struct ConcatDataset<D>(Vec<D>);

impl<D: Dataset> ConcatDataset<D> {
    /// Of these.
    pub fn new(datasets: impl IntoIterator<Item = D>) -> ConcatDataset<D> {
        ConcatDataset(datasets.into_iter().collect())
    }
}

impl<D: Dataset> Dataset for ConcatDataset<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        self.0.iter().map(Dataset::len).sum()
    }
    fn get(&self, mut index: usize, random: &mut Generator) -> Result<D::Item> {
        for dataset in &self.0 {
            match index.checked_sub(dataset.len()) {
                Some(rest) => index = rest,
                None => return dataset.get(index, random),
            }
        }
        Err(Error::new(
            ErrorKind::Index,
            "ConcatDataset",
            "there is no example of this number",
        ))
    }
}
