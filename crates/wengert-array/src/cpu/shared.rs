//! Where threads read and write: pointers that a kernel's tasks share.

/// Where threads write, each its own elements.
#[derive(Clone, Copy)]
pub(crate) struct Out<T>(pub *mut T);

// SAFETY: those who write through it see to it that no two threads write the same element, and that none reads one meanwhile.
unsafe impl<T: Send> Sync for Out<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Out<T> {}

impl<T> Out<T> {
    /// From element `at` on. (A method, so that closures capture the whole, which is `Sync`.)
    #[inline(always)]
    pub fn at(&self, at: usize) -> *mut T {
        self.0.wrapping_add(at)
    }

    /// # Safety
    /// Elements `at .. at + n` lie within the array, no one else looks at them meanwhile, and where they are not yet
    /// initialised the caller writes each before it reads it.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, at: usize, n: usize) -> &mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(at), n) }
    }
}

/// What threads only read.
#[derive(Clone, Copy)]
pub(crate) struct In<T>(pub *const T);

// SAFETY: it is only read, while an array that holds it is borrowed.
unsafe impl<T: Sync> Sync for In<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Send for In<T> {}

impl<T> In<T> {
    /// From element `at` on.
    #[inline(always)]
    pub fn at(&self, at: usize) -> *const T {
        self.0.wrapping_add(at)
    }
}
