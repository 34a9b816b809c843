//! Any chain of views shows the elements a plain model says, and sends each gradient back to where its element
//! came from.

use proptest::prelude::*;
use wengert::ops::shape::{Expand, Permute};
use wengert::ops::slice::{Part, See, Step};
use wengert::{DType, Op, Tensor};

/// A view operation, with raw numbers that `apply` brings into range.
#[derive(Clone, Copy, Debug)]
enum View {
    Permute(usize),
    Slice(usize, usize, usize, isize),
    Flatten(usize),
    Split(usize, usize),
    Expand(usize),
    Unsqueeze(usize),
    Flip(usize),
}

fn views() -> impl Strategy<Value = Vec<View>> {
    let n = 0usize..1000;
    let view = prop_oneof![
        n.clone().prop_map(View::Permute),
        (n.clone(), n.clone(), n.clone(), -3isize..=3).prop_map(|(d, a, b, s)| View::Slice(d, a, b, s)),
        n.clone().prop_map(View::Flatten),
        (n.clone(), n.clone()).prop_map(|(d, k)| View::Split(d, k)),
        n.clone().prop_map(View::Expand),
        n.clone().prop_map(View::Unsqueeze),
        n.prop_map(View::Flip),
    ];
    prop::collection::vec(view, 0..6)
}

/// What a view should show: its sizes, and for each element in row-major order which element of the source it is.
#[derive(Clone)]
struct Model {
    dims: Vec<usize>,
    from: Vec<usize>,
}

impl Model {
    fn new(dims: &[usize]) -> Model {
        Model {
            dims: dims.to_vec(),
            from: (0..dims.iter().product()).collect(),
        }
    }

    /// The model whose element at each place is this one's at `place(place)`.
    fn at(&self, dims: Vec<usize>, place: impl Fn(&[usize]) -> Vec<usize>) -> Model {
        let n: usize = dims.iter().product();
        let from = (0..n).map(|mut k| {
            let mut at = vec![0; dims.len()];
            for d in (0..dims.len()).rev() {
                (at[d], k) = (k % dims[d], k / dims[d]);
            }
            let source = place(&at);
            let flat = source.iter().zip(&self.dims).fold(0, |k, (i, n)| k * n + i);
            self.from[flat]
        });
        Model {
            from: from.collect(),
            dims,
        }
    }
}

