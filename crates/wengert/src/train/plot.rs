//! A picture of how the numbers of a training went.

use super::{Log, Report};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use wengert_array::Result;

const WIDTH: f64 = 680.0;
const PANEL: f64 = 180.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 20.0;
const ABOVE: f64 = 30.0;
const BELOW: f64 = 26.0;
const COLORS: [&str; 4] = ["#2850aa", "#d66018", "#2c8a4b", "#7a4aa5"];

/// A scalable vector graphic with one panel for each number, drawn anew whenever numbers come in: a viewer that watches
/// the file shows the training live.
///
/// A number that is positive and spans more than a factor of twenty gets a logarithmic scale.
#[derive(Debug)]
pub struct Plot {
    path: PathBuf,
    epochs: usize,
    /// Name, and the values at their epochs.
    series: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot {
    /// Draws to this file.
    pub fn new(path: impl AsRef<Path>) -> Plot {
        Plot {
            path: path.as_ref().to_path_buf(),
            epochs: 0,
            series: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, epoch: usize, value: f64) {
        let point = (epoch as f64, value);
        match self.series.iter_mut().find(|(n, _)| n == name) {
            Some((_, points)) => points.push(point),
            None => self.series.push((name.to_string(), vec![point])),
        }
    }

    /// The picture.
    pub fn to_svg(&self) -> String {
        let height = PANEL * self.series.len() as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        for (i, (name, points)) in self.series.iter().enumerate() {
            let color = COLORS[i % COLORS.len()];
            panel(
                &mut svg,
                PANEL * i as f64,
                name,
                points,
                self.epochs.max(2) as f64,
                color,
            );
        }
        svg + "</svg>\n"
    }
}

/// Draws one panel: its frame, three values on its axis, and the line.
fn panel(svg: &mut String, top: f64, name: &str, points: &[(f64, f64)], epochs: f64, color: &str) {
    let finite = || points.iter().map(|(_, v)| *v).filter(|v| v.is_finite());
    let (low, high) = (
        finite().fold(f64::INFINITY, f64::min),
        finite().fold(f64::NEG_INFINITY, f64::max),
    );
    let log = low > 0.0 && high > 20.0 * low;
    let scale = |v: f64| if log { v.ln() } else { v };
    let back = |v: f64| if log { v.exp() } else { v };
    let (low, high) = (scale(low), scale(high));
    let room = if high > low {
        high - low
    } else {
        low.abs().max(1e-9)
    };
    let (y0, y1) = (top + ABOVE, top + PANEL - BELOW);
    let x = |epoch: f64| LEFT + (epoch - 1.0) / (epochs - 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |v: f64| y1 - (scale(v) - low) / room * (y1 - y0);
    let name = name.replace('&', "&amp;").replace('<', "&lt;");
    let last = points.last().map_or(f64::NAN, |(_, v)| *v);
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-size=\"13\" fill=\"{color}\">{name}: {}{}</text>",
        top + 18.0,
        short(last),
        if log { ", logarithmic" } else { "" }
    );
    for share in [0.0, 0.5, 1.0] {
        let at = y1 - share * (y1 - y0);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#e4e4e4\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" \
             fill=\"#555\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            short(back(low + share * room))
        );
    }
    for (epoch, anchor) in [(1.0, "start"), (epochs, "end")] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#555\">epoch {epoch}</text>",
            x(epoch),
            y1 + 16.0
        );
    }
    let line: Vec<String> = points
        .iter()
        .filter(|(_, v)| v.is_finite())
        .map(|(epoch, v)| format!("{:.1},{:.1}", x(*epoch), y(*v)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\"/>",
        line.join(" ")
    );
    if let Some((cx, cy)) = line.last().and_then(|p| p.split_once(',')) {
        let _ = writeln!(
            svg,
            "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"2.6\" fill=\"{color}\"/>"
        );
    }
}

/// A number in few characters.
fn short(v: f64) -> String {
    if v != 0.0 && !(1e-3..1e5).contains(&v.abs()) {
        return format!("{v:.2e}");
    }
    let digits = (3 - v.abs().max(1.0).log10().floor() as usize).min(4);
    format!("{v:.digits$}")
}

impl Log for Plot {
    fn log(&mut self, _: usize, values: &[(&str, f64)]) -> Result<()> {
        self.epochs += 1;
        for (name, value) in values {
            self.add(name, self.epochs, *value);
        }
        crate::io::write_atomically(&self.path, |file| file.write_all(self.to_svg().as_bytes()))
    }

    fn resumed(&mut self, so_far: &Report) -> Result<()> {
        self.series.clear();
        self.epochs = so_far.losses.len();
        for (name, values) in [("loss", &so_far.losses), ("measure", &so_far.measures)] {
            for (i, value) in values.iter().enumerate() {
                self.add(name, i + 1, *value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_for_each_number_and_a_point_for_each_epoch() {
        let path = std::env::temp_dir().join(format!("wengert-plot-{}.svg", std::process::id()));
        let mut plot = Plot::new(&path);
        for (i, loss) in [100.0, 10.0, 1.0, f64::NAN].into_iter().enumerate() {
            plot.log(i, &[("loss", loss), ("a<b", 0.5 + i as f64 * 0.01)])
                .unwrap();
        }
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(svg, plot.to_svg());
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(
            svg.contains("loss: NaN, logarithmic") && svg.contains("a&lt;b: 0.530<"),
            "{svg}"
        );
        let lines: Vec<Vec<(f64, f64)>> = svg
            .split("points=\"")
            .skip(1)
            .map(|rest| {
                let points = rest.split('"').next().unwrap().split(' ');
                let number = |s: &str| s.parse::<f64>().unwrap();
                points
                    .map(|p| p.split_once(',').map(|(x, y)| (number(x), number(y))).unwrap())
                    .collect()
            })
            .collect();
        assert_eq!((lines[0].len(), lines[1].len()), (3, 4));
        // Equal factors are equal steps on a logarithmic scale; and down is down.
        let steps = [lines[0][1].1 - lines[0][0].1, lines[0][2].1 - lines[0][1].1];
        assert!(steps[0] > 30.0 && (steps[0] - steps[1]).abs() < 0.2, "{steps:?}");

        // A run that goes on has the points of the epochs before.
        let mut later = Plot::new(&path);
        let so_far = Report {
            losses: vec![3.0, 2.0],
            ..Report::default()
        };
        later.resumed(&so_far).unwrap();
        later.log(9, &[("loss", 1.0)]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            later.series,
            [("loss".into(), vec![(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)])]
        );
    }
}
