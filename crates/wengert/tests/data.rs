//! Datasets, loaders, splits and readers.

use wengert::data::transforms::{normalize, random_crop, random_horizontal_flip};
use wengert::data::*;
use wengert::{DType, Error, ErrorKind, PadMode, Result, Tensor, catch};

fn numbers(n: usize) -> TensorDataset<2> {
    let x = Tensor::arange(0, n as i64);
    TensorDataset::new([x.clone(), x.to(DType::F32) * 10.0])
}

fn seen<const N: usize>(loader: &DataLoader<impl Dataset<Item = [Tensor; N]> + 'static>) -> Vec<Vec<i64>> {
    loader.iter().map(|b| b.unwrap()[0].to_vec::<i64>()).collect()
}

/// Each example is its number and a random one.
struct Noisy(usize);

impl Dataset for Noisy {
    type Item = [Tensor; 2];
    fn len(&self) -> usize {
        self.0
    }
    fn get(&self, index: usize, random: &mut Generator) -> Result<[Tensor; 2]> {
        // Later examples are done sooner, so that threads finish out of order.
        std::thread::sleep(std::time::Duration::from_micros(if index.is_multiple_of(7) {
            300
        } else {
            10
        }));
        let noise = random.integers(&[2].into(), 0, 1 << 40);
        Ok([Tensor::full_as([], index as f64, DType::I64), noise.into()])
    }
}

#[test]
fn batches_in_order_and_shuffled() {
    assert_eq!(
        seen(&DataLoader::new(numbers(5)).batch_size(2)),
        [vec![0, 1], vec![2, 3], vec![4]]
    );
    let loader = DataLoader::new(numbers(5)).batch_size(2).drop_last(true);
    assert_eq!((seen(&loader), loader.len()), (vec![vec![0, 1], vec![2, 3]], 2));
    let loader = DataLoader::new(numbers(50)).batch_size(8).shuffle(true).seed(3);
    let (first, second) = (seen(&loader), seen(&loader));
    assert_ne!(first, second, "each epoch has an order of its own");
    for epoch in [&first, &second] {
        let mut all = epoch.concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<i64>>());
    }
    assert_eq!(
        seen(&DataLoader::new(numbers(50)).batch_size(8).shuffle(true).seed(3)),
        first
    );
    assert_ne!(
        seen(&DataLoader::new(numbers(50)).batch_size(8).shuffle(true).seed(4)),
        first
    );
    let [x, y] = loader.iter().next().unwrap().unwrap();
    assert_eq!(
        y.to_vec::<f32>(),
        x.to_vec::<f32>().iter().map(|v| v * 10.0).collect::<Vec<_>>()
    );
    assert_eq!(seen(&DataLoader::new(numbers(0))), Vec::<Vec<i64>>::new());
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let run = |workers| {
        let loader = DataLoader::new(Noisy(61))
            .batch_size(4)
            .shuffle(true)
            .seed(9)
            .workers(workers);
        let mut all = Vec::new();
        for _ in 0..2 {
            for batch in &loader {
                let [x, noise] = batch.unwrap();
                all.push((x.to_vec::<i64>(), noise.to_vec::<i64>()));
            }
        }
        all
    };
    let alone = run(0);
    assert_eq!(alone.len(), 32);
    for workers in [1, 2, 5] {
        assert_eq!(run(workers), alone, "{workers} threads");
    }
}

#[test]
fn a_loader_goes_on_where_it_was() {
    for workers in [0, 3] {
        let make = || {
            DataLoader::new(Noisy(30))
                .batch_size(4)
                .shuffle(true)
                .seed(5)
                .workers(workers)
        };
        let whole = make();
        let all: Vec<Vec<i64>> = [seen(&whole), seen(&whole)].concat();
        let first = make();
        let mut start = Vec::new();
        let mut saved = None;
        drop(seen(&first));
        for batch in first.iter().take(3) {
            start.push(batch.unwrap()[0].to_vec::<i64>());
            saved = Some(first.state_dict());
        }
        assert_eq!(start, all[8..11]);
        let second = make();
        second.load_state_dict(&saved.unwrap()).unwrap();
        assert_eq!((second.epoch(), second.iter().len()), (1, 5));
        second.load_state_dict(&first.state_dict()).unwrap();
        assert_eq!(second.epoch(), 2, "an iteration that is given up is over");
    }
    let loader = DataLoader::new(numbers(3));
    assert!(loader.load_state_dict(&wengert::io::Value::None).is_err());
}

