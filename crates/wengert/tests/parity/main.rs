//! Values and gradients beside PyTorch's. The programs in `reference/` made the numbers, in f64.

mod elementwise;
mod index;
mod linalg;
mod neural;
mod ops;

use std::path::Path;
use wengert::io::load_safetensors;
use wengert::nn::StateDict;
use wengert::{DType, Tensor};

/// A case of a reference file.
struct Case<'a> {
    file: &'a StateDict,
    name: &'a str,
}

impl Case<'_> {
    fn get(&self, part: &str) -> Option<Tensor> {
        let tensor = self.file.get(&format!("{}.{part}", self.name))?;
        Some(match tensor.dtype() {
            // Masks were saved as bytes.
            DType::U8 => tensor.to(DType::Bool),
            _ => tensor.detach(),
        })
    }

    fn part(&self, part: &str) -> Tensor {
        self.get(part)
            .unwrap_or_else(|| panic!("{} has no {part}", self.name))
    }

    /// `x0`, `x1` and so on; none where the first is missing.
    fn all(&self, part: &str) -> Vec<Tensor> {
        (0..).map_while(|i| self.get(&format!("{part}{i}"))).collect()
    }

    /// The inputs, which require gradients.
    fn inputs(&self) -> Vec<Tensor> {
        let x = self.all("x");
        x.iter().for_each(|x| drop(x.requires_grad_(true)));
        x
    }
}

/// Calls `check` with each case of a file, of which there are so many.
fn each(file: &str, count: usize, mut check: impl FnMut(&Case<'_>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/reference")
        .join(file);
    let file = load_safetensors(path).unwrap();
    let mut names: Vec<&str> = file.iter().filter_map(|(n, _)| n.strip_suffix(".y")).collect();
    names.sort_unstable();
    assert_eq!(names.len(), count);
    names
        .into_iter()
        .for_each(|name| check(&Case { file: &file, name }));
}

/// The largest difference, relative to the larger of 1 and the number expected.
fn difference(got: &Tensor, want: &Tensor) -> f64 {
    if (got.shape(), got.dtype()) != (want.shape(), want.dtype()) {
        return f64::INFINITY;
    }
    let (got, want) = (got.to_vec::<f64>(), want.to_vec::<f64>());
    let each = got
        .iter()
        .zip(&want)
        .map(|(g, w)| (g - w).abs() / w.abs().max(1.0));
    each.fold(
        0.0,
        |worst, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) },
    )
}

/// Compares what `run` makes of the inputs, and the gradients, with PyTorch's. The bound is a few roundings of f64: sums run in
/// another order than PyTorch's, and elementary functions differ in the last place. The largest seen is 7e-16.
fn agree(file: &str, count: usize, run: fn(&Case<'_>, &[Tensor]) -> Tensor) {
    each(file, count, |case| {
        let x = case.inputs();
        let y = run(case, &x);
        y.backward_with(&case.part("dy"));
        let compare = |got: &Tensor, part: &str| {
            let want = case.part(part);
            let d = difference(got, &want);
            assert!(
                d <= 4e-15,
                "{}: {part} differs by {d:e}\n{got}\n{want}",
                case.name
            );
        };
        compare(&y.detach(), "y");
        for (i, x) in x.iter().enumerate() {
            compare(&x.grad().unwrap_or_else(|| x.zeros_like()), &format!("g{i}"));
        }
    });
}
