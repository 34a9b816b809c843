//! Pictures side by side.

use plotters::prelude::*;
use std::path::Path;
use wengert::Tensor;

/// Draws pictures `[n, height, width]`, from 0 (paper) to 1 (ink), in rows of ten with a caption below each, as an SVG
/// file.
///
/// # Errors
/// If the file cannot be written.
pub fn gallery(
    file: &Path,
    pictures: &Tensor,
    captions: &[String],
) -> Result<(), Box<dyn std::error::Error>> {
    const COLUMNS: usize = 10;
    const PIXEL: usize = 3;
    let [n, height, width] = [pictures.size(0), pictures.size(1), pictures.size(2)];
    let (across, down) = (width * PIXEL + 8, height * PIXEL + 24);
    let rows = n.div_ceil(COLUMNS).max(1);
    let root = SVGBackend::new(file, ((COLUMNS * across) as u32, (rows * down) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let ink = pictures.to_vec::<f64>();
    for (i, picture) in ink.chunks(height * width).enumerate() {
        let (left, top) = (i % COLUMNS * across + 4, i / COLUMNS * down + 4);
        for (at, ink) in picture.iter().enumerate().filter(|(_, ink)| **ink > 0.02) {
            let (x, y) = (
                (left + at % width * PIXEL) as i32,
                (top + at / width * PIXEL) as i32,
            );
            let corners = [(x, y), (x + PIXEL as i32, y + PIXEL as i32)];
            root.draw(&Rectangle::new(corners, BLACK.mix(*ink).filled()))?;
        }
        if let Some(caption) = captions.get(i) {
            let place = (left as i32, (top + height * PIXEL + 3) as i32);
            root.draw(&Text::new(caption.as_str(), place, ("sans-serif", 13)))?;
        }
    }
    root.present()?;
    Ok(())
}
