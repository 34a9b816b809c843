//! A tensor cut into several: `split`, `chunk`, `unbind` and their kin.

use super::slice::{See, at, span};
use super::{axis, ok};
use crate::op::Op;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, raise};

/// How [`Tensor::split`] cuts.
#[derive(Clone, Debug)]
pub enum Sections {
    /// A number: of parts, or the size of each.
    Number(usize),
    /// A list: of sizes, or of the places where to cut.
    List(Vec<isize>),
}

impl From<usize> for Sections {
    fn from(n: usize) -> Sections {
        Sections::Number(n)
    }
}
impl<const N: usize> From<[isize; N]> for Sections {
    fn from(list: [isize; N]) -> Sections {
        Sections::List(list.to_vec())
    }
}
impl From<Vec<isize>> for Sections {
    fn from(list: Vec<isize>) -> Sections {
        Sections::List(list)
    }
}
impl From<&[isize]> for Sections {
    fn from(list: &[isize]) -> Sections {
        Sections::List(list.to_vec())
    }
}

/// Cutting.
impl Tensor {
    /// Parts along `dim`: of a given size, the last one smaller where it does not fit; or of the sizes in a list.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::arange(0, 5);
    /// assert_eq!(x.split(2, 0)[2].to_vec::<i64>(), [4]);
    /// assert_eq!(x.split([1, 4], 0)[1].to_vec::<i64>(), [1, 2, 3, 4]);
    /// ```
    #[track_caller]
    pub fn split(&self, sizes: impl Into<Sections>, dim: isize) -> Vec<Tensor> {
        let shape = self.shape();
        let d = ok(axis("split", dim, shape.rank()));
        let n = shape[d];
        let sizes = match sizes.into() {
            Sections::Number(0) if n > 0 => {
                let message = format!("parts of size 0 do not make up dimension {d} of {shape}");
                raise(Error::new(ErrorKind::Value, "split", message))
            }
            Sections::Number(size) => (0..n.div_ceil(size.max(1)).max(1))
                .map(|i| size.min(n - i * size))
                .collect(),
            Sections::List(sizes) => sizes.iter().map(|s| *s as usize).collect::<Vec<_>>(),
        };
        if sizes.iter().try_fold(0usize, |a, b| a.checked_add(*b)) != Some(n) {
            let signed: Vec<isize> = sizes.iter().map(|s| *s as isize).collect();
            let message = format!("parts of sizes {signed:?} do not make up dimension {d} of {shape}");
            raise(Error::new(ErrorKind::Value, "split", message));
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for len in sizes {
            parts.push(self.part("split", d, start, len));
            start += len;
        }
        parts
    }

    /// At most `chunks` parts along `dim`, all but the last of the same size.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, dim: isize) -> Vec<Tensor> {
        if chunks == 0 {
            raise(Error::new(
                ErrorKind::Value,
                "chunk",
                "there is no dividing into 0 parts",
            ));
        }
        let n = self.shape()[ok(axis("chunk", dim, self.dim()))];
        match n.div_ceil(chunks) {
            // No elements: as many empty parts as were asked for.
            0 => self.split(vec![0; chunks], dim),
            size => self.split(size, dim),
        }
    }

    /// So many parts along `dim`, the first ones larger by one where they cannot be equal; or the parts between the
    /// places in a list.
    #[track_caller]
    pub fn tensor_split(&self, sections: impl Into<Sections>, dim: isize) -> Vec<Tensor> {
        self.cut("tensor_split", sections.into(), dim)
    }

    #[track_caller]
    fn cut(&self, name: &'static str, sections: Sections, dim: isize) -> Vec<Tensor> {
        let d = ok(axis(name, dim, self.dim()));
        let n = self.shape()[d];
        let ends: Vec<(usize, usize)> = match sections {
            Sections::Number(0) => raise(Error::new(
                ErrorKind::Value,
                name,
                "there is no dividing into 0 parts",
            )),
            Sections::Number(k) => {
                let at = |i: usize| i * (n / k) + i.min(n % k);
                (0..k).map(|i| (at(i), at(i + 1))).collect()
            }
            Sections::List(cuts) => {
                let place = |i: isize| span(n, Some(i), None, 1).0;
                let starts = [0].into_iter().chain(cuts.iter().map(|i| place(*i)));
                let ends = cuts.iter().map(|i| place(*i)).chain([n]);
                starts.zip(ends).collect()
            }
        };
        let mut parts = Vec::with_capacity(ends.len());
        for (from, to) in ends {
            parts.push(self.part(name, d, from, to.saturating_sub(from)));
        }
        parts
    }

