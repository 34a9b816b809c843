//! How examples become a batch.

use crate::ops::stack;
use crate::tensor::Tensor;
use wengert_array::{Result, catch};

/// What examples are made of, and what a batch of them is.
pub trait Collate: Send + Sized {
    /// A batch.
    type Batch: Send;
    /// The batch of these examples, of which there is at least one.
    ///
    /// # Errors
    /// If they do not fit each other.
    fn collate(items: Vec<Self>) -> Result<Self::Batch>;
}

/// Tensors of one shape, stacked along a new first dimension.
impl Collate for Tensor {
    type Batch = Tensor;
    fn collate(items: Vec<Tensor>) -> Result<Tensor> {
        catch(|| stack(&items.iter().collect::<Vec<_>>(), 0))
    }
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Collate for $t {
            type Batch = Tensor;
            fn collate(items: Vec<$t>) -> Result<Tensor> {
                Ok(Tensor::from_slice(&items, [items.len()]))
            }
        }
    )*};
}
numbers!(f32, f64, i64, bool);

/// Text stays a list.
impl Collate for String {
    type Batch = Vec<String>;
    fn collate(items: Vec<String>) -> Result<Vec<String>> {
        Ok(items)
    }
}

impl<T: Collate, const N: usize> Collate for [T; N] {
    type Batch = [T::Batch; N];
    fn collate(items: Vec<[T; N]>) -> Result<[T::Batch; N]> {
        let mut columns: [Vec<T>; N] = std::array::from_fn(|_| Vec::with_capacity(items.len()));
        for item in items {
            columns
                .iter_mut()
                .zip(item)
                .for_each(|(column, v)| column.push(v));
        }
        let batches = columns.into_iter().map(T::collate).collect::<Result<Vec<_>>>()?;
        Ok(batches
            .try_into()
            .unwrap_or_else(|_| unreachable!("one for each column")))
    }
}

impl<A: Collate, B: Collate> Collate for (A, B) {
    type Batch = (A::Batch, B::Batch);
    fn collate(items: Vec<(A, B)>) -> Result<Self::Batch> {
        let (a, b) = items.into_iter().unzip();
        Ok((A::collate(a)?, B::collate(b)?))
    }
}
