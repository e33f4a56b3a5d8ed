//! Names people know: a node is called after the module it came from, `layer1.0.conv1`, where the file
//! says which that is.
//!
//! Exporters number their nodes (`node_Conv_291`, `Conv_12`). The module stands in the scopes that torch
//! writes alongside a node, in the path that its older exporter makes of them
//! (`/layer1/layer1.0/conv1/Conv`), and in the name of the weight that a node reads
//! (`layer1.0.conv1.weight`). In this order:
//!
//! 1. the module of the scopes;
//! 2. the file's own name, where a person or a converter chose it: neither a number nor a path;
//! 3. the module of the path;
//! 4. the module of the weight.
//!
//! The weight's comes first where that module has no node by scopes or path: exporters fold a norm into
//! the convolution before it and write the norm's scopes alongside what they made. Where it has one, the
//! weight is shared, or merged with an equal one of another module, and says nothing.
//!
//! One of a module's nodes has its name, the one that reads its weight or else the last; the others, and
//! functions called in a module that holds others, have its name and their op's: `layer1.0.relu`. Names
//! are unique: further ones get `_1`, `_2`.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::graph::{Attribute, Graph, Node};

/// Ops whose result is their weight in another form.
const SAME_WEIGHT: &[&str] = &[
    "Cast",
    "CastLike",
    "DequantizeLinear",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Name every node of a graph, and of the bodies it holds.
pub(crate) fn name_nodes(graph: &mut Graph) {
    let mut origins = Vec::new();
    collect(graph, &mut HashMap::new(), &mut origins);
    let places = || origins.iter().filter_map(|origin| origin.place.as_deref());
    let own: HashSet<String> = places().map(String::from).collect();
    // Weights before places, now that it is known which modules have nodes of their own.
    for origin in &mut origins {
        origin.settle(&own);
    }
    mark_mains(&mut origins);
    let modules: BTreeSet<&str> = origins.iter().filter_map(Origin::module).collect();
    let holds_others = |module: &str| {
        let inside = format!("{module}.");
        let mut after = modules.range(&inside[..]..);
        module.is_empty() || after.next().is_some_and(|next| next.starts_with(&inside))
    };
    let mut names = Names::default();
    // What the file chose stands, whatever comes before it.
    let mut named: Vec<Option<String>> = origins
        .iter()
        .map(|origin| match origin.module() {
            None => Some(names.unique(&origin.file_name)),
            Some(_) => None,
        })
        .collect();
    for (origin, named) in origins.iter().zip(&mut named) {
        let Some(module) = origin.module() else {
            continue;
        };
        let of_module = origin.main && (origin.reads_weight || !holds_others(module));
        let wanted = match (of_module, module) {
            (true, module) if !module.is_empty() => module.to_string(),
            (_, "") => snake(&origin.op),
            (_, module) => format!("{module}.{}", snake(&origin.op)),
        };
        *named = Some(names.unique(&wanted));
    }
    apply(graph, &mut named.into_iter().flatten());
}

impl Graph {
    /// Name and file's name of the nodes where they differ, also in the bodies it holds.
    pub(crate) fn aliases(&self) -> Vec<(String, String)> {
        let mut aliases = Vec::new();
        for node in &self.nodes {
            if node.name != node.file_name {
                aliases.push((node.name.clone(), node.file_name.clone()));
            }
            aliases.extend(node.bodies().flat_map(Graph::aliases));
        }
        aliases
    }
}

/// What is known of where a node came from.
#[derive(Debug)]
struct Origin {
    file_name: String,
    op: String,
    /// The graph it stands in: a body has a number of its own.
    graph: usize,
    /// Its module by scopes or path.
    place: Option<String>,
    /// The file chose its name.
    chosen: bool,
    /// It rests on constants alone, and is folded away.
    folded: bool,
    /// The module of the weight it reads.
    weight: Option<String>,
    /// It reads that module's weight, not its bias alone.
    reads_weight: bool,
    /// It stands for its module.
    main: bool,
}

impl Origin {
    /// Leave either a place or a chosen name; `own` are the modules that have nodes by their places.
    fn settle(&mut self, own: &HashSet<String>) {
        let weight = self.weight.take().filter(|_| !self.folded);
        // A bias that was merged with an equal one is no proof against a place.
        let weight = weight.filter(|_| self.reads_weight || self.place.is_none());
        match weight {
            _ if self.chosen => {}
            Some(weight) if self.place.as_ref() == Some(&weight) => {}
            Some(weight) if self.place.is_none() || !own.contains(&weight) => {
                self.place = Some(weight);
            }
            _ => self.reads_weight = false,
        }
    }

    fn module(&self) -> Option<&str> {
        self.place.as_deref().filter(|_| !self.chosen)
    }
}

/// The origins of a graph's nodes, each before those in its bodies. `known` are the constants around it,
/// each with the weight that it is another form of; afterwards they are as before.
fn collect(graph: &Graph, known: &mut HashMap<String, String>, origins: &mut Vec<Origin>) {
    let mut own = Vec::new();
    let mut add = |known: &mut HashMap<String, String>, name: &String, of: String| {
        if !known.contains_key(name) {
            known.insert(name.clone(), of);
            own.push(name.clone());
        }
    };
    for name in graph.constants.keys() {
        add(known, name, name.clone());
    }
    let number = origins.len();
    for node in &graph.nodes {
        let bodies: Vec<&Graph> = node.bodies().collect();
        let mut given = node.inputs.iter().filter(|name| !name.is_empty());
        let folded = bodies.is_empty()
            && (node.op == "Constant" || !node.inputs.is_empty())
            && given.all(|name| known.contains_key(name));
        let weight = node.weight(known);
        if folded {
            let of = node.inputs.first().and_then(|name| known.get(name));
            let same = SAME_WEIGHT.contains(&&node.op[..]);
            let of = of.filter(|_| same).cloned().unwrap_or_default();
            for name in &node.outputs {
                add(known, name, of.clone());
            }
        }
        let scopes = node.scopes.as_deref().and_then(of_scopes);
        let by_scopes = scopes.is_some();
        origins.push(Origin {
            file_name: node.file_name.clone(),
            op: node.op.clone(),
            graph: number,
            place: scopes.or_else(|| of_path(&node.file_name, &node.op)),
            chosen: !by_scopes && node.has_a_name_of_its_own(),
            folded,
            reads_weight: weight.as_ref().is_some_and(|(_, main)| *main),
            weight: weight.map(|(module, _)| module),
            main: false,
        });
        for body in bodies {
            collect(body, known, origins);
        }
    }
    for name in own {
        known.remove(&name);
    }
}

/// Which nodes stand for their module: of each run of neighbours, those that read its weight, or all if
/// they are of one op, or else the last.
fn mark_mains(origins: &mut [Origin]) {
    let live: Vec<usize> = (0..origins.len())
        .filter(|&at| !origins[at].folded && origins[at].module().is_some())
        .collect();
    let same = |a: &Origin, b: &Origin| (a.graph, a.module()) == (b.graph, b.module());
    let runs: Vec<Vec<usize>> = live
        .chunk_by(|&a, &b| same(&origins[a], &origins[b]))
        .map(<[usize]>::to_vec)
        .collect();
    for run in runs {
        let alike = run.iter().all(|&at| origins[at].op == origins[run[0]].op);
        let weighted = run.iter().any(|&at| origins[at].reads_weight);
        for (i, &at) in run.iter().enumerate() {
            origins[at].main = match weighted {
                true => origins[at].reads_weight,
                false => alike || i + 1 == run.len(),
            };
        }
    }
}

fn apply(graph: &mut Graph, names: &mut impl Iterator<Item = String>) {
    for node in &mut graph.nodes {
        node.name = names.next().expect("one for each node");
        // In the order in which `collect` met them.
        let mut keys: Vec<String> = node.attributes.keys().cloned().collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(Attribute::Graph(body)) = node.attributes.get_mut(&key) {
                apply(body, names);
            }
        }
    }
}

