//! Files that mean harm: no panic, and no memory beyond what the file explains.

use crate::{Scratch, checkpoint, reference};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wengert::io;

/// Keeps the size of the largest piece of memory that a thread asked for.
struct Watch;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|most| most.set(most.get().max(layout.size())));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static WATCH: Watch = Watch;

/// Every file, cut off at every byte, and with bytes changed at random: an error or a value, never a panic, and no
/// memory beyond what the file's size explains.
#[test]
fn hostile_files() {
    let scratch = Scratch::new("hostile");
    let path = scratch.0.join("c.safetensors");
    io::save(&path, &checkpoint()).unwrap();
    let mut files = vec![path];
    for name in [
        "everything.pt",
        "training.pt",
        "arrays.npz",
        "packed.npz",
        "fortran.npy",
        "dtypes.safetensors",
        "evil.pt",
    ] {
        files.push(reference(name));
    }
    let mut seed = 1u64;
    let mut random = move |n: usize| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((seed >> 33) as usize) % n
    };
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        // Deflated zeros are a thousand times larger than the file, and rightly so.
        let most = 32 * bytes.len() + (1 << 20);
        LARGEST.set(0);
        for n in 0..bytes.len() {
            assert!(
                io::load_bytes(&bytes[..n]).is_err(),
                "{} cut off at {n}",
                file.display()
            );
        }
        let mut survived = 0;
        for _ in 0..3000 {
            let mut changed = bytes.clone();
            for _ in 0..1 + random(4) {
                let at = random(changed.len());
                match random(3) {
                    0 => changed[at] ^= 1 << random(8),
                    1 => changed[at] = [0, 0xFF, 0x7F, b'(', b'R', b'.', b'}'][random(7)],
                    _ => changed[at] = random(256) as u8,
                }
            }
            survived += usize::from(io::load_bytes(&changed).is_ok());
        }
        let largest = LARGEST.get();
        println!(
            "{}: {} bytes, {survived} of 3000 survived, largest allocation {largest}",
            file.display(),
            bytes.len()
        );
        assert!(largest <= most, "{}: {largest} bytes at once", file.display());
    }
    assert!(io::load_bytes(b"").is_err());
    assert!(io::load_bytes(&[0xFF; 64]).is_err());
}

/// Small files that would grow: each must be refused.
#[test]
fn bombs() {
    // A header that claims exabytes.
    let header =
        br#"{"x":{"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,9223372036854775808]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    assert!(io::load_bytes(&file).is_err());
    let npy = |text: &str| {
        let mut file = b"\x93NUMPY\x01\0".to_vec();
        file.extend((text.len() as u16).to_le_bytes());
        file.extend(text.as_bytes());
        io::load_bytes(&file).unwrap_err().message().to_string()
    };
    assert!(
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}")
            .contains("no sense")
    );
    assert!(
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}")
            .contains("the file only 0")
    );
    assert!(npy("{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,)}").contains("Maybe"));
    assert!(npy("{'descr': '<f8', 'shape': (1,)}").contains("no `fortran_order`"));
    // Deep JSON.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut file = (deep.len() as u64).to_le_bytes().to_vec();
    file.extend(deep.as_bytes());
    assert!(io::load_bytes(&file).is_err());

    // Pickles in an archive as PyTorch makes it.
    let archive = |pickle: &[u8]| {
        let scratch = Scratch::new("bomb");
        let path = scratch.0.join("x");
        let entry = |name: &str, data: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(data);
            let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            common.extend(crc.sum().to_le_bytes());
            common.extend([(data.len() as u32).to_le_bytes(); 2].as_flattened());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0, 0]);
            common
        };
        let name = "a/data.pkl";
        let common = entry(name, pickle);
        let mut file = b"PK\x03\x04".to_vec();
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(pickle);
        let at = file.len() as u32;
        file.extend(b"PK\x01\x02\x14\0");
        file.extend(&common);
        file.extend([0; 14]);
        file.extend(name.as_bytes());
        let size = file.len() as u32 - at;
        file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        file.extend(size.to_le_bytes());
        file.extend(at.to_le_bytes());
        file.extend([0, 0]);
        std::fs::write(&path, &file).unwrap();
        io::load(&path)
    };
    assert_eq!(archive(b"\x80\x02K\x07.").unwrap().as_i64(), Some(7));
    // Lists of the list before, doubling each time.
    let mut pickle = b"\x80\x02]q\x00".to_vec();
    for _ in 0..60 {
        pickle.extend(b"0](h\x00h\x00eq\x00");
    }
    pickle.push(b'.');
    assert_eq!(
        archive(&pickle).unwrap_err().message(),
        "the pickle grows beyond measure"
    );
    // A list in itself.
    assert!(
        archive(b"\x80\x02]q\x00h\x00a.")
            .unwrap_err()
            .message()
            .contains("100 deep")
    );
    // A million lists within each other.
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(std::iter::repeat_n(b']', 1_000_000));
    pickle.extend(std::iter::repeat_n(b'a', 999_999));
    pickle.push(b'.');
    assert!(archive(&pickle).unwrap_err().message().contains("100 deep"));
    // One long text, copied again and again.
    let mut pickle = b"\x80\x02X\x00\x00\x01\x00".to_vec();
    pickle.extend(std::iter::repeat_n(b'x', 65536));
    pickle.extend(b"q\x00q\x01");
    for _ in 0..20_000 {
        pickle.extend(b"h\x00h\x01\x93");
    }
    pickle.push(b'.');
    assert_eq!(
        archive(&pickle).unwrap_err().message(),
        "the pickle grows beyond measure"
    );
    // Instructions where they make no sense.
    for pickle in [
        &b"\x80\x02."[..],
        b"\x80\x02(.",
        b"\x80\x02Na.",
        b"\x80\x02(t0.",
        b"\x80\x02K\x01K\x02R.",
        b"\x80\x02h\x05.",
    ] {
        assert!(archive(pickle).is_err(), "{pickle:?}");
    }
}
