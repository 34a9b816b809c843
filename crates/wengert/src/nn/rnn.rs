//! Recurrent layers.

use super::cell::{Kind, Weights};
use super::{Mode, Module, Part};
use crate::ops::functional as F;
use crate::ops::{cat, stack};
use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{Error, ErrorKind, Result, raise};

/// What recurrent layers can be made with. PyTorch's defaults: one layer, biases, time first, no dropout, one
/// direction.
#[derive(Clone, Debug)]
pub struct RecurrentOptions {
    /// How many layers lie above each other.
    pub num_layers: usize,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether input and output are `[batch, time, ..]` rather than `[time, batch, ..]`.
    pub batch_first: bool,
    /// Dropout between layers, while training.
    pub dropout: f64,
    /// Whether a second set of weights reads from the end.
    pub bidirectional: bool,
}

impl Default for RecurrentOptions {
    fn default() -> RecurrentOptions {
        RecurrentOptions {
            num_layers: 1,
            bias: true,
            batch_first: false,
            dropout: 0.0,
            bidirectional: false,
        }
    }
}

#[derive(Clone)]
struct Recurrent {
    kind: Kind,
    input: usize,
    hidden: usize,
    options: RecurrentOptions,
    /// Layer by layer, in each the directions.
    cells: Vec<Weights>,
    mode: Mode,
}

