//! The value: an n-dimensional array that is shared until someone writes.

use crate::cpu::shared::Out;
use crate::cpu::threads;
use crate::device::Device;
use crate::dtype::{Compute, DType, Element};
use crate::handle::Handle;
use crate::kernels;
use crate::layout::{Layout, Shape};
use crate::storage::Buffer;
use crate::with_element;
use smallvec::SmallVec;
use std::fmt;

/// An n-dimensional array of numbers: an 8-byte handle on a shared buffer, a layout and a dtype.
///
/// It is a value: cloning is free, views share the buffer, and a write to a buffer that anyone else
/// holds copies it first, so no holder ever sees another's writes.
///
/// Methods that make views expect arguments that fit (operations check them in `infer`); where they do
/// not, they panic.
#[derive(Clone)]
pub struct Array(Handle<Inner>);

struct Inner {
    buffer: Buffer,
    layout: Layout,
    dtype: DType,
}

/// Shape, dtype and device: all of an array but its elements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meta {
    /// The sizes of the dimensions.
    pub shape: Shape,
    /// The type of the elements.
    pub dtype: DType,
    /// Where the elements are.
    pub device: Device,
}

impl Meta {
    /// Of an array of this shape and dtype on the CPU.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Meta {
        Meta {
            shape: shape.into(),
            dtype,
            device: Device::Cpu,
        }
    }
}

/// Making arrays.
impl Array {
    /// An array whose elements are not yet written: a kernel fills every one before anyone reads.
    #[inline]
    pub(crate) fn uninit(shape: impl Into<Shape>, dtype: DType) -> Array {
        let shape = shape.into();
        // A count that overflows asks for more than any machine has, and so gets the error for that.
        let bytes = shape
            .checked_numel()
            .map_or(isize::MAX as usize, |n| n * dtype.size());
        Array::of(Buffer::uninit(bytes), Layout::contiguous(shape), dtype)
    }

    /// As [`uninit`](Array::uninit), in the shape of this array, which is contiguous: its layout is known.
    #[inline]
    pub(crate) fn uninit_like(&self, dtype: DType) -> Array {
        assert!(
            self.is_contiguous(),
            "only a contiguous layout fits a buffer of its own"
        );
        Array::of(
            Buffer::uninit(self.numel() * dtype.size()),
            self.0.layout.at_start(),
            dtype,
        )
    }

    #[inline]
    fn of(buffer: Buffer, layout: Layout, dtype: DType) -> Array {
        Array(Handle::new(Inner {
            buffer,
            layout,
            dtype,
        }))
    }

    /// The elements of `data` in row-major order.
    ///
    /// # Panics
    /// If `shape` does not hold as many elements as `data` has.
    pub fn from_slice<T: Element>(data: &[T], shape: impl Into<Shape>) -> Array {
        let mut array = Array::uninit(shape, T::DTYPE);
        assert_eq!(
            array.numel(),
            data.len(),
            "shape {} and the number of elements differ",
            array.shape()
        );
        let out = array.uninit_slice::<T>();
        // SAFETY: both have `data.len()` elements, and a fresh buffer overlaps nothing.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), out, data.len()) };
        array
    }

    /// A 0-d array.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array::from_slice(&[value], [])
    }

    /// An array full of `value`, stored as `dtype` stores it.
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Array {
        let shape = shape.into();
        if dtype.is_complex() {
            let part = |v| Array::fill(shape.clone(), v, dtype.real());
            return Array::join(&part(value), &part(0.0));
        }
        let mut array = Array::uninit(shape, dtype);
        let n = array.numel();
        with_element!(dtype, T => {
            let (out, value) = (Out(array.uninit_slice::<T>()), T::store(value));
            threads::split(n, 64, 1, |start, len| {
                // SAFETY: elements of the fresh buffer, and this thread's alone.
                unsafe { out.slice(start, len) }.fill(value);
            });
        });
        array
    }

    /// An array on memory that `owner` keeps alive, without a copy; a write through the array copies it first.
    ///
    /// `first` is the address of the element at index zero; `strides` are in elements.
    ///
    /// # Safety
    /// Every element that `shape` and `strides` describe lies in memory that can be read until `owner` is dropped,
    /// is aligned for its type, and, if a bool, is 0 or 1. Nothing writes to the memory while an operation reads it.
    pub unsafe fn from_foreign(
        first: *const u8,
        shape: impl Into<Shape>,
        strides: &[isize],
        dtype: DType,
        owner: Box<dyn Send + Sync>,
    ) -> Array {
        let shape = shape.into();
        assert_eq!(shape.rank(), strides.len(), "a stride for each dimension");
        // Strides may be negative: the buffer begins at the lowest address, and the offset leads to the first.
        let below = |(&n, &s): (&usize, &isize)| (n.max(1) as isize - 1) * s.min(0);
        let offset = if shape.numel() == 0 {
            0
        } else {
            shape.iter().zip(strides).map(below).sum::<isize>().unsigned_abs()
        };
        // SAFETY: the element at the lowest address is one of those that may be read.
        let lowest = unsafe { first.sub(offset * dtype.size()) };
        let buffer = Buffer::foreign(lowest.cast_mut(), owner);
        Array::of(buffer, Layout::strided(shape, strides, offset), dtype)
    }

    /// `value` once, seen as an array of any shape: its strides are zero and it takes no memory.
    pub fn fill(shape: impl Into<Shape>, value: f64, dtype: DType) -> Array {
        Array::full([], value, dtype).broadcast_to(&shape.into())
    }
}

