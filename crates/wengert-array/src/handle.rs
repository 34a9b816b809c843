//! Counted handles, as `Arc`, on blocks that come from free lists of the thread.
//!
//! Recording an operation makes a few small objects, and a backward pass drops them all at once. The system's
//! allocator keeps only a handful of blocks of a size at hand and is slow for the rest; these lists keep a
//! thousand.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{NonNull, drop_in_place, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// A shared value, as in `Arc`.
pub struct Handle<T>(NonNull<Block<T>>, PhantomData<Block<T>>);

#[repr(C)]
struct Block<T> {
    refs: AtomicUsize,
    value: T,
}

// SAFETY: as for `Arc`: handles on several threads share the value, and the last one drops it.
unsafe impl<T: Send + Sync> Send for Handle<T> {}
// SAFETY: as for Send.
unsafe impl<T: Send + Sync> Sync for Handle<T> {}

impl<T> Handle<T> {
    /// The first handle on this value.
    #[inline]
    pub fn new(value: T) -> Handle<T> {
        let block = lists::take(const { Layout::new::<Block<T>>() }).cast::<Block<T>>();
        // SAFETY: the block is ours alone and has this layout.
        unsafe {
            block.write(Block {
                refs: AtomicUsize::new(1),
                value,
            });
        }
        Handle(block, PhantomData)
    }

    /// Whether there is no other handle.
    #[inline]
    pub fn is_unique(&self) -> bool {
        // SAFETY: a handle keeps its block alive.
        count(unsafe { &self.0.as_ref().refs }) == 1
    }

    /// Whether both are handles on one value.
    #[inline]
    pub fn same(&self, other: &Handle<T>) -> bool {
        self.0 == other.0
    }

    /// The value, if this is the only handle.
    #[inline]
    pub fn try_unwrap(self) -> Result<T, Handle<T>> {
        if !self.is_unique() {
            return Err(self);
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: the only handle, and it is not dropped: so the value is moved out once, and the block freed once.
        unsafe {
            let value = (&raw const (*this.0.as_ptr()).value).read();
            lists::give(this.0.cast(), const { Layout::new::<Block<T>>() });
            Ok(value)
        }
    }
}

/// Acquire pairs with the release of other handles' drops: what they did is done.
#[inline]
fn count(refs: &AtomicUsize) -> usize {
    refs.load(Ordering::Acquire)
}

/// Drops the value and frees the block.
///
/// # Safety
/// `block` is a `Block<T>` whose last handle went away.
unsafe fn free<T>(block: NonNull<AtomicUsize>) {
    let block = block.cast::<Block<T>>();
    // SAFETY: nobody else has the block any more.
    unsafe {
        drop_in_place(&raw mut (*block.as_ptr()).value);
        lists::give(block.cast(), const { Layout::new::<Block<T>>() });
    }
}

/// Whether a handle that is going away was the last. Of a sole one, from which nobody can make another meanwhile, that is
/// seen without an exchange with other processors, which takes longer than most of what else a small operation does.
#[inline]
pub(crate) fn was_last(refs: &AtomicUsize) -> bool {
    if count(refs) == 1 {
        return true;
    }
    let last = refs.fetch_sub(1, Ordering::Release) == 1;
    if last {
        fence(Ordering::Acquire);
    }
    last
}

impl<T> Deref for Handle<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a handle keeps its block alive.
        unsafe { &self.0.as_ref().value }
    }
}

impl<T> Clone for Handle<T> {
    #[inline]
    fn clone(&self) -> Handle<T> {
        // SAFETY: a handle keeps its block alive.
        unsafe { self.0.as_ref() }.refs.fetch_add(1, Ordering::Relaxed);
        Handle(self.0, PhantomData)
    }
}

impl<T> Drop for Handle<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a handle keeps its block alive; the last one frees it.
        unsafe {
            if was_last(&self.0.as_ref().refs) {
                free::<T>(self.0.cast());
            }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// What a value can be seen as where its type is no longer known: a trait object that it makes of itself.
pub trait Seen<V: ?Sized>: Send + Sync + 'static {
    /// The value as `V`.
    fn seen(&self) -> &V;
}

/// A [`Handle`] on a value of any type that can be [`Seen`] as `V`.
pub struct Erased<V: ?Sized + 'static> {
    block: NonNull<AtomicUsize>,
    kind: &'static Kind<V>,
}

