//! Buffers: counted, aligned blocks of bytes, and the pool they return to.
//!
//! A block is a header and its bytes in one allocation, so that a small array costs one visit to a
//! free list. Blocks come in size classes. Small ones go back to a list of the thread that drops them
//! (no lock), large ones to a shared list; both keep a bounded amount and give the rest to the system.
//!
//! Memory that another library owns can be a buffer too: its block holds the address and the owner.

use crate::error::{Error, ErrorKind, raise};
use crate::handle::{lists::List, was_last};
use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const ALIGN: usize = 64;
/// Blocks of at least so many bytes begin where the system's huge pages do.
const HUGE: usize = 2 << 20;
/// Blocks up to this many bytes are kept by the thread that drops them.
const SMALL: usize = 32 << 10;
/// How many small blocks of a class a thread keeps: of the smallest, which a graph of a few hundred small operations has
/// one each of, as many as fill 16 KiB.
const KEEP: [usize; SMALL_CLASSES] = {
    let (mut keep, mut class) = ([64; SMALL_CLASSES], 0);
    while class < SMALL_CLASSES {
        let fill = (16 << 10) / class_bytes(class);
        if fill > 64 {
            keep[class] = fill;
        }
        class += 1;
    }
    keep
};
/// How many bytes of large blocks the shared list keeps.
const KEEP_BYTES: usize = 1 << 30;
const SMALL_CLASSES: usize = class_of(SMALL) + 1;
const CLASSES: usize = 256;
/// The class of blocks that stand for another owner's memory.
const FOREIGN: usize = usize::MAX;

#[repr(C, align(64))]
struct Header {
    refs: AtomicUsize,
    class: usize,
}

/// What follows the header of a block that stands for another owner's memory.
#[repr(C)]
struct Foreign {
    header: Header,
    bytes: *mut u8,
    owner: Box<dyn Send + Sync>,
}

/// A counted block of bytes, 64-byte aligned unless foreign. Cloning shares it.
pub(crate) struct Buffer(NonNull<Header>);

// SAFETY: the count is atomic; the bytes are written only by a sole holder (`Array` checks `is_unique`
// before it hands out mutable access) and otherwise only read.
unsafe impl Send for Buffer {}
// SAFETY: as for Send.
unsafe impl Sync for Buffer {}

/// Size classes: multiples of 64 up to 512, then four to each doubling, so at most a quarter is wasted.
const fn class_of(bytes: usize) -> usize {
    if bytes <= 512 {
        return if bytes == 0 { 0 } else { (bytes - 1) / 64 };
    }
    let top = (bytes - 1).ilog2() as usize;
    8 + (top - 9) * 4 + (((bytes - 1) >> (top - 2)) & 3)
}

const fn class_bytes(class: usize) -> usize {
    if class < 8 {
        return (class + 1) * 64;
    }
    let (top, quarter) = ((class - 8) / 4 + 9, (class - 8) % 4);
    (5 + quarter) << (top - 2)
}

fn block_layout(class: usize) -> Option<Layout> {
    let bytes = class_bytes(class);
    let align = if bytes < HUGE { ALIGN } else { HUGE };
    Layout::from_size_align(size_of::<Header>() + bytes, align).ok()
}

fn fresh(class: usize) -> Option<NonNull<Header>> {
    let layout = block_layout(class)?;
    // SAFETY: the layout's size is at least the header's, so not zero.
    let block = NonNull::new(unsafe { alloc(layout) })?;
    #[cfg(target_os = "linux")]
    if layout.align() == HUGE {
        // Page faults of 4 KiB each cost far more than what is then written there. It is advice: a refusal harms nothing.
        // SAFETY: the range is this block's, which begins with a page.
        unsafe { libc::madvise(block.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE) };
    }
    Some(block.cast())
}

impl Buffer {
    /// A block of at least `bytes` bytes, uninitialised. Raises an error where there is no memory for it.
    pub(crate) fn uninit(bytes: usize) -> Buffer {
        let class = class_of(bytes);
        let block = pool::take(class).or_else(|| fresh(class)).or_else(|| {
            pool::clear();
            fresh(class)
        });
        let Some(block) = block else {
            raise(Error::new(
                ErrorKind::Memory,
                "",
                format!("no memory for an array of {bytes} bytes"),
            ))
        };
        // SAFETY: the block is ours alone, and large and aligned enough for a header.
        unsafe {
            block.write(Header {
                refs: AtomicUsize::new(1),
                class,
            })
        };
        Buffer(block)
    }

    /// Memory that `owner` keeps alive, from `bytes` on. It counts as shared: a write copies it first.
    pub(crate) fn foreign(bytes: *mut u8, owner: Box<dyn Send + Sync>) -> Buffer {
        let header = Header {
            refs: AtomicUsize::new(1),
            class: FOREIGN,
        };
        let block = Box::new(Foreign { header, bytes, owner });
        Buffer(NonNull::from(Box::leak(block)).cast())
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the header lives as long as any holder.
        unsafe { self.0.as_ref() }
    }

    /// The first byte.
    #[inline]
    pub(crate) fn ptr(&self) -> *mut u8 {
        if self.header().class == FOREIGN {
            // SAFETY: a block of this class is a `Foreign`, whose first field is the header.
            return unsafe { self.0.cast::<Foreign>().as_ref() }.bytes;
        }
        // SAFETY: the bytes follow the header in the same allocation.
        unsafe { self.0.as_ptr().add(1).cast::<u8>() }
    }

