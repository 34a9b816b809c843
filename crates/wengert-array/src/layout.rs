//! Where an array's elements lie: shape, strides, offset, and the views made of them.

use crate::small::Small;
use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// The sizes of an array's dimensions, outermost first. Prints as `[2, 3]`.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Small<usize>);

impl Shape {
    /// A shape with these sizes.
    pub fn new(dims: &[usize]) -> Shape {
        Shape(Small::from_slice(dims))
    }

    /// The sizes.
    #[inline]
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// How many dimensions.
    #[inline]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// How many elements: the product of the sizes, 1 for a 0-d shape.
    #[inline]
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// Like [`numel`](Shape::numel), or `None` where the count, or eight bytes each, would not fit in memory.
    #[inline]
    pub fn checked_numel(&self) -> Option<usize> {
        let (mut n, mut fits) = (1usize, true);
        for &d in &self.0 {
            // A zero anywhere makes the count zero, however large the others are.
            if d == 0 {
                return Some(0);
            }
            let (product, overflows) = n.overflowing_mul(d);
            (n, fits) = (product, fits && !overflows);
        }
        (fits && n <= isize::MAX as usize / 8).then_some(n)
    }

    /// The shape both broadcast to by NumPy's rule, or `None` where they do not fit.
    #[inline]
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        if self == other {
            return Some(self.clone());
        }
        let rank = self.rank().max(other.rank());
        let at = |s: &Shape, d: usize| (d + s.rank()).checked_sub(rank).map_or(1, |d| s[d]);
        let dims = (0..rank).map(|d| match (at(self, d), at(other, d)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        });
        dims.collect::<Option<Small<usize>>>().map(Shape)
    }

    /// Strides, in elements, of a row-major array of this shape.
    #[inline]
    pub fn strides(&self) -> Small<isize> {
        let mut step = 1isize;
        let mut next = |&size: &usize| {
            let stride = step;
            step *= size.max(1) as isize;
            stride
        };
        match &self.0 {
            Small::Few(n, sizes) => {
                let mut strides = [0; 4];
                // Without iterators the four rounds are unrolled.
                for d in (0..4).rev() {
                    if d < *n as usize {
                        strides[d] = next(&sizes[d]);
                    }
                }
                Small::Few(*n, strides)
            }
            Small::Many(sizes) => {
                let mut strides: Vec<isize> = sizes.iter().rev().map(next).collect();
                strides.reverse();
                Small::Many(strides.into())
            }
        }
    }

    /// The shape with size `size` at dimension `d`.
    pub fn with(&self, d: usize, size: usize) -> Shape {
        let mut s = self.clone();
        s.0[d] = size;
        s
    }

    /// Makes dimension `d` longer by `n`.
    #[inline]
    pub(crate) fn grow(&mut self, d: usize, n: usize) {
        self.0[d] += n;
    }

    /// The shape with a dimension of `size` put in before dimension `d`.
    pub fn insert(&self, d: usize, size: usize) -> Shape {
        let mut s = self.clone();
        s.0.insert(d, size);
        s
    }

    /// The shape without dimension `d`.
    pub fn remove(&self, d: usize) -> Shape {
        let mut s = self.clone();
        s.0.remove(d);
        s
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == other[..]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            write!(f, "{}{d}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Shape {
        Shape(dims.into_iter().collect())
    }
}

macro_rules! into_shape {
    ($($t:ty),*) => {$(
        impl From<$t> for Shape {
            fn from(dims: $t) -> Shape {
                Shape::new(dims.as_ref())
            }
        }
    )*};
}
into_shape!(&[usize], Vec<usize>, &Vec<usize>);

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Shape {
        Shape::new(&dims)
    }
}

impl<const N: usize> From<&[usize; N]> for Shape {
    fn from(dims: &[usize; N]) -> Shape {
        Shape::new(dims)
    }
}

impl From<&Shape> for Shape {
    #[inline]
    fn from(s: &Shape) -> Shape {
        s.clone()
    }
}

/// Shape, strides and offset, in elements, into a buffer. Strides may be zero (a broadcast dimension) or
/// negative (a reversed one).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    shape: Shape,
    strides: Small<isize>,
    offset: usize,
    /// Known once and for all: every kernel asks for it.
    contiguous: bool,
}

impl Layout {
    /// Row-major, from the buffer's start.
    #[inline]
    pub fn contiguous(shape: Shape) -> Layout {
        let strides = shape.strides();
        Layout {
            shape,
            strides,
            offset: 0,
            contiguous: true,
        }
    }