/// Names that are taken.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// How often each was wanted.
    wanted: HashMap<String, usize>,
}

impl Names {
    /// This name, or it with the first number that is free.
    fn unique(&mut self, name: &str) -> String {
        let count = self.wanted.entry(name.to_string()).or_default();
        loop {
            let tried = match *count {
                0 => name.to_string(),
                number => format!("{name}_{number}"),
            };
            *count += 1;
            if self.taken.insert(tried.clone()) {
                return tried;
            }
        }
    }
}

impl Node {
    /// The graphs it holds, by the names of their attributes.
    fn bodies(&self) -> impl Iterator<Item = &Graph> {
        let mut bodies: Vec<(&String, &Graph)> = self
            .attributes
            .iter()
            .filter_map(|(key, value)| match value {
                Attribute::Graph(body) => Some((key, &**body)),
                _ => None,
            })
            .collect();
        bodies.sort_unstable_by_key(|(key, _)| *key);
        bodies.into_iter().map(|(_, body)| body)
    }

    /// Whether somebody chose its name: it is neither the op's with a number, nor a number, nor a path of
    /// modules, nor left out.
    fn has_a_name_of_its_own(&self) -> bool {
        if self.unnamed || self.file_name.starts_with('/') {
            return false;
        }
        let last = self.file_name.rsplit('/').next().unwrap_or_default();
        let bare = last.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let bare = bare.strip_suffix('_').unwrap_or(bare);
        !last.starts_with("node_") && bare != self.op && !["", "n", "node", "val"].contains(&bare)
    }

    /// The module whose weight it reads, and whether that is a weight, not a bias.
    fn weight(&self, known: &HashMap<String, String>) -> Option<(String, bool)> {
        let constants = || {
            self.inputs
                .iter()
                .filter_map(|name| known.get_key_value(name))
        };
        let direct =
            |ends: &'static [&'static str]| constants().find_map(|(name, _)| module_of(name, ends));
        let turned = || constants().find_map(|(_, of)| module_of(of, WEIGHTS));
        let weight = direct(WEIGHTS).or_else(turned);
        weight
            .map(|module| (module, true))
            .or_else(|| direct(BIASES).map(|module| (module, false)))
    }
}

