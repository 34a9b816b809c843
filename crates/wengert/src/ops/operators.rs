//! The operators `+`, `-`, `*` and `/`, and those that assign.

use super::arithmetic::{Add, AddScalar, Div, DivScalar, Mul, MulScalar, Neg, ScalarDiv, ScalarSub, Sub};
use super::pointwise::Map;
use crate::op::Op;
use crate::tensor::Tensor;
use std::ops::{Add as AddOp, Div as DivOp, Mul as MulOp, Neg as NegOp, Sub as SubOp};
use wengert_array::{Array, DType, Error, ErrorKind, get_default_dtype, raise};

/// `x + y` and its like, for tensors and references to them in every combination, and for scalars. A
/// scalar takes the tensor's dtype, unless it is a fraction and the tensor holds integers: then f32.
macro_rules! operator {
    ($trait:ident $f:ident $op:expr, $scalar:expr, $reversed:expr) => {
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, o: Tensor) -> Tensor {
                $op.apply_owned([self, o])
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, o: &Tensor) -> Tensor {
                $op.apply_owned([self, o.clone()])
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, o: Tensor) -> Tensor {
                $op.apply_owned([self.clone(), o])
            }
        }
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, o: &Tensor) -> Tensor {
                $op.apply([self, o])
            }
        }
        impl $trait<f64> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, c: f64) -> Tensor {
                Map($scalar(c)).apply_owned([for_scalar(self, c)])
            }
        }
        impl $trait<f64> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, c: f64) -> Tensor {
                Map($scalar(c)).apply_owned([for_scalar(self.clone(), c)])
            }
        }
        impl $trait<Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, t: Tensor) -> Tensor {
                Map($reversed(self)).apply_owned([for_scalar(t, self)])
            }
        }
        impl $trait<&Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $f(self, t: &Tensor) -> Tensor {
                Map($reversed(self)).apply_owned([for_scalar(t.clone(), self)])
            }
        }
    };
}
operator!(AddOp add Add, AddScalar, AddScalar);
operator!(SubOp sub Sub, |c: f64| AddScalar(-c), ScalarSub);
operator!(MulOp mul Map(Mul), MulScalar, MulScalar);
operator!(DivOp div Map(Div), DivScalar, ScalarDiv);

/// Integers meet a fraction, or booleans any number: the result could not hold it.
fn for_scalar(t: Tensor, c: f64) -> Tensor {
    match t.dtype() {
        DType::Bool if c.fract() == 0.0 => t.to(DType::I64),
        d if !d.is_differentiable() && c.fract() != 0.0 => t.to(get_default_dtype()),
        _ => t,
    }
}

impl NegOp for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Map(Neg).apply_owned([self])
    }
}

impl NegOp for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Map(Neg).apply([self])
    }
}

macro_rules! assign {
    ($($trait:ident $f:ident $op:tt),*) => {$(
        impl std::ops::$trait<&Tensor> for Tensor {
            #[track_caller]
            fn $f(&mut self, o: &Tensor) {
                self.assign(stringify!($op), |x| x $op o);
            }
        }
        impl std::ops::$trait<Tensor> for Tensor {
            #[track_caller]
            fn $f(&mut self, o: Tensor) {
                self.assign(stringify!($op), |x| x $op o);
            }
        }
        impl std::ops::$trait<f64> for Tensor {
            #[track_caller]
            fn $f(&mut self, c: f64) {
                self.assign(stringify!($op), |x| x $op c);
            }
        }
    )*};
}
assign!(AddAssign add_assign +, SubAssign sub_assign -, MulAssign mul_assign *, DivAssign div_assign /);

impl Tensor {
    /// `x += y` and its like. A leaf that requires a gradient changes in place under
    /// [`no_grad`](crate::no_grad), as when an optimizer is written by hand, and is refused while recording;
    /// any other handle comes to mean the result.
    #[track_caller]
    fn assign(&mut self, op: &str, f: impl FnOnce(Tensor) -> Tensor) {
        if !(self.is_leaf() && self.requires_grad()) {
            let old = std::mem::replace(self, Tensor::constant(Array::scalar(0.0f32)));
            *self = f(old);
            return;
        }
        if crate::is_recording() {
            raise(
                Error::new(
                    ErrorKind::Graph,
                    format!("{op}="),
                    "a leaf that requires a gradient cannot change in place",
                )
                .note("its gradient would be that of a value it no longer has")
                .help("put the update inside `no_grad(|| …)`"),
            );
        }
        let new = f(self.detach());
        if new.shape() != self.shape() || new.dtype() != self.dtype() {
            let message = format!(
                "cannot put {} {} into a leaf of {} {}",
                new.dtype(),
                new.shape(),
                self.dtype(),
                self.shape()
            );
            raise(Error::new(ErrorKind::Shape, format!("{op}="), message));
        }
        self.update(|_| new.into_array());
    }
}
