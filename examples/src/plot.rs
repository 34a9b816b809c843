//! A picture of how a loss fell.

use plotters::prelude::*;
use std::path::Path;

/// Draws the losses of all steps, and the losses on held-out data at some steps, as an SVG file.
pub fn loss_curve(
    file: &Path,
    title: &str,
    steps: &[f64],
    held_out: &[(usize, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let losses = steps.iter().chain(held_out.iter().map(|(_, loss)| loss));
    let highest = losses.clone().copied().fold(f64::MIN_POSITIVE, f64::max);
    let lowest = losses.copied().filter(|l| *l > 0.0).fold(highest, f64::min);
    let root = SVGBackend::new(file, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d(0..steps.len(), (lowest * 0.8..highest * 1.2).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc("cross-entropy")
        .light_line_style(BLACK.mix(0.06))
        .draw()?;
    let (light, dark) = (RGBColor(150, 180, 235), RGBColor(40, 80, 170));
    chart.draw_series(LineSeries::new(steps.iter().copied().enumerate(), light))?;
    // A running mean shows the trend through the noise of the batches.
    let mut mean = steps.first().copied().unwrap_or(0.0);
    let trend = steps.iter().enumerate().map(|(i, loss)| {
        mean += (loss - mean) * 0.05;
        (i, mean)
    });
    chart
        .draw_series(LineSeries::new(trend, dark.stroke_width(2)))?
        .label("training")
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], dark.stroke_width(2)));
    let orange = RGBColor(214, 96, 24);
    chart
        .draw_series(LineSeries::new(held_out.iter().copied(), orange.stroke_width(2)))?
        .label("held out")
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], orange.stroke_width(2)));
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    root.present()?;
    Ok(())
}

/// Draws what was predicted against how much more it became, as an SVG file; the points are predictions and truths.
pub fn residual_plot(
    file: &Path,
    title: &str,
    points: &[(f64, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(file, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let predictions = points.iter().map(|(p, _)| *p);
    let (low, high) = (
        predictions.clone().fold(f64::INFINITY, f64::min),
        predictions.fold(f64::NEG_INFINITY, f64::max),
    );
    let most = points.iter().map(|(p, t)| (t - p).abs()).fold(0.0, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d(low..high, -most..most)?;
    chart
        .configure_mesh()
        .x_desc("predicted")
        .y_desc("true − predicted")
        .light_line_style(BLACK.mix(0.06))
        .draw()?;
    let blue = RGBColor(40, 80, 170);
    let circle = |(p, t): &(f64, f64)| Circle::new((*p, t - p), 2.5, blue.mix(0.5).filled());
    chart.draw_series(LineSeries::new([(low, 0.0), (high, 0.0)], BLACK.mix(0.6)))?;
    chart.draw_series(points.iter().map(circle))?;
    root.present()?;
    Ok(())
}

/// One curve of [`profiles`]: its name, and places with what was found there and what is exact.
pub type Profile = (String, Vec<(f64, f64, f64)>);

/// Draws functions that were found, and the exact ones beneath them, as an SVG file.
pub fn profiles(file: &Path, title: &str, curves: &[Profile]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(file, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|(_, points)| points);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let (left, right) = range(&mut points().map(|p| p.0));
    let (low, high) = range(&mut points().flat_map(|p| [p.1, p.2]));
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d(left..right, low * 1.05..high * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("x")
        .y_desc("u")
        .light_line_style(BLACK.mix(0.06))
        .draw()?;
    for (i, (name, points)) in curves.iter().enumerate() {
        let color = Palette99::pick(i).to_rgba();
        let exact = points.iter().map(|(x, _, exact)| (*x, *exact));
        chart.draw_series(LineSeries::new(exact, color.mix(0.25).stroke_width(7)))?;
        chart
            .draw_series(LineSeries::new(
                points.iter().map(|(x, found, _)| (*x, *found)),
                color.stroke_width(2),
            ))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    root.present()?;
    Ok(())
}