#[test]
fn errors_and_panics_come_out_of_threads() {
    struct Bad;
    impl Dataset for Bad {
        type Item = Tensor;
        fn len(&self) -> usize {
            10
        }
        fn get(&self, index: usize, _: &mut Generator) -> Result<Tensor> {
            match index {
                3 => Err(Error::new(ErrorKind::Io, "get", "example 3 cannot be read")),
                6 => panic!("example 6 is no good"),
                _ => Ok(Tensor::ones([index % 2 + 1])),
            }
        }
    }
    for workers in [0, 2] {
        let loader = DataLoader::new(Bad).workers(workers);
        let results: Vec<bool> = loader.iter().take(6).map(|b| b.is_ok()).collect();
        assert_eq!(results, [true, true, true, false, true, true]);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loader.iter().count()));
        assert_eq!(
            *panic.unwrap_err().downcast_ref::<&str>().unwrap(),
            "example 6 is no good"
        );
        // Examples of different shapes make no batch.
        let error = DataLoader::new(Bad)
            .batch_size(2)
            .workers(workers)
            .iter()
            .next()
            .unwrap()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
    }
}

#[test]
fn parts_of_datasets() {
    let parts = random_split(numbers(11), &[0.6, 0.4], 1);
    assert_eq!((parts[0].len(), parts[1].len()), (7, 4));
    let mut all: Vec<usize> = parts.iter().flat_map(|p| p.rows().to_vec()).collect();
    assert_ne!(all, (0..11).collect::<Vec<_>>());
    all.sort_unstable();
    assert_eq!(all, (0..11).collect::<Vec<_>>());
    let rows = parts[1].rows().to_vec();
    let loaded = seen(&DataLoader::new(parts[1].clone()).batch_size(10));
    assert_eq!(loaded[0], rows.iter().map(|i| *i as i64).collect::<Vec<_>>());
    let both = ConcatDataset::new([numbers(3), numbers(2)]);
    assert_eq!(
        seen(&DataLoader::new(both).batch_size(4)),
        [vec![0, 1, 2, 0], vec![1]]
    );
    let folds: Vec<_> = KFold::new(7, 3).collect();
    assert_eq!(
        folds.iter().map(|(_, test)| test.clone()).collect::<Vec<_>>(),
        [vec![0, 1, 2], vec![3, 4], vec![5, 6]]
    );
    assert_eq!(folds[1].0, [0, 1, 2, 5, 6]);
    let mut tested: Vec<usize> = KFold::new(7, 3).shuffle(1).flat_map(|(_, test)| test).collect();
    tested.sort_unstable();
    assert_eq!(tested, (0..7).collect::<Vec<_>>());
    for (f, text) in [
        (
            &(|| drop(random_split(numbers(3), &[0.5, 0.4], 0))) as &dyn Fn(),
            "the shares [0.5, 0.4] do not add up to 1",
        ),
        (
            &|| drop(random_split_counts(numbers(3), &[2], 0)),
            "the counts [2] do not add up to the 3 examples",
        ),
        (
            &|| drop(KFold::new(3, 4)),
            "cannot divide 3 examples into 4 parts",
        ),
        (
            &|| drop(Subset::new(numbers(3), [3])),
            "there is no example 3 among 3",
        ),
        (
            &|| drop(TensorDataset::new([Tensor::ones([2, 3]), Tensor::ones([3])])),
            "the tensors are of shapes [2, 3], [3]",
        ),
        (
            &|| drop(DataLoader::new(numbers(1)).batch_size(0)),
            "a batch must have at least one example",
        ),
    ] {
        assert_eq!(catch(f).unwrap_err().message(), text);
    }
}

