//! Files of others, files of ours, and files that mean harm.
//!
//! `reference/io.py` made the files with PyTorch, NumPy and safetensors.

mod hostile;
mod mapped;

use std::path::{Path, PathBuf};
use wengert::io::{self, Value};
use wengert::nn::{Linear, Module, StateDict};
use wengert::optim::{AdamW, Optimizer, pytorch_state};
use wengert::{DType, ErrorKind, Tensor};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/reference/io")
        .join(name)
}

/// A directory of its own, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("wengert-io-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What every format can hold.
fn real_dtypes() -> impl Iterator<Item = DType> {
    DType::ALL.into_iter().filter(|dtype| !dtype.is_complex())
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_tensor().unwrap().to_vec()
}

#[test]
fn pytorchs_files() {
    let all = io::load(reference("everything.pt")).unwrap();
    for dtype in real_dtypes() {
        let t = all
            .get("dtypes")
            .unwrap()
            .get(dtype.name())
            .unwrap()
            .as_tensor()
            .unwrap()
            .clone();
        assert_eq!((t.dtype(), t.shape()), (dtype, [4].into()));
        let last = if dtype == DType::Bool {
            [1.0, 1.0]
        } else {
            [2.0, 100.0]
        };
        assert_eq!(t.to_vec::<f64>(), [0.0, 1.0, last[0], last[1]], "{dtype}");
    }
    let get = |name: &str| all.get(name).unwrap();
    let turned = get("turned").as_tensor().unwrap();
    assert_eq!((turned.shape(), turned.stride()), ([4, 3].into(), vec![1, 4]));
    assert_eq!(turned.to_vec::<f64>()[..3], [0.0, 4.0, 8.0]);
    assert_eq!(numbers(get("middle")), [5.0, 6.0, 9.0, 10.0]);
    assert!(
        turned
            .array()
            .shares_buffer(&get("middle").as_tensor().unwrap().array())
    );
    assert_eq!(numbers(get("spread")), [7.0; 6]);
    assert_eq!(numbers(get("zero_d")), [2.5]);
    assert_eq!(get("empty").as_tensor().unwrap().shape(), [0, 3]);
    assert_eq!(numbers(get("parameter")), [1.0, -1.0]);
    assert_eq!(
        format!("{:?}", get("ordered")),
        r#"{"a": 1, "b": [1, 2.5, none, true, "text"]}"#
    );
    assert_eq!(format!("{:?}", get("tuple")), "[1, [2, 3]]");
    assert_eq!(
        (get("large").as_i64(), get("negative").as_i64()),
        (Some(1 << 40), Some(-3))
    );
    assert_eq!(all.get_number(5).unwrap().as_str(), Some("number key"));
    assert_eq!(format!("{:?}", get("size")), "[2, 3]");
    assert!(matches!(get("dtype"), Value::DType(DType::F32)));
    assert_eq!(get("device").as_str(), Some("cpu"));
    assert!(matches!(get("bytes"), Value::Bytes(bytes) if *bytes == [0, 255]));
    assert!(get("parameter").as_tensor().unwrap().requires_grad());
    assert!(all.to_state_dict().unwrap().get("dtypes.int8").is_some());
}

/// Training goes on from PyTorch's checkpoint: one step, to f32's rounding.
#[test]
fn pytorchs_training_goes_on_here() {
    let saved = io::load(reference("training.pt")).unwrap();
    let model = Linear::new(3, 2);
    model
        .load_state_dict(&saved.get("model").unwrap().to_state_dict().unwrap())
        .unwrap();
    let mut optimizer = AdamW::new(model.parameters(), 7.0);
    let state = saved.get("optimizer").unwrap();
    let error = optimizer.load_state_dict(state).unwrap_err();
    assert_eq!(
        error.message(),
        "`exp_avg` is of shape [2, 3], the parameter of [3, 2]"
    );
    optimizer.load_state_dict(&pytorch_state(&model, state)).unwrap();
    assert_eq!(optimizer.learning_rate(), 0.01);
    let grads = saved.get("grads").unwrap().items().unwrap();
    model
        .W
        .set_grad(Some(grads[0].as_tensor().unwrap().t().contiguous()));
    model.b.set_grad(Some(grads[1].as_tensor().unwrap().clone()));
    optimizer.step();
    let after = saved.get("after").unwrap().to_state_dict().unwrap();
    for (name, ours) in model.state_dict().iter() {
        assert!(ours.allclose(after.get(name).unwrap(), 1e-6, 1e-7), "{name}");
    }
    // And back: what we save, turned, is laid out as PyTorch's own.
    let back = pytorch_state(&model, &optimizer.state_dict());
    let m = back
        .get("state")
        .unwrap()
        .get_number(0)
        .unwrap()
        .get("exp_avg")
        .unwrap();
    assert_eq!(m.as_tensor().unwrap().shape(), [2, 3]);
}

