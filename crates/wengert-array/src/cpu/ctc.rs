//! Connectionist temporal classification (Graves et al., 2006): the sum over all alignments, in log space and f64.

use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::dtype::DType;

/// What there is to align: log-probabilities [T, N, C], and for each of the N their length and the classes.
pub struct Alignment<'a> {
    /// [T, N, C], contiguous, f64.
    pub log_probs: &'a Array,
    /// How many of the T count, for each.
    pub lengths: &'a [usize],
    /// The classes to find, for each.
    pub targets: &'a [Vec<usize>],
    /// The class that means none.
    pub blank: usize,
}

const NEVER: f64 = f64::NEG_INFINITY;

/// ln(e^a + e^b + e^c).
fn add3(a: f64, b: f64, c: f64) -> f64 {
    let top = a.max(b).max(c);
    if top == NEVER {
        return NEVER;
    }
    top + ((a - top).exp() + (b - top).exp() + (c - top).exp()).ln()
}

struct One<'a> {
    at: &'a [f64],
    /// Numbers from one time to the next.
    step: usize,
    length: usize,
    target: &'a [usize],
    blank: usize,
}

impl One<'_> {
    /// Blanks and classes in turn: 2 · classes + 1 states.
    fn states(&self) -> usize {
        2 * self.target.len() + 1
    }

    fn class(&self, s: usize) -> usize {
        if s.is_multiple_of(2) {
            self.blank
        } else {
            self.target[s / 2]
        }
    }

    /// Whether state s may be reached from s − 2: a class other than the one before it.
    fn jumps(&self, s: usize) -> bool {
        s % 2 == 1 && s >= 2 && self.target[s / 2] != self.target[s / 2 - 1]
    }

    fn log_prob(&self, t: usize, s: usize) -> f64 {
        self.at[t * self.step + self.class(s)]
    }

    /// ln Σ over alignments of the first t + 1 times that end in state s, for all t and s.
    fn forward(&self) -> Vec<f64> {
        let n = self.states();
        let mut alpha = vec![NEVER; self.length * n];
        for t in 0..self.length {
            for s in 0..n {
                let before = |back: usize| match s.checked_sub(back) {
                    Some(s) if t > 0 => alpha[(t - 1) * n + s],
                    _ => NEVER,
                };
                let reached = match t {
                    0 if s < 2 => 0.0,
                    0 => NEVER,
                    _ => add3(
                        before(0),
                        before(1),
                        if self.jumps(s) { before(2) } else { NEVER },
                    ),
                };
                alpha[t * n + s] = reached + self.log_prob(t, s);
            }
        }
        alpha
    }

    /// −ln Σ over all alignments, from the last row of [`forward`](One::forward).
    fn loss(&self, alpha: &[f64]) -> f64 {
        let n = self.states();
        if self.length == 0 {
            return if self.target.is_empty() {
                0.0
            } else {
                f64::INFINITY
            };
        }
        let row = &alpha[(self.length - 1) * n..];
        -add3(row[n - 1], if n > 1 { row[n - 2] } else { NEVER }, NEVER)
    }

    /// Subtracts `scale` times the probability of each class at each time from `out`.
    fn gradient(&self, scale: f64, out: &mut dyn FnMut(usize, usize, f64)) {
        let (n, alpha) = (self.states(), self.forward());
        let loss = self.loss(&alpha);
        let mut beta = vec![NEVER; n];
        for t in (0..self.length).rev() {
            // beta: ln Σ over alignments of the times after t that begin after state s.
            let next = beta.clone();
            for s in 0..n {
                let after = |ahead: usize| match s + ahead < n {
                    true => next[s + ahead] + self.log_prob(t + 1, s + ahead),
                    false => NEVER,
                };
                beta[s] = match t + 1 == self.length {
                    true if s + 2 >= n => 0.0,
                    true => NEVER,
                    false => {
                        let jump = s + 2 < n && self.jumps(s + 2);
                        add3(after(0), after(1), if jump { after(2) } else { NEVER })
                    }
                };
            }
            for s in 0..n {
                out(
                    t,
                    self.class(s),
                    -scale * (alpha[t * n + s] + beta[s] + loss).exp(),
                );
            }
        }
    }
}

