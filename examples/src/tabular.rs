//! Regression on a table: how far diabetes will have progressed in a year, from ten measurements of a patient.

use crate::data::unpacked;
use std::error::Error;
use wengert::data::{DataLoader, KFold, TensorDataset, read_csv};
use wengert::linalg::lstsq;
use wengert::nn::{Dropout, Layer, Linear, MSELoss, Module, Sequential, Tanh};
use wengert::optim::AdamW;
use wengert::train::{Trainer, r2_score};
use wengert::{Tensor, cat, manual_seed, no_grad};

/// What the patients of one part came to, predicted by a network that was trained on the other parts.
pub struct Fold {
    /// Predictions, in the units of the table.
    pub predictions: Vec<f64>,
    /// What happened.
    pub targets: Vec<f64>,
    /// R² of the network.
    pub r2: f64,
    /// R² of the best linear function of the measurements.
    pub linear: f64,
}

/// The table: measurements `[442, 10]` and targets `[442, 1]`.
pub fn diabetes() -> Result<(Tensor, Tensor), Box<dyn Error>> {
    let text = String::from_utf8(unpacked(include_bytes!("../data/diabetes.csv.gz")))?;
    let table = read_csv(&text, ',')?;
    let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    let all = table.numbers(&columns)?;
    let last = columns.len() - 1;
    Ok((all.narrow(1, 0, last), all.narrow(1, last, 1)))
}

/// Trains on all parts of `folds` but one and predicts that, for each in turn.
pub fn cross_validate(
    folds: usize,
    epochs: usize,
    seed: u64,
    mut each: impl FnMut(&Fold),
) -> Result<Vec<Fold>, Box<dyn Error>> {
    let (x, y) = diabetes()?;
    let mut all = Vec::new();
    for (train, test) in KFold::new(x.size(0), folds).shuffle(seed) {
        manual_seed(seed);
        let rows = |rows: &[usize]| {
            let rows: Vec<i64> = rows.iter().map(|i| *i as i64).collect();
            let rows = Tensor::from_slice(&rows, [rows.len()]);
            (x.index_select(0, &rows), y.index_select(0, &rows))
        };
        let ((train_x, train_y), (test_x, test_y)) = (rows(&train), rows(&test));
        // What is predicted for must not be looked at, not even for its mean.
        let (to_x, to_y) = (Standard::of(&train_x), Standard::of(&train_y));
        let data = TensorDataset::new([to_x.apply(&train_x), to_y.apply(&train_y)]);
        let test_x = to_x.apply(&test_x);

        let model = Sequential::new()
            .add(Linear::new(x.size(1), 32))
            .add(Tanh)
            .add(Dropout::new(0.3))
            .add(Linear::new(32, 1));
        let mut optimizer = AdamW::new(model.parameters(), 3e-3).weight_decay(0.1);
        let [linear_x, linear_y] = data.tensors().clone();
        let loader = DataLoader::new(data).batch_size(32).shuffle(true).seed(seed);
        Trainer::new(epochs).fit(&model, &mut optimizer, &loader, |[x, y]| {
            MSELoss::new().forward(&model.forward(x), y)
        })?;
        model.eval();
        let found = to_y.undo(&no_grad(|| model.forward(&test_x)));
        let weights = lstsq(&linear_x, &linear_y, None).solution;
        let fold = Fold {
            predictions: found.to_vec(),
            targets: test_y.to_vec(),
            r2: r2_score(&found, &test_y),
            linear: r2_score(&to_y.undo(&test_x.matmul(&weights)), &test_y),
        };
        each(&fold);
        all.push(fold);
    }
    Ok(all)
}

/// R² of the predictions of all parts together.
pub fn r2_of_all(folds: &[Fold]) -> f64 {
    let all = |of: fn(&Fold) -> &Vec<f64>| {
        let parts: Vec<Tensor> = folds
            .iter()
            .map(|f| Tensor::from_slice(of(f), [of(f).len()]))
            .collect();
        cat(&parts.iter().collect::<Vec<_>>(), 0)
    };
    r2_score(&all(|f| &f.predictions), &all(|f| &f.targets))
}

/// Columns brought to mean 0 and variance 1.
struct Standard {
    mean: Tensor,
    std: Tensor,
}

impl Standard {
    fn of(x: &Tensor) -> Standard {
        let mean = x.mean_dim(0, true);
        let std = (x - &mean).square().mean_dim(0, true).sqrt();
        Standard { mean, std }
    }
    fn apply(&self, x: &Tensor) -> Tensor {
        (x - &self.mean) / &self.std
    }
    fn undo(&self, x: &Tensor) -> Tensor {
        x * &self.std + &self.mean
    }
}