/// The first bytes of a safetensors file are a number, which may look like the start of any other format.
#[test]
fn a_header_of_any_length_is_a_header() {
    let path = std::env::temp_dir().join(format!("wengert-header-{}.safetensors", std::process::id()));
    let start_of = |name: &str| {
        let t = Tensor::new([1.0f32, 2.0]);
        let state = StateDict::from_iter([(name.to_string(), t.clone())]);
        io::save_safetensors(&path, &state).unwrap();
        let loaded = io::load(&path).unwrap().to_state_dict().unwrap();
        assert_eq!(loaded.get(name).unwrap().to_vec::<f32>(), [1.0, 2.0]);
        let start = std::fs::read(&path).unwrap()[..8].to_vec();
        (
            start.clone(),
            u64::from_le_bytes(start.try_into().unwrap()) as usize,
        )
    };
    let all: Vec<(Vec<u8>, usize)> = (0..32).map(|i| start_of(&"x".repeat(1 + 8 * i))).collect();
    let sizes: Vec<usize> = all.iter().map(|(_, size)| *size).collect();
    assert!(all.iter().any(|(start, _)| start[0] == 0x80), "{sizes:?}");
    let zip = u32::from_le_bytes(*b"PK\x03\0") as usize;
    let (start, _) = start_of(&"x".repeat(1 + zip - sizes[0]));
    assert_eq!(start[..4], *b"PK\x03\0", "{start:?}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn nothing_in_a_file_is_run_and_what_cannot_be_read_says_why() {
    for (name, message) in [
        (
            "evil.pt",
            "the file asks to call `posix.system`, and nothing in a file is ever called",
        ),
        (
            "model.pt",
            "the file asks to call `torch.nn.modules.linear.Linear`, and nothing in a file is ever called",
        ),
        (
            "legacy.pt",
            "this is a pickle, or a PyTorch file from before version 1.6",
        ),
        (
            "objects.npy",
            "the array is of NumPy's dtype `|O`, which cannot be read",
        ),
        ("nowhere.pt", ""),
    ] {
        let error = io::load(reference(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(name), "{error}");
        if !message.is_empty() {
            assert_eq!(error.message(), message);
        }
    }
    assert!(!Path::new("/tmp/wengert-was-here").exists());
}

#[test]
fn complex_numbers() {
    let file = io::load(reference("complex.pt")).unwrap();
    let x = file.get("x").unwrap().as_tensor().unwrap();
    assert_eq!((x.dtype(), x.shape()), (DType::C64, [2].into()));
    assert_eq!(x.real().to_vec::<f32>(), [0.0, 0.0]);
    assert_eq!(x.imag().to_vec::<f32>(), [0.0, 0.0]);
    let mapped = io::load_mapped(reference("complex.pt")).unwrap();
    assert_eq!(format!("{mapped:?}"), format!("{file:?}"));
}

#[test]
fn numpys_files() {
    for name in ["arrays.npz", "packed.npz"] {
        let arrays = io::load_npz(reference(name)).unwrap();
        let get = |n: &str| arrays.get(n).unwrap().clone();
        assert_eq!(get("grid").to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(
            (get("grid").shape(), get("grid").dtype()),
            ([2, 3].into(), DType::F32)
        );
        assert_eq!(get("ints").to_vec::<i64>(), [-1, 1 << 40]);
        assert_eq!(get("flags").to_vec::<bool>(), [true, false]);
        assert_eq!((get("scalar").dim(), get("scalar").item()), (0, 0.5));
        assert_eq!(arrays.len(), if name == "arrays.npz" { 4 } else { 5 });
    }
    let grid = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let fortran = io::load_npy(reference("fortran.npy")).unwrap();
    assert_eq!(
        (fortran.shape(), fortran.to_vec::<f64>()),
        ([2, 3].into(), grid.to_vec())
    );
    let big = io::load_npy(reference("big_endian.npy")).unwrap();
    assert_eq!((big.dtype(), big.to_vec::<f64>()), (DType::F64, grid.to_vec()));
    let unsigned = io::load_npy(reference("unsigned.npy")).unwrap();
    assert_eq!(
        (unsigned.dtype(), unsigned.to_vec::<i64>()),
        (DType::I32, vec![1, 65535])
    );
}

#[test]
fn arrays_come_back_from_our_own_files() {
    let scratch = Scratch::new("arrays");
    let mut state = StateDict::default();
    for (i, dtype) in real_dtypes().enumerate() {
        let t = Tensor::new([[0.0, 1.0, 2.0], [3.0, 4.0, 100.0]]).to(dtype);
        state.insert(format!("t.{dtype}"), if i % 2 == 0 { t.t() } else { t });
    }
    state.insert("empty", Tensor::zeros([0, 4]));
    state.insert("scalar", Tensor::full([], -0.0));
    let same = |loaded: &StateDict, state: &StateDict| {
        assert_eq!(loaded.len(), state.len());
        for (name, t) in state.iter() {
            let back = loaded.get(name).unwrap();
            assert_eq!((back.dtype(), back.shape()), (t.dtype(), t.shape()));
            assert_eq!(back.array().to_le_bytes(), t.array().to_le_bytes(), "{name}");
        }
    };
    let path = scratch.0.join("a.safetensors");
    io::save_safetensors(&path, &state).unwrap();
    same(&io::load_safetensors(&path).unwrap(), &state);
    same(
        &io::load(&path)
            .unwrap()
            .to_state_dict()
            .unwrap()
            .into_iter()
            .collect(),
        &state,
    );
    // The format's own library reads it too.
    let bytes = std::fs::read(&path).unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(
        theirs.tensor("t.float32").unwrap().data(),
        &*state.get("t.float32").unwrap().array().to_le_bytes()
    );
    let mut file = io::SafeTensors::open(&path).unwrap();
    assert_eq!(file.names().len(), 12);
    assert_eq!(file.meta("t.int16"), Some((DType::I16, [2, 3].into())));
    assert_eq!(file.tensor("t.int16").unwrap().to_vec::<i64>()[5], 100);
    let error = file.tensor("t.int61").unwrap_err().to_string();
    assert!(
        error.starts_with("load: there is no tensor `t.int61`\n  the most similar name is `t.int16`"),
        "{error}"
    );

    let path = scratch.0.join("a.npz");
    let error = io::save_npz(&path, &state).unwrap_err();
    assert_eq!(error.message(), "NumPy has no dtype bfloat16");
    state.remove("t.bfloat16");
    io::save_npz(&path, &state).unwrap();
    same(&io::load_npz(&path).unwrap(), &state);
    let path = scratch.0.join("a.npy");
    io::save_npy(&path, state.get("t.float64").unwrap()).unwrap();
    let back = io::load(&path).unwrap();
    assert_eq!(numbers(&back), state.get("t.float64").unwrap().to_vec::<f64>());

    let theirs = io::SafeTensors::open(reference("dtypes.safetensors")).unwrap();
    assert_eq!(theirs.metadata(), [("format".to_string(), "pt".to_string())]);
    let theirs = io::load_safetensors(reference("dtypes.safetensors")).unwrap();
    assert_eq!(
        theirs.get("bfloat16").unwrap().to_vec::<f64>(),
        [0.0, 1.0, 2.0, 100.0]
    );
}

fn checkpoint() -> Value {
    let floats = [
        0.1,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        1e300,
    ];
    Value::dict([
        (
            "model",
            Value::dict([
                ("0.weight", Tensor::new([1.0, 2.0]).into()),
                ("0.bias", Tensor::new([3]).into()),
            ]),
        ),
        ("model.0", Value::dict([("weight", Tensor::new([4.0]).into())])),
        ("__metadata__", Tensor::new([5.0]).into()),
        ("floats", Value::List(floats.map(Value::Float).to_vec())),
        ("ints", Value::List(vec![i64::MIN.into(), i64::MAX.into()])),
        ("nothing", Value::None),
        ("flags", Value::List(vec![true.into(), false.into()])),
        ("text", "ä \"quoted\"\n".into()),
        ("betas", (0.9, 0.999).into()),
        ("set", Value::Set(vec![1.into()])),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("dtype", Value::DType(DType::F16)),
        (
            "state",
            Value::Dict(vec![(Value::Int(0), Value::dict([("step", 3.into())]))]),
        ),
    ])
}

#[test]
fn any_value_comes_back_to_the_bit() {
    let scratch = Scratch::new("value");
    let value = checkpoint();
    // PyTorch's format, too.
    let path = scratch.0.join("c.pt");
    io::save(&path, &value).unwrap();
    assert_eq!(format!("{:?}", io::load_pt(&path).unwrap()), format!("{value:?}"));
    let bytes = io::pt_bytes(&value).unwrap();
    assert_eq!(bytes, std::fs::read(&path).unwrap());
    let twice = Tensor::new([1.0, 2.0]).requires_grad_(true);
    io::save(
        &path,
        &Value::List(vec![twice.detach().into(), twice.clone().into(), twice.into()]),
    )
    .unwrap();
    let back = io::load(&path).unwrap();
    let [_, a, b] = [0, 1, 2].map(|i| back.items().unwrap()[i].as_tensor().unwrap().clone());
    assert!(a.is(&b) && a.requires_grad());
    let error = io::save(scratch.0.join("c.npz"), &value).unwrap_err();
    assert!(
        error.to_string().contains("such a file holds tensors by name"),
        "{error}"
    );
    let path = scratch.0.join("c.safetensors");
    io::save(&path, &value).unwrap();
    let back = io::load(&path).unwrap();
    assert_eq!(format!("{back:?}"), format!("{value:?}"));
    assert!(matches!(back.get("betas").unwrap(), Value::Tuple(v) if v.len() == 2));
    assert!(matches!(back.get("bytes").unwrap(), Value::Bytes(v) if *v == [0, 255]));
    let floats = back.get("floats").unwrap().items().unwrap();
    assert!(floats[1].as_f64().unwrap().is_sign_negative() && floats[2].as_f64().unwrap().is_nan());
    assert_eq!(
        numbers(back.get("model.0").unwrap().get("weight").unwrap()),
        [4.0]
    );
    assert_eq!(
        numbers(back.get("model").unwrap().get("0.weight").unwrap()),
        [1.0, 2.0]
    );
    // Others see the tensors by their path.
    assert!(
        io::SafeTensors::open(&path)
            .unwrap()
            .meta("model.0.bias")
            .is_some()
    );
    for plain in [
        Value::None,
        3.into(),
        Tensor::new([1.0]).into(),
        Value::List(vec![]),
    ] {
        io::save(&path, &plain).unwrap();
        assert_eq!(format!("{:?}", io::load(&path).unwrap()), format!("{plain:?}"));
    }
    let deep = (0..40).fold(Value::None, |v, _| Value::List(vec![v]));
    let error = io::save(&path, &deep).unwrap_err();
    assert_eq!(error.message(), "values within each other more than 32 deep");
    let deep = (0..31).fold(Value::None, |v, _| Value::dict([("k", v)]));
    io::save(&path, &deep).unwrap();
    assert_eq!(format!("{:?}", io::load(&path).unwrap()), format!("{deep:?}"));
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let scratch = Scratch::new("atomic");
    let path = scratch.0.join("c");
    io::save(&path, &1.into()).unwrap();
    let error = io::write_atomically(&path, |file| {
        file.write_all(b"half of it")?;
        Err(std::io::Error::other("the disk is full"))
    })
    .unwrap_err();
    assert!(
        error.message().ends_with("the disk is full") && error.kind() == ErrorKind::Io,
        "{error}"
    );
    assert_eq!(io::load(&path).unwrap().as_i64(), Some(1));
    assert_eq!(
        std::fs::read_dir(&scratch.0).unwrap().count(),
        1,
        "nothing is left behind"
    );
    assert!(io::save(scratch.0.join("no/such/directory"), &1.into()).is_err());
    assert!(io::save("/", &1.into()).is_err());
}