    /// [`tensor_split`](Tensor::tensor_split) into equal parts by columns: along dimension 1, or 0 where there is
    /// no other.
    #[track_caller]
    pub fn hsplit(&self, sections: impl Into<Sections>) -> Vec<Tensor> {
        let dim = if self.dim() == 1 { 0 } else { 1 };
        self.equal_cut("hsplit", sections.into(), dim, 1)
    }

    /// [`tensor_split`](Tensor::tensor_split) into equal parts along dimension 0.
    #[track_caller]
    pub fn vsplit(&self, sections: impl Into<Sections>) -> Vec<Tensor> {
        self.equal_cut("vsplit", sections.into(), 0, 2)
    }

    /// [`tensor_split`](Tensor::tensor_split) into equal parts along dimension 2.
    #[track_caller]
    pub fn dsplit(&self, sections: impl Into<Sections>) -> Vec<Tensor> {
        self.equal_cut("dsplit", sections.into(), 2, 3)
    }

    #[track_caller]
    fn equal_cut(&self, name: &'static str, sections: Sections, dim: isize, least: usize) -> Vec<Tensor> {
        let shape = self.shape();
        if shape.rank() < least {
            let message = format!("needs {least} or more dimensions, and got shape {shape}");
            raise(Error::new(ErrorKind::Shape, name, message));
        }
        if let Sections::Number(k) = sections
            && (k == 0 || !shape[dim as usize].is_multiple_of(k))
        {
            let message = format!("dimension {dim} of {shape} does not divide into {k} equal parts");
            raise(Error::new(ErrorKind::Value, name, message));
        }
        self.cut(name, sections, dim)
    }

    /// The parts at each index along `dim`, which goes away.
    #[track_caller]
    pub fn unbind(&self, dim: isize) -> Vec<Tensor> {
        let d = ok(axis("unbind", dim, self.dim()));
        let mut parts = Vec::new();
        one_by_one(self, d, &mut parts);
        parts
    }
}

/// The parts at each index of a dimension. The gradient of a part is made as large as what it was taken from: to take
/// each from the whole would cost the whole as often as there are parts. So a long dimension is halved first.
#[track_caller]
fn one_by_one(x: &Tensor, d: usize, parts: &mut Vec<Tensor>) {
    let n = x.shape()[d];
    if n <= 4 {
        for start in 0..n {
            parts.push(See(at("unbind", d, start)).apply([x]));
        }
        return;
    }
    for (start, len) in [(0, n / 2), (n / 2, n - n / 2)] {
        one_by_one(&x.part("unbind", d, start, len), d, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(parts: &[Tensor]) -> Vec<Vec<i64>> {
        parts.iter().map(|p| p.to_vec()).collect()
    }

    #[test]
    fn cuts_follow_pytorch() {
        let x = Tensor::arange(0, 7);
        assert_eq!(lists(&x.split(3, 0)), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(
            lists(&x.chunk(4, 0)),
            [vec![0, 1], vec![2, 3], vec![4, 5], vec![6]]
        );
        assert_eq!(
            lists(&x.tensor_split(3, 0)),
            [vec![0, 1, 2], vec![3, 4], vec![5, 6]]
        );
        assert_eq!(
            lists(&x.tensor_split([2, -1, 9], 0)),
            [vec![0, 1], vec![2, 3, 4, 5], vec![6], vec![]]
        );
        assert_eq!(
            lists(&x.tensor_split([4, 2], 0)),
            [vec![0, 1, 2, 3], vec![], vec![2, 3, 4, 5, 6]]
        );
        let none = Tensor::arange(0, 0);
        assert_eq!((none.split(2, 0).len(), none.chunk(3, 0).len()), (1, 3));
        let y = Tensor::zeros([4, 6]);
        assert_eq!(
            (y.hsplit(3)[0].shape(), y.vsplit([1])[1].shape()),
            ([4, 2].into(), [3, 6].into())
        );
        assert_eq!(y.unbind(-1).len(), 6);
    }
}
