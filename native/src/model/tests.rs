use super::*;

#[test]
fn errors_name_the_option_that_avoids_them() {
    let heads = with_remedy(InferError::Heads { dim: 96 }.into()).to_string();
    assert_eq!(
        heads,
        "a network of width 96 has an unknown number of attention heads: give --heads, a \
         divisor of 96"
    );
    let missing = LoadError::Missing {
        count: 1,
        names: "norm.bias".to_owned(),
    };
    let missing = with_remedy(missing).to_string();
    assert!(missing.contains("--allow-partial"), "{missing}");
    assert_eq!(
        with_remedy(LoadError::NoHead).to_string(),
        LoadError::NoHead.to_string()
    );
}