struct Kind<V: ?Sized + 'static> {
    seen: unsafe fn(NonNull<AtomicUsize>) -> *const V,
    free: unsafe fn(NonNull<AtomicUsize>),
}

// SAFETY: as for `Handle`: only values that are Send and Sync are erased.
unsafe impl<V: ?Sized> Send for Erased<V> {}
// SAFETY: as for Send.
unsafe impl<V: ?Sized> Sync for Erased<V> {}

impl<T> Handle<T> {
    /// The same handle where the value's type is no longer known.
    #[inline]
    pub fn erase<V: ?Sized + 'static>(self) -> Erased<V>
    where
        T: Seen<V>,
    {
        let this = ManuallyDrop::new(self);
        Erased {
            block: this.0.cast(),
            kind: const {
                &Kind {
                    seen: seen::<T, V>,
                    free: free::<T>,
                }
            },
        }
    }
}

/// # Safety
/// `block` is a live `Block<T>`.
unsafe fn seen<T: Seen<V>, V: ?Sized + 'static>(block: NonNull<AtomicUsize>) -> *const V {
    // SAFETY: as the caller promises.
    unsafe { &(*block.cast::<Block<T>>().as_ptr()).value }.seen()
}

impl<V: ?Sized + 'static> Erased<V> {
    /// Whether there is no other handle.
    #[inline]
    pub fn is_unique(&self) -> bool {
        // SAFETY: a handle keeps its block alive, which begins with the count.
        count(unsafe { self.block.as_ref() }) == 1
    }

    /// Whether both are handles on one value.
    #[inline]
    pub fn same(&self, other: &Erased<V>) -> bool {
        self.block == other.block
    }
}

impl<V: ?Sized + 'static> Deref for Erased<V> {
    type Target = V;
    #[inline]
    fn deref(&self) -> &V {
        // SAFETY: `kind` was made for the type of this very block, which the handle keeps alive as long as the result
        // is borrowed.
        unsafe { &*(self.kind.seen)(self.block) }
    }
}

impl<V: ?Sized + 'static> Clone for Erased<V> {
    #[inline]
    fn clone(&self) -> Erased<V> {
        // SAFETY: a handle keeps its block alive, which begins with the count.
        unsafe { self.block.as_ref() }.fetch_add(1, Ordering::Relaxed);
        Erased { ..*self }
    }
}

impl<V: ?Sized + 'static> Drop for Erased<V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as for `Handle`; `kind` was made for this block's type.
        unsafe {
            if was_last(self.block.as_ref()) {
                (self.kind.free)(self.block);
            }
        }
    }
}

/// Free blocks of the thread, by size.
pub(crate) mod lists {
    use super::*;

    /// Sizes are rounded up to these many bytes; larger blocks than all classes come from the system.
    const STEP: usize = 64;
    const CLASSES: usize = 12;
    const KEEP: usize = 1024;
    const ALIGN: usize = 16;

    /// A block while nobody uses it.
    struct Free {
        next: *mut Free,
    }

    /// Blocks that nobody uses; each holds the address of the next.
    pub(crate) struct List {
        first: Cell<*mut Free>,
        len: Cell<usize>,
    }

    struct Lists([List; CLASSES]);

    thread_local! {
        static LISTS: Lists = const {
            Lists([const { List::new() }; CLASSES])
        };
    }

    impl Drop for Lists {
        fn drop(&mut self) {
            for (class, list) in self.0.iter().enumerate() {
                while let Some(block) = list.pop() {
                    // SAFETY: a block of this class, and no longer on the list.
                    unsafe { dealloc(block.as_ptr(), layout_of(class)) };
                }
            }
        }
    }

    impl List {
        pub(crate) const fn new() -> List {
            List {
                first: Cell::new(null_mut()),
                len: Cell::new(0),
            }
        }

        #[inline]
        pub(crate) fn pop(&self) -> Option<NonNull<u8>> {
            let first = NonNull::new(self.first.get())?;
            // SAFETY: what stands on a list is a free block that `push` wrote.
            self.first.set(unsafe { first.as_ref() }.next);
            self.len.set(self.len.get() - 1);
            Some(first.cast())
        }

