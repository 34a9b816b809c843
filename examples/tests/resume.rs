//! A training that is killed fifty times ends, bit for bit, where one that is left alone ends; and Ctrl-C.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use wengert::io;
use wengert_examples::resume::{FILES, STEPS, go_on, kill_and_resume, life};

const DIRECTORY: &str = "WENGERT_RESUME_DIRECTORY";
const WRITE: &str = "WENGERT_RESUME_WRITE";

/// A directory for a test, or, in a process that a test started, the one to train in.
enum Part {
    Parent(PathBuf),
    Child(PathBuf),
}

fn part(name: &str) -> Part {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        return Part::Child(directory.into());
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).unwrap();
    Part::Parent(scratch)
}

/// A process that plays the child's part of a test.
fn command(test: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
}

#[test]
fn killed_fifty_times_it_ends_bit_for_bit_where_it_would_have() {
    let scratch = match part("resume") {
        Part::Child(directory) => return drop(life(&directory).unwrap()),
        Part::Parent(scratch) => scratch,
    };
    let this = "killed_fifty_times_it_ends_bit_for_bit_where_it_would_have";
    let outcome = kill_and_resume(|directory| command(this, directory), &scratch, 50, 3).unwrap();
    println!("{outcome:?}");
    assert_eq!(outcome.kills, 50);
    // Some were killed before their first batch, and more later.
    assert!(outcome.starting > 0 && outcome.starting < 40, "{outcome:?}");
    assert!(outcome.batches >= 2 * STEPS, "{outcome:?}");
    assert!(
        outcome.different.is_empty() && outcome.left.is_empty(),
        "{outcome:?}"
    );
    std::fs::remove_dir_all(&scratch).unwrap();
}

/// The moment that matters most, and that no clock hits for sure: a checkpoint is half written.
#[test]
fn killed_while_it_writes_it_goes_on_from_the_old_checkpoint() {
    let scratch = match part("half") {
        Part::Child(directory) if std::env::var(WRITE).is_ok() => {
            let path = directory.join(FILES[0]);
            let old = std::fs::read(&path).unwrap();
            io::write_atomically(&path, |file| {
                file.write_all(&old[..old.len() / 2])?;
                file.flush()?;
                println!("half");
                // Until it is killed.
                std::io::stdin().lines().for_each(drop);
                Ok(())
            })
            .unwrap();
            return;
        }
        Part::Child(directory) => return drop(life(&directory).unwrap()),
        Part::Parent(scratch) => scratch,
    };
    let this = "killed_while_it_writes_it_goes_on_from_the_old_checkpoint";
    let [whole, killed] = ["whole", "killed"].map(|name| scratch.join(name));
    for directory in [&whole, &killed] {
        std::fs::create_dir(directory).unwrap();
    }
    let begin = |directory: &Path| command(this, directory).spawn().unwrap();
    let end = |mut child: Child| {
        drop(child.stdin.take());
        lines(&mut child).for_each(drop);
        assert!(child.wait().unwrap().success());
    };
    end(begin(&whole));

    let mut child = begin(&killed);
    go_on(&mut child, 50).unwrap();
    let mut batches = lines(&mut child).filter(|line| line == "batch");
    assert_eq!(batches.by_ref().take(50).count(), 50);
    child.kill().unwrap();
    child.wait().unwrap();
    let files = || std::fs::read_dir(&killed).unwrap().count();
    let before = (std::fs::read(killed.join(FILES[0])).unwrap(), files());
    for kills in 1..3 {
        let mut child = command(this, &killed).env(WRITE, "").spawn().unwrap();
        assert!(lines(&mut child).any(|line| line == "half"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(std::fs::read(killed.join(FILES[0])).unwrap(), before.0);
        assert_eq!(files(), before.1 + kills, "half a file is left each time");
    }
    end(begin(&killed));
    for name in FILES {
        let [a, b] = [&whole, &killed].map(|d| std::fs::read(d.join(name)).unwrap());
        assert!(a == b, "{name} differs");
    }
    assert_eq!(files(), FILES.len(), "and is removed by the next run");
    std::fs::remove_dir_all(&scratch).unwrap();
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_it_after_saving() {
    let scratch = match part("interrupt") {
        Part::Child(directory) => {
            let report = life(&directory).unwrap();
            assert!(report.stopped_early && report.steps < STEPS, "{report:?}");
            return;
        }
        Part::Parent(scratch) => scratch,
    };
    let mut child = command("ctrl_c_stops_it_after_saving", &scratch).spawn().unwrap();
    let mut batches = lines(&mut child).filter(|line| line == "batch");
    go_on(&mut child, 41).unwrap();
    assert_eq!(batches.by_ref().take(41).count(), 41);
    let interrupt = ["-INT", &child.id().to_string()].map(String::from);
    assert!(Command::new("kill").args(interrupt).status().unwrap().success());
    // It goes on one batch at a time, until it has seen the signal.
    let mut more = 0;
    while go_on(&mut child, 1).is_ok() && batches.next().is_some() {
        more += 1;
    }
    assert!(child.wait().unwrap().success(), "it ends by itself, and well");
    let saved = io::load(scratch.join(FILES[0])).unwrap();
    let steps = saved.entry("trainer").unwrap().entry("steps").unwrap().as_i64();
    // Two batches are a step, and the last it begins is in the one it ends with.
    assert_eq!(steps, Some((41 + more) / 2));
    std::fs::remove_dir_all(&scratch).unwrap();
}
