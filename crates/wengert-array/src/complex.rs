//! Complex arrays: pairs of real numbers beside each other, seen as one number.
//!
//! But for products and Fourier transforms no kernel computes on complex numbers. Their arrays are seen as real ones, whole or
//! a part of them, and made of real ones by [`Array::join`].

use crate::array::Array;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::shared::Out;
use crate::cpu::threads;
use crate::dtype::{DType, Element};
use crate::layout::{Layout, Shape};
use crate::real::Real;
use num_complex::Complex;
use std::mem::MaybeUninit;

impl Array {
    /// The numbers of a complex array, with a last dimension of size two for the parts.
    pub fn view_as_real(&self) -> Array {
        assert!(self.dtype().is_complex(), "only complex arrays have parts");
        let shape = self.shape().insert(self.rank(), 2);
        let mut strides: Vec<isize> = self.layout().strides().iter().map(|s| 2 * s).collect();
        strides.push(1);
        let layout = Layout::strided(shape, &strides, 2 * self.layout().offset());
        self.view_as(layout, self.dtype().real())
    }

    /// The inverse of [`view_as_real`](Array::view_as_real): the last dimension, of size two, holds the parts. A view where
    /// these lie beside each other and pairs do not straddle, else a copy.
    pub fn view_as_complex(&self) -> Array {
        let last = self.rank() - 1;
        assert!(
            self.shape()[last] == 2 && matches!(self.dtype(), DType::F32 | DType::F64),
            "pairs of f32 or f64"
        );
        let (outer, inner) = self.layout().strides().split_at(last);
        let offset = self.layout().offset();
        if inner[0] != 1 || !offset.is_multiple_of(2) || outer.iter().any(|s| s % 2 != 0) {
            return crate::kernels::copy(self).view_as_complex();
        }
        let strides: Vec<isize> = outer.iter().map(|s| s / 2).collect();
        let layout = Layout::strided(self.shape().remove(last), &strides, offset / 2);
        self.view_as(layout, self.dtype().complex())
    }

    fn part(&self, i: usize) -> Array {
        self.view_as_real()
            .slice(self.rank(), i, 1, 1)
            .squeeze(self.rank())
    }

    /// The real parts, as a view; a real array itself.
    pub fn real(&self) -> Array {
        match self.dtype().is_complex() {
            true => self.part(0),
            false => self.clone(),
        }
    }

    /// The imaginary parts of a complex array, as a view.
    pub fn imag(&self) -> Array {
        self.part(1)
    }

    /// `a b`, or `a` times the conjugate of `b`, of complex arrays of one dtype that broadcast to `shape`.
    pub fn complex_product(a: &Array, b: &Array, conjugate: bool, shape: &Shape) -> Array {
        fn product<C: Lane>(a: &Array, b: &Array, conjugate: bool, shape: &Shape) -> Array
        where
            Complex<C>: Element,
        {
            let (a, b) = (a.as_slice::<C>(), b.as_slice::<C>());
            filled(shape, |from, out| {
                // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
                unsafe { multiply::<C>(&a[2 * from..], &b[2 * from..], conjugate, out) };
            })
        }
        let [a, b] = [a, b].map(|x| x.broadcast_to(shape).contiguous().view_as_real());
        match a.dtype() {
            DType::F32 => product::<f32>(&a, &b, conjugate, shape),
            _ => product::<f64>(&a, &b, conjugate, shape),
        }
    }

    /// The complex array with these parts, which are both f32 or both f64 and of one shape.
    pub fn join(re: &Array, im: &Array) -> Array {
        fn interleave<T: Element>(re: &Array, im: &Array) -> Array
        where
            Complex<T>: Element,
        {
            let (re, im) = (re.contiguous(), im.contiguous());
            let parts = (re.as_slice::<T>(), im.as_slice::<T>());
            filled(re.shape(), |from, out| {
                for (y, (re, im)) in out.iter_mut().zip(parts.0[from..].iter().zip(&parts.1[from..])) {
                    y.write(Complex::new(*re, *im));
                }
            })
        }
        assert_eq!(re.meta(), im.meta(), "parts of one kind");
        match re.dtype() {
            DType::F32 => interleave::<f32>(re, im),
            DType::F64 => interleave::<f64>(re, im),
            other => panic!("the parts of complex numbers are f32 or f64, not {other}"),
        }
    }
}

/// The array that `f`, given the place of the first, writes all elements of in row-major order, on several threads where
/// there are many.
fn filled<T: Element>(shape: &Shape, f: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync) -> Array {
    let mut array = Array::uninit(shape, T::DTYPE);
    let n = array.numel();
    let out = Out(array.uninit_slice::<T>().cast::<MaybeUninit<T>>());
    threads::split(n, 64, 2, |start, len| {
        // SAFETY: these elements of the fresh buffer are this thread's alone.
        f(start, unsafe { out.slice(start, len) });
    });
    array
}

dispatch!(unsafe fn multiply<C: Lane>(a: &[C], b: &[C], conjugate: bool, out: &mut [MaybeUninit<Complex<C>>]) => multiply_body);