    /// This, which is contiguous, from the buffer's start.
    #[inline]
    pub(crate) fn at_start(&self) -> Layout {
        Layout {
            offset: 0,
            ..self.clone()
        }
    }

    /// Itself, after shape or strides changed.
    #[inline]
    fn settled(mut self) -> Layout {
        self.contiguous = contiguous(&self.shape, &self.strides);
        self
    }

    fn of(shape: Shape, strides: Small<isize>, offset: usize) -> Layout {
        let contiguous = contiguous(&shape, &strides);
        Layout {
            shape,
            strides,
            offset,
            contiguous,
        }
    }

    /// With any strides, which the caller has checked to stay within the buffer.
    pub(crate) fn strided(shape: Shape, strides: &[isize], offset: usize) -> Layout {
        Layout::of(shape, Small::from_slice(strides), offset)
    }

    /// The sizes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How far apart, in elements, neighbours along each dimension lie.
    #[inline]
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Where in the buffer the first element lies, in elements.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the elements lie row-major without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.contiguous
    }

    /// The dimensions in a new order; `order` is a permutation.
    pub fn permute(&self, order: &[usize]) -> Layout {
        Layout::of(
            Shape(self.shape.0.picked(order)),
            self.strides.picked(order),
            self.offset,
        )
    }

    /// Repeated along new leading dimensions and those of size one; `shape` must be one it broadcasts to.
    pub fn broadcast_to(&self, shape: &Shape) -> Layout {
        let new = shape.rank() - self.shape.rank();
        let stride = |d: usize| match d.checked_sub(new) {
            Some(d) if self.shape[d] != 1 => self.strides[d],
            Some(d) if shape[d + new] == 1 => self.strides[d],
            _ => 0,
        };
        let strides = (0..shape.rank()).map(stride).collect();
        Layout::of(shape.clone(), strides, self.offset)
    }

    /// Elements `start`, `start + step`, … (`len` of them) along dimension `d`; `step` may be negative.
    pub fn slice(&self, d: usize, start: usize, len: usize, step: isize) -> Layout {
        let mut s = self.clone();
        if len > 0 {
            s.offset = (s.offset as isize + start as isize * s.strides[d]) as usize;
        }
        s.strides[d] *= step;
        s.shape.0[d] = len;
        s.settled()
    }

    /// The part at position `at` along dimension `d`, which goes away.
    pub fn select(&self, d: usize, at: usize) -> Layout {
        let mut s = self.clone();
        s.offset = (s.offset as isize + at as isize * s.strides[d]) as usize;
        s.shape.0.remove(d);
        s.strides.remove(d);
        s.settled()
    }

    /// Without dimension `d`, which has size one.
    pub fn squeeze(&self, d: usize) -> Layout {
        let mut s = self.clone();
        s.shape.0.remove(d);
        s.strides.remove(d);
        s.settled()
    }

    /// With a dimension of size one put in before dimension `d`.
    pub fn unsqueeze(&self, d: usize) -> Layout {
        let mut s = self.clone();
        let stride = if d < s.strides.len() {
            s.strides[d] * s.shape[d] as isize
        } else {
            1
        };
        s.shape.0.insert(d, 1);
        s.strides.insert(d, stride);
        s.settled()
    }

    /// Diagonal `offset` (above the main one where positive) of dimensions `a` and `b`, which go away, as a new
    /// last dimension.
    pub fn diagonal(&self, offset: isize, a: usize, b: usize) -> Layout {
        let (rows, cols) = (self.shape[a], self.shape[b]);
        let (row, col) = ((-offset).max(0) as usize, offset.max(0) as usize);
        let len = rows.saturating_sub(row).min(cols.saturating_sub(col));
        let mut s = self.clone();
        if len > 0 {
            s = s.slice(a, row, 1, 1).slice(b, col, 1, 1);
        }
        let stride = self.strides[a] + self.strides[b];
        for d in [a.max(b), a.min(b)] {
            s.shape.0.remove(d);
            s.strides.remove(d);
        }
        s.shape.0.push(len);
        s.strides.push(stride);
        s.settled()
    }

    /// Windows of `size` elements, `dilation` apart, that begin every `step` elements along dimension `d`: the
    /// dimension counts windows, a new last one the elements of each. They may overlap.
    pub fn windows(&self, d: usize, size: usize, step: usize, dilation: usize) -> Layout {
        let reach = dilation * size.saturating_sub(1);
        let count = (self.shape[d] - reach).saturating_sub(usize::from(size > 0)) / step + 1;
        let mut s = self.clone();
        s.shape.0[d] = count;
        s.shape.0.push(size);
        s.strides.push(s.strides[d] * dilation as isize);
        s.strides[d] *= step as isize;
        s.settled()
    }

    /// The same elements in another shape of equal count, or `None` where only a copy can give it.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if self.is_contiguous() || shape.numel() == 0 {
            return Some(Layout {
                offset: self.offset,
                ..Layout::contiguous(shape.clone())
            });
        }
        // Walk the merged runs of the old layout and cut each into the new dimensions that it makes up.
        let mut runs = self.collapsed();
        runs.reverse();
        let mut strides = Small::from_elem(0, shape.rank());
        let mut runs = runs.into_iter();
        let (mut left, mut step) = runs.next().unwrap_or((1, 1));
        for d in (0..shape.rank()).rev() {
            let n = shape[d];
            if n == 1 {
                strides[d] = step;
                continue;
            }
            if left == 1 {
                (left, step) = runs.next()?;
            }
            if left % n != 0 {
                return None;
            }
            strides[d] = step;
            left /= n;
            step *= n as isize;
        }
        Some(Layout::of(shape.clone(), strides, self.offset))
    }

    /// The fewest `(size, stride)` pairs, outermost first, that visit the elements in the same order:
    /// dimensions of size one are dropped and neighbours that continue each other are merged.
    pub fn collapsed(&self) -> SmallVec<[(usize, isize); 4]> {
        let mut runs: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            match runs.last_mut() {
                _ if n == 1 => {}
                Some((size, outer)) if *outer == stride * n as isize => (*size, *outer) = (*size * n, stride),
                _ => runs.push((n, stride)),
            }
        }
        runs
    }
}

