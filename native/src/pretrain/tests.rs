use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::Result;
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::pretrain::TrainState;

use super::plan::Plan;
use crate::exchange::{ExchangeError, Team, connect};
use crate::run::ending::Ending;
use crate::run::panics::catch_panic;
use crate::run::replicate::{receive_state, send_state};
use crate::settings::Settings;

const WORKERS: usize = 3;
/// Images of the data.
const IMAGES: usize = 1000;

fn plan(seed: u64) -> Plan {
    let set = [
        "model.dim=16",
        "model.depth=1",
        "model.heads=2",
        "head.out_dim=32",
        "head.hidden_dim=16",
    ];
    let set = set.map(str::to_owned).into_iter().chain([
        format!("run.seed={seed}"),
        "run.exchange_timeout=0.01".into(),
    ]);
    let settings = Settings::from_recipe("builtin", &set.collect::<Vec<_>>()).expect("valid");
    Plan::new(settings, IMAGES, WORKERS).expect("valid")
}

fn first_state(plan: &Plan, device: &Device) -> TrainState {
    TrainState::fresh(&plan.settings.config, plan.settings.run.seed, device)
}

/// How three workers of one process end.
fn endings(work: impl Fn(&Team) -> Result<Ending> + Sync) -> Vec<Result<Ending>> {
    let Settings { config, run, .. } = plan(0).settings;
    let batch = config.optim.batch_size;
    let teams = connect(None, WORKERS, &run, batch, &Arc::default()).expect("threads");
    thread::scope(|scope| {
        let work = &work;
        let mut threads = Vec::new();
        for team in teams {
            threads.push(scope.spawn(move || {
                let result = catch_panic(|| work(&team));
                team.end(&result);
                result
            }));
        }
        threads
            .into_iter()
            .map(|thread| thread.join().expect("panics are caught"))
            .collect()
    })
}

#[test]
fn all_workers_start_from_the_leaders_state() {
    let device = Device::flex();
    let states = Mutex::new(Vec::new());
    let endings_of_same = endings(|team| {
        let plan = plan(team.rank() as u64);
        let state = first_state(&plan, &device);
        team.check_same(1_000_000_007)?;
        let (state, step) = if team.rank() == 0 {
            let run = plan.run_plan(IMAGES);
            send_state(team, &run, 7, || Ok(block_on(state.snapshot())?))?;
            (state, 7)
        } else {
            let (snapshot, step) = receive_state(team)?;
            (state.restore(snapshot)?, step)
        };
        let snapshot = block_on(state.snapshot())?;
        states.lock().expect("no panic").push((step, snapshot));
        Ok(Ending::Complete)
    });
    assert!(
        endings_of_same
            .iter()
            .all(|ending| matches!(ending, Ok(Ending::Complete))),
        "{endings_of_same:?}"
    );
    let leaders = block_on(first_state(&plan(0), &device).snapshot()).expect("the CPU works");
    let states = states.into_inner().expect("no panic");
    assert_eq!(states.len(), WORKERS);
    assert!(
        states
            .iter()
            .all(|(step, state)| *step == 7 && *state == leaders)
    );

    let different = endings(|team| {
        team.check_same(team.rank() as u32 / 2)?;
        Ok(Ending::Complete)
    });
    assert!(
        different
            .iter()
            .all(|ending| format!("{ending:?}").contains("other settings")),
        "{different:?}"
    );
}

#[test]
fn a_panic_ends_all_workers_with_its_message() {
    let endings = endings(|team| {
        assert!(team.rank() != 1, "the disk is on fire");
        team.check_same(0)?;
        Ok(Ending::Complete)
    });
    for rank in [0, 2] {
        let error = endings[rank].as_ref().expect_err("worker 1 failed");
        let message = "panicked: the disk is on fire".to_owned();
        assert_eq!(
            error.downcast_ref(),
            Some(&ExchangeError::Failed { worker: 1, message })
        );
    }
    assert!(endings[1].is_err());
}