impl Recurrent {
    #[track_caller]
    fn new(op: &str, kind: Kind, input: usize, hidden: usize, options: RecurrentOptions) -> Recurrent {
        if options.num_layers == 0 {
            raise(Error::new(ErrorKind::Value, op, "needs at least one layer"));
        }
        let directions = 1 + usize::from(options.bidirectional);
        let mut cells = Vec::new();
        for layer in 0..options.num_layers {
            let inputs = if layer == 0 { input } else { hidden * directions };
            for _ in 0..directions {
                cells.push(Weights::new(op, kind, inputs, hidden, options.bias));
            }
        }
        let mode = Mode::new();
        Recurrent {
            kind,
            input,
            hidden,
            options,
            cells,
            mode,
        }
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.options.bidirectional)
    }

    fn show<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        for (i, cell) in self.cells.iter().enumerate() {
            let (layer, reverse) = (i / self.directions(), i % self.directions() == 1);
            cell.show(
                &format!("_l{layer}{}", if reverse { "_reverse" } else { "" }),
                show,
            );
        }
        show("mode", Part::Mode(&self.mode));
    }

    fn check(&self, x: &Tensor, lengths: Option<&[usize]>, state: Option<&[Tensor]>) -> Result<()> {
        let shape = x.shape();
        let wrong = |message: String| Error::new(ErrorKind::Shape, "forward", message);
        if !(2..=3).contains(&shape.rank()) || shape[shape.rank() - 1] != self.input {
            let order = if self.options.batch_first {
                "[batch, time"
            } else {
                "[time, batch"
            };
            let message = format!("the input is of shape {shape}");
            let note = format!(
                "it must be {order}, {}], or [time, {0}] for a single sequence",
                self.input
            );
            return Err(wrong(message).note(note));
        }
        let (time, batch) = match (shape.rank(), self.options.batch_first) {
            (2, _) => (shape[0], 1),
            (_, true) => (shape[1], shape[0]),
            (_, false) => (shape[0], shape[1]),
        };
        if time == 0 {
            return Err(wrong(format!("the input of shape {shape} has no time steps")));
        }
        if let Some(lengths) = lengths {
            if lengths.len() != batch {
                return Err(wrong(format!("{} lengths for {batch} sequences", lengths.len())));
            }
            if let Some(bad) = lengths.iter().find(|n| **n == 0 || **n > time) {
                return Err(wrong(format!(
                    "a length of {bad} among sequences of up to {time} steps"
                )));
            }
        }
        let rows = self.cells.len();
        for s in state.unwrap_or_default() {
            let fits = match shape.rank() {
                2 => s.shape() == [rows, self.hidden],
                _ => s.shape() == [rows, batch, self.hidden],
            };
            if !fits {
                let batch = if shape.rank() == 2 {
                    String::new()
                } else {
                    format!("{batch}, ")
                };
                let note = format!("it must be [{rows}, {batch}{}]", self.hidden);
                return Err(wrong(format!("a state is of shape {}", s.shape())).note(note));
            }
        }
        Ok(())
    }

    /// One direction of one layer over x `[time, batch, in]`: the outputs of each step, and the last state.
    #[track_caller]
    fn run(
        &self,
        cell: &Weights,
        x: &Tensor,
        masks: &[Option<Tensor>],
        mut state: Vec<Tensor>,
        reverse: bool,
    ) -> (Tensor, Vec<Tensor>) {
        if self.kind == Kind::Lstm && masks.iter().all(Option::is_none) {
            return cell.lstm(x, &state, reverse);
        }
        // All that the input contributes, in one product.
        let of_input = cell.of_input(x).unbind(0);
        let time = masks.len();
        let mut outputs = vec![None; time];
        for i in 0..time {
            let t = if reverse { time - 1 - i } else { i };
            let new = cell.step(self.kind, &of_input[t], &state);
            // Beyond the end of a sequence its state stays, and its output is zero.
            match &masks[t] {
                None => {
                    outputs[t] = Some(new[0].clone());
                    state = new;
                }
                Some(mask) => {
                    outputs[t] = Some(new[0].where_(mask, &Tensor::full_as([], 0.0, x.dtype())));
                    state = new
                        .iter()
                        .zip(&state)
                        .map(|(new, old)| new.where_(mask, old))
                        .collect();
                }
            }
        }
        let outputs: Vec<Tensor> = outputs.into_iter().flatten().collect();
        (stack(&outputs.iter().collect::<Vec<_>>(), 0), state)
    }

    #[track_caller]
    fn forward(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        state: Option<&[Tensor]>,
    ) -> (Tensor, Vec<Tensor>) {
        if let Err(error) = self.check(x, lengths, state) {
            raise(error);
        }
        let alone = x.dim() == 2;
        let batch_first = self.options.batch_first && !alone;
        let mut x = if alone {
            x.unsqueeze(1)
        } else if batch_first {
            x.transpose(0, 1)
        } else {
            x.clone()
        };
        let (time, batch) = (x.size(0), x.size(1));
        let masks: Vec<Option<Tensor>> = (0..time)
            .map(|t| {
                let lengths = lengths.filter(|l| l.iter().any(|n| *n <= t))?;
                let mask: Vec<bool> = lengths.iter().map(|n| t < *n).collect();
                Some(Tensor::from_vec(mask, [batch, 1]))
            })
            .collect();
        let parts = self.kind.states();
        let start = |i: usize| -> Vec<Tensor> {
            match state {
                Some(state) => state
                    .iter()
                    .map(|s| {
                        if alone {
                            s.select(0, i as isize).unsqueeze(0)
                        } else {
                            s.select(0, i as isize)
                        }
                    })
                    .collect(),
                None => vec![Tensor::full_as([batch, self.hidden], 0.0, x.dtype()); parts],
            }
        };
        let starts: Vec<Vec<Tensor>> = (0..self.cells.len()).map(start).collect();
        let mut last: Vec<Vec<Tensor>> = vec![Vec::new(); parts];
        let directions = self.directions();
        for (layer, cells) in self.cells.chunks(directions).enumerate() {
            if layer > 0 && self.options.dropout > 0.0 {
                x = F::dropout(&x, self.options.dropout, self.mode.is_training());
            }
            let mut outputs = Vec::new();
            for (d, cell) in cells.iter().enumerate() {
                let (y, state) = self.run(cell, &x, &masks, starts[layer * directions + d].clone(), d == 1);
                outputs.push(y);
                last.iter_mut().zip(state).for_each(|(all, s)| all.push(s));
            }
            x = if outputs.len() == 1 {
                outputs.swap_remove(0)
            } else {
                cat(&outputs.iter().collect::<Vec<_>>(), -1)
            };
        }
        let last = last.iter().map(|all| {
            let all = stack(&all.iter().collect::<Vec<_>>(), 0);
            if alone { all.squeeze(1) } else { all }
        });
        let last = last.collect();
        let y = if alone {
            x.squeeze(1)
        } else if batch_first {
            x.transpose(0, 1)
        } else {
            x
        };
        (y, last)
    }
}

macro_rules! common {
    ($name:ident) => {
        impl Module for $name {
            fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
                self.0.show(show);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "{}({}, {}, {:?})",
                    stringify!($name),
                    self.0.input,
                    self.0.hidden,
                    self.0.options
                )
            }
        }
    };
}

