//! Arrays as text, exactly as PyTorch writes them with the same options.

use crate::array::Array;
use crate::dtype::{Compute, DType, Element, get_default_dtype};
use crate::with_element;
use std::sync::{PoisonError, RwLock};

/// How arrays are printed; PyTorch's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Digits after the point.
    pub precision: usize,
    /// Arrays of more elements than this are summarised.
    pub threshold: usize,
    /// How many elements a summary shows at either end of a dimension.
    pub edge: usize,
    /// The length at which lines are broken.
    pub line: usize,
    /// Whether numbers are written as `1.0000e+05`; `None` leaves it to them.
    pub scientific: Option<bool>,
}

impl Options {
    const DEFAULT: Options = Options {
        precision: 4,
        threshold: 1000,
        edge: 3,
        line: 80,
        scientific: None,
    };
}

impl Default for Options {
    fn default() -> Options {
        Options::DEFAULT
    }
}

static OPTIONS: RwLock<Options> = RwLock::new(Options::DEFAULT);

/// How arrays are printed now.
pub fn options() -> Options {
    *OPTIONS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Sets how arrays are printed from now on, in the whole process.
pub fn set_options(options: Options) {
    *OPTIONS.write().unwrap_or_else(PoisonError::into_inner) = options;
}

/// The array's elements between `prefix`, such as `tensor(`, and `)`, as PyTorch prints them.
///
/// `suffixes`, such as `requires_grad=True`, come after the elements; the dtype, and the shape of an empty
/// array, come before them where the elements do not say it. Lines after the first are indented by the
/// prefix's length. Large arrays are summarised, and only the elements that are shown are read.
pub fn format(array: &Array, prefix: &str, suffixes: &[String]) -> String {
    let dtype = array.dtype();
    let mut notes = Vec::new();
    let mut text = prefix.to_string();
    let plain = if array.numel() == 0 {
        if array.rank() != 1 {
            let sizes: Vec<String> = array.shape().iter().map(usize::to_string).collect();
            notes.push(format!("size=({})", sizes.join(", ")));
        }
        text.push_str("[]");
        // No elements: nothing shows whether they would be floats, integers or bools.
        dtype == get_default_dtype()
    } else {
        Body::new(array).write(&mut text, 0, prefix.len());
        let float = get_default_dtype();
        matches!(dtype, DType::I64 | DType::Bool) || dtype == float || dtype == float.complex()
    };
    if !plain {
        notes.push(format!("dtype={dtype}"));
    }
    notes.extend_from_slice(suffixes);

    // PyTorch starts the count two characters too far, so that lines end a little early.
    let mut column = text.len() - text.rfind('\n').map_or(0, |at| at + 1) + 2;
    for note in notes {
        if column + note.len() + 2 > options().line {
            text.push_str(",\n");
            text.extend(std::iter::repeat_n(' ', prefix.len()));
            column = prefix.len() + note.len();
        } else {
            text.push_str(", ");
            column += note.len() + 2;
        }
        text.push_str(&note);
    }
    text.push(')');
    text
}

/// The shown elements as text, and how they are to be arranged.
struct Body<'a> {
    shape: &'a [usize],
    summary: bool,
    /// How wide a column is. Zeros, infinities and NaNs do not count for it, and may be wider.
    width: usize,
    /// Whether texts are filled up to that width: of complex numbers only the real parts are, in their texts.
    fill: bool,
    /// In row-major order.
    texts: std::vec::IntoIter<String>,
}

impl Body<'_> {
    fn new(array: &Array) -> Body<'_> {
        let summary = array.numel() > options().threshold;
        let (width, texts) = match array.dtype() {
            dtype if dtype.is_complex() => {
                let part = |array: Array| floats(&shown(&array, summary));
                complex(part(array.real()), part(array.imag()))
            }
            dtype if dtype.is_float() => floats(&shown(array, summary)),
            DType::Bool => aligned(shown(array, summary).iter().map(|&v: &i64| match v {
                0 => "False".to_string(),
                _ => "True".to_string(),
            })),
            _ => aligned(shown(array, summary).iter().map(i64::to_string)),
        };
        Body {
            shape: array.shape(),
            summary,
            width,
            fill: !array.dtype().is_complex(),
            texts: texts.into_iter(),
        }
    }

    /// Appends dimension `d` and those inside it; lines after the first are indented by `indent + 1`.
    fn write(&mut self, out: &mut String, d: usize, indent: usize) {
        let Some(inner) = self.shape.len().checked_sub(d + 1) else {
            return self.element(out); // 0-d
        };
        let per_line = match inner {
            0 => (options().line.saturating_sub(indent) / (self.width + 2)).max(1),
            _ => 1,
        };
        out.push('[');
        for (k, index) in indices(self.shape[d], self.summary).enumerate() {
            if k > 0 && k % per_line == 0 {
                // A blank line more for every dimension that ends here.
                out.push(',');
                out.extend(std::iter::repeat_n('\n', inner.max(1)));
                out.extend(std::iter::repeat_n(' ', indent + 1));
            } else if k > 0 {
                out.push_str(", ");
            }
            match index {
                None => out.push_str(if inner == 0 { " ..." } else { "..." }),
                Some(_) if inner == 0 => self.element(out),
                Some(_) => self.write(out, d + 1, indent + 1),
            }
        }
        out.push(']');
    }

    fn element(&mut self, out: &mut String) {
        let text = self.texts.next().expect("as many texts as elements shown");
        if self.fill {
            out.extend(std::iter::repeat_n(' ', self.width.saturating_sub(text.len())));
        }
        out.push_str(&text);
    }
}