impl Alignment<'_> {
    fn each(&self, f: impl Fn(usize, One<'_>) + Sync) {
        let (n, c) = (self.log_probs.shape()[1], self.log_probs.shape()[2]);
        let at = self.log_probs.as_slice::<f64>();
        let cost = self.log_probs.shape()[0] * 64;
        threads::split(n, 1, cost, |start, len| {
            for i in start..start + len {
                let one = One {
                    at: at.get(i * c..).unwrap_or_default(),
                    step: n * c,
                    length: self.lengths[i],
                    target: &self.targets[i],
                    blank: self.blank,
                };
                f(i, one);
            }
        });
    }
}

/// The losses `[N]`, f64.
pub fn ctc(x: &Alignment<'_>) -> Array {
    let mut losses = Array::full([x.log_probs.shape()[1]], 0.0, DType::F64);
    let out = Out(losses.make_mut::<f64>().as_mut_ptr());
    x.each(|i, one| {
        let loss = one.loss(&one.forward());
        // SAFETY: one number of the N, written by one thread.
        unsafe { out.at(i).write(loss) };
    });
    losses
}

/// The gradient for the log-probabilities `[T, N, C]`, f64, of losses times `dy` `[N]`: minus the probability, given all
/// alignments, of each class at each time.
pub fn ctc_backward(x: &Alignment<'_>, dy: &Array) -> Array {
    let (n, c) = (x.log_probs.shape()[1], x.log_probs.shape()[2]);
    let mut grad = Array::full(x.log_probs.shape(), 0.0, DType::F64);
    let out = Out(grad.make_mut::<f64>().as_mut_ptr());
    let dy = dy.to_vec::<f64>();
    x.each(|i, one| {
        if dy[i] == 0.0 {
            return;
        }
        one.gradient(dy[i], &mut |t, class, v| {
            // SAFETY: an element of example i, which is this thread's.
            unsafe { *out.at((t * n + i) * c + class) += v };
        });
    });
    grad
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path of classes, one for each time, that collapses to the target.
    fn all_paths(p: &[Vec<f64>], target: &[usize], blank: usize) -> f64 {
        let (t, c) = (p.len(), p[0].len());
        let mut total = 0.0;
        for code in 0..c.pow(t as u32) {
            let path: Vec<usize> = (0..t).map(|i| code / c.pow(i as u32) % c).collect();
            let mut seen = path.clone();
            seen.dedup();
            seen.retain(|k| *k != blank);
            if seen == target {
                total += path.iter().enumerate().map(|(i, k)| p[i][*k]).product::<f64>();
            }
        }
        total
    }

    #[test]
    fn sums_over_all_paths() {
        let p: Vec<Vec<f64>> = (0..5)
            .map(|t| {
                (0..3)
                    .map(|c| ((t * 7 + c * 5 + 3) % 11 + 1) as f64 / 20.0)
                    .collect()
            })
            .collect();
        let flat: Vec<f64> = p.iter().flatten().map(|v| v.ln()).collect();
        let log_probs = Array::from_slice(&flat, [5, 1, 3]);
        for target in [vec![], vec![1], vec![1, 2], vec![1, 1], vec![2, 1, 2]] {
            let targets = [target.clone()];
            let x = Alignment {
                log_probs: &log_probs,
                lengths: &[5],
                targets: &targets,
                blank: 0,
            };
            let want = -all_paths(&p, &target, 0).ln();
            assert!((ctc(&x).to_vec::<f64>()[0] - want).abs() < 1e-12, "{target:?}");
        }
        let targets = [vec![1, 1, 1, 1]];
        let x = Alignment {
            log_probs: &log_probs,
            lengths: &[5],
            targets: &targets,
            blank: 0,
        };
        assert_eq!(ctc(&x).to_vec::<f64>()[0], f64::INFINITY);
    }
}