#[test]
fn tables() {
    let text =
        "\u{feff}name,size,kind\r\n\"Ann, \"\"the\"\" one\",1.5,b\r\n\r\nBob,,a\n\"two\nlines\",-2e3,b";
    let table = read_csv(text, ',').unwrap();
    assert_eq!(table.columns, ["name", "size", "kind"]);
    assert_eq!(table.rows.len(), 3);
    assert_eq!(
        (table.rows[0][0].as_str(), table.rows[2][0].as_str()),
        ("Ann, \"the\" one", "two\nlines")
    );
    let size = table.numbers(&["size"]).unwrap();
    assert_eq!(size.shape(), [3, 1]);
    let size = size.to_vec::<f32>();
    assert!(size[0] == 1.5 && size[1].is_nan() && size[2] == -2000.0);
    let (kind, names) = table.classes("kind").unwrap();
    assert_eq!(
        (kind.to_vec::<i64>(), names),
        (vec![1, 0, 1], vec!["a".to_string(), "b".to_string()])
    );
    let error = |r: Result<Tensor>| r.unwrap_err().message().to_string();
    assert_eq!(
        error(table.numbers(&["name"])),
        "`Ann, \"the\" one` in row 1, column `name`, is no number"
    );
    assert_eq!(error(table.numbers(&["weight"])), "there is no column `weight`");
    for (text, message) in [
        ("", "the file is empty"),
        ("a,b\n1", "row 1 has 1 cells, and there are 2 columns"),
        ("a\n\"b", "a quote is opened and not closed"),
    ] {
        assert_eq!(read_csv(text, ',').unwrap_err().message(), message);
    }
    assert!(
        load_csv("/no/such/file.csv")
            .unwrap_err()
            .message()
            .starts_with("cannot read `/no/such/file.csv`")
    );
}

#[test]
fn idx_files() {
    let digits = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/data/digits-images.idx3.gz"
    );
    let digits = load_idx(digits).unwrap();
    assert_eq!((digits.shape(), digits.dtype()), ([1797, 8, 8].into(), DType::U8));
    let mut file = vec![0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 0xFF, 0xFE];
    assert_eq!(read_idx(&file).unwrap().to_vec::<i64>(), [258, -2]);
    for n in 0..file.len() {
        assert!(read_idx(&file[..n]).is_err());
    }
    file[4] = 0xFF;
    assert!(read_idx(&file).is_err());
    assert!(read_idx(&[0x1f, 0x8b, 8, 0]).is_err());
    assert_eq!(
        read_idx(b"\0\0\x07\x01").unwrap_err().message(),
        "elements of the kind 0x07 are unknown"
    );
}

#[test]
fn transforms_of_pictures() {
    let x = Tensor::arange(0, 12).to(DType::F32).reshape([1, 3, 4]);
    let y = normalize(&x, &[1.0], &[2.0]);
    assert_eq!(y.to_vec::<f32>()[..3], [-0.5, 0.0, 0.5]);
    let mut random = generator_for(1, 2, 3);
    let flipped = random_horizontal_flip(&x, 1.0, &mut random);
    assert_eq!(flipped.to_vec::<f32>()[..4], [3.0, 2.0, 1.0, 0.0]);
    assert_eq!(
        random_horizontal_flip(&x, 0.0, &mut random).to_vec::<f32>(),
        x.to_vec::<f32>()
    );
    for _ in 0..20 {
        let y = random_crop(&x, [3, 4], 1, &mut random);
        assert_eq!(y.shape(), [1, 3, 4]);
        assert!(y.to_vec::<f32>().contains(&5.0), "the middle is in every part");
    }
    assert!(catch(|| random_crop(&x, [6, 4], 1, &mut random)).is_err());
    assert!(catch(|| normalize(&x, &[1.0, 2.0], &[1.0])).is_err());
}

