//! The examples in short form: each must come to what it is there to show.

use wengert::data::{DataLoader, TensorDataset};
use wengert::nn::Module;
use wengert::optim::Adam;
use wengert::train::Trainer;
use wengert::{Tensor, manual_seed, no_grad};
use wengert_examples::pinn::Burgers;
use wengert_examples::tabular::{cross_validate, diabetes, r2_of_all};
use wengert_examples::vae::Vae;
use wengert_examples::{mnist, profiles, residual_plot};

/// The generator of random numbers is one for the whole process, and each of these needs its own stretch of it.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn regression_foresees_as_much_as_a_linear_function_does() {
    let _alone = alone();
    let (x, y) = diabetes().unwrap();
    assert_eq!((x.shape(), y.shape()), ([442, 10].into(), [442, 1].into()));
    assert_eq!(y.mean().item().round(), 152.0);
    let mut seen = 0;
    let folds = cross_validate(3, 25, 0, |fold| seen += fold.targets.len()).unwrap();
    let linear = folds.iter().map(|f| f.linear).sum::<f64>() / 3.0;
    let r2 = r2_of_all(&folds);
    println!("R² {r2}, linear {linear}");
    assert_eq!((folds.len(), seen), (3, 442));
    assert!(r2 > 0.44 && linear > 0.44, "R² {r2}, linear {linear}");
}

#[test]
fn a_network_solves_burgers_equation() {
    let _alone = alone();
    let burgers = Burgers::new(0.1, 2, 12, 150, 1);
    let (before, _) = burgers.error();
    let losses = burgers.train(6, |_, _| {});
    let (after, most) = burgers.error();
    println!("{losses:?}; error {before} before, {after} after, at most {most}");
    assert!(
        before > 0.1 && after < 0.04 && most < 0.1,
        "{before} {after} {most}"
    );
    assert!(losses[5] < losses[0], "{losses:?}");
}

#[test]
fn an_autoencoder_learns_what_digits_look_like() {
    let _alone = alone();
    manual_seed(1);
    let pixels = mnist().pixels;
    let (train, test) = (pixels.narrow(0, 0, 1000), pixels.narrow(0, 9000, 200));
    let model = Vae::new(784, 64, 6);
    let mut optimizer = Adam::new(model.parameters(), 4e-3);
    let mean = train.mean_dim(0, true);
    let loader = DataLoader::new(TensorDataset::new([train]))
        .batch_size(50)
        .shuffle(true);
    let bound = |x: &Tensor| {
        let [pixels, far] = model.loss(x);
        pixels + far
    };
    Trainer::new(6)
        .fit(&model, &mut optimizer, &loader, |[x]| bound(x))
        .unwrap();
    let (nats, far, left) = no_grad(|| {
        let [pixels, far] = model.loss(&test);
        let difference = |x: &Tensor| (x - &test).square().mean().item();
        (
            (pixels + &far).item(),
            far.item(),
            difference(&model.reconstruct(&test)) / difference(&mean),
        )
    });
    println!("{nats} nats, of which {far} for the middle; {left} of the variance is left");
    // It is uncertain of 543 nats before it is trained, and the mean picture leaves all of the variance.
    assert!(nats < 210.0 && far > 1.0 && left < 0.8, "{nats} {far} {left}");
    let samples = no_grad(|| model.sample(50));
    assert!(samples.min().item() >= 0.0 && samples.max().item() <= 1.0);
    // The samples differ: they are not all the mean picture.
    assert!((&samples - samples.mean_dim(0, true)).square().mean().item() > 0.005);
}

#[test]
fn pictures_show_what_they_are_given() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("residuals.svg");
    residual_plot(&file, "title", &[(1.0, 2.0), (3.0, 1.0), (2.0, 2.5)]).unwrap();
    let svg = std::fs::read_to_string(&file).unwrap();
    assert_eq!(svg.matches("<circle").count(), 3);
    let file = directory.join("profiles.svg");
    let points = vec![(0.0, 0.0, 0.1), (0.5, 1.0, 0.9), (1.0, 0.5, 0.5)];
    profiles(
        &file,
        "title",
        &[("one".into(), points.clone()), ("two".into(), points)],
    )
    .unwrap();
    let svg = std::fs::read_to_string(&file).unwrap();
    assert!(svg.contains("one") && svg.contains("two"), "{svg}");
}