/// Parameters by which a module is known.
const WEIGHTS: &[&str] = &["weight", "gamma", "running_mean"];

/// Parameters that another module's op may add.
const BIASES: &[&str] = &["bias", "beta"];

/// `X` of a parameter `X.weight`, also of `X.weight_quantized`.
fn module_of(parameter: &str, ends: &[&str]) -> Option<String> {
    let (module, last) = parameter.rsplit_once('.')?;
    let fits = |end: &&str| {
        let rest = last.strip_prefix(*end);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let numbered = module.contains("::") || module.chars().all(|letter| letter.is_ascii_digit());
    (ends.iter().any(fits) && !numbered).then(|| module.to_string())
}

/// The module of `['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']`, a list as Python writes it that
/// ends with the node of the traced graph; the whole network's is empty.
fn of_scopes(scopes: &str) -> Option<String> {
    let inside = scopes.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut words = Vec::new();
    let mut letters = inside.chars();
    while let Some(quote) = letters.find(|letter| matches!(letter, '\'' | '"')) {
        let mut word = String::new();
        loop {
            match letters.next()? {
                '\\' => word.push(letters.next()?),
                letter if letter == quote => break,
                letter => word.push(letter),
            }
        }
        words.push(word);
    }
    let module = words.len().checked_sub(2).map(|at| &words[at])?;
    // A module called again is `relu@1`.
    Some(module.split('@').next().unwrap_or_default().to_string())
}

/// The module of `/layer1/layer1.0/conv1/Conv`, whose last part is the op, with a number perhaps.
fn of_path(name: &str, op: &str) -> Option<String> {
    let (modules, last) = name.strip_prefix('/')?.rsplit_once('/').unwrap_or_else(|| {
        let last = name.trim_start_matches('/');
        ("", last)
    });
    let number = last.strip_prefix(op)?;
    let number = number.strip_prefix('_').unwrap_or(number);
    if !number.chars().all(|letter| letter.is_ascii_digit()) {
        return None;
    }
    let mut path: Vec<&str> = Vec::new();
    for part in modules.split('/').filter(|part| !part.is_empty()) {
        // A container's part names its own again: layer1, layer1.0.
        if let Some(before) = path.last()
            && part
                .strip_prefix(before)
                .is_some_and(|rest| rest.starts_with('.'))
        {
            path.pop();
        }
        path.push(part);
    }
    Some(path.join("."))
}

/// `hard_swish` of `HardSwish`.
fn snake(op: &str) -> String {
    let mut snake = String::with_capacity(op.len() + 4);
    let mut small = false;
    for letter in op.chars() {
        if letter.is_uppercase() && small {
            snake.push('_');
        }
        small = letter.is_lowercase();
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_python_writes_them() {
        let read = |text: &str| of_scopes(text);
        let some = |text: &str| Some(text.to_string());
        let long = "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']";
        assert_eq!(read(long), some("layer1.0.conv1"));
        assert_eq!(read("['', 'relu']"), some(""));
        assert_eq!(read(r#"["it's", 'relu']"#), some("it's"));
        assert_eq!(read("['', 'relu@1', 'relu_2']"), some("relu"));
        for none in ["", "[]", "['relu']", "relu", "['', 'open"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn paths_of_modules() {
        let some = |text: &str| Some(text.to_string());
        let conv = |name: &str| of_path(name, "Conv");
        assert_eq!(conv("/layer1/layer1.0/conv1/Conv"), some("layer1.0.conv1"));
        let deep = "/layer1/layer1.0/downsample/downsample.0/Conv_1";
        assert_eq!(conv(deep), some("layer1.0.downsample.0"));
        assert_eq!(conv("/Conv_12"), some(""));
        // A part that only begins alike is another module.
        assert_eq!(conv("/block/block2/Conv"), some("block.block2"));
        for none in ["conv1", "model/conv1/Conv", "/conv1/Conv_quant", "/conv1"] {
            assert_eq!(conv(none), None, "{none}");
        }
    }

    #[test]
    fn parameters_of_modules() {
        let weight = |name: &str| module_of(name, WEIGHTS);
        assert_eq!(
            weight("layer1.0.conv1.weight").as_deref(),
            Some("layer1.0.conv1")
        );
        assert_eq!(weight("conv.weight_quantized").as_deref(), Some("conv"));
        for none in [
            "onnx::Conv_123",
            "val_12",
            "weight",
            "12.weight",
            "a.weights",
            "a.bias",
        ] {
            assert_eq!(weight(none), None, "{none}");
        }
    }

    #[test]
    fn ops_in_words() {
        for (op, word) in [
            ("HardSwish", "hard_swish"),
            ("LSTM", "lstm"),
            ("PRelu", "prelu"),
            ("Conv", "conv"),
        ] {
            assert_eq!(snake(op), word);
        }
    }
}
