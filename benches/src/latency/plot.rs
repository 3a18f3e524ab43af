//! Percentile curves, drawn.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use super::scenario::{Curve, Found};

const SIZE: (u32, u32) = (900, 540);
/// The curves end at this many nines: 99.999 %.
const NINES_MAX: f64 = 5.0;
/// Points of a curve.
const POINTS: i32 = 200;
const COLOURS: [RGBColor; 3] = [RGBColor(0, 90, 160), RGBColor(200, 80, 30), RGBColor(130, 130, 130)];

impl Found {
    /// Draws its curves into a file: how long (on a logarithmic scale) which part of the records took at most, as the median over
    /// the rounds.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn draw(&self, path: &Path) -> Result<(), Box<dyn Error + '_>> {
        let curves: Vec<Vec<(f64, f64)>> = self.curves.iter().map(points).collect();
        let all = || curves.iter().flatten().map(|(_, micros)| *micros);
        let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));

        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.name, ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..NINES_MAX, (least / 1.5..most * 1.5).log_scale())?;
        chart
            .configure_mesh()
            .x_labels(6)
            .x_label_formatter(&|nines| percent(*nines))
            .x_desc("of the records took no longer")
            .y_desc("µs")
            .draw()?;
        for ((Curve { name, .. }, points), colour) in self.curves.iter().zip(curves).zip(COLOURS) {
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        area.present()?;
        Ok(())
    }
}

/// By nines, in microseconds. A tenth of a nanosecond stands for nothing, which has no logarithm.
fn points(curve: &Curve) -> Vec<(f64, f64)> {
    let nines = (0..=POINTS).map(|point| NINES_MAX * f64::from(point) / f64::from(POINTS));
    nines.map(|nines| (nines, curve.median(part(nines)).max(1e-4))).collect()
}

/// One nine is 90 %, two are 99 %.
fn part(nines: f64) -> f64 {
    1.0 - 10_f64.powf(-nines)
}

fn percent(nines: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few")]
    let decimals = (nines - 2.0).max(0.0).ceil() as usize;
    format!("{:.decimals$} %", part(nines) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nines_are_told_as_percent() {
        let told = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(percent);
        assert_eq!(told, ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]);
    }
}