/// Products of numbers whose parts are pairs of `a` and `b`. Without fused steps: a number times its conjugate is real.
///
/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn multiply_body<S: Real, C: Lane>(
    a: &[C],
    b: &[C],
    conjugate: bool,
    out: &mut [MaybeUninit<Complex<C>>],
) {
    let n = out.len();
    assert!(a.len() >= 2 * n && b.len() >= 2 * n);
    let (a, b, out) = (
        a.as_ptr().cast::<S>(),
        b.as_ptr().cast::<S>(),
        out.as_mut_ptr().cast::<S>(),
    );
    let sign = S::lit(if conjugate { -1.0 } else { 1.0 });
    for i in (0..2 * n).step_by(2) {
        // SAFETY: i + 1 < 2n, and a complex number is its two parts; S and C are the same bits.
        unsafe {
            let (re, im) = (a.add(i).read(), a.add(i + 1).read());
            let (by, turn) = (b.add(i).read(), sign * b.add(i + 1).read());
            out.add(i).write(re * by - im * turn);
            out.add(i + 1).write(re * turn + im * by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_complex::Complex32;

    fn sample() -> Array {
        let z: Vec<Complex32> = (0..6)
            .map(|i| Complex32::new(i as f32, -0.5 * i as f32))
            .collect();
        Array::from_slice(&z, [2, 3])
    }

    #[test]
    fn products_are_those_of_plain_numbers() {
        let number = |i: usize| Complex32::new((i * 7 % 13) as f32 - 6.0, (i * 5 % 11) as f32 - 4.5);
        let a: Vec<Complex32> = (0..75).map(number).collect();
        let b: Vec<Complex32> = (0..5).map(|i| number(i + 75)).collect();
        let (x, y) = (Array::from_slice(&a, [15, 5]), Array::from_slice(&b, [5]));
        for conjugate in [false, true] {
            let by = |i: usize| if conjugate { b[i % 5].conj() } else { b[i % 5] };
            let want: Vec<Complex32> = a.iter().enumerate().map(|(i, a)| a * by(i)).collect();
            let shape = Shape::new(&[15, 5]);
            assert_eq!(
                Array::complex_product(&x, &y, conjugate, &shape).to_vec::<Complex32>(),
                want
            );
            let [wide_x, wide_y] = [&x, &y].map(|x| x.cast(DType::C128));
            let wide = Array::complex_product(&wide_x, &wide_y, conjugate, &shape);
            assert_eq!(wide.cast(DType::C64).to_vec::<Complex32>(), want);
        }
        // A number times its conjugate has no imaginary part, whatever was rounded.
        let odd = Array::from_slice(&[Complex32::new(0.1, 0.7); 40], [40]);
        let squares = Array::complex_product(&odd, &odd, true, &Shape::new(&[40]));
        assert!(squares.to_vec::<Complex32>().iter().all(|z| z.im == 0.0));
    }

    #[test]
    fn parts_are_views_that_join_again() {
        for z in [
            sample(),
            sample().transpose(0, 1),
            sample().slice(1, 2, 2, -1),
            sample().slice(1, 1, 1, 1).broadcast_to(&Shape::new(&[2, 4])),
        ] {
            let (re, im) = (z.real(), z.imag());
            assert!(re.shares_buffer(&z) && im.shares_buffer(&z));
            let want = z.to_vec::<Complex32>();
            assert_eq!(re.to_vec::<f32>(), want.iter().map(|z| z.re).collect::<Vec<_>>());
            assert_eq!(Array::join(&re, &im).to_vec::<Complex32>(), want);
            let back = z.view_as_real().view_as_complex();
            assert!(back.shares_buffer(&z));
            assert_eq!(back.to_vec::<Complex32>(), want);
        }
    }

    #[test]
    fn pairs_that_straddle_are_copied() {
        let x = Array::from_slice(&[0.0f32, 1.0, 2.0, 3.0, 4.0], [5]);
        let odd = x.slice(0, 1, 4, 1).reshape([2, 2]).view_as_complex();
        assert!(!odd.shares_buffer(&x));
        assert_eq!(
            odd.to_vec::<Complex32>(),
            [Complex32::new(1.0, 2.0), Complex32::new(3.0, 4.0)]
        );
    }

    #[test]
    fn casts_keep_what_can_be_kept() {
        let z = sample();
        assert_eq!(
            z.cast(DType::C128).cast(DType::C64).to_vec::<Complex32>(),
            z.to_vec::<Complex32>()
        );
        assert_eq!(z.cast(DType::I64).to_vec::<i64>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(
            z.cast(DType::Bool).to_vec::<bool>(),
            [false, true, true, true, true, true]
        );
        let x = Array::from_slice(&[2i64, -1], [2]).cast(DType::C128);
        assert_eq!(
            (x.real().to_vec::<f64>(), x.imag().to_vec::<f64>()),
            (vec![2.0, -1.0], vec![0.0; 2])
        );
        assert_eq!(
            Array::full([2], 1.5, DType::C64).to_vec::<Complex32>(),
            [Complex32::new(1.5, 0.0); 2]
        );
    }

    #[test]
    fn prints_as_pytorch_does() {
        let z = Array::from_slice(&[Complex32::new(1.0, 2.0), Complex32::new(-3.5, -0.25)], [2]);
        assert_eq!(z.to_string(), "array([ 1.0000+2.0000j, -3.5000-0.2500j])");
        let whole = Array::from_slice(&[Complex32::new(1.0, 2.0), Complex32::new(-3.0, 0.0)], [2]);
        assert_eq!(
            whole.cast(DType::C128).to_string(),
            "array([ 1.+2.j, -3.+0.j], dtype=complex128)"
        );
    }
}
