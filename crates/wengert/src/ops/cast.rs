//! Changing the dtype.

use super::contract;
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Meta, Result};

/// y = x in another dtype; dx = dy in x's dtype.
#[derive(Debug, Clone)]
pub struct Cast(pub DType);

impl Op for Cast {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "to";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        Ok(Meta {
            shape: x.shape.clone(),
            dtype: self.0,
            device: x.device,
        })
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.cast(self.0)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        // Every gradient is brought to its input's dtype on the edge.
        [Some(dy)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[1.0, -2.5, 3.0], [3]);
        vec![
            Sample::new(Cast(DType::F64), [x()]),
            Sample::new(Cast(DType::I32), [x()]).gives([1.0, -2.0, 3.0]),
        ]
    }
}

impl Tensor {
    /// Converted to `dtype`: floats round, integers wrap, bool asks for non-zero. Differentiable between
    /// floating-point dtypes.
    #[track_caller]
    pub fn to(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype {
            self.clone()
        } else {
            Cast(dtype).apply([self])
        }
    }
}

contract! { to: Cast }