/// The indices shown of a dimension of size `n`, with `None` where some are left out.
fn indices(n: usize, summary: bool) -> impl Iterator<Item = Option<usize>> {
    let edge = options().edge;
    let cut = summary && n > 2 * edge;
    let (head, tail) = if cut { (edge, n - edge) } else { (n, n) };
    (0..head)
        .map(Some)
        .chain(cut.then_some(None))
        .chain((tail..n).map(Some))
}

/// The shown elements in row-major order, as `C`.
fn shown<C: Compute>(array: &Array, summary: bool) -> Vec<C> {
    /// # Safety
    /// `at` points to the first element of what dimensions `d..` of the array hold.
    unsafe fn visit<T: Element, C: Compute>(
        array: &Array,
        d: usize,
        at: *const T,
        summary: bool,
        out: &mut Vec<C>,
    ) {
        if d == array.rank() {
            // SAFETY: no dimensions are left, so `at` points to an element.
            return out.push(unsafe { *at }.load());
        }
        let stride = array.layout().strides()[d];
        for index in indices(array.shape()[d], summary).flatten() {
            // SAFETY: the index is less than the dimension's size, so the layout has an element there.
            unsafe { visit(array, d + 1, at.offset(index as isize * stride), summary, out) };
        }
    }
    let mut out = Vec::new();
    // SAFETY: `as_ptr` points to the first element; `format` asks for none of an empty array.
    with_element!(array.dtype(), T => unsafe { visit(array, 0, array.as_ptr::<T>(), summary, &mut out) });
    out
}

/// Texts of which all count for the width.
fn aligned(texts: impl Iterator<Item = String>) -> (usize, Vec<String>) {
    let texts: Vec<String> = texts.collect();
    (texts.iter().map(String::len).max().unwrap_or(1), texts)
}

/// Floats in the one notation that suits them all, and the width of the finite ones other than zero.
fn floats(values: &[f64]) -> (usize, Vec<String>) {
    let counts = |v: &f64| v.is_finite() && *v != 0.0;
    let counting = || values.iter().copied().filter(counts);
    let (least, most) = counting().fold((f64::INFINITY, 0.0f64), |(a, b), v| {
        (v.abs().min(a), v.abs().max(b))
    });
    let Options {
        precision,
        scientific,
        ..
    } = options();
    let wide = most > 0.0 && (most / least > 1e3 || most > 1e8 || least < 1e-4);
    let scientific = scientific.unwrap_or(wide);
    let whole = counting().all(|v| v == v.trunc());
    let text = |v: &f64| match v {
        v if v.is_nan() => "nan".to_string(),
        v if scientific => exponential(*v, precision),
        v if whole && v.is_finite() => format!("{v:.0}."),
        v => format!("{v:.precision$}"),
    };
    let texts: Vec<String> = values.iter().map(text).collect();
    let counted = values.iter().zip(&texts).filter(|(v, _)| counts(v));
    (counted.map(|(_, text)| text.len()).max().unwrap_or(1), texts)
}

/// Complex numbers from the texts of their parts, and their widths together.
fn complex((wide, re): (usize, Vec<String>), (width, im): (usize, Vec<String>)) -> (usize, Vec<String>) {
    let join = |(re, im): (String, String)| {
        let sign = if im.starts_with('-') { "" } else { "+" };
        format!("{re:>wide$}{sign}{im}j")
    };
    (wide + width + 1, re.into_iter().zip(im).map(join).collect())
}

/// `1.0000e-05`: the exponent has a sign and at least two digits.
fn exponential(v: f64, precision: usize) -> String {
    let text = format!("{v:.precision$e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text; // infinity
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_print_as_their_copies() {
        let a = Array::from_slice(
            &(0..5000).map(|i| i as f32 * 0.25).collect::<Vec<_>>(),
            [10, 20, 25],
        );
        for view in [
            a.permute(&[2, 0, 1]),
            a.slice(1, 19, 20, -1),
            a.slice(2, 3, 2, 5).slice(0, 1, 3, 2),
            Array::scalar(1.5f64).broadcast_to(&[3, 4].into()),
        ] {
            let copy = Array::from_slice(&view.to_vec::<f64>(), view.shape()).cast(view.dtype());
            assert_eq!(format(&view, "tensor(", &[]), format(&copy, "tensor(", &[]));
        }
    }

    #[test]
    fn reads_only_what_it_shows() {
        let big = Array::fill([1 << 20, 1 << 20, 1 << 20], 2.0, DType::F32);
        assert!(format(&big, "array(", &[]).starts_with("array([[[2., 2., 2.,  ..., 2., 2., 2.],\n"));
    }
}