/// Looking at arrays.
impl Array {
    /// The sizes of the dimensions.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.0.layout.shape()
    }

    /// Shape, strides and offset.
    #[inline]
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The type of the elements.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// Where the elements are.
    #[inline]
    pub fn device(&self) -> Device {
        Device::Cpu
    }

    /// Shape, dtype and device.
    #[inline]
    pub fn meta(&self) -> Meta {
        Meta {
            shape: self.shape().clone(),
            dtype: self.dtype(),
            device: self.device(),
        }
    }

    /// The number of dimensions.
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    #[inline]
    pub fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// Whether the elements lie row-major without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.0.layout.is_contiguous()
    }

    /// Whether nobody else holds this array or its buffer.
    #[inline]
    pub fn is_unique(&self) -> bool {
        self.0.is_unique() && self.0.buffer.is_unique()
    }

    /// Whether another library owns the memory, and may write to it.
    pub fn is_foreign(&self) -> bool {
        self.0.buffer.is_foreign()
    }

    /// Whether both see the same buffer.
    pub fn shares_buffer(&self, other: &Array) -> bool {
        self.0.buffer.same(&other.0.buffer)
    }

    /// The elements in row-major order, converted to `T`; complex numbers to real ones by their real part.
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        let array = self.cast(T::DTYPE).contiguous();
        array.as_slice::<T>().to_vec()
    }

    /// The elements of a contiguous array of `T`.
    ///
    /// # Panics
    /// If the array is not contiguous, or of another dtype.
    pub fn as_slice<T: Element>(&self) -> &[T] {
        assert!(self.is_contiguous(), "as_slice needs a contiguous array");
        // SAFETY: contiguous, so `numel` elements follow each other; every array's elements are initialised
        // before it leaves this crate; `bool`s are only ever stored from `bool`s. No one writes while
        // `&self` is held, since a write asks for a unique holder.
        unsafe { std::slice::from_raw_parts(self.as_ptr::<T>(), self.numel()) }
    }

    /// The only element, as `f64` (exact for every dtype but large i64; of a complex number the real part), or `None`
    /// where there is not exactly one.
    pub fn item(&self) -> Option<f64> {
        match self.dtype().is_complex() {
            true => self.real().element(),
            false => self.element(),
        }
    }

    /// The only element as `C`, or `None` where there is not exactly one.
    ///
    /// # Panics
    /// If it is complex.
    #[inline]
    pub fn element<C: Compute>(&self) -> Option<C> {
        if self.numel() != 1 {
            return None;
        }
        // SAFETY: the one element lies at the layout's offset, which `as_ptr` points to.
        with_element!(self.dtype(), T => Some(unsafe { *self.as_ptr::<T>() }.load::<C>()))
    }

    /// The address of the first element.
    pub(crate) fn as_ptr<T: Element>(&self) -> *const T {
        assert_eq!(self.dtype(), T::DTYPE, "array of another dtype");
        // SAFETY: the layout's offset lies within the buffer (at its end at most, for an empty array).
        unsafe {
            self.0
                .buffer
                .ptr()
                .cast::<T>()
                .cast_const()
                .add(self.0.layout.offset())
        }
    }

    /// The address of the first byte of the first element.
    pub fn as_bytes_ptr(&self) -> *const u8 {
        // SAFETY: as in `as_ptr`.
        unsafe {
            self.0
                .buffer
                .ptr()
                .cast_const()
                .add(self.0.layout.offset() * self.dtype().size())
        }
    }

    /// Where a fresh or uniquely held contiguous array is to be written.
    ///
    /// # Panics
    /// If someone else holds the buffer, the layout is not contiguous, or the dtype is another.
    pub(crate) fn uninit_slice<T: Element>(&mut self) -> *mut T {
        assert!(
            self.is_unique() && self.is_contiguous(),
            "only a sole holder writes"
        );
        self.as_ptr::<T>().cast_mut()
    }

    /// The elements, to be written; copied first if anyone else holds them, or if they are strided.
    pub fn make_mut<T: Element>(&mut self) -> &mut [T] {
        if !(self.is_unique() && self.is_contiguous()) {
            *self = kernels::copy(self);
        }
        let n = self.numel();
        // SAFETY: `uninit_slice` checks that we alone hold the buffer and that it is contiguous; the elements
        // are initialised; the borrow of `self` keeps others from cloning it meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.uninit_slice::<T>(), n) }
    }
}

