//! Looking at a recorded graph: what it holds, and pictures of it.

mod performed;
mod svg;

use crate::autograd::{Node, NodeRef, Source};
use crate::tensor::Tensor;
use std::collections::HashMap;
use std::fmt::Write;
use std::panic::Location;
use wengert_array::Meta;

pub(crate) use performed::tell;
pub use performed::{Performed, Watch, performed};

/// The history of a tensor: operations, the leaves they started from, and which went into which.
///
/// ```
/// use wengert::{Tensor, inspect::Graph};
///
/// let w = Tensor::new([1.0, 2.0]).requires_grad_(true);
/// let y = (&w * 3.0).tanh().sum();
/// let graph = Graph::of(&y).named([("w", &w)]);
/// let labels: Vec<&str> = graph.vertices.iter().map(|v| v.label.as_str()).collect();
/// assert_eq!(labels, ["w", "mul_scalar", "tanh", "sum"]);
/// assert!(graph.to_svg().starts_with("<svg"));
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    /// What there is, each after all it was made from.
    pub vertices: Vec<Vertex>,
    /// Which went into which, as numbers of vertices.
    pub edges: Vec<(usize, usize)>,
}

/// What a vertex stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An operation.
    Operation,
    /// A leaf that keeps its gradient: a parameter.
    Leaf,
    /// An input that requires no gradient.
    Constant,
}

/// An operation of a graph, or something it started from.
#[derive(Clone, Debug)]
pub struct Vertex {
    /// What it stands for.
    pub role: Role,
    /// The operation's name, or the leaf's.
    pub label: String,
    /// The operation with its parameters.
    pub description: String,
    /// Shape, dtype and device of the result.
    pub meta: Meta,
    /// The line of the program that applied the operation.
    pub location: Option<&'static Location<'static>>,
    /// How many bytes the operation keeps for its backward pass.
    pub saved_bytes: usize,
    /// The leaf, where it is one.
    leaf: Option<Tensor>,
}

impl Graph {
    /// The history of `y`, as far as it leads to leaves that require a gradient.
    pub fn of(y: &Tensor) -> Graph {
        let mut operations: Vec<NodeRef> = Vec::new();
        let mut numbers: HashMap<u64, usize> = HashMap::new();
        let mut found: Vec<NodeRef> = y.grad_fn().into_iter().collect();
        // A list, not recursion: a chain may be a million operations long.
        while let Some(node) = found.pop() {
            if numbers.insert(node.id(), 0).is_none() {
                let inputs = node.edges().iter().filter_map(|edge| edge.source.as_ref());
                found.extend(inputs.filter_map(|source| match source {
                    Source::Node(node) => Some(node.clone()),
                    Source::Leaf(_) => None,
                }));
                operations.push(node);
            }
        }
        // By age, so that everything comes after what it was made from.
        operations.sort_by_key(|node| node.id());
        let mut graph = Graph {
            vertices: Vec::new(),
            edges: Vec::new(),
        };
        if operations.is_empty() && y.requires_grad() {
            graph.vertices.push(leaf(y.clone()));
        }
        for node in operations {
            let mut inputs = Vec::new();
            for edge in node.edges() {
                inputs.push(match &edge.source {
                    Some(Source::Node(input)) => numbers[&input.id()],
                    Some(Source::Leaf(t)) => *numbers
                        .entry(t.leaf_id())
                        .or_insert_with(|| graph.push(leaf(t.clone()))),
                    None => graph.push(constant(&edge.meta)),
                });
            }
            let to = graph.push(operation(&*node));
            numbers.insert(node.id(), to);
            graph.edges.extend(inputs.into_iter().map(|from| (from, to)));
        }
        graph
    }

    fn push(&mut self, vertex: Vertex) -> usize {
        self.vertices.push(vertex);
        self.vertices.len() - 1
    }

    /// With these names for leaves, such as those of
    /// [`named_parameters`](crate::nn::Module::named_parameters).
    #[must_use]
    pub fn named<N: AsRef<str>, T: AsRef<Tensor>>(
        mut self,
        names: impl IntoIterator<Item = (N, T)>,
    ) -> Graph {
        for (name, tensor) in names {
            let of_it = |v: &&mut Vertex| v.leaf.as_ref().is_some_and(|t| t.is(tensor.as_ref()));
            if let Some(vertex) = self.vertices.iter_mut().find(of_it) {
                vertex.label = name.as_ref().to_string();
            }
        }
        self
    }