#[test]
fn pictures_cut_surrounded_and_resized() {
    let x = Tensor::arange(0, 24).to(DType::F32).reshape([1, 4, 6]);
    let rows = |t: &Tensor| t.to_vec::<f32>();
    // As torchvision's `center_crop` of the same.
    assert_eq!(
        rows(&transforms::center_crop(&x, [2, 3])),
        [8.0, 9.0, 10.0, 14.0, 15.0, 16.0]
    );
    let wide = transforms::center_crop(&x, [1, 9]);
    assert_eq!(rows(&wide), [0.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 0.0, 0.0]);
    let y = transforms::pad(&x, [1, 0, 2, 1], PadMode::Constant(9.0));
    assert_eq!(y.shape(), [1, 5, 9]);
    assert_eq!(rows(&y)[..10], [9.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 9.0, 9.0]);
    let y = transforms::pad(&x, [1, 1, 0, 0], PadMode::Reflect);
    assert_eq!(rows(&y)[..3], [7.0, 6.0, 7.0]);
    assert_eq!(transforms::resize(&x, [8, 3], "bilinear").shape(), [1, 8, 3]);
    assert_eq!(
        rows(&transforms::resize(&x, [2, 3], "nearest")),
        [0.0, 2.0, 4.0, 12.0, 14.0, 16.0]
    );
    assert_eq!(transforms::resize_smaller(&x, 2, "bilinear").shape(), [1, 2, 3]);
    assert_eq!(
        transforms::resize_smaller(&x.transpose(1, 2), 2, "bilinear").shape(),
        [1, 3, 2]
    );
    let bytes = Tensor::from_slice(&[0u8, 255, 51, 102], [1, 2, 2]);
    let y = transforms::to_tensor(&bytes);
    assert_eq!((y.shape(), y.dtype()), ([2, 1, 2].into(), DType::F32));
    assert!(y.allclose(&Tensor::new([0.0, 0.2, 1.0, 0.4]).reshape([2, 1, 2]), 1e-6, 0.0));
    assert_eq!(transforms::to_tensor(&Tensor::ones([2, 3])).shape(), [1, 2, 3]);
    let row = Tensor::ones([3]);
    assert!(catch(|| transforms::center_crop(&row, [1, 1])).is_err());
    assert!(catch(|| transforms::to_tensor(&row)).is_err());
    assert!(catch(|| transforms::resize(&x, [2, 2], "best")).is_err());
}

#[test]
fn pictures_changed_by_chance() {
    let x = Tensor::arange(1, 401).to(DType::F32).reshape([1, 20, 20]);
    let mut random = generator_for(4, 5, 6);
    let (mut smallest, mut largest, mut erased) = (f64::MAX, f64::MIN, Vec::new());
    for _ in 0..200 {
        let part = transforms::random_resized_crop(
            &x,
            [5, 7],
            [0.08, 1.0],
            [0.75, 4.0 / 3.0],
            "nearest",
            &mut random,
        );
        assert_eq!(part.shape(), [1, 5, 7]);
        (smallest, largest) = (smallest.min(part.min().item()), largest.max(part.max().item()));
        let y = transforms::random_erasing(&x, 0.5, [0.02, 0.33], [0.3, 3.3], Some(0.0), &mut random);
        let kept = y.eq(&x).logical_or(&y.eq(0.0));
        assert!(
            kept.to_vec::<bool>().into_iter().all(|k| k),
            "what stays is as it was"
        );
        erased.push(y.eq(0.0).to(DType::F32).mean().item());
    }
    assert!(
        smallest < 60.0 && largest > 340.0,
        "parts are from anywhere: {smallest} to {largest}"
    );
    let some: Vec<f64> = erased.iter().copied().filter(|share| *share > 0.0).collect();
    assert!(
        (60..140).contains(&some.len()),
        "{} of 200 were changed",
        some.len()
    );
    // A rectangle has whole sides, and so not exactly the share that was drawn.
    assert!(some.iter().all(|share| (0.01..0.36).contains(share)), "{some:?}");
    let noise = transforms::random_erasing(&x, 1.0, [0.3, 0.3], [1.0, 1.0], None, &mut random);
    let changed = noise.ne(&x);
    assert_eq!(changed.to(DType::F32).sum().item(), 121.0);
    assert!(
        noise.min().item() < 0.0,
        "random numbers, of which some are negative"
    );
    // Parts of which none fits are the largest in the middle.
    let strip = x.narrow(1, 0, 1);
    let y = transforms::random_resized_crop(&strip, [2, 2], [1.0, 1.0], [1.0, 1.0], "nearest", &mut random);
    assert_eq!(y.shape(), [1, 2, 2]);

    let change = transforms::Compose::new()
        .add(|x, random| transforms::random_apply(x, 0.5, random, |x, _| x * 2.0))
        .add(|x, _| x + 1.0);
    let factors: Vec<f64> = (0..100)
        .map(|_| change.apply(&Tensor::ones([1, 1, 1]), &mut random).item() - 1.0)
        .collect();
    let doubled = factors.iter().filter(|f| **f == 2.0).count();
    assert!(factors.iter().all(|f| *f == 1.0 || *f == 2.0) && (25..75).contains(&doubled));
    // The same generator makes the same picture.
    let again = || change.apply(&x, &mut generator_for(1, 1, 1)).to_vec::<f32>();
    assert_eq!(again(), again());
}

