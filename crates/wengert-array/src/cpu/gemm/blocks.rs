//! A product cut into blocks that stay in the caches, and those into register tiles.

use super::tile::{Kernel, Source, Tile};
use super::{Matrix, Product, Start};
use crate::array::Array;
use crate::cpu::turn::turn;
use crate::dtype::Element;
use std::mem::MaybeUninit;

/// Computes a product.
///
/// For each block of the right operand, some panels two vectors wide, the left one is gone over in strips of a few rows. A
/// panel is made (its rows laid one after the other) while the first strip is multiplied by it.
///
/// An element's products are summed in one order, which depends on the depth alone.
///
/// # Safety
/// The processor has the kernel's instructions, what the [product](Product) says holds, and no side of it is 0.
pub(super) unsafe fn product<K: Kernel>(asked: &Product<K::C>) {
    let &Product {
        size: [m, k, n],
        out,
        step,
        start,
        a,
        b,
        scale,
    } = asked;
    let width = 2 * K::LANES;
    if n <= NARROW && m >= width && a.row == 1 && a.col > 1 && matches!(start, Start::Zero) {
        // The rows of a transposed left operand fill vectors, and so few columns do not.
        let mut space = Array::uninit([n * m], K::C::DTYPE);
        let turned = Product {
            size: [n, k, m],
            out: space.uninit_slice::<K::C>(),
            step: m,
            a: b.transposed(),
            b: a.transposed(),
            ..*asked
        };
        // SAFETY: the operands have changed places, and the result is as large.
        unsafe {
            product::<K>(&turned);
            return turn(turned.out, m as isize, out, step, [m, n]);
        }
    }
    // Which products are summed first must not depend on how the rows and columns are cut.
    let most = if k <= 1024 { 256 } else { 512 };
    let depth = k.div_ceil(k.div_ceil(most)).next_multiple_of(16);
    // One panel stays in the first-level cache. Where the left operand does not even stay in the second, each of its
    // strips should serve many columns.
    let kept = m * depth <= 1 << 16;
    let panels = if kept { 1 } else { 2048 / most };
    // A few rows go over the right operand but once.
    let once = 2 * m <= K::ROWS && b.col == 1;
    let whole = n.next_multiple_of(width);
    let block = if once { whole } else { whole.min(panels * width) };
    let strips = m.div_ceil(K::ROWS);
    let (least, more) = (m / strips, m % strips);
    // Of a transposed left operand that the caches do not hold, each strip is laid together, where it serves some panels.
    let laid = !kept && a.row == 1 && a.col > 1 && n >= LAY * width;
    let room = if laid { K::ROWS * depth } else { 0 };
    let mut space = Array::uninit([room + depth * if once { width } else { block }], K::C::DTYPE);
    let strip_at = space.uninit_slice::<K::C>();
    // SAFETY: there is room for both.
    let panels_at = unsafe { strip_at.add(room) };
    let mut edge = [const { MaybeUninit::<K::C>::uninit() }; EDGE];
    for l in (0..k).step_by(depth) {
        let deep = depth.min(k - l);
        let start = if l == 0 { start } else { Start::Old };
        for from in (0..n).step_by(block) {
            let mut i = 0;
            for strip in 0..strips {
                let rows = least + usize::from(strip < more);
                let mut a = a.shifted(i as isize * a.row + l as isize * a.col);
                if laid {
                    // SAFETY: these rows and columns are within the operand, and the strip has room for them.
                    unsafe { lay::<K>(a, strip_at, [rows, m - i], deep) };
                    a = Matrix {
                        at: strip_at,
                        row: 1,
                        col: K::ROWS as isize,
                    };
                }
                let end = n.min(from + block);
                let mut j = from;
                while j < end {
                    let columns = match once && end - j >= 2 * width {
                        true => 2 * width,
                        false => width.min(end - j),
                    };
                    let vectors = columns.div_ceil(K::LANES);
                    let full = columns == vectors * K::LANES;
                    // SAFETY: rows i.. and columns j.. are within the product; a panel has `width` columns at most.
                    unsafe {
                        let panel = panels_at.add(if once { 0 } else { (j - from) * depth });
                        let b = b.shifted(l as isize * b.row + j as isize * b.col);
                        let source = match (strip == 0, b.col == 1, full) {
                            _ if columns > width => Source::Once,
                            (true, true, true) => Source::Rows,
                            (true, true, false) => Source::Edge,
                            (true, false, _) => {
                                pack::<K>(b, panel, vectors * K::LANES, [deep, columns]);
                                Source::Panel
                            }
                            (false, ..) => Source::Panel,
                        };
                        let out = out.add(i * step + j);
                        let mut tile = Tile {
                            deep,
                            columns,
                            a,
                            panel,
                            b: (b.at, b.row),
                            out: (out, step),
                            start: match start {
                                Start::Zero => (std::ptr::null(), 0),
                                Start::Old => (out.cast_const(), step),
                                Start::Row(row) => (row.add(j), 0),
                            },
                            scale,
                        };
                        if full {
                            K::tile(rows, vectors, source, &tile);
                            j += columns;
                            continue;
                        }
                        // By way of a tile of its own, since the result has no room for whole vectors.
                        let (start, start_step) = std::mem::replace(&mut tile.start, (std::ptr::null(), 0));
                        let at = edge.as_mut_ptr().cast::<K::C>();
                        tile.out = (at, width);
                        K::tile(rows, vectors, source, &tile);
                        for r in 0..rows {
                            for c in 0..columns {
                                let sum = at.add(r * width + c).read();
                                out.add(r * step + c).write(match start.is_null() {
                                    true => sum,
                                    false => sum + start.add(r * start_step + c).read(),
                                });
                            }
                        }
                        j += columns;
                    }
                }
                i += rows;
            }
        }
    }
}

/// Columns of products that are computed with their operands in each other's place.
const NARROW: usize = 12;
/// Panels for which a strip of a transposed left operand is laid together.
const LAY: usize = 4;
/// Numbers of the largest tile.
const EDGE: usize = 12 * 32;

/// Lays columns of a strip of a transposed left operand one after the other, where `left` rows are left from there on.
///
/// # Safety
/// The matrix has the size, and the strip room for as many of the largest tile's columns.
unsafe fn lay<K: Kernel>(a: Matrix<K::C>, strip: *mut K::C, [rows, left]: [usize; 2], deep: usize) {
    for l in 0..deep {
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (a.at.offset(l as isize * a.col), strip.add(l * K::ROWS));
            match left >= K::ROWS {
                // As many as the compiler knows.
                true => to.copy_from_nonoverlapping(from, K::ROWS),
                false => to.copy_from_nonoverlapping(from, rows),
            }
        }
    }
}

/// Writes a panel: rows of `width` numbers one after the other, of which those after the matrix's columns are 0.
///
/// # Safety
/// The matrix has the size, and the panel room for it.
unsafe fn pack<K: Kernel>(b: Matrix<K::C>, panel: *mut K::C, width: usize, [deep, columns]: [usize; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        if columns < width {
            panel.write_bytes(0, deep * width);
        }
        if b.row == 1 {
            return turn(b.at, b.col, panel, width, [deep, columns]);
        }
        for l in 0..deep {
            for c in 0..columns {
                let x = b.at.offset(l as isize * b.row + c as isize * b.col);
                panel.add(l * width + c).write(x.read());
            }
        }
    }
}
