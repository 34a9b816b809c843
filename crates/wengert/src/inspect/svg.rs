//! Drawing a graph in layers, inputs above and the result below.

use super::{Graph, Role, Vertex};
use std::fmt::Write;

const ROW: f64 = 78.0;
const HEIGHT: f64 = 42.0;
const GAP: f64 = 22.0;
const MARGIN: f64 = 20.0;

struct Place {
    x: f64,
    y: f64,
    width: f64,
}

pub(super) fn draw(graph: &Graph) -> String {
    let (places, width, height) = arrange(graph);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"Helvetica, Arial, sans-serif\">\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#8a94a0\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<g fill=\"none\" stroke=\"#8a94a0\" \
         stroke-width=\"1.3\">\n"
    );
    let mut arriving = vec![0usize; graph.vertices.len()];
    graph.edges.iter().for_each(|(_, to)| arriving[*to] += 1);
    let mut arrived = vec![0usize; graph.vertices.len()];
    for &(from, to) in &graph.edges {
        // Several edges into one box end side by side.
        arrived[to] += 1;
        let share = arrived[to] as f64 / (arriving[to] as f64 + 1.0);
        let (a, b) = (&places[from], &places[to]);
        let end = b.x + b.width * (share - 0.5);
        let (top, bottom) = (a.y + HEIGHT, b.y - 2.0);
        let bend = (bottom - top).max(20.0) / 2.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {top:.1}C{:.1} {:.1} {end:.1} {:.1} {end:.1} {bottom:.1}\" marker-end=\"url(#head)\"/>",
            a.x,
            a.x,
            top + bend,
            bottom - bend
        );
    }
    svg.push_str("</g>\n");
    for (v, place) in graph.vertices.iter().zip(&places) {
        vertex(&mut svg, v, place);
    }
    svg + "</svg>\n"
}

fn vertex(svg: &mut String, v: &Vertex, place: &Place) {
    let (fill, stroke) = match v.role {
        Role::Operation => ("#e8f0fe", "#3b6fd4"),
        Role::Leaf => ("#e6f4ea", "#2e8b57"),
        Role::Constant => ("#f5f5f5", "#a0a0a0"),
    };
    let mut about = v.description.clone();
    if v.saved_bytes > 0 {
        let _ = write!(about, "\nkeeps {} bytes for backward", v.saved_bytes);
    }
    if let Some(at) = v.location {
        let _ = write!(about, "\n{}:{}", at.file(), at.line());
    }
    let (x, y) = (place.x, place.y);
    let _ = writeln!(
        svg,
        "<g><title>{}</title><rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{HEIGHT}\" rx=\"8\" \
         fill=\"{fill}\" stroke=\"{stroke}\"/><text text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\" font-size=\"14\" \
         font-weight=\"600\" fill=\"#1c2733\">{}</text><text text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\" \
         font-size=\"11\" fill=\"#5a6672\">{}</text></g>",
        escape(&about),
        x - place.width / 2.0,
        place.width,
        y + 18.0,
        escape(&v.label),
        y + 34.0,
        escape(&sizes(v)),
    );
}

fn sizes(v: &Vertex) -> String {
    format!("{} {}", v.meta.dtype, v.meta.shape)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Where each vertex goes, and the size of the picture.
fn arrange(graph: &Graph) -> (Vec<Place>, f64, f64) {
    let n = graph.vertices.len();
    let mut rows = vec![0usize; n];
    // Operations one row below the lowest of their inputs; vertices come after what they were made from.
    for &(from, to) in &graph.edges {
        rows[to] = rows[to].max(rows[from] + 1);
    }
    // What operations start from goes right above its first use.
    let mut first_use = vec![usize::MAX; n];
    for &(from, to) in &graph.edges {
        first_use[from] = first_use[from].min(rows[to]);
    }
    for (row, (v, first)) in rows.iter_mut().zip(graph.vertices.iter().zip(first_use)) {
        if v.role != Role::Operation && first != usize::MAX {
            *row = first - 1;
        }
    }
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); rows.iter().max().map_or(0, |r| r + 1)];
    for (v, row) in rows.iter().enumerate() {
        layers[*row].push(v);
    }
    let width = |v: &Vertex| {
        let (label, sizes) = (v.label.chars().count() as f64, sizes(v).chars().count() as f64);
        (8.6 * label).max(6.4 * sizes) + 22.0
    };
    let mut places: Vec<Place> = graph
        .vertices
        .iter()
        .map(|v| Place {
            x: 0.0,
            y: 0.0,
            width: width(v),
        })
        .collect();
    let mut outputs: Vec<Vec<usize>> = vec![Vec::new(); n];
    for &(from, to) in &graph.edges {
        outputs[from].push(to);
    }
    // From the result upwards: each row in the order of what it goes into, and as near above it as there is room.
    for (row, layer) in layers.iter_mut().enumerate().rev() {
        let wish = |v: &usize| {
            let to = &outputs[*v];
            match to.len() {
                0 => 0.0,
                count => to.iter().map(|t| places[*t].x).sum::<f64>() / count as f64,
            }
        };
        let mut wishes: Vec<(f64, usize)> = layer.iter().map(|v| (wish(v), *v)).collect();
        wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
        *layer = wishes.iter().map(|(_, v)| *v).collect();
        let mut edge = f64::NEG_INFINITY;
        let mut xs = Vec::new();
        for (wish, v) in &wishes {
            let x = wish.max(edge + places[*v].width / 2.0);
            edge = x + places[*v].width / 2.0 + GAP;
            xs.push(x);
        }
        // Pushing apart went to the right only: move the row back by its mean error.
        let shift =
            wishes.iter().zip(&xs).map(|((wish, _), x)| x - wish).sum::<f64>() / xs.len().max(1) as f64;
        for ((_, v), x) in wishes.iter().zip(xs) {
            (places[*v].x, places[*v].y) = (x - shift, MARGIN + row as f64 * ROW);
        }
    }
    let left = places
        .iter()
        .map(|p| p.x - p.width / 2.0)
        .fold(f64::INFINITY, f64::min);
    let right = places
        .iter()
        .map(|p| p.x + p.width / 2.0)
        .fold(f64::NEG_INFINITY, f64::max);
    for p in &mut places {
        p.x += MARGIN - left;
    }
    let across = if n == 0 { 0.0 } else { right - left };
    let down = layers.len() as f64 * ROW - (ROW - HEIGHT);
    (places, across + 2.0 * MARGIN, down.max(0.0) + 2.0 * MARGIN)
}