fn contiguous(shape: &[usize], strides: &[isize]) -> bool {
    let mut step = 1;
    for (&n, &stride) in shape.iter().zip(strides).rev() {
        match n {
            0 => return true,
            1 => {}
            n if stride == step => step *= n as isize,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_keep_their_elements() {
        let a = Layout::contiguous([2, 3, 4].into());
        let p = a.permute(&[2, 0, 1]);
        assert_eq!((p.shape().dims(), p.strides()), (&[4, 2, 3][..], &[1, 12, 4][..]));
        assert!(!p.is_contiguous() && a.is_contiguous());
        assert_eq!(p.reshape(&[4, 6].into()).unwrap().strides(), [1, 4]);
        assert!(p.reshape(&[8, 3].into()).is_none());
        assert_eq!(p.collapsed()[..], [(4, 1), (6, 4)]);
        let s = a.slice(2, 3, 4, -1);
        assert_eq!((s.offset(), s.strides()), (3, &[12, 4, -1][..]));
        let b = Layout::contiguous([3, 1].into()).broadcast_to(&[2, 3, 4].into());
        assert_eq!(b.strides(), [0, 1, 0]);
        assert!(Layout::contiguous([0, 3].into()).permute(&[1, 0]).is_contiguous());
    }

    #[test]
    fn diagonals_and_windows() {
        let a = Layout::contiguous([3, 4, 2].into());
        let d = a.diagonal(1, 0, 1);
        assert_eq!(
            (d.shape().dims(), d.strides(), d.offset()),
            (&[2, 3][..], &[1, 10][..], 2)
        );
        let d = a.diagonal(-1, 1, 2);
        assert_eq!(
            (d.shape().dims(), d.strides(), d.offset()),
            (&[3, 2][..], &[8, 3][..], 2)
        );
        assert_eq!(a.diagonal(9, 0, 1).shape().dims(), [2, 0]);
        let w = a.windows(1, 2, 1, 2);
        assert_eq!(
            (w.shape().dims(), w.strides()),
            (&[3, 2, 2, 2][..], &[8, 2, 1, 4][..])
        );
        assert_eq!(a.windows(0, 0, 1, 1).shape().dims(), [4, 4, 2, 0]);
    }

    #[test]
    fn broadcasting_follows_numpy() {
        let s = |d: &[usize]| Shape::new(d);
        assert_eq!(s(&[3, 1, 4]).broadcast(&s(&[2, 1])), Some(s(&[3, 2, 4])));
        assert_eq!(s(&[]).broadcast(&s(&[0, 2])), Some(s(&[0, 2])));
        assert_eq!(s(&[1]).broadcast(&s(&[0])), Some(s(&[0])));
        assert_eq!(s(&[2]).broadcast(&s(&[3])), None);
        assert_eq!(s(&[usize::MAX, 2]).checked_numel(), None);
        assert_eq!(s(&[usize::MAX, 0]).checked_numel(), Some(0));
        assert_eq!(format!("{}", s(&[32, 128])), "[32, 128]");
    }
}
