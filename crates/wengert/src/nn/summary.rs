//! A model as a table.

use super::module::{Module, Part};
use std::fmt::Write;

/// The parts of a model that have tensors, with their shapes, numbers of parameters, and bytes.
///
/// ```
/// use wengert::nn::{Linear, ReLU, Sequential, summary};
///
/// let net = Sequential::new().add(Linear::new(64, 32)).add(ReLU).add(Linear::new(32, 10));
/// let text = summary(&net);
/// assert!(text.contains("2,410 parameters, of which 2,410 are trained"), "{text}");
/// ```
pub fn summary(model: &dyn Module) -> String {
    let mut rows = vec![["name", "shape", "dtype", "parameters", "bytes"].map(String::from)];
    let (mut parameters, mut trained, mut bytes) = (0, 0, 0);
    let mut seen: Vec<&crate::Tensor> = Vec::new();
    let parts = model.tensors();
    for (name, part) in &parts {
        let (t, is_parameter) = match part {
            Part::Parameter(t) | Part::Transposed(t) => (*t, true),
            Part::Buffer(t) => (*t, false),
            _ => continue,
        };
        let shape = match part {
            Part::Transposed(t) => t.detach().t().shape(),
            _ => t.shape(),
        };
        let size = t.numel() * t.dtype().size();
        let again = seen.iter().any(|s| s.is(t));
        let count = match (is_parameter, again) {
            (_, true) => "shared".to_string(),
            (true, _) => thousands(t.numel()),
            (false, _) => "buffer".to_string(),
        };
        rows.push([
            name.clone(),
            shape.to_string(),
            t.dtype().to_string(),
            count,
            thousands(size),
        ]);
        if again {
            continue;
        }
        seen.push(t);
        bytes += size;
        if is_parameter {
            parameters += t.numel();
            trained += if t.as_parameter().requires_grad() {
                t.numel()
            } else {
                0
            };
        }
    }
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let [name, shape, dtype, count, size] = row;
        let [a, b, c, d, e] = widths;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name:<a$}  {shape:<b$}  {dtype:<c$}  {count:>d$}  {size:>e$}"
        );
    }
    let _ = write!(
        text,
        "{} parameters, of which {} are trained; {} bytes",
        thousands(parameters),
        thousands(trained),
        thousands(bytes)
    );
    text
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
