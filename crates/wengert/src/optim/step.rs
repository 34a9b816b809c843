//! Steps that are one kernel each.

use super::core::State;
use crate::tensor::Tensor;
use wengert_array::Array;
use wengert_array::kernels::{self, Body};

/// Complex numbers as the real ones that they are made of, which are trained as any others are.
pub(super) fn numbers(x: Array) -> Array {
    match x.dtype().is_complex() {
        true => x.view_as_real(),
        false => x,
    }
}

/// The inverse of [`numbers`].
pub(super) fn elements(x: Array, complex: bool) -> Array {
    match complex {
        true => x.view_as_complex(),
        false => x,
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident($inputs:literal, $outputs:literal): $($array:ident $slot:ident $fill:ident),*;)*) => {$(
        $(#[$doc])*
        pub fn $name(
            p: &Tensor,
            gradient: Array,
            state: &mut State,
            [$($slot),*]: [usize; $outputs - 1],
            [$($fill),*]: [f64; $outputs - 1],
            body: &impl Body<$inputs, 0, $outputs>,
        ) {
            p.update(|value| {
                let complex = value.dtype().is_complex();
                $(let $array = numbers(state.take($slot, &value, $fill));)*
                let (value, gradient) = (numbers(value), numbers(gradient));
                let (shape, dtype) = (value.shape().clone(), value.dtype());
                // The order of the inputs is that in which results take over their buffers.
                let x = [value, $($array,)* gradient].map(Some);
                let [value, $($array),*] = kernels::map(body, dtype, x, [], &shape, [dtype; $outputs]);
                $(state.arrays[$slot] = Some(elements($array, complex));)*
                elements(value, complex)
            });
        }
    )*};
}
steps! {
    /// One step in one pass, with an array of state in each of these slots, which at first is full of a number:
    /// `body` maps parameter, state and gradient to the new parameter and state, each written where the old
    /// one was.
    step_with_three(5, 4): a sa fa, b sb fb, c sc fc;
    /// As [`step_with_three`].
    step_with_two(4, 3): a sa fa, b sb fb;
    /// As [`step_with_three`].
    step_with_one(3, 2): a sa fa;
}

/// As [`step_with_three`], without state.
pub fn step_without_state(p: &Tensor, gradient: Array, body: &impl Body<2, 0, 1>) {
    p.update(|value| {
        let complex = value.dtype().is_complex();
        let (value, gradient) = (numbers(value), numbers(gradient));
        let (shape, dtype) = (value.shape().clone(), value.dtype());
        let [value] = kernels::map(body, dtype, [value, gradient].map(Some), [], &shape, [dtype]);
        elements(value, complex)
    });
}
