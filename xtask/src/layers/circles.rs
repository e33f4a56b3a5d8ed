//! Circles of files: the strongly connected components of who takes what from whom.

use std::{collections::BTreeMap, fmt};

use super::modules::Imports;

/// Files each of which needs all others, and the imports that tie them.
pub(super) struct Circle {
    files: Vec<String>,
    imports: Imports,
}

/// Tarjan's algorithm: a file is numbered when it is first met, and knows the lowest number that can be
/// reached from it among files not yet in a component.
struct Search<'a> {
    imports: &'a Imports,
    numbers: BTreeMap<&'a str, usize>,
    lowest: BTreeMap<&'a str, usize>,
    open: Vec<&'a str>,
    components: Vec<Vec<String>>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, file: &'a str) {
        let number = self.numbers.len();
        self.numbers.insert(file, number);
        self.lowest.insert(file, number);
        self.open.push(file);
        for other in self.imports.get(file).into_iter().flat_map(|to| to.keys()) {
            let reached = match self.numbers.get(&other[..]) {
                None => {
                    self.visit(other);
                    self.lowest[&other[..]]
                }
                Some(number) if self.open.contains(&&other[..]) => *number,
                Some(_) => continue,
            };
            let lowest = self.lowest.entry(file).or_insert(reached);
            *lowest = reached.min(*lowest);
        }
        if self.lowest[file] == number {
            let from = self.open.iter().rposition(|open| *open == file);
            let component = self.open.split_off(from.expect("it is open"));
            self.components
                .push(component.into_iter().map(String::from).collect());
        }
    }
}

/// The circles of more than one file.
pub(super) fn circles(imports: &Imports) -> Vec<Circle> {
    let mut search = Search {
        imports,
        numbers: BTreeMap::new(),
        lowest: BTreeMap::new(),
        open: Vec::new(),
        components: Vec::new(),
    };
    for file in imports.keys() {
        if !search.numbers.contains_key(&file[..]) {
            search.visit(file);
        }
    }
    let components = search
        .components
        .into_iter()
        .filter(|files| files.len() > 1);
    components
        .map(|mut files| {
            files.sort();
            let mut within = imports.clone();
            within.retain(|file, _| files.contains(file));
            within
                .values_mut()
                .for_each(|to| to.retain(|file, _| files.contains(file)));
            Circle {
                files,
                imports: within,
            }
        })
        .collect()
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a circle of {} files:", self.files.len())?;
        for (from, to) in &self.imports {
            for (to, names) in to {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                write!(f, "\n  {from} → {to}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}