macro_rules! one_state {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Recurrent);
        common!($name);

        impl $name {
            /// The outputs of the last layer, and the last states of all layers and directions `[layers, batch,
            /// hidden]`. x is `[time, batch, in]`, or as the options say; without a state it starts from zeros.
            ///
            /// # Panics
            /// If shapes do not fit.
            #[track_caller]
            pub fn forward(&self, x: &Tensor, state: Option<&Tensor>) -> (Tensor, Tensor) {
                let (y, mut state) = self.0.forward(x, None, state.map(std::slice::from_ref));
                (y, state.swap_remove(0))
            }

            /// As [`forward`](Self::forward) for sequences of these lengths, padded to the longest: outputs beyond
            /// an end are zero, the last state is that at the end, and reading backwards begins there. This is what
            /// `pack_padded_sequence` is for in PyTorch; the lengths need no order.
            ///
            /// # Panics
            /// If shapes do not fit, or a length is 0 or beyond the input.
            #[track_caller]
            pub fn forward_packed(&self, x: &Tensor, lengths: &[usize], state: Option<&Tensor>) -> (Tensor, Tensor) {
                let (y, mut state) = self.0.forward(x, Some(lengths), state.map(std::slice::from_ref));
                (y, state.swap_remove(0))
            }
        }
    )*};
}
one_state! {
    /// hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), or with relu.
    ///
    /// Source: Elman, Finding Structure in Time, 1990.
    RNN;
    /// Gated recurrent units:
    ///
    /// r = σ(W_ir xₜ + b_ir + W_hr h + b_hr);  z = σ(W_iz xₜ + b_iz + W_hz h + b_hz);
    /// n = tanh(W_in xₜ + b_in + r (W_hn h + b_hn));  h ← (1 − z) n + z h.
    ///
    /// Source: Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, 2014, as PyTorch has it.
    GRU;
}

impl RNN {
    /// One layer with PyTorch's defaults.
    #[track_caller]
    pub fn new(input: usize, hidden: usize) -> RNN {
        RNN::with(input, hidden, RecurrentOptions::default())
    }

    /// With these options.
    ///
    /// # Panics
    /// If there are no layers.
    #[track_caller]
    pub fn with(input: usize, hidden: usize, options: RecurrentOptions) -> RNN {
        RNN(Recurrent::new("RNN", Kind::Tanh, input, hidden, options))
    }

    /// With relu for tanh.
    #[must_use]
    pub fn relu(mut self) -> RNN {
        self.0.kind = Kind::Relu;
        self
    }
}

impl GRU {
    /// One layer with PyTorch's defaults.
    #[track_caller]
    pub fn new(input: usize, hidden: usize) -> GRU {
        GRU::with(input, hidden, RecurrentOptions::default())
    }

    /// With these options.
    ///
    /// # Panics
    /// If there are no layers.
    #[track_caller]
    pub fn with(input: usize, hidden: usize, options: RecurrentOptions) -> GRU {
        GRU(Recurrent::new("GRU", Kind::Gru, input, hidden, options))
    }
}

/// Long short-term memory:
///
/// i, f, o = σ(W_i… xₜ + b_i… + W_h… h + b_h…);  g = tanh(W_ig xₜ + b_ig + W_hg h + b_hg);
/// c ← f c + i g;  h ← o tanh(c).
///
/// Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, with forget gates.
///
/// ```
/// use wengert::nn::{LSTM, RecurrentOptions};
/// use wengert::Tensor;
///
/// let options = RecurrentOptions { num_layers: 2, batch_first: true, ..Default::default() };
/// let lstm = LSTM::with(8, 16, options);
/// let (y, (h, c)) = lstm.forward(&Tensor::randn([3, 5, 8]), None);
/// assert_eq!((y.shape(), h.shape(), c.shape()), ([3, 5, 16].into(), [2, 3, 16].into(), [2, 3, 16].into()));
/// ```
#[derive(Clone)]
pub struct LSTM(Recurrent);
common!(LSTM);

impl LSTM {
    /// One layer with PyTorch's defaults.
    #[track_caller]
    pub fn new(input: usize, hidden: usize) -> LSTM {
        LSTM::with(input, hidden, RecurrentOptions::default())
    }

    /// With these options.
    ///
    /// # Panics
    /// If there are no layers.
    #[track_caller]
    pub fn with(input: usize, hidden: usize, options: RecurrentOptions) -> LSTM {
        LSTM(Recurrent::new("LSTM", Kind::Lstm, input, hidden, options))
    }

    /// The outputs of the last layer, and the last states (h, c) of all layers and directions. See [`GRU::forward`].
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, state: Option<(&Tensor, &Tensor)>) -> (Tensor, (Tensor, Tensor)) {
        self.run(x, None, state)
    }

    /// As [`forward`](LSTM::forward) for padded sequences of these lengths. See [`GRU::forward_packed`].
    ///
    /// # Panics
    /// If shapes do not fit, or a length is 0 or beyond the input.
    #[track_caller]
    pub fn forward_packed(
        &self,
        x: &Tensor,
        lengths: &[usize],
        state: Option<(&Tensor, &Tensor)>,
    ) -> (Tensor, (Tensor, Tensor)) {
        self.run(x, Some(lengths), state)
    }

    #[track_caller]
    fn run(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        state: Option<(&Tensor, &Tensor)>,
    ) -> (Tensor, (Tensor, Tensor)) {
        let state = state.map(|(h, c)| [h.clone(), c.clone()]);
        let (y, mut state) = self.0.forward(x, lengths, state.as_ref().map(|s| &s[..]));
        let c = state.swap_remove(1);
        (y, (state.swap_remove(0), c))
    }
}
