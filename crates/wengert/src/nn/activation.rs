//! Layers without parameters: each applies one operation.

use super::{Layer, Mode, Module, Part};
use crate::tensor::Tensor;

macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident: |$layer:ident, $x:ident| $y:expr;)*) => {$(
        impl Module for $name {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, $x: &Tensor) -> Tensor {
                let $layer = self;
                $y
            }
        }
    )*};
}

/// max(x, 0).
#[derive(Clone, Copy, Debug)]
pub struct ReLU;
/// x Φ(x), where Φ is the distribution function of the standard normal.
#[derive(Clone, Copy, Debug)]
pub struct GELU;
/// 1 / (1 + e⁻ˣ).
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;
/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;
/// What goes in comes out.
#[derive(Clone, Copy, Debug)]
pub struct Identity;
/// e^x over its sum along a dimension.
#[derive(Clone, Copy, Debug)]
pub struct Softmax(/** The dimension. */ pub isize);
/// The logarithm of the softmax along a dimension.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax(/** The dimension. */ pub isize);
/// e^−x over its sum along a dimension.
#[derive(Clone, Copy, Debug)]
pub struct Softmin(/** The dimension. */ pub isize);
/// Softmax over the channels of `[n, channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Softmax2d;
/// All dimensions but the first made one.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;
/// x σ(x), also called swish.
#[derive(Clone, Copy, Debug)]
pub struct SiLU;
/// x tanh(ln(1 + eˣ)) (Misra, 2019).
#[derive(Clone, Copy, Debug)]
pub struct Mish;
/// x brought into [0, 6].
#[derive(Clone, Copy, Debug)]
pub struct ReLU6;
/// Self-normalising ELU (Klambauer et al., 2017).
#[derive(Clone, Copy, Debug)]
pub struct SELU;
/// ln σ(x).
#[derive(Clone, Copy, Debug)]
pub struct LogSigmoid;
/// x / (1 + |x|).
#[derive(Clone, Copy, Debug)]
pub struct Softsign;
/// x − tanh x.
#[derive(Clone, Copy, Debug)]
pub struct Tanhshrink;
/// (x + 3) / 6 brought into [0, 1].
#[derive(Clone, Copy, Debug)]
pub struct Hardsigmoid;
/// x times [`Hardsigmoid`] of it.
#[derive(Clone, Copy, Debug)]
pub struct Hardswish;
/// x above 0, else a slope times x; PyTorch's default is 0.01.
#[derive(Clone, Copy, Debug)]
pub struct LeakyReLU(/** The slope. */ pub f64);
/// x above 0, else α (eˣ − 1) (Clevert, Unterthiner and Hochreiter, 2015); PyTorch's default is 1.
#[derive(Clone, Copy, Debug)]
pub struct ELU(/** α. */ pub f64);
/// x above 0, else α (e^(x/α) − 1) (Barron, 2017); PyTorch's default is 1.
#[derive(Clone, Copy, Debug)]
pub struct CELU(/** α, which is not 0. */ pub f64);
/// ln(1 + e^(β x)) / β, and x where β x is above the threshold; PyTorch's defaults are 1 and 20.
#[derive(Clone, Copy, Debug)]
pub struct Softplus(/** β. */ pub f64, /** The threshold. */ pub f64);
/// x brought between two numbers; PyTorch's defaults are −1 and 1.
#[derive(Clone, Copy, Debug)]
pub struct Hardtanh(/** The smallest. */ pub f64, /** The largest. */ pub f64);
/// x above the threshold, else a value.
#[derive(Clone, Copy, Debug)]
pub struct Threshold(/** The threshold. */ pub f64, /** The value. */ pub f64);
/// x moved towards 0 by λ; PyTorch's default is 0.5.
#[derive(Clone, Copy, Debug)]
pub struct Softshrink(/** λ. */ pub f64);
/// x where |x| is above λ, else 0; PyTorch's default is 0.5.
#[derive(Clone, Copy, Debug)]
pub struct Hardshrink(/** λ. */ pub f64);
/// The first half along a dimension, times σ of the second (Dauphin et al., 2017); PyTorch's default is −1.
#[derive(Clone, Copy, Debug)]
pub struct GLU(/** The dimension. */ pub isize);

layers! {
    ReLU: |_l, x| x.relu();
    GELU: |_l, x| x.gelu();
    Sigmoid: |_l, x| x.sigmoid();
    Tanh: |_l, x| x.tanh();
    Identity: |_l, x| x.clone();
    Softmax: |l, x| x.softmax(l.0);
    LogSoftmax: |l, x| x.log_softmax(l.0);
    Softmin: |l, x| x.softmin(l.0);
    Softmax2d: |_l, x| x.softmax(-3);
    Flatten: |_l, x| x.flatten(1, -1);
    SiLU: |_l, x| x.silu();
    Mish: |_l, x| x.mish();
    ReLU6: |_l, x| x.relu6();
    SELU: |_l, x| x.selu();
    LogSigmoid: |_l, x| x.logsigmoid();
    Softsign: |_l, x| x.softsign();
    Tanhshrink: |_l, x| x.tanhshrink();
    Hardsigmoid: |_l, x| x.hardsigmoid();
    Hardswish: |_l, x| x.hardswish();
    LeakyReLU: |l, x| x.leaky_relu(l.0);
    ELU: |l, x| x.elu(l.0);
    CELU: |l, x| x.celu(l.0);
    Softplus: |l, x| x.softplus_with(l.0, l.1);
    Hardtanh: |l, x| x.hardtanh_between(l.0, l.1);
    Threshold: |l, x| x.threshold(l.0, l.1);
    Softshrink: |l, x| x.softshrink(l.0);
    Hardshrink: |l, x| x.hardshrink(l.0);
    GLU: |l, x| x.glu(l.0);
}

