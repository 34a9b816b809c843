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