    /// Whether no one else holds this block.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        // Acquire pairs with the release of other holders' drops: their reads are over.
        // Another owner's memory is never ours alone.
        self.header().refs.load(Ordering::Acquire) == 1 && self.header().class != FOREIGN
    }

    /// Whether another owner's memory.
    pub(crate) fn is_foreign(&self) -> bool {
        self.header().class == FOREIGN
    }

    /// Whether both are the same block.
    pub(crate) fn same(&self, other: &Buffer) -> bool {
        self.0 == other.0
    }
}

impl Clone for Buffer {
    #[inline]
    fn clone(&self) -> Buffer {
        self.header().refs.fetch_add(1, Ordering::Relaxed);
        Buffer(self.0)
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if was_last(&self.header().refs) {
            if self.header().class == FOREIGN {
                // SAFETY: made by `Box::leak` in `foreign`, and this was the last holder.
                let block = unsafe { Box::from_raw(self.0.cast::<Foreign>().as_ptr()) };
                drop(block.owner);
                return;
            }
            // SAFETY: the header says of which class it is, and this was the last holder.
            unsafe { pool::give(self.0, self.header().class) };
        }
    }
}

mod pool {
    use super::*;

    struct Block(NonNull<Header>);
    // SAFETY: a block in the pool has no holder, so it may change threads.
    unsafe impl Send for Block {}

    struct Shared {
        free: [Vec<Block>; CLASSES],
        bytes: usize,
    }

    static SHARED: Mutex<Shared> = Mutex::new(Shared {
        free: [const { Vec::new() }; CLASSES],
        bytes: 0,
    });

    struct Local([List; SMALL_CLASSES]);

    impl Drop for Local {
        fn drop(&mut self) {
            for (class, blocks) in self.0.iter().enumerate() {
                while let Some(block) = blocks.pop() {
                    free(Block(block.cast()), class);
                }
            }
        }
    }

    thread_local! {
        static LOCAL: Local = const { Local([const { List::new() }; SMALL_CLASSES]) };
    }

    fn free(block: Block, class: usize) {
        let layout = block_layout(class).expect("it had one when it was made");
        // SAFETY: allocated by `fresh` with this layout, and no one holds it.
        unsafe { dealloc(block.0.as_ptr().cast(), layout) };
    }

    fn shared() -> std::sync::MutexGuard<'static, Shared> {
        SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    #[inline]
    pub(super) fn take(class: usize) -> Option<NonNull<Header>> {
        if class < SMALL_CLASSES {
            // A thread that is ending has no list any more: then the system serves.
            return Some(LOCAL.try_with(|lists| lists.0[class].pop()).ok()??.cast());
        }
        take_large(class)
    }

    fn take_large(class: usize) -> Option<NonNull<Header>> {
        let mut shared = shared();
        let block = shared.free.get_mut(class)?.pop()?;
        shared.bytes -= class_bytes(class);
        Some(block.0)
    }

    /// # Safety
    /// The block is of this class, and has no holder.
    #[inline]
    pub(super) unsafe fn give(block: NonNull<Header>, class: usize) {
        if class < SMALL_CLASSES {
            // SAFETY: as the caller promises; every block has room for an address.
            let kept = LOCAL.try_with(|lists| unsafe { lists.0[class].push(block.cast(), KEEP[class]) });
            if !kept.unwrap_or(false) {
                free(Block(block), class);
            }
            return;
        }
        give_large(Block(block), class);
    }

    fn give_large(block: Block, class: usize) {
        let mut shared = shared();
        if class < CLASSES && shared.bytes + class_bytes(class) <= KEEP_BYTES {
            shared.bytes += class_bytes(class);
            shared.free[class].push(block);
        } else {
            drop(shared);
            free(block, class);
        }
    }

    pub(super) fn clear() {
        let mut shared = shared();
        shared.bytes = 0;
        let lists: Vec<Vec<Block>> = shared.free.iter_mut().map(std::mem::take).collect();
        drop(shared);
        for (class, blocks) in lists.into_iter().enumerate() {
            blocks.into_iter().for_each(|b| free(b, class));
        }
    }
}

/// Gives the pool's large unused buffers back to the system.
pub fn empty_cache() {
    pool::clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_sizes_and_waste_little() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 3 << 30, 1 << 44]) {
            let held = class_bytes(class_of(bytes));
            assert!(held >= bytes, "{bytes} in {held}");
            assert!(
                held <= 64 || held as f64 <= 64.0 + bytes as f64 * 1.25,
                "{bytes} in {held}"
            );
            assert_eq!(class_of(held), class_of(bytes));
        }
    }

    #[test]
    fn a_dropped_block_comes_back() {
        for bytes in [100, 1 << 20] {
            let first = Buffer::uninit(bytes);
            let at = first.ptr();
            assert!(first.is_unique() && (at as usize).is_multiple_of(ALIGN));
            let second = first.clone();
            assert!(!first.is_unique() && second.same(&first));
            drop((first, second));
            // Another test's thread may take a shared block first; a small one is this thread's own.
            if bytes < SMALL {
                assert_eq!(Buffer::uninit(bytes).ptr(), at);
            }
        }
    }

    #[test]
    fn blocks_cross_threads() {
        let buffers: Vec<Buffer> = (0..200).map(|i| Buffer::uninit(i * 97)).collect();
        std::thread::scope(|s| {
            for _ in 0..4 {
                let mine = buffers.clone();
                s.spawn(move || drop(mine));
            }
        });
        assert!(buffers.iter().all(Buffer::is_unique));
    }
}
