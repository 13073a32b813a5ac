use super::*;

fn plan(assignments: &[&str], images: usize) -> Result<Plan, WrongBatch> {
    let assignments: Vec<String> = assignments.iter().map(|a| (*a).to_owned()).collect();
    Plan::new(
        Settings::from_recipe("vit-small-imagenet", &assignments).expect("valid"),
        images,
        4,
    )
}

#[test]
fn clamps_and_the_scaled_rate_are_spelled_out() {
    let plan = plan(&["optim.epochs=5"], 10_000).expect("enough images");
    let text = plan.notes.join("\n");
    assert!(text.contains("5e-4 x 1024 / 256 = 2e-3"), "{text}");
    assert!(
        text.contains("optim.warmup_epochs = 10 is more than the 5 epochs"),
        "{text}"
    );
    assert!(
        text.contains("teacher.warmup_teacher_temp_epochs = 30"),
        "{text}"
    );
    assert_eq!(plan.schedules.total_steps(), 45);
    assert!(!text.contains("never trained"), "{text}");
}

#[test]
fn runs_of_other_steps_have_other_fingerprints() {
    let images = 10_000;
    let fingerprint = |assignments: &[&str]| {
        let plan = plan(assignments, images).expect("enough images");
        plan.settings.fingerprint(images, &[])
    };
    let first = fingerprint(&[]);
    assert_eq!(
        first,
        fingerprint(&["run.loader_threads=3", "run.shards=2"])
    );
    for other in ["optim.lr=1e-3", "run.seed=1", "run.exchange_f16=true"] {
        assert_ne!(first, fingerprint(&[other]), "{other}");
    }
}

#[test]
fn prototypes_frozen_in_every_epoch_are_named() {
    let plan =
        plan(&["optim.epochs=5", "optim.freeze_last_layer=5"], 10_000).expect("enough images");
    assert!((0..45).all(|step| plan.schedules.at(step).freeze_last_layer));
    let expected = "optim.freeze_last_layer = 5: the prototypes are never trained";
    assert!(plan.notes.iter().any(|note| note == expected));
}

#[test]
fn a_batch_far_from_the_recipe_is_warned_of() {
    assert!(
        plan(&[], 1_281_167)
            .expect("enough images")
            .warnings
            .is_empty()
    );
    let small = plan(&["optim.batch_size=64"], 1_281_167).expect("enough images");
    assert!(
        small.warnings[0].contains("made for 1024"),
        "{:?}",
        small.warnings
    );
}

#[test]
fn fewer_images_than_a_batch_is_an_error_that_says_what_would_do() {
    let error = plan(&[], 100).expect_err("100 images").to_string();
    assert!(error.contains("optim.batch_size=32"), "{error}");
}