#[test]
fn generators_differ_and_repeat() {
    let mut all: Vec<u64> = Vec::new();
    for seed in 0..5 {
        for epoch in 0..5 {
            for index in 0..5 {
                let n = generator_for(seed, epoch, index).next_u64();
                assert_eq!(generator_for(seed, epoch, index).next_u64(), n);
                all.push(n);
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 125);
}

#[test]
fn pictures_in_a_grid() {
    let x = Tensor::arange(1, 7).to(DType::F32).reshape([3, 1, 1, 2]);
    let grid = transforms::make_grid(&x, 2, 0);
    assert_eq!(grid.shape(), [1, 2, 4]);
    assert_eq!(grid.to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0]);
    // At most as many in a row as there are, and neighbours share their border, as in torchvision.
    let wide = transforms::make_grid(&x, 8, 1);
    assert_eq!(wide.shape(), [1, 3, 10]);
    assert_eq!(
        wide.select(0, 0).select(0, 1).to_vec::<f32>(),
        [0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0]
    );
    assert!(catch(|| transforms::make_grid(&x.squeeze(1), 2, 0)).is_err());
}

#[cfg(feature = "images")]
#[test]
fn pictures_in_directories_named_for_classes() {
    let root = std::env::temp_dir().join(format!("wengert-pictures-{}", std::process::id()));
    let pixel = |v: u8| Tensor::full([1, 2, 3], f64::from(v) / 255.0);
    for (class, values) in [("dog", vec![10, 20]), ("cat", vec![200])] {
        std::fs::create_dir_all(root.join(class)).unwrap();
        for v in values {
            save_image(root.join(class).join(format!("{v}.png")), &pixel(v)).unwrap();
        }
    }
    let folder = ImageFolder::new(&root).unwrap();
    assert_eq!((folder.classes.join(" ").as_str(), folder.len()), ("cat dog", 3));
    let loader = DataLoader::new(folder).batch_size(3).workers(2);
    let (x, y) = loader.iter().next().unwrap().unwrap();
    assert_eq!((x.shape(), x.dtype()), ([3, 3, 2, 3].into(), DType::F32));
    assert_eq!(y.to_vec::<i64>(), [0, 1, 1]);
    let ink = (x * 255.0).round().flatten(1, -1);
    assert_eq!(ink.amin(1, false).to_vec::<f32>(), [200.0, 10.0, 20.0]);
    assert_eq!(ink.amax(1, false).to_vec::<f32>(), [200.0, 10.0, 20.0]);

    // In colour, and with what is beyond 0 and 1 brought to the ends.
    let colours = Tensor::new([[[-1.0, 0.2]], [[0.4, 0.6]], [[0.8, 7.0]]]);
    save_image(root.join("colours.png"), &colours).unwrap();
    let back = load_image(root.join("colours.png")).unwrap();
    assert!(
        back.allclose(&colours.clamp(0.0, 1.0), 0.0, 1.0 / 510.0 + 1e-6),
        "{back}"
    );
    let message = save_image(root.join("a.png"), &Tensor::zeros([2, 2, 2])).unwrap_err();
    assert!(message.message().contains("[2, 2, 2] is no picture"), "{message}");

    // What is no picture is an error, and no panic.
    std::fs::write(
        root.join("cat").join("broken.png"),
        b"\x89PNG\r\n\x1a\nnot really",
    )
    .unwrap();
    let all: Vec<_> = DataLoader::new(ImageFolder::new(&root).unwrap()).iter().collect();
    assert_eq!(all.iter().filter(|batch| batch.is_err()).count(), 1);
    assert!(ImageFolder::new(root.join("cat")).is_err() && load_image(root.join("none.png")).is_err());
    std::fs::remove_dir_all(&root).unwrap();
}