/// The view of both, or nothing where it has no meaning there.
fn apply(view: View, x: &Tensor, m: &Model) -> Option<(Tensor, Model)> {
    let rank = m.dims.len();
    Some(match view {
        View::Permute(k) => {
            let mut order: Vec<usize> = (0..rank).collect();
            if rank > 0 {
                order.rotate_left(k % rank);
                order.swap(0, k / 7 % rank);
            }
            let mut to = vec![0; rank];
            order.iter().enumerate().for_each(|(new, old)| to[*old] = new);
            let dims = order.iter().map(|d| m.dims[*d]).collect();
            let model = m.at(dims, |at| to.iter().map(|new| at[*new]).collect());
            let order = order.iter().map(|d| *d as isize).collect();
            (Permute(order).apply([x]), model)
        }
        View::Slice(d, a, b, step) => {
            let d = d % rank.max(1);
            let n = *m.dims.get(d).filter(|n| **n > 0 && step != 0)?;
            let start = a % n;
            let room = if step > 0 { n - 1 - start } else { start } / step.unsigned_abs();
            let len = b % (room + 2);
            let mut dims = m.dims.clone();
            dims[d] = len;
            let model = m.at(dims, |at| {
                let mut at = at.to_vec();
                at[d] = (start as isize + at[d] as isize * step) as usize;
                at
            });
            let steps = vec![Step::slice(d, start, len, step)];
            (
                See(Part {
                    name: "slice",
                    steps: steps.into(),
                })
                .apply([x]),
                model,
            )
        }
        View::Flatten(k) => {
            let at = k % rank.checked_sub(1).filter(|r| *r > 0)?;
            let mut dims = m.dims.clone();
            dims[at] *= dims.remove(at + 1);
            let from = m.from.clone();
            (x.flatten(at as isize, at as isize + 1), Model { dims, from })
        }
        View::Split(d, k) => {
            let d = d % rank.max(1);
            let n = *m.dims.get(d).filter(|n| **n > 0)?;
            let divisors: Vec<usize> = (1..=n).filter(|i| n % i == 0).collect();
            let inner = divisors[k % divisors.len()];
            let mut dims = m.dims.clone();
            dims[d] = n / inner;
            dims.insert(d + 1, inner);
            let from = m.from.clone();
            (x.reshape(&dims), Model { dims, from })
        }
        View::Expand(k) => {
            let mut dims = m.dims.clone();
            dims.iter_mut().filter(|n| **n == 1).for_each(|n| *n = 1 + k % 3);
            dims.insert(0, k % 3);
            let shape = (&dims).into();
            let narrow = m.dims.clone();
            let model = m.at(dims, |at| {
                let each = at[1..].iter().zip(&narrow);
                each.map(|(i, n)| if *n == 1 { 0 } else { *i }).collect()
            });
            (Expand(shape).apply([x]), model)
        }
        View::Unsqueeze(k) => {
            let d = k % (rank + 1);
            let mut dims = m.dims.clone();
            dims.insert(d, 1);
            let from = m.from.clone();
            (x.unsqueeze(d as isize), Model { dims, from })
        }
        View::Flip(d) => {
            let d = d % rank.max(1);
            let n = *m.dims.get(d)?;
            let model = m.at(m.dims.clone(), |at| {
                let mut at = at.to_vec();
                at[d] = n - 1 - at[d];
                at
            });
            (x.flip(d as isize), model)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn views_show_the_elements_and_return_the_gradients(dims in prop::collection::vec(0usize..5, 0..4), views in views()) {
        let mut m = Model::new(&dims);
        let values: Vec<f64> = (0..m.from.len()).map(|i| i as f64).collect();
        let source = Tensor::from_vec(values.clone(), &dims).requires_grad_(true);
        let mut x = source.clone();
        for view in views {
            if m.from.len() < 2000 && let Some(next) = apply(view, &x, &m) {
                (x, m) = next;
            }
        }
        prop_assert_eq!(x.shape().to_vec(), m.dims.clone());
        let shown: Vec<usize> = x.to_vec::<f64>().iter().map(|v| *v as usize).collect();
        prop_assert_eq!(&shown, &m.from);

        let weights: Vec<f64> = (0..m.from.len()).map(|i| (i % 17) as f64 - 3.0).collect();
        let w = Tensor::from_vec(weights.clone(), &m.dims);
        (&x * &w).sum().backward();
        let mut want = vec![0.0; values.len()];
        m.from.iter().zip(&weights).for_each(|(from, w)| want[*from] += w);
        prop_assert_eq!(source.grad().unwrap().to_vec::<f64>(), want);

        // Sums over the last dimension of the view, and products with a strided matrix, read it by its strides.
        if let Some(n) = m.dims.last() {
            let sums: Vec<f64> = match n {
                0 => vec![0.0; m.dims[..m.dims.len() - 1].iter().product()],
                n => m.from.chunks(*n).map(|row| row.iter().map(|i| *i as f64).sum()).collect(),
            };
            prop_assert_eq!(x.sum_dim(-1, false).to_vec::<f64>(), sums.clone());
            prop_assert_eq!(x.matmul(&Tensor::ones([*n]).to(DType::F64)).to_vec::<f64>(), sums);
        }
    }
}

#[test]
fn unbind_of_a_long_dimension() {
    let x = Tensor::arange(0, 33).to(DType::F64).reshape([3, 11]);
    x.requires_grad_(true);
    let parts = x.unbind(1);
    assert_eq!(parts.len(), 11);
    for (i, part) in parts.iter().enumerate() {
        let i = i as f64;
        assert_eq!(part.to_vec::<f64>(), [i, 11.0 + i, 22.0 + i]);
    }
    // Each part once more than the one before; the first not at all.
    let weighted: Vec<Tensor> = (0..11).map(|i| &parts[i] * i as f64).collect();
    let all: Vec<&Tensor> = weighted.iter().collect();
    wengert::stack(&all, 0).sum().backward();
    let row: Vec<f64> = (0..11).map(f64::from).collect();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), row.repeat(3));
    assert!(Tensor::zeros([2, 0]).unbind(1).is_empty());
}
