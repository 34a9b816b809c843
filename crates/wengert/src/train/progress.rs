//! A line that says how far a training is.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// How far a training is.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub epoch: usize,
    pub epochs: usize,
    pub batch: usize,
    pub batches: usize,
    /// The mean loss of the epoch so far.
    pub loss: f64,
    pub rate: f64,
    pub measure: Option<f64>,
}

/// Writes the line over and over on a terminal; elsewhere once an epoch.
pub(super) struct Progress {
    to: Box<dyn Write + Send>,
    terminal: bool,
    shown: Option<Instant>,
    /// When this process began, and how many batches had been done by then.
    started: Option<(Instant, usize)>,
}

impl Progress {
    pub fn new() -> Progress {
        Progress {
            to: Box::new(stderr()),
            terminal: stderr().is_terminal(),
            shown: None,
            started: None,
        }
    }

    /// A batch was done.
    pub fn batch(&mut self, at: At) {
        let now = Instant::now();
        let all = at.epoch * at.batches + at.batch;
        let (began, before) = *self.started.get_or_insert((now, all));
        // Ten times a second is as often as one can read it.
        let late = self
            .shown
            .is_none_or(|t| now.duration_since(t) >= Duration::from_millis(100));
        if self.terminal && late {
            self.shown = Some(now);
            let speed = (all - before) as f64 / now.duration_since(began).as_secs_f64();
            // Where nobody reads it there is nobody to tell either.
            let _ = write!(self.to, "\r{}\x1b[K", line(at, speed)).and_then(|()| self.to.flush());
        }
    }

    /// An epoch is over.
    pub fn epoch(&mut self, at: At) {
        let (began, before) = self.started.unwrap_or((Instant::now(), 0));
        let all = (at.epoch + 1) * at.batches;
        let speed = all.saturating_sub(before) as f64 / began.elapsed().as_secs_f64();
        let _ = match self.terminal {
            // What follows may be written over it.
            true => write!(self.to, "\r{}\x1b[K\r", line(at, speed)),
            false => writeln!(self.to, "{}", line(at, speed)),
        }
        .and_then(|()| self.to.flush());
    }
}

/// Leaves the last line as it is.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.started.is_some() {
            let _ = writeln!(self.to);
        }
    }
}

fn line(at: At, speed: f64) -> String {
    let done = (at.epoch * at.batches + at.batch) as f64;
    let all = (at.epochs * at.batches).max(1) as f64;
    let full = (24.0 * at.batch as f64 / at.batches.max(1) as f64).round() as usize;
    let bar: String = (0..24).map(|i| if i < full { '━' } else { '·' }).collect();
    let mut text = format!(
        "epoch {}/{} {bar} {}/{}  loss {:.4}  lr {:.1e}",
        at.epoch + 1,
        at.epochs,
        at.batch,
        at.batches,
        at.loss,
        at.rate
    );
    if let Some(measure) = at.measure {
        text += &format!("  measure {measure:.4}");
    }
    if speed.is_finite() && speed > 0.0 {
        text += &format!("  {speed:.0}/s  {} left", time((all - done) / speed));
    }
    text
}

fn time(seconds: f64) -> String {
    let s = seconds.ceil() as u64;
    match s {
        0..3600 => format!("{}:{:02}", s / 60, s % 60),
        _ => format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn at(epoch: usize, batch: usize) -> At {
        At {
            epoch,
            epochs: 5,
            batch,
            batches: 40,
            loss: 1.5,
            rate: 1e-3,
            measure: Some(0.25),
        }
    }

    #[test]
    fn says_loss_rate_and_time_left() {
        assert_eq!(
            line(at(1, 20), 2.0),
            "epoch 2/5 ━━━━━━━━━━━━············ 20/40  loss 1.5000  lr 1.0e-3  measure 0.2500  2/s  1:10 left"
        );
        // With nothing to go by, no speed.
        assert!(line(at(0, 0), f64::NAN).ends_with("measure 0.2500"));
        assert_eq!((time(59.2).as_str(), time(3725.0).as_str()), ("1:00", "1:02:05"));
    }

    #[test]
    fn a_line_an_epoch_where_nobody_watches_and_one_line_on_a_terminal() {
        let show = |terminal| {
            let sink = Sink::default();
            let mut progress = Progress {
                to: Box::new(sink.clone()),
                terminal,
                shown: None,
                started: None,
            };
            for epoch in 0..2 {
                (1..=40).for_each(|batch| progress.batch(at(epoch, batch)));
                progress.epoch(at(epoch, 40));
            }
            drop(progress);
            let bytes = sink.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap()
        };
        let (file, terminal) = (show(false), show(true));
        assert_eq!(file.lines().count(), 2);
        assert!(file.starts_with("epoch 1/5 ━") && !file.contains('\r'));
        assert_eq!(terminal.matches('\n').count(), 1);
        assert!(terminal.starts_with("\repoch 1/5"));
    }
}
