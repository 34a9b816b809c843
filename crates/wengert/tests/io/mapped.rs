//! Files mapped into memory: what they hold, who sees what when something is written, and files that are damaged.

use crate::{Scratch, reference};
use wengert::io::{self, SafeTensors, Value};
use wengert::nn::{Linear, Module};
use wengert::optim::{Optimizer, SGD};
use wengert::{DType, Tensor};

fn is_mapped(t: &Tensor) -> bool {
    t.array().is_foreign()
}

#[test]
fn a_mapped_file_holds_what_a_read_one_does() {
    for name in [
        "dtypes.safetensors",
        "everything.pt",
        "training.pt",
        "arrays.npz",
        "packed.npz",
        "fortran.npy",
    ] {
        let path = reference(name);
        let (read, mapped) = (io::load(&path).unwrap(), io::load_mapped(&path).unwrap());
        assert_eq!(format!("{mapped:?}"), format!("{read:?}"), "{name}");
    }
    // PyTorch aligns the storages in its files: they are mapped, and integers, which may be places in memory, are not.
    let everything = io::load_mapped(reference("everything.pt")).unwrap();
    let tensors: Vec<Tensor> = everything
        .entries()
        .unwrap()
        .iter()
        .filter_map(|(_, v)| v.as_tensor().cloned())
        .collect();
    assert!(tensors.iter().any(is_mapped));
    assert!(tensors.iter().all(|t| !is_mapped(t) || t.dtype().is_float()));
}

#[test]
fn safetensors_are_mapped_and_writes_stay_with_the_tensor() {
    let scratch = Scratch::new("safetensors");
    let path = scratch.0.join("model.safetensors");
    let model = Linear::new(3, 2);
    let plain = model.state_dict();
    io::save_safetensors(&path, &plain).unwrap();
    let before = std::fs::read(&path).unwrap();

    let mut file = SafeTensors::open_mapped(&path).unwrap();
    let weight = file.tensor("weight").unwrap();
    assert!(is_mapped(&weight));
    drop(file);
    let state = io::load_mapped(&path).unwrap().to_state_dict().unwrap();
    assert!(state.iter().all(|(_, t)| is_mapped(t)));

    // Training a mapped parameter changes neither the file nor another tensor of the same place.
    let first = weight.to_vec::<f32>();
    let leaf = state.iter().find(|(n, _)| *n == "weight").unwrap().1.clone();
    let leaf = leaf.detach().requires_grad_(true);
    assert!(is_mapped(&leaf));
    let mut optimizer = SGD::new([leaf.clone()], 0.5);
    leaf.square().sum().backward();
    optimizer.step();
    assert!(!is_mapped(&leaf));
    assert!(
        leaf.to_vec::<f32>()
            .iter()
            .zip(&first)
            .all(|(a, b)| *a == 0.0 && *b != 0.0)
    );
    assert_eq!(weight.to_vec::<f32>(), first);
    assert_eq!(std::fs::read(&path).unwrap(), before);

    // A file that is replaced, or has lost its name, lives on as long as a tensor of it.
    io::save_safetensors(&path, &Linear::new(3, 2).state_dict()).unwrap();
    assert_ne!(std::fs::read(&path).unwrap(), before);
    assert_eq!(weight.to_vec::<f32>(), first);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(weight.to_vec::<f32>(), first);
}

#[test]
fn what_does_not_lie_aligned_is_read() {
    let scratch = Scratch::new("askew");
    let path = scratch.0.join("askew.safetensors");
    // As others may write it: a header of 57 bytes, so that nothing lies at a multiple of four.
    let header = br#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   "#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()));
    std::fs::write(&path, &bytes).unwrap();
    let x = SafeTensors::open_mapped(&path).unwrap().tensor("x").unwrap();
    assert!(!is_mapped(&x) && header.len() % 4 == 1);
    assert_eq!((x.dtype(), x.to_vec::<f32>()), (DType::F32, vec![1.5, -2.0]));
}

/// Every file cut off at every byte, and with bytes changed: an error or a value, as when it is read.
#[test]
fn damaged_files() {
    let scratch = Scratch::new("damaged");
    let path = scratch.0.join("c");
    let value = Value::dict([
        ("w", Tensor::new([1.0, 2.0]).into()),
        ("n", Tensor::new([1i64]).into()),
        ("h", Tensor::new([0.5]).to(DType::F16).into()),
        ("text", "here".into()),
    ]);
    io::save(&path, &value).unwrap();
    for file in [
        path.clone(),
        reference("dtypes.safetensors"),
        reference("everything.pt"),
    ] {
        let bytes = std::fs::read(&file).unwrap();
        let path = scratch.0.join("hurt");
        for n in (0..bytes.len()).step_by(1 + bytes.len() / 500) {
            std::fs::write(&path, &bytes[..n]).unwrap();
            assert!(
                io::load_mapped(&path).is_err(),
                "{} cut off at {n}",
                file.display()
            );
            assert!(SafeTensors::open_mapped(&path).is_err());
        }
        let mut seed = 1u64;
        for _ in 0..400 {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let mut hurt = bytes.clone();
            let at = (seed >> 33) as usize % hurt.len();
            hurt[at] ^= (seed >> 20) as u8 | 1;
            std::fs::write(&path, &hurt).unwrap();
            let (read, mapped) = (io::load(&path), io::load_mapped(&path));
            assert_eq!(
                format!("{:?}", mapped.map_err(|e| e.to_string())),
                format!("{:?}", read.map_err(|e| e.to_string()))
            );
        }
    }
    let error = io::load_mapped(scratch.0.join("nowhere"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot open"), "{error}");
    let error = io::load_mapped(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("cannot map"), "{error}");
}
