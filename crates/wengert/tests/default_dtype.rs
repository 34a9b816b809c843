//! The default dtype is the whole process's, so that what changes it has a process of its own.

use wengert::nn::{BatchNorm1d, Layer, Linear};
use wengert::num_complex::Complex64;
use wengert::{DType, Tensor, get_default_dtype, set_default_dtype};

#[test]
fn new_floating_point_numbers_are_of_the_default_dtype() {
    assert_eq!(get_default_dtype(), DType::F32);
    let single = Tensor::new([0.1, 0.2]);
    for (dtype, complex) in [
        (DType::F64, DType::C128),
        (DType::F16, DType::C64),
        (DType::BF16, DType::C64),
        (DType::F32, DType::C64),
    ] {
        set_default_dtype(dtype).unwrap();
        assert_eq!(get_default_dtype(), dtype);
        // Set for all threads.
        assert_eq!(
            std::thread::spawn(|| Tensor::zeros([2]).dtype()).join().unwrap(),
            dtype
        );
        let integers = Tensor::new([1, 2]);
        for x in [
            Tensor::new([0.1, 0.2]),
            Tensor::new([0.1f32]),
            Tensor::ones([2]),
            Tensor::full([2], 0.5),
            Tensor::eye(2),
            Tensor::linspace(0.0, 1.0, 3),
            Tensor::arange_step(0.0, 1.0, 0.5),
            Tensor::rand([2]),
            Tensor::randn([2]),
            &integers / &integers,
            &integers * 0.5,
            integers.sqrt(),
            integers.powf(0.5),
            integers.logsumexp(0, false),
            integers.clamp(Some(0.5), None),
        ] {
            assert_eq!(x.dtype(), dtype);
            // The name is left out where it is the default.
            assert!(!x.to_string().contains("dtype"), "{x}");
        }
        assert_eq!(Tensor::new([Complex64::new(0.0, 1.0)]).dtype(), complex);
        // What has a dtype keeps it.
        assert_eq!((&single * 2.0).dtype(), DType::F32);
        assert_eq!(single.to_string().contains("dtype=float32"), dtype != DType::F32);
        assert_eq!(integers.dtype(), DType::I64);
    }
    set_default_dtype(DType::F64).unwrap();
    assert_eq!(Tensor::new(0.1).item(), 0.1);
    let linear = Linear::new(2, 2);
    assert_eq!((linear.W.dtype(), linear.b.dtype()), (DType::F64, DType::F64));
    assert_eq!(
        BatchNorm1d::new(2).forward(&Tensor::ones([3, 2])).dtype(),
        DType::F64
    );

    let error = set_default_dtype(DType::I32).unwrap_err().to_string();
    assert!(
        error.starts_with("set_default_dtype: only floating-point types"),
        "{error}"
    );
    assert!(set_default_dtype(DType::C64).is_err());
    assert_eq!(get_default_dtype(), DType::F64);
}
