//! Padding.

use super::{Layer, Module, Part};
use crate::ops::PadMode;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, raise};

/// How many elements are put on: one number for all sides, or those before and after the last dimension, then the one
/// before it, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Margins(Vec<isize>);

impl From<isize> for Margins {
    fn from(n: isize) -> Margins {
        Margins(vec![n])
    }
}

impl<const N: usize> From<[isize; N]> for Margins {
    fn from(n: [isize; N]) -> Margins {
        Margins(n.to_vec())
    }
}

impl Margins {
    #[track_caller]
    fn around(self, op: &str, dimensions: usize) -> Vec<isize> {
        match self.0[..] {
            [n] => vec![n; 2 * dimensions],
            _ if self.0.len() == 2 * dimensions => self.0,
            _ => {
                let message = format!("{:?} is neither one number nor {}", self.0, 2 * dimensions);
                raise(Error::new(ErrorKind::Value, op, message).note("there are two for each dimension"))
            }
        }
    }
}

macro_rules! padding {
    ($($n:literal $what:literal $name:ident ($($value:ident: $type:ty)?) $mode:expr;)*) => {$(
        #[doc = concat!("Pads the last dimensions of x, ", $n, " of them, ", $what, ".")]
        #[derive(Clone, Debug)]
        pub struct $name {
            around: Vec<isize>,
            mode: PadMode,
        }

        impl $name {
            /// By so many elements; negative numbers cut elements away.
            ///
            /// # Panics
            /// If there are not as many numbers as sides.
            #[track_caller]
            pub fn new(padding: impl Into<Margins> $(, $value: $type)?) -> $name {
                $name { around: padding.into().around(stringify!($name), $n), mode: $mode }
            }
        }

        impl Module for $name {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                x.pad(&self.around, self.mode)
            }
        }
    )*};
}
padding! {
    1 "with a number" ConstantPad1d (value: f64) PadMode::Constant(value);
    2 "with a number" ConstantPad2d (value: f64) PadMode::Constant(value);
    3 "with a number" ConstantPad3d (value: f64) PadMode::Constant(value);
    1 "with zeros" ZeroPad1d () PadMode::Constant(0.0);
    2 "with zeros" ZeroPad2d () PadMode::Constant(0.0);
    3 "with zeros" ZeroPad3d () PadMode::Constant(0.0);
    1 "with its mirror image, without the edge" ReflectionPad1d () PadMode::Reflect;
    2 "with its mirror image, without the edge" ReflectionPad2d () PadMode::Reflect;
    3 "with its mirror image, without the edge" ReflectionPad3d () PadMode::Reflect;
    1 "with copies of the edge" ReplicationPad1d () PadMode::Replicate;
    2 "with copies of the edge" ReplicationPad2d () PadMode::Replicate;
    3 "with copies of the edge" ReplicationPad3d () PadMode::Replicate;
    1 "with what is at the other end" CircularPad1d () PadMode::Circular;
    2 "with what is at the other end" CircularPad2d () PadMode::Circular;
    3 "with what is at the other end" CircularPad3d () PadMode::Circular;
}
