//! One step of a recurrent layer, and the cells that are such a step alone.

use super::{Module, Part};
use crate::ops::{linear, lstm};
use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{Error, ErrorKind, raise};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Tanh,
    Relu,
    Lstm,
    Gru,
}

impl Kind {
    /// How many vectors the weights make of one.
    fn gates(self) -> usize {
        match self {
            Kind::Tanh | Kind::Relu => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }

    /// How many tensors the state is.
    pub fn states(self) -> usize {
        1 + usize::from(self == Kind::Lstm)
    }
}

/// The weights of a step. Matrices lie as `[in, out]`.
#[derive(Clone)]
pub(super) struct Weights {
    w_ih: Tensor,
    w_hh: Tensor,
    biases: Option<[Tensor; 2]>,
}

impl Weights {
    /// All numbers are drawn uniformly from ±1/√hidden, as PyTorch does.
    #[track_caller]
    pub fn new(op: &str, kind: Kind, input: usize, hidden: usize, bias: bool) -> Weights {
        if hidden == 0 {
            raise(Error::new(
                ErrorKind::Value,
                op,
                "needs a hidden size of at least 1",
            ));
        }
        let bound = 1.0 / (hidden as f64).sqrt();
        let draw = |shape: &[usize]| Tensor::uniform(shape, -bound, bound).requires_grad_(true);
        let gates = kind.gates() * hidden;
        Weights {
            w_ih: draw(&[input, gates]),
            w_hh: draw(&[hidden, gates]),
            biases: bias.then(|| [draw(&[gates]), draw(&[gates])]),
        }
    }

    /// Shows them under PyTorch's names, each with this ending.
    pub fn show<'a>(&'a self, ending: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        show(&format!("weight_ih{ending}"), Part::Transposed(&self.w_ih));
        show(&format!("weight_hh{ending}"), Part::Transposed(&self.w_hh));
        if let Some([ih, hh]) = &self.biases {
            show(&format!("bias_ih{ending}"), Part::Parameter(ih));
            show(&format!("bias_hh{ending}"), Part::Parameter(hh));
        }
    }

    /// What the input contributes to a step, or to all of them at once.
    #[track_caller]
    pub fn of_input(&self, x: &Tensor) -> Tensor {
        linear(x, &self.w_ih, self.biases.as_ref().map(|b| &b[0]))
    }

    /// All steps of a sequence x `[time, batch, in]` at once, where these weights are an LSTM's.
    #[track_caller]
    pub fn lstm(&self, x: &Tensor, state: &[Tensor], reverse: bool) -> (Tensor, Vec<Tensor>) {
        let bias = self.biases.as_ref().map(|[ih, hh]| ih + hh);
        let w = [self.w_ih.t(), self.w_hh.t()];
        let (y, last) = lstm::lstm_layer(x, [&state[0], &state[1]], w.each_ref(), bias.as_ref(), reverse);
        (y, last.to_vec())
    }

    /// The new state, of which the first is the output, from the old one and what the input contributes.
    #[track_caller]
    pub fn step(&self, kind: Kind, of_input: &Tensor, state: &[Tensor]) -> Vec<Tensor> {
        let h = &state[0];
        let of_state = linear(h, &self.w_hh, self.biases.as_ref().map(|b| &b[1]));
        let n = self.w_hh.size(0);
        let part = |t: &Tensor, i: usize| t.narrow(-1, i * n, n);
        match kind {
            Kind::Tanh => vec![(of_input + of_state).tanh()],
            Kind::Relu => vec![(of_input + of_state).relu()],
            Kind::Lstm => lstm::step(&(of_input + of_state), &state[1]).to_vec(),
            Kind::Gru => {
                let gate = |i| (part(of_input, i) + part(&of_state, i)).sigmoid();
                let (reset, keep) = (gate(0), gate(1));
                let new = (part(of_input, 2) + reset * part(&of_state, 2)).tanh();
                vec![&new + keep * (h - &new)]
            }
        }
    }
}

#[derive(Clone)]
struct Cell {
    kind: Kind,
    input: usize,
    hidden: usize,
    weights: Weights,
}

impl Cell {
    #[track_caller]
    fn new(op: &str, kind: Kind, input: usize, hidden: usize, bias: bool) -> Cell {
        let weights = Weights::new(op, kind, input, hidden, bias);
        Cell {
            kind,
            input,
            hidden,
            weights,
        }
    }

