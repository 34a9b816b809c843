//! What arrays look like, against the text that PyTorch prints for them (see `reference/print.py`).

use wengert_array::half::{bf16, f16};
use wengert_array::{Array, DType, Shape, print};

fn array(dtype: DType, shape: &Shape, elements: &str) -> Array {
    if let Some(range) = elements.strip_prefix("range ") {
        let (start, step) = range.split_once(' ').unwrap();
        let (start, step): (f64, f64) = (start.parse().unwrap(), step.parse().unwrap());
        let values: Vec<f64> = (0..shape.numel()).map(|i| i as f64 * step + start).collect();
        return Array::from_slice(&values, shape).cast(dtype);
    }
    let bits: Vec<u64> = elements
        .split(',')
        .filter(|s| !s.is_empty())
        .map(|s| u64::from_str_radix(s, 16).unwrap())
        .collect();
    macro_rules! from {
        ($bits:expr) => {
            Array::from_slice(&bits.iter().map($bits).collect::<Vec<_>>(), shape)
        };
    }
    match dtype {
        DType::Bool => from!(|&b| b != 0),
        DType::U8 => from!(|&b| b as u8),
        DType::I8 => from!(|&b| b as i8),
        DType::I16 => from!(|&b| b as i16),
        DType::I32 => from!(|&b| b as i32),
        DType::I64 => from!(|&b| b as i64),
        DType::F16 => from!(|&b| f16::from_bits(b as u16)),
        DType::BF16 => from!(|&b| bf16::from_bits(b as u16)),
        DType::F32 => from!(|&b| f32::from_bits(b as u32)),
        _ => from!(|&b| f64::from_bits(b)),
    }
}

#[test]
fn prints_as_pytorch_does() {
    let mut wrong = 0;
    let mut cases = 0;
    for (i, line) in include_str!("reference/print.txt").lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [prefix, dtype, shape, suffixes, elements, text] = fields[..] else {
            panic!("line {}: not six fields", i + 1);
        };
        let dtype = DType::ALL.into_iter().find(|d| d.name() == dtype).unwrap();
        let list = |s: &str, by| -> Vec<String> { s.split_terminator(by).map(str::to_string).collect() };
        let shape: Shape = list(shape, ',').iter().map(|n| n.parse().unwrap()).collect();
        let want = text.replace("\\n", "\n");
        let got = print::format(&array(dtype, &shape, elements), prefix, &list(suffixes, ';'));
        if got != want {
            println!(
                "line {} ({dtype}, {shape})\nPyTorch:\n{want}\nhere:\n{got}\n",
                i + 1
            );
            wrong += 1;
        }
        cases += 1;
    }
    assert!(cases > 60, "only {cases} cases");
    assert_eq!(wrong, 0, "of {cases} cases");
}
