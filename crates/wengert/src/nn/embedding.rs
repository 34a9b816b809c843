//! Tables of vectors.

use super::{Layer, Module, Part};
use crate::ops::functional as F;
use crate::ops::functional::Bag;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, raise};

/// The rows of a table that integers name.
///
/// ```
/// use wengert::nn::{Embedding, Layer};
/// use wengert::Tensor;
///
/// let table = Embedding::new(10, 3);
/// assert_eq!(table.forward(&Tensor::new([[1, 2, 4], [4, 3, 9]])).shape(), [2, 3, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The table, `[rows, width]`.
    pub weight: Tensor,
    padding_idx: Option<i64>,
    max_norm: Option<f64>,
    norm_type: f64,
}

impl Embedding {
    /// A table whose numbers are drawn from the standard normal distribution.
    pub fn new(rows: usize, width: usize) -> Embedding {
        Embedding::from_pretrained(&Tensor::randn([rows, width]).requires_grad_(true))
    }

    /// This table, which keeps being a parameter only if it requires a gradient.
    pub fn from_pretrained(weight: &Tensor) -> Embedding {
        Embedding {
            weight: weight.clone(),
            padding_idx: None,
            max_norm: None,
            norm_type: 2.0,
        }
    }

    /// With a row of zeros that gets no gradient; it may count from the end.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    #[track_caller]
    pub fn padding_idx(self, row: i64) -> Embedding {
        let rows = self.weight.size(0) as i64;
        let at = if row < 0 { row + rows } else { row };
        if !(0..rows).contains(&at) {
            raise(Error::new(
                ErrorKind::Index,
                "Embedding",
                format!("there is no row {row} among {rows}"),
            ));
        }
        let width = self.weight.size(1);
        self.weight.update(|value| {
            let mut wide = value.cast(wengert_array::DType::F64);
            wide.make_mut::<f64>()[at as usize * width..][..width].fill(0.0);
            wide.cast(value.dtype())
        });
        Embedding {
            padding_idx: Some(at),
            ..self
        }
    }

    /// With rows that are shortened to this norm when they are used.
    #[must_use]
    pub fn max_norm(self, max_norm: f64) -> Embedding {
        Embedding {
            max_norm: Some(max_norm),
            ..self
        }
    }
}

impl Module for Embedding {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        show("weight", Part::Parameter(&self.weight));
    }
}

impl Layer for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::embedding(
            x,
            self.weight.as_parameter(),
            self.padding_idx,
            self.max_norm,
            self.norm_type,
        )
    }
}

/// Rows of a table, summed or averaged by bags; see [`embedding_bag`](F::embedding_bag).
#[derive(Clone, Debug)]
pub struct EmbeddingBag {
    /// The table, `[rows, width]`.
    pub weight: Tensor,
    mode: Bag,
}

impl EmbeddingBag {
    /// A table whose numbers are drawn from the standard normal distribution; bags are averaged.
    pub fn new(rows: usize, width: usize) -> EmbeddingBag {
        EmbeddingBag {
            weight: Tensor::randn([rows, width]).requires_grad_(true),
            mode: Bag::Mean,
        }
    }

    /// With this way to make one row of many.
    #[must_use]
    pub fn mode(self, mode: Bag) -> EmbeddingBag {
        EmbeddingBag { mode, ..self }
    }

    /// The bags that begin at `offsets` in the numbers `x` `[n]`.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, offsets: &Tensor) -> Tensor {
        F::embedding_bag(
            x,
            self.weight.as_parameter(),
            Some(offsets),
            None,
            2.0,
            self.mode,
            None,
            false,
            None,
        )
    }
}

impl Module for EmbeddingBag {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        show("weight", Part::Parameter(&self.weight));
    }
}

impl Layer for EmbeddingBag {
    /// Bags are the rows of x `[bags, n]`.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::embedding_bag(
            x,
            self.weight.as_parameter(),
            None,
            None,
            2.0,
            self.mode,
            None,
            false,
            None,
        )
    }
}
