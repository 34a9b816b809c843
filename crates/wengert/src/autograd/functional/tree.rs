//! Structures of tensors that functions take and give.

use crate::tensor::Tensor;

/// A tensor, or a tuple, array or vector of trees: what a function that is transformed takes and gives.
///
/// ```
/// use wengert::{Tensor, func};
///
/// let area = |(w, h): &(Tensor, Tensor)| (w * h).sum();
/// let (dw, dh) = func::grad(area)(&(Tensor::new([2.0]), Tensor::new([3.0])));
/// assert_eq!((dw.item(), dh.item()), (3.0, 2.0));
/// ```
pub trait Tree {
    /// The same structure with a `T` in place of each tensor.
    type Of<T>;

    /// `f` of each tensor, in the same structure.
    fn map<T>(&self, f: &mut dyn FnMut(&Tensor) -> T) -> Self::Of<T>;

    /// The same structure of other tensors, which come in order.
    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Tensor>) -> Self;

    /// The tensors, in order.
    fn leaves(&self) -> Vec<Tensor> {
        let mut leaves = Vec::new();
        self.map(&mut |t| leaves.push(t.clone()));
        leaves
    }
}

impl Tree for Tensor {
    type Of<T> = T;
    fn map<T>(&self, f: &mut dyn FnMut(&Tensor) -> T) -> T {
        f(self)
    }
    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Tensor>) -> Tensor {
        leaves.next().expect("as many tensors as the structure has")
    }
}

impl<A: Tree> Tree for Vec<A> {
    type Of<T> = Vec<A::Of<T>>;
    fn map<T>(&self, f: &mut dyn FnMut(&Tensor) -> T) -> Self::Of<T> {
        self.iter().map(|part| part.map(f)).collect()
    }
    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Tensor>) -> Self {
        self.iter().map(|part| part.rebuild(leaves)).collect()
    }
}

impl<A: Tree, const N: usize> Tree for [A; N] {
    type Of<T> = [A::Of<T>; N];
    fn map<T>(&self, f: &mut dyn FnMut(&Tensor) -> T) -> Self::Of<T> {
        self.each_ref().map(|part| part.map(f))
    }
    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Tensor>) -> Self {
        self.each_ref().map(|part| part.rebuild(leaves))
    }
}

macro_rules! tuple {
    ($($name:ident $i:tt),*) => {
        impl<$($name: Tree),*> Tree for ($($name,)*) {
            type Of<T> = ($($name::Of<T>,)*);
            fn map<T>(&self, f: &mut dyn FnMut(&Tensor) -> T) -> Self::Of<T> {
                ($(self.$i.map(f),)*)
            }
            fn rebuild(&self, leaves: &mut dyn Iterator<Item = Tensor>) -> Self {
                ($(self.$i.rebuild(leaves),)*)
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
