use super::*;

fn error(assignment: &str) -> String {
    errors(&[assignment])
}

fn errors(assignments: &[&str]) -> String {
    let assignments: Vec<String> = assignments.iter().map(|&pair| pair.to_owned()).collect();
    Settings::from_recipe("cpu-quick", &assignments)
        .expect_err("a mistake")
        .to_string()
}

fn from_text(text: &str) -> Result<Settings, SettingsError> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), text).expect("writable");
    Settings::from_file(file.path(), &[])
}

#[test]
fn every_recipe_is_valid_and_survives_being_saved() {
    for (name, _) in RECIPES {
        let settings =
            Settings::from_recipe(name, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = from_text(&settings.to_toml()).expect("its own TOML");
        assert_eq!(settings, again, "{name}");
    }
}

#[test]
fn assignments_override_the_recipe() {
    let set = [
        "optim.epochs=3".to_owned(),
        "model.dim = 48".into(),
        "mask.pred_shape=rand".into(),
    ];
    let settings = Settings::from_recipe("cpu-quick", &set).expect("valid");
    assert_eq!(settings.config.optim.epochs, 3);
    assert_eq!(settings.config.backbone().dim(), 48);
    assert_eq!(
        settings.config.mask.pred_shape,
        ibot_core::pretrain::masking::PredShape::Rand
    );
    assert_eq!(settings.intended_batch, 64);
}

#[test]
fn former_names_of_settings_still_work() {
    let set = ["run.workers=3".to_owned()];
    let settings = Settings::from_recipe("cpu-quick", &set).expect("valid");
    assert_eq!(settings.run.loader_threads, 3);
    assert!(settings.to_toml().contains("loader_threads = 3"));

    let settings = from_text("[run]\nworkers = 5").expect("valid");
    assert_eq!(settings.run.loader_threads, 5);
    assert_eq!(
        error("run.workers=many"),
        "setting `run.loader_threads`: invalid type: string \"many\", expected usize"
    );
}

/// A run of commit cd588d5 is resumed by its own config.toml.
#[test]
fn the_config_of_an_old_run_still_loads() {
    let text = include_str!("tests/config_of_cd588d5.toml");
    let settings = from_text(text).expect("valid then and now");
    assert_eq!(settings.run.loader_threads, 1);
    assert_eq!(settings.run.micro_batch, 18);
    assert_eq!(settings.config.optim.peak_lr(), 0.004 * 50.0 / 256.0);
    assert_eq!(settings.eval.len(), 1);
    assert_eq!((settings.eval[0].every, settings.eval_resize()), (1, 1.0));

    let again = from_text(&settings.to_toml()).expect("its own TOML");
    assert_eq!(settings, again);
}

#[test]
fn mistakes_are_named_with_a_suggestion() {
    for (assignment, expected) in [
        ("optim.epoch=3", "did you mean `optim.epochs`"),
        ("lr=3", "did you mean `optim.lr`"),
        ("optim=3", "no setting `optim`"),
        ("run=3", "no setting `run`"),
        ("optim.epochs", "section.key=value"),
        ("optim.epochs=many", "optim.epochs"),
        ("run.seed=-1", "run.seed"),
        ("mask.pred_shape=circle", "mask.pred_shape"),
        ("optim.lr=nan", "string \"nan\", expected f64"),
        // Not as if it were left out.
        ("model.layerscale=inf", "model.layerscale"),
        ("run.max_hours=-1", "run.max_hours"),
        ("crops.local_size=7", "multiple of the patch"),
    ] {
        let message = error(assignment);
        assert!(message.contains(expected), "{assignment}: {message}");
    }
    let unknown = Settings::from_recipe("cpu-quik", &[])
        .expect_err("a typo")
        .to_string();
    assert!(unknown.contains("did you mean `cpu-quick`"), "{unknown}");
}

#[test]
fn all_mistakes_are_named_at_once() {
    let keys = errors(&["optim.epoch=3", "optim.lr=true", "run.seeds=1", "run"]);
    assert_eq!(
        keys,
        "--set: there is no setting `optim.epoch`; did you mean `optim.epochs`?\n\
         setting `optim.lr`: invalid type: boolean `true`, expected f64\n\
         --set: there is no setting `run.seeds`; did you mean `run.seed`?\n\
         `--set run` needs the form section.key=value, for example --set optim.epochs=10"
    );
    let values = errors(&["optim.epochs=0", "loss.student_temp=0", "run.log_every=0"]);
    assert_eq!(
        values,
        "setting loss.student_temp = 0: must be more than zero\n\
         setting optim.epochs = 0: must lie between 1 and 1000000000\n\
         setting run.log_every = 0: must be at least 1"
    );
}

#[test]
fn the_device_settles_what_settings_leave_open() {
    let mut settings = Settings::from_recipe("vit-small-imagenet", &[]).expect("a recipe");
    let (batch, tokens) = (
        settings.config.batch_size(),
        student_tokens(&settings.config),
    );
    settings.run.resolve(batch, tokens, true, 2);
    // An image has 2 * 197 + 10 * 37 = 764 tokens.
    assert_eq!((settings.run.shards, settings.run.micro_batch), (2, 1));

    let mut settings = Settings::from_recipe("vit-small-imagenet", &[]).expect("a recipe");
    settings.run.resolve(batch, tokens, false, 2);
    assert_eq!((settings.run.shards, settings.run.micro_batch), (1, 1024));
}
