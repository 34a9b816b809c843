//! A training that is killed fifty times ends, bit for bit, where one that is left alone ends; and Ctrl-C.

use std::path::Path;
use std::process::Command;
use wengert_examples::resume::{STEPS, kill_and_resume, life};

const DIRECTORY: &str = "WENGERT_RESUME_DIRECTORY";

/// Plays both parts: a process that it starts trains in the directory which the environment names.
#[test]
fn killed_fifty_times_it_ends_bit_for_bit_where_it_would_have() {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        life(Path::new(&directory)).unwrap();
        return;
    }
    let start = |directory: &Path| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let this = "killed_fifty_times_it_ends_bit_for_bit_where_it_would_have";
        command
            .args(["--exact", this, "--nocapture"])
            .env(DIRECTORY, directory);
        command
    };
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("resume");
    let outcome = kill_and_resume(start, &scratch, 50, 3).unwrap();
    println!("{outcome:?}");
    assert_eq!(outcome.kills, 50);
    // Kills at each of the moments that matter, and work that was lost by them.
    assert!(
        outcome.starting > 0 && outcome.starting < 40 && outcome.writing > 0,
        "{outcome:?}"
    );
    assert!(outcome.batches > 2 * STEPS, "{outcome:?}");
    assert!(
        outcome.different.is_empty() && outcome.left.is_empty(),
        "{outcome:?}"
    );
    std::fs::remove_dir_all(&scratch).unwrap();
}

/// Plays both parts too.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_it_after_saving() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use wengert::io;

    if let Ok(directory) = std::env::var(DIRECTORY) {
        let report = life(Path::new(&directory)).unwrap();
        assert!(report.stopped_early && report.steps < STEPS, "{report:?}");
        return;
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interrupt");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ctrl_c_stops_it_after_saving", "--nocapture"])
        .env(DIRECTORY, &scratch)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut batches = lines.map_while(Result::ok).filter(|line| line == "batch");
    assert_eq!(batches.by_ref().take(41).count(), 41);
    let interrupt = ["-INT", &child.id().to_string()].map(String::from);
    assert!(Command::new("kill").args(interrupt).status().unwrap().success());
    batches.for_each(drop);
    assert!(child.wait().unwrap().success(), "it ends by itself, and well");
    let saved = io::load(scratch.join("last.safetensors")).unwrap();
    let steps = saved.entry("trainer").unwrap().entry("steps").unwrap().as_i64();
    // The step that it was at, or one of the few that it did before the signal came.
    assert!(
        steps.is_some_and(|steps| (20..STEPS as i64).contains(&steps)),
        "{steps:?}"
    );
    std::fs::remove_dir_all(&scratch).unwrap();
}