/// x above 0, else a slope times x that is trained: one, or one for each channel (He et al., 2015).
#[derive(Clone, Module)]
pub struct PReLU {
    /// The slopes, `[channels]` or `[1]`.
    pub weight: Tensor,
}

impl PReLU {
    /// So many slopes, which begin with `init`; PyTorch's defaults are 1 and 0.25.
    pub fn new(parameters: usize, init: f64) -> PReLU {
        let weight = Tensor::full([parameters], init).requires_grad_(true);
        PReLU { weight }
    }
}

impl Layer for PReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.prelu(self.weight.as_parameter())
    }
}

/// x above 0, else a slope times x: in training one drawn for each number, otherwise their mean (Xu et al., 2015).
#[derive(Clone, Debug, Module)]
pub struct RReLU {
    /// The smallest slope.
    pub lower: f64,
    /// The largest slope.
    pub upper: f64,
    mode: Mode,
}

impl RReLU {
    /// Slopes between these; PyTorch's defaults are 1/8 and 1/3.
    pub fn new(lower: f64, upper: f64) -> RReLU {
        RReLU {
            lower,
            upper,
            mode: Mode::new(),
        }
    }
}

impl Layer for RReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.rrelu(self.lower, self.upper, self.mode.is_training())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PyTorch's modules give with the options beside them.
    #[test]
    fn activations_are_pytorchs() {
        let x = Tensor::new([-4.0, -0.3, 0.2, 3.5]);
        let all: [(&dyn Layer, [f64; 4]); 19] = [
            (&Softmin(-1), [0.9612869, 0.0237664, 0.0144151, 0.0005317]),
            (&SiLU, [-0.0719448, -0.1276672, 0.1099668, 3.3974072]),
            (&Mish, [-0.0725917, -0.1511332, 0.132599, 3.4939907]),
            (&ReLU6, [0.0, 0.0, 0.2, 3.5]),
            (&SELU, [-1.7258986, -0.4556673, 0.2101402, 3.6774535]),
            (&LogSigmoid, [-4.0181499, -0.8543553, -0.5981389, -0.0297504]),
            (&Softsign, [-0.8, -0.2307692, 0.1666667, 0.7777778]),
            (&Tanhshrink, [-3.0006707, -0.0086874, 0.0026247, 2.5018221]),
            (&Hardsigmoid, [0.0, 0.45, 0.5333333, 1.0]),
            (&Hardswish, [-0.0, -0.135, 0.1066667, 3.5]),
            (&LeakyReLU(0.1), [-0.4, -0.03, 0.2, 3.5]),
            (&ELU(0.7), [-0.6871791, -0.1814273, 0.2, 3.5]),
            (&CELU(0.7), [-0.697691, -0.2439927, 0.2, 3.5]),
            (&Softplus(2.0, 5.0), [0.0001677, 0.218744, 0.4565076, 3.5]),
            (&Hardtanh(-0.25, 2.0), [-0.25, -0.25, 0.2, 2.0]),
            (&Threshold(0.25, 7.0), [7.0, 7.0, 7.0, 3.5]),
            (&Softshrink(0.25), [-3.75, -0.05, 0.0, 3.25]),
            (&Hardshrink(0.25), [-4.0, -0.3, 0.0, 3.5]),
            (&GELU, [-0.0001267, -0.1146266, 0.1158519, 3.4991858]),
        ];
        for (i, (layer, theirs)) in all.into_iter().enumerate() {
            let ours = layer.forward(&x).to_vec::<f64>();
            let near = ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(near, "number {i}: {ours:?} {theirs:?}");
        }
        assert_eq!(GLU(-1).forward(&x).shape(), [2]);
        let pictures = Tensor::ones([1, 4, 2, 2]);
        assert_eq!(Softmax2d.forward(&pictures).to_vec::<f32>(), [0.25; 16]);
    }

    #[test]
    fn slopes_are_trained_or_drawn() {
        let x = Tensor::new([[-4.0, -2.0], [1.0, -1.0]]);
        let layer = PReLU::new(2, 0.5);
        assert_eq!(layer.num_parameters(), 2);
        layer.forward(&x).sum().backward();
        assert_eq!(layer.weight.grad().unwrap().to_vec::<f32>(), [-4.0, -3.0]);
        let layer = RReLU::new(0.25, 0.5);
        let y = layer.forward(&Tensor::full([1000], -1.0));
        assert!(y.max().item() <= -0.25 && y.min().item() >= -0.5 && y.max().item() > y.min().item());
        layer.eval();
        assert_eq!(layer.forward(&x).to_vec::<f32>(), [-1.5, -0.75, 1.0, -0.375]);
    }
}