        /// Whether there was room for it: not if there are `most` already.
        ///
        /// # Safety
        /// The block is of this list's class, aligned for an address, and nobody uses it.
        #[inline]
        pub(crate) unsafe fn push(&self, block: NonNull<u8>, most: usize) -> bool {
            if self.len.get() >= most {
                return false;
            }
            let free = block.cast::<Free>();
            // SAFETY: the block is large and aligned enough, and ours.
            unsafe {
                free.write(Free {
                    next: self.first.get(),
                });
            }
            self.first.set(free.as_ptr());
            self.len.set(self.len.get() + 1);
            true
        }
    }

    #[inline]
    const fn class_of(layout: Layout) -> usize {
        assert!(layout.align() <= ALIGN);
        (layout.size() - 1) / STEP
    }

    const fn layout_of(class: usize) -> Layout {
        match Layout::from_size_align((class + 1) * STEP, ALIGN) {
            Ok(layout) => layout,
            Err(_) => panic!("classes are small"),
        }
    }

    #[inline]
    pub(super) fn take(layout: Layout) -> NonNull<u8> {
        let class = class_of(layout);
        if class < CLASSES
            // A thread that is ending has no lists any more: then the system serves.
            && let Ok(Some(block)) = LISTS.try_with(|lists| lists.0[class].pop())
        {
            return block;
        }
        fresh(class)
    }

    #[cold]
    fn fresh(class: usize) -> NonNull<u8> {
        let layout = layout_of(class);
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// # Safety
    /// The block came from [`take`] with this layout, and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn give(block: NonNull<u8>, layout: Layout) {
        let class = class_of(layout);
        // SAFETY: as the caller promises; what no list takes goes back to where `fresh` got it.
        unsafe {
            let kept = class < CLASSES
                && LISTS
                    .try_with(|lists| lists.0[class].push(block, KEEP))
                    .unwrap_or(false);
            if !kept {
                dealloc(block.as_ptr(), layout_of(class));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    trait Named: Send + Sync {
        fn name(&self) -> String;
    }
    /// A value that counts its drops, of some size.
    struct Value<const N: usize>([u8; N], Arc<AtomicUsize>);
    impl<const N: usize> Named for Value<N> {
        fn name(&self) -> String {
            format!("{N} of {}", self.0[N - 1])
        }
    }
    impl<const N: usize> Seen<dyn Named> for Value<N> {
        fn seen(&self) -> &(dyn Named + 'static) {
            self
        }
    }
    impl<const N: usize> Drop for Value<N> {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn each_way<const N: usize>() {
        let drops = Arc::new(AtomicUsize::new(0));
        let dropped = || drops.load(Ordering::Relaxed);
        let a = Handle::new(Value([7; N], drops.clone()));
        let b = a.clone();
        assert!(!a.is_unique() && a.same(&b) && a.0 == b.0);
        let a = a.try_unwrap().err().expect("there are two");
        drop(b);
        assert!(a.is_unique() && dropped() == 0);
        let erased = a.clone().erase::<dyn Named>();
        assert!(!a.is_unique() && !erased.is_unique());
        drop(a);
        let other = erased.clone();
        assert!(other.same(&erased) && erased.name() == format!("{N} of 7"));
        drop(erased);
        assert!(other.is_unique() && dropped() == 0);
        std::thread::spawn(move || assert_eq!(other.name(), format!("{N} of 7")))
            .join()
            .unwrap();
        assert_eq!(dropped(), 1);
        let value = Handle::new(Value([7; N], drops.clone()))
            .try_unwrap()
            .ok()
            .expect("the only one");
        assert_eq!((dropped(), value.0[0]), (1, 7));
    }

    #[test]
    fn values_of_all_sizes_are_shared_and_dropped_once() {
        each_way::<1>();
        each_way::<48>();
        each_way::<49>();
        each_way::<500>();
        each_way::<5000>();
    }

    #[test]
    fn more_than_the_lists_keep() {
        for _ in 0..2 {
            let many: Vec<_> = (0..5000).map(|i| Handle::new([i; 20])).collect();
            assert!(many.iter().enumerate().all(|(i, h)| h[19] == i));
            let there = std::thread::spawn(move || {
                let (back, gone): (Vec<_>, Vec<_>) = many.into_iter().partition(|h| h[0] % 2 == 0);
                drop(gone);
                back
            });
            assert_eq!(there.join().unwrap().len(), 2500);
        }
    }
}