/// Views, which share the buffer, and the copies they sometimes need.
impl Array {
    #[inline]
    pub(crate) fn view(&self, layout: Layout) -> Array {
        self.view_as(layout, self.dtype())
    }

    /// The same bytes as elements of another dtype, for which the layout must be right.
    pub(crate) fn view_as(&self, layout: Layout, dtype: DType) -> Array {
        Array::of(self.0.buffer.clone(), layout, dtype)
    }

    /// Row-major without gaps: itself where it is so already, else a copy.
    pub fn contiguous(&self) -> Array {
        if self.is_contiguous() {
            self.clone()
        } else {
            kernels::copy(self)
        }
    }

    /// Converted to `dtype`: itself where it is that already, else a copy. Of complex numbers as real ones the real part,
    /// and as bool whether either part is not zero.
    pub fn cast(&self, dtype: DType) -> Array {
        if self.dtype() == dtype {
            self.clone()
        } else {
            kernels::cast(self, dtype)
        }
    }

    /// The same elements in row-major order, in another shape of equal count: a view where strides allow it.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Array {
        let shape = shape.into();
        assert_eq!(
            self.numel(),
            shape.numel(),
            "cannot reshape {} to {shape}",
            self.shape()
        );
        match self.0.layout.reshape(&shape) {
            Some(layout) => self.view(layout),
            None => {
                let copy = kernels::copy(self);
                copy.view(Layout::contiguous(shape))
            }
        }
    }

    /// The dimensions in a new order.
    pub fn permute(&self, order: &[usize]) -> Array {
        self.view(self.0.layout.permute(order))
    }

    /// Dimensions `a` and `b` exchanged.
    pub fn transpose(&self, a: usize, b: usize) -> Array {
        let mut order: SmallVec<[usize; 4]> = (0..self.rank()).collect();
        order.swap(a, b);
        self.permute(&order)
    }

    /// Repeated along new and size-one dimensions, without taking memory.
    pub fn broadcast_to(&self, shape: &Shape) -> Array {
        if self.shape() == shape {
            return self.clone();
        }
        self.view(self.0.layout.broadcast_to(shape))
    }

    /// `len` elements along dimension `d` from `start` on, `step` apart; `step` may be negative.
    pub fn slice(&self, d: usize, start: usize, len: usize, step: isize) -> Array {
        let last = start as isize + (len.max(1) as isize - 1) * step;
        assert!(len == 0 || (start < self.shape()[d] && (0..self.shape()[d] as isize).contains(&last)));
        self.view(self.0.layout.slice(d, start, len, step))
    }

    /// The part at position `at` along dimension `d`, which goes away.
    pub fn select(&self, d: usize, at: usize) -> Array {
        assert!(at < self.shape()[d]);
        self.view(self.0.layout.select(d, at))
    }

    /// A diagonal of dimensions `a` and `b` as a new last dimension; see [`Layout::diagonal`].
    pub fn diagonal(&self, offset: isize, a: usize, b: usize) -> Array {
        assert_ne!(a, b);
        self.view(self.0.layout.diagonal(offset, a, b))
    }

    /// Windows along dimension `d` as a new last dimension; see [`Layout::windows`].
    pub fn windows(&self, d: usize, size: usize, step: usize, dilation: usize) -> Array {
        assert!(step > 0 && dilation * size.saturating_sub(1) + usize::from(size > 0) <= self.shape()[d]);
        self.view(self.0.layout.windows(d, size, step, dilation))
    }

    /// The bits of the elements, in row-major order, as elements of another dtype of the same size.
    ///
    /// # Panics
    /// If the sizes differ, or if `dtype` is bool, which not every byte is.
    pub fn bitcast(&self, dtype: DType) -> Array {
        assert!(dtype.size() == self.dtype().size() && (dtype != DType::Bool || self.dtype() == DType::Bool));
        // Whoever owns the memory may write to it, and integers may be places in memory that were checked before.
        let whole = match self.is_foreign() && !dtype.is_float() {
            true => kernels::copy(self),
            false => self.contiguous(),
        };
        Array::of(whole.0.buffer.clone(), whole.0.layout.clone(), dtype)
    }

    /// Without dimension `d`, which has size one.
    pub fn squeeze(&self, d: usize) -> Array {
        assert_eq!(self.shape()[d], 1);
        self.view(self.0.layout.squeeze(d))
    }

    /// With a dimension of size one put in before dimension `d`.
    pub fn unsqueeze(&self, d: usize) -> Array {
        self.view(self.0.layout.unsqueeze(d))
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::print::format(self, "array(", &[]))
    }
}
