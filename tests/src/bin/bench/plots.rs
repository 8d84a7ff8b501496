//! Plots, for those who would rather look than read. As SVG.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

/// What a plot shows. The axes are logarithmic: sizes and rates lie magnitudes apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plot {
    Throughput,
    RoundTrip,
    Density,
    FanOut,
}

/// A point of one of a plot's curves.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) plot: Plot,
    pub(crate) curve: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
}

const PLOTS: [Plot; 4] = [Plot::Throughput, Plot::RoundTrip, Plot::Density, Plot::FanOut];
const SIZE: (u32, u32) = (800, 480);
/// Told apart also by those who cannot tell red from green.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(0, 0, 0),
    RGBColor(128, 128, 128),
];

impl Plot {
    fn file(self) -> &'static str {
        match self {
            Self::Throughput => "throughput.svg",
            Self::RoundTrip => "round-trip.svg",
            Self::Density => "density.svg",
            Self::FanOut => "fan-out.svg",
        }
    }

    /// Where no curve goes.
    fn legend(self) -> SeriesLabelPosition {
        match self {
            Self::Throughput => SeriesLabelPosition::LowerLeft,
            Self::RoundTrip | Self::Density | Self::FanOut => SeriesLabelPosition::UpperLeft,
        }
    }

    /// The title, and what stands at the axes.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Throughput => ["Messages a second by size", "content, bytes", "messages a second"],
            Self::RoundTrip => ["Round trip by size", "content, bytes", "microseconds"],
            Self::Density => ["Memory of a host by idle modules", "modules", "resident, MiB"],
            Self::FanOut => ["What a delivery costs by sinks", "sinks of each message", "nanoseconds"],
        }
    }
}

/// Draws those plots that have points into a directory, which is made if it is missing. Gives the files.
pub(crate) fn draw(points: &[Point], directory: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let mut files = Vec::new();
    for plot in PLOTS {
        let points: Vec<&Point> = points.iter().filter(|point| point.plot == plot).collect();
        if points.is_empty() {
            continue;
        }
        let file = directory.join(plot.file());
        let svg = svg(plot, &points).with_context(|| format!("cannot draw {}", file.display()))?;
        fs::write(&file, svg).with_context(|| format!("cannot write {}", file.display()))?;
        files.push(file);
    }
    Ok(files)
}

fn svg(plot: Plot, points: &[&Point]) -> Result<String> {
    let mut svg = String::new();
    // What a backend that writes to a string can fail in is no error of ours.
    drawn(plot, points, &mut svg).map_err(|error| anyhow!("{error}"))?;
    Ok(svg)
}

fn drawn(plot: Plot, points: &[&Point], svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let [title, x_words, y_words] = plot.words();
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let range = |of: fn(&Point) -> f64| {
        let (least, most) = points
            .iter()
            .map(|point| of(point))
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        (least / 1.5..most * 1.5).log_scale()
    };
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(84)
        .build_cartesian_2d(range(|point| point.x), range(|point| point.y))?;
    let plain = |value: &f64| crate::report::number(*value).trim_end_matches(".0").to_owned();
    chart
        .configure_mesh()
        .x_desc(x_words)
        .y_desc(y_words)
        .x_label_formatter(&plain)
        .y_label_formatter(&plain)
        .light_line_style(WHITE)
        .draw()?;
    for (curve, colour) in curves(points).into_iter().zip(COLOURS.into_iter().cycle()) {
        let line: Vec<(f64, f64)> =
            points.iter().filter(|point| point.curve == curve).map(|point| (point.x, point.y)).collect();
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(3))?
            .label(curve)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(plot.legend())
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE.mix(0.8))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The names of the curves, in the order in which they came.
fn curves(points: &[&Point]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for point in points {
        if !names.contains(&point.curve) {
            names.push(point.curve.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_points_is_drawn_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let point =
            |curve: &str, x: f64| Point { plot: Plot::Throughput, curve: curve.to_owned(), x, y: 1e6 / x };
        let points = [point("pair", 32.0), point("link", 32.0), point("pair", 256.0), point("link", 256.0)];
        let files = draw(&points, &directory.path().join("plots")).unwrap();
        assert_eq!(files.len(), 1);
        let svg = fs::read_to_string(&files[0]).unwrap();
        for words in ["<svg", "Messages a second by size", ">\nlink\n<", ">\npair\n<"] {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        for (colour, is_used) in [("#0072B2", true), ("#E69F00", true), ("#009E73", false)] {
            assert_eq!(svg.contains(colour), is_used, "two curves: {colour}");
        }
    }

    #[test]
    fn a_single_point_is_a_plot_too() {
        let point = Point { plot: Plot::Density, curve: "echo".to_owned(), x: 100.0, y: 12.0 };
        assert!(svg(Plot::Density, &[&point]).unwrap().contains("<circle"));
    }
}