    /// How many bytes the graph keeps for its backward pass. A value that several operations keep counts for each.
    pub fn saved_bytes(&self) -> usize {
        self.vertices.iter().map(|v| v.saved_bytes).sum()
    }

    /// A picture as a scalable vector graphic: inputs above, the result below. Resting the pointer on a box shows
    /// the operation's parameters, what it saved, and the line that applied it.
    pub fn to_svg(&self) -> String {
        svg::draw(self)
    }

    /// The graph in Graphviz's language.
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph {\n  node [fontname=\"sans-serif\"];\n".to_string();
        for (i, v) in self.vertices.iter().enumerate() {
            let shape = match v.role {
                Role::Operation => "box, style=rounded",
                Role::Leaf => "ellipse",
                Role::Constant => "plaintext",
            };
            let label = format!("{}\\n{} {}", v.label, v.meta.dtype, v.meta.shape).replace('"', "'");
            let _ = writeln!(dot, "  v{i} [shape={shape}, label=\"{label}\"];");
        }
        for (from, to) in &self.edges {
            let _ = writeln!(dot, "  v{from} -> v{to};");
        }
        dot + "}\n"
    }
}

fn leaf(t: Tensor) -> Vertex {
    Vertex {
        role: Role::Leaf,
        label: "leaf".into(),
        description: "a leaf that keeps its gradient".into(),
        meta: t.array().meta(),
        location: None,
        saved_bytes: 0,
        leaf: Some(t),
    }
}

fn constant(meta: &Meta) -> Vertex {
    Vertex {
        role: Role::Constant,
        label: "data".into(),
        description: "an input that requires no gradient".into(),
        meta: meta.clone(),
        location: None,
        saved_bytes: 0,
        leaf: None,
    }
}

fn operation(node: &dyn Node) -> Vertex {
    Vertex {
        role: Role::Operation,
        label: node.name().into(),
        description: node.describe(),
        meta: node.output().clone(),
        location: Some(node.location()),
        saved_bytes: node.saved_bytes(),
        leaf: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Tensor, Graph) {
        let w = Tensor::new([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
        let x = Tensor::new([[0.5, -0.5]]);
        let h = x.matmul(&w).tanh();
        let y = (&h * &h).sum();
        let graph = Graph::of(&y).named([("w<1>", &w)]);
        (y, graph)
    }

    #[test]
    fn holds_each_operation_once_after_its_inputs() {
        let (y, graph) = sample();
        let labels: Vec<&str> = graph.vertices.iter().map(|v| v.label.as_str()).collect();
        assert_eq!(labels, ["data", "w<1>", "matmul", "tanh", "mul", "sum"]);
        assert_eq!(graph.edges, [(0, 2), (1, 2), (2, 3), (3, 4), (3, 4), (4, 5)]);
        assert!(graph.edges.iter().all(|(from, to)| from < to));
        assert_eq!(graph.vertices[2].meta.shape, [1, 2]);
        assert!(
            graph.vertices[2]
                .location
                .unwrap()
                .file()
                .ends_with("inspect/mod.rs")
        );
        assert!(graph.saved_bytes() > 0);
        y.backward();
        assert_eq!(Graph::of(&y).saved_bytes(), 0);
    }

    #[test]
    fn draws_every_vertex_and_edge() {
        let (_, graph) = sample();
        let svg = graph.to_svg();
        assert_eq!(svg.matches("<rect").count(), 1 + graph.vertices.len());
        assert_eq!(svg.matches("<path d=").count(), graph.edges.len() + 1); // and the arrow's head
        assert!(svg.contains("w&lt;1&gt;") && !svg.contains("w<1>"));
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
        let dot = graph.to_dot();
        assert_eq!(dot.matches(" -> ").count(), graph.edges.len());
    }

    #[test]
    fn a_leaf_alone_and_a_constant_have_pictures_too() {
        let w = Tensor::new([1.0]).requires_grad_(true);
        assert_eq!(Graph::of(&w).vertices.len(), 1);
        assert!(Graph::of(&Tensor::new([1.0])).vertices.is_empty());
        assert!(Graph::of(&Tensor::new([1.0])).to_svg().ends_with("</svg>\n"));
    }
}