    #[track_caller]
    fn forward(&self, x: &Tensor, state: Option<&[Tensor]>) -> Vec<Tensor> {
        let shape = x.shape();
        let fits = |s: &Tensor, size| {
            let (s, rank) = (s.shape(), shape.rank());
            s.rank() == rank && s[rank - 1] == size && (rank == 1 || s[0] == shape[0])
        };
        if !(1..=2).contains(&shape.rank()) || !fits(x, self.input) {
            let message = format!("the input is of shape {shape}");
            let note = format!("it must be [batch, {0}], or [{0}] for a single one", self.input);
            raise(Error::new(ErrorKind::Shape, "forward", message).note(note));
        }
        if let Some(bad) = state.into_iter().flatten().find(|s| !fits(s, self.hidden)) {
            let message = format!("a state is of shape {} for an input of {shape}", bad.shape());
            let note = format!(
                "its last size must be {}, and all others the input's",
                self.hidden
            );
            raise(Error::new(ErrorKind::Shape, "forward", message).note(note));
        }
        let zeros = || Tensor::full_as(shape.with(shape.rank() - 1, self.hidden), 0.0, x.dtype());
        let state = state.map_or_else(|| vec![zeros(); self.kind.states()], <[Tensor]>::to_vec);
        self.weights.step(self.kind, &self.weights.of_input(x), &state)
    }
}

macro_rules! cells {
    ($($(#[$doc:meta])* $name:ident $kind:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Cell);

        impl $name {
            /// With biases.
            ///
            /// # Panics
            /// If the hidden size is 0.
            #[track_caller]
            pub fn new(input: usize, hidden: usize) -> $name {
                $name(Cell::new(stringify!($name), $kind, input, hidden, true))
            }

            /// Without biases.
            ///
            /// # Panics
            /// If the hidden size is 0.
            #[track_caller]
            pub fn without_bias(input: usize, hidden: usize) -> $name {
                $name(Cell::new(stringify!($name), $kind, input, hidden, false))
            }
        }

        impl Module for $name {
            fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
                self.0.weights.show("", show);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}, {})", stringify!($name), self.0.input, self.0.hidden)
            }
        }
    )*};
}
cells! {
    /// A step of an [`RNN`](super::RNN).
    RNNCell Kind::Tanh;
    /// A step of a [`GRU`](super::GRU).
    GRUCell Kind::Gru;
    /// A step of an [`LSTM`](super::LSTM).
    ///
    /// ```
    /// use wengert::nn::LSTMCell;
    /// use wengert::Tensor;
    ///
    /// let cell = LSTMCell::new(8, 16);
    /// let mut state = cell.forward(&Tensor::randn([3, 8]), None);
    /// state = cell.forward(&Tensor::randn([3, 8]), Some((&state.0, &state.1)));
    /// assert_eq!(state.0.shape(), [3, 16]);
    /// ```
    LSTMCell Kind::Lstm;
}

impl RNNCell {
    /// With relu for tanh.
    #[must_use]
    pub fn relu(mut self) -> RNNCell {
        self.0.kind = Kind::Relu;
        self
    }
}

macro_rules! one_state {
    ($($name:ident)*) => {$(
        impl $name {
            /// The new state `[batch, hidden]`, for x `[batch, in]` and the old state, or zeros; or all of these without the
            /// batch.
            ///
            /// # Panics
            /// If shapes do not fit.
            #[track_caller]
            pub fn forward(&self, x: &Tensor, state: Option<&Tensor>) -> Tensor {
                self.0.forward(x, state.map(std::slice::from_ref)).swap_remove(0)
            }
        }
    )*};
}
one_state!(RNNCell GRUCell);

impl LSTMCell {
    /// The new state (h, c), each `[batch, hidden]`, for x `[batch, in]` and the old state, or zeros; or all of these
    /// without the batch.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, state: Option<(&Tensor, &Tensor)>) -> (Tensor, Tensor) {
        let state = state.map(|(h, c)| [h.clone(), c.clone()]);
        let mut new = self.0.forward(x, state.as_ref().map(|s| &s[..]));
        let c = new.swap_remove(1);
        (new.swap_remove(0), c)
    }
}
