//! Backward passes and state dicts.

use crate::{check, panic_text, same, t};
use expect_test::expect;
use wengert::nn::{Linear, Module, Sequential};
use wengert::{Backward, ErrorKind, Tensor, catch, grad};

#[test]
fn graphs_that_cannot_be_walked() {
    let x = t(&[3]).requires_grad_(true);
    let e = fails!(
        Graph,
        (&x * 2.0).backward(),
        expect![[r#"
        backward: needs a result with one element to start from, and got shape [3]
          a gradient is that of one number; of several numbers, say which by weights
          help: reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`"#]]
    );
    same((&x * 2.0).try_backward(), &e);
    fails!(
        Graph,
        t(&[]).backward(),
        expect![[r#"
        backward: the result, of shape [] and dtype float32, has no history
          none of the tensors it was computed from requires a gradient, or recording was off"#]]
    );
    fails!(
        Graph,
        t(&[3]).sum().backward(),
        expect![[r#"
        backward: the result, of shape [] and dtype float32, has no history
          none of the tensors it was computed from requires a gradient, or recording was off"#]]
    );
    fails!(
        Graph,
        Tensor::arange(0, 3).sum().backward(),
        expect![[r#"
        backward: the result, of shape [] and dtype int64, has no history
          only floating-point numbers have gradients"#]]
    );
    fails!(
        Shape,
        (&x * 2.0).backward_with(&t(&[2])),
        expect![[r#"
        backward: the upstream gradient is float32 [2], and the result float32 [3]
          they must have the same shape and dtype"#]]
    );
    fails!(
        Graph,
        grad(&x.sum(), &[&t(&[3])]),
        expect![[r#"
        grad: input 0, of shape [3], does not require a gradient
          help: call `requires_grad_(true)` on it before it is used"#]]
    );
    fails!(
        Graph,
        grad(&x.sum(), &[&t(&[3]).requires_grad_(true)]),
        expect![[r#"
        grad: the result does not depend on input 0, of shape [3]
          so it has no gradient there"#]]
    );
    fails!(
        Graph,
        (&x * 2.0).requires_grad_(false),
        expect![[r#"
            requires_grad_: a result with a history requires a gradient
              this one was made by `mul_scalar`
              help: `.detach()` gives the same value without history"#]]
    );
    fails!(
        Graph,
        t(&[3]).register_hook(|_| None),
        expect![[r#"
        register_hook: this tensor requires no gradient
          so the hook would never be called"#]]
    );
    fails!(
        Graph,
        (&x * 2.0).copy_(&t(&[3])),
        expect![[r#"
        update: a result with a history cannot be changed
          help: `.detach()` gives a variable with the same value"#]]
    );
}

/// The line named is that of the operation whose saved values are gone, which is where to look.
#[test]
fn a_second_backward_pass() {
    let x = t(&[3]).requires_grad_(true);
    let line = line!() + 1;
    let y = x.exp().sum();
    y.backward();
    let error = catch(|| y.backward()).unwrap_err();
    check(
        &error,
        ErrorKind::Graph,
        line,
        &expect![[r#"
        exp: the values it saved for backward were freed by an earlier backward pass
          the operation was applied to [3]
          help: pass `retain_graph` to the first backward pass, or run the forward pass again"#]],
    );
    assert_eq!(panic_text(|| y.backward()), error.to_string());
    assert_eq!(y.try_backward().unwrap_err(), error);
    assert_eq!(
        x.grad().unwrap().to_vec::<f64>(),
        t(&[3]).exp().to_vec::<f64>(),
        "nothing was added by the failures"
    );
}

/// Options of a backward pass fail as the short form does.
#[test]
fn the_long_form_names_the_line_too() {
    let x = t(&[3]).requires_grad_(true);
    fails!(
        Graph,
        Backward::new().retain_graph(true).run(&x),
        expect![[r#"
        backward: needs a result with one element to start from, and got shape [3]
          a gradient is that of one number; of several numbers, say which by weights
          help: reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`"#]]
    );
}

#[test]
fn a_state_dict_that_does_not_fit() {
    let model = Sequential::new().add(Linear::new(3, 2));
    let before = model.state_dict();
    let mut state = model.state_dict();
    let weight = state.remove("0.weight").unwrap();
    state.insert("0.wieght", weight);
    let error = model.load_state_dict(&state).unwrap_err();
    expect![[r#"
        load_state_dict: the values do not match the model; nothing was changed
          missing: `0.weight` (is `0.wieght` meant?)
          unexpected: `0.wieght`"#]]
    .assert_eq(&error.to_string());
    assert!(
        model
            .state_dict()
            .iter()
            .all(|(k, v)| v.to_vec::<f64>() == before.get(k).unwrap().to_vec::<f64>())
    );
}
