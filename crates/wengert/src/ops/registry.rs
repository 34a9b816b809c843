//! The registry of operations: what `contract!` and `contract_rules!` list, as the table in `docs/operations.md`.

use crate::op::{Arity, In, Op, Sample};
use crate::tensor::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use wengert_array::{Array, DType};

/// One operation of a `contract!` list.
pub(crate) struct Entry {
    /// Its type, as written there.
    pub of: &'static str,
    /// The file that it is in.
    pub file: &'static str,
    /// What its samples tell.
    pub facts: fn() -> Facts,
}

inventory::collect!(Entry);

/// What the samples of an operation tell.
pub(crate) struct Facts {
    names: BTreeSet<&'static str>,
    dtypes: Vec<DType>,
    differentiable: bool,
}

const FLOATS: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];
const COMPLEX: [DType; 2] = [DType::C64, DType::C128];
const INTEGERS: [DType; 5] = [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8];

/// The facts of an operation with these samples.
pub(crate) fn facts<O: Op>(samples: &dyn Fn() -> Vec<Sample<O>>) -> Facts {
    let all = samples();
    let accepts = |s: &Sample<O>, d: DType| {
        // Floating-point inputs in another dtype; where there are none, all.
        let floats = s.inputs.as_ref().iter().any(|x| x.dtype().is_float());
        let cast = |x: &Array| {
            if x.dtype().is_float() == floats {
                x.cast(d)
            } else {
                x.clone()
            }
        };
        let x = O::Inputs::map_ref(&s.inputs, cast);
        s.op.infer(O::Inputs::map_ref(&x, In::from)).is_ok()
    };
    let differentiable = |s: &Sample<O>| {
        let y = s.op.infer(O::Inputs::map_ref(&s.inputs, In::from));
        y.is_ok_and(|y| y.dtype.is_differentiable())
            && s.inputs.as_ref().iter().any(|x| x.dtype().is_differentiable())
    };
    // Which rules are there for complex numbers shows when they run.
    let complex = |d: DType| {
        let Some(s) = samples().into_iter().next() else {
            return false;
        };
        let part = |x: &Array| match x.dtype().is_differentiable() {
            true => Tensor::constant(x.cast(d)),
            false => Tensor::constant(x.clone()),
        };
        let x = O::Inputs::map_ref(&s.inputs, part);
        let any = x.as_ref().iter().any(|x| x.dtype().is_complex());
        any && s.op.try_apply(O::Inputs::map_ref(&x, |x| x)).is_ok()
    };
    let dtypes = FLOATS.into_iter().chain(INTEGERS).chain([DType::Bool]);
    let real = dtypes.filter(|d| all.iter().take(1).any(|s| accepts(s, *d)));
    Facts {
        names: all.iter().map(|s| s.op.name()).collect(),
        dtypes: real.chain(COMPLEX.into_iter().filter(|d| complex(*d))).collect(),
        differentiable: all.iter().any(differentiable),
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The doc comment above the first mention of a type that has one: the operation's formula.
fn formula(source: &str, of: &str) -> Option<String> {
    let inner = of
        .rsplit(['<', ' '])
        .find(|part| part.starts_with(char::is_uppercase))
        .unwrap_or(of);
    let name: String = inner.chars().take_while(|c| c.is_alphanumeric()).collect();
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mentions = |line: &str| {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        !line.starts_with("//") && words.into_iter().any(|w| w == name)
    };
    lines
        .iter()
        .enumerate()
        .filter(|(_, line)| mentions(line))
        .find_map(|(at, _)| {
            let above = lines[..at].iter().rev().skip_while(|line| line.starts_with("#["));
            let mut doc: Vec<&str> = above.map_while(|line| line.strip_prefix("///")).collect();
            doc.reverse();
            let text = doc.into_iter().map(str::trim);
            let text = text.take_while(|line| !line.starts_with('#') && !line.starts_with("```"));
            let text = text.collect::<Vec<_>>().join(" ");
            (!text.is_empty()).then(|| without_links(&text))
        })
}

/// `[text](target)` as text.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once(']') {
            Some((inner, tail)) if tail.starts_with('(') => {
                plain.push_str(inner);
                rest = tail.split_once(')').map_or("", |(_, tail)| tail);
            }
            _ => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

fn dtypes(of: &[DType]) -> String {
    let mut parts = Vec::new();
    for (group, name) in [
        (&FLOATS[..], "floats"),
        (&COMPLEX[..], "complex"),
        (&INTEGERS[..], "integers"),
        (&[DType::Bool], "bool"),
    ] {
        let here: Vec<&str> = group
            .iter()
            .filter(|d| of.contains(d))
            .map(|d| d.name())
            .collect();
        if here.len() == group.len() {
            parts.push(name.to_string());
        } else {
            parts.extend(here.iter().map(|name| name.to_string()));
        }
    }
    parts.join(", ")
}

/// How many of PyTorch's samples of each operator agree.
fn parity() -> BTreeMap<String, usize> {
    let file = repository().join("crates/wengert-python/tests/op_db_expected.txt");
    let text = std::fs::read_to_string(file).expect("the list of samples that pass");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    pairs
        .map(|(name, n)| (name.to_string(), n.parse().expect("a number of samples")))
        .collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn table() -> String {
    let mut files: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in inventory::iter::<Entry> {
        files.entry(entry.file).or_default().push(entry);
    }
    let parity = parity();
    let agreed = |name: &str| -> usize {
        let of = |full: &str| {
            let variants = parity.iter().filter(|(n, _)| n.split('[').next() == Some(full));
            variants.map(|(_, n)| n).sum::<usize>()
        };
        ["", "nn.functional.", "linalg.", "special."]
            .iter()
            .map(|prefix| of(&format!("{prefix}{name}")))
            .sum()
    };
    let (mut body, mut count) = (String::new(), 0);
    for (file, entries) in &mut files {
        let source = std::fs::read_to_string(repository().join(file)).expect("the file of an operation");
        let title = source
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("//! ");
        let title = title.split(['.', ':']).next().unwrap_or_default();
        let place = file.trim_start_matches("crates/wengert/src/");
        writeln!(body, "\n## {title}\n\n[`{place}`](../{file})\n").unwrap();
        body.push_str("| operation | formula and gradient | dtypes | orders checked | device | samples of PyTorch's that agree |\n|---|---|---|---|---|---|\n");
        let mut rows: Vec<String> = Vec::new();
        for entry in entries {
            let facts = (entry.facts)();
            let of = entry.of;
            let Some(formula) = formula(&source, of) else {
                panic!("{file}: the operation {of} has no doc comment with its formula");
            };
            let names: Vec<String> = facts.names.iter().map(|name| format!("`{name}`")).collect();
            let samples: usize = facts.names.iter().map(|name| agreed(name)).sum();
            count += names.len();
            rows.push(format!(
                "| {} | {} | {} | {} | CPU | {} |",
                names.join(", "),
                cell(&formula),
                dtypes(&facts.dtypes),
                if facts.differentiable {
                    "1, 2"
                } else {
                    "no gradient"
                },
                if samples > 0 {
                    samples.to_string()
                } else {
                    "–".to_string()
                },
            ));
        }
        rows.sort();
        body.push_str(&(rows.join("\n") + "\n"));
    }
    let operators: BTreeSet<&str> = parity.keys().filter_map(|name| name.split('[').next()).collect();
    let samples: usize = parity.values().sum();
    let mut text = format!(
        "# Operations\n\nGenerated from the operations' blocks; `cargo test` fails where it is not current, and\n\n    \
         WENGERT_UPDATE=1 cargo test -p wengert --lib ops::registry\n\nwrites it anew. The {count} operations below are the ones \
         with a gradient rule of their own. Each is tested on its samples: value,\nfirst and second derivative against finite \
         differences, strided and broadcast inputs, and which values it keeps. All other functions\nare made of these. Dtypes \
         are those that the operation takes; integers may become float32 first. \"Orders checked\" are orders of derivatives.\n\n\
         PyTorch's own operator database drives {} operators here, of which {samples} samples agree in value and gradient (at most 24 for each dtype):\n\
         the [last table](#pytorchs-operators) lists all.\n",
        operators.len()
    );
    text.push_str(&body);
    text.push_str("\n## PyTorch's operators\n\nSamples of PyTorch's operator database that agree in value and gradient, by `tests/op_db.py` of the Python package.\n\n| operator | samples |\n|---|---|\n");
    for (name, n) in &parity {
        writeln!(text, "| `{name}` | {n} |").unwrap();
    }
    text
}

#[test]
fn the_table_of_operations_is_current() {
    let (path, text) = (repository().join("docs/operations.md"), table());
    if std::env::var_os("WENGERT_UPDATE").is_some() {
        std::fs::write(&path, &text).expect("docs/operations.md can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((old, new)) = there
        .lines()
        .chain([""])
        .zip(text.lines().chain([""]))
        .find(|(a, b)| a != b)
    {
        panic!(
            "docs/operations.md is not current: `WENGERT_UPDATE=1 cargo test -p wengert --lib ops::registry` writes it\n  it has    {old}\n  should be {new}"
        );
    }
    assert_eq!(there.len(), text.len());
}

#[test]
fn formulas_are_found() {
    let source = "/// y = x²; dx = 2x dy.\n#[derive(Debug)]\npub struct Square;\n\n/// See [`a`](b) [, 2].\nrule Cube: x\n";
    assert_eq!(formula(source, "Map<Square, 1>").unwrap(), "y = x²; dx = 2x dy.");
    assert_eq!(formula(source, "Cube").unwrap(), "See `a` [, 2].");
    assert_eq!(formula(source, "Sphere"), None);
}
