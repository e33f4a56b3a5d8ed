//! Traversals of random graphs against the definition: a recursion from each stop that keeps nothing,
//! frees nothing and works nothing in place.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use burn_backend::{DType, Shape, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};

use linearscope_test_support::numbers::Random;

use super::{
    Clip, Node, NodeId, NodeIndex, Operation, Program, SourceKind,
    traverse::{Along, Backwards, Constant, Forwards, Here},
};
use crate::{
    coefficient::Coefficient,
    error::{Error, Result},
    host,
    interrupt::Interrupt,
    linear::{Cut, LinearMap, Locality, Multiple, Region, Restricted, Structure},
};

/// A small whole number, so that sums in any order are exact.
fn number(random: &mut Random) -> f64 {
    random.below(7) as f64 - 3.0
}

fn tensor(values: &[f64], shape: &[usize]) -> FlexTensor {
    Flex::float_from_data(
        TensorData::new(values.to_vec(), shape.to_vec()),
        &FlexDevice,
    )
}

fn numbers(x: FlexTensor) -> Vec<f64> {
    host::<Flex>(x).expect("flex reads back")
}

fn node(operation: Operation<Flex>, len: usize, at: usize) -> Node<Flex> {
    Node {
        operation,
        name: format!("node {at}").into(),
        shape: Shape::from(vec![len]),
        layer: 0,
    }
}

fn multiple(c: f64, input: usize) -> Operation<Flex> {
    Operation::Map {
        map: Arc::new(Multiple(c)),
        input: NodeIndex(input),
    }
}

fn made(nodes: Vec<Node<Flex>>, outputs: &[usize]) -> Program<Flex> {
    let outputs = outputs.iter().map(|&at| NodeIndex(at)).collect();
    let layers = vec!["input".into()];
    Program::new(nodes, outputs, layers, DType::F64, BTreeMap::new())
}

/// Two inputs, multiples, sources, sums and, where lengths may differ, concatenations; operands occur
/// twice and in any order. Every node is an output, so that all are kept.
fn random(random: &mut Random, concats: bool) -> Program<Flex> {
    let mut nodes = vec![
        node(Operation::Input(1), 2, 0),
        node(Operation::Input(0), 2, 1),
    ];
    for at in 2..12 {
        let any = random.below(at);
        let len = nodes[any].shape[0];
        let alike: Vec<usize> = (0..at).filter(|&of| nodes[of].shape[0] == len).collect();
        let count = 1 + random.below(3);
        let (operation, len) = match random.below(if concats { 4 } else { 3 }) {
            0 => (multiple(number(random), any), len),
            1 => {
                let b: Vec<f64> = (0..len).map(|_| number(random)).collect();
                let value = Coefficient::weight(tensor(&b, &[len]));
                let input = NodeIndex(any);
                let kind = SourceKind::Bias;
                (Operation::Source { value, kind, input }, len)
            }
            2 => {
                let terms = (0..count).map(|_| {
                    let of = alike[random.below(alike.len())];
                    (number(random), NodeIndex(of))
                });
                (Operation::Sum(terms.collect()), len)
            }
            _ => {
                let parts: Vec<_> = (0..count).map(|_| NodeIndex(random.below(at))).collect();
                let extents: Vec<usize> = parts.iter().map(|of| nodes[of.0].shape[0]).collect();
                let len = extents.iter().sum();
                let dim = 0;
                let concat = Operation::Concat {
                    parts,
                    dim,
                    extents,
                };
                (concat, len)
            }
        };
        nodes.push(node(operation, len, at));
    }
    let outputs: Vec<usize> = (0..nodes.len()).collect();
    made(nodes, &outputs)
}

/// The value of a node for one probe, by definition.
fn value(
    program: &Program<Flex>,
    starts: &BTreeMap<usize, Vec<f64>>,
    at: usize,
    sources: bool,
) -> Vec<f64> {
    if let Some(x) = starts.get(&at) {
        return x.clone();
    }
    let of = |at: &NodeIndex| value(program, starts, at.0, sources);
    let plus =
        |a: Vec<f64>, b: Vec<f64>| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a + b).collect() };
    match &program.nodes[at].operation {
        Operation::Input(_) => vec![0.0; program.nodes[at].shape[0]],
        Operation::Map { map, input } => {
            let x = of(input);
            numbers(map.apply(tensor(&x, &[1, x.len()])))
        }
        Operation::Source { value, input, .. } => match sources {
            true => plus(of(input), numbers(value.value().clone())),
            false => of(input),
        },
        Operation::Sum(terms) => terms
            .iter()
            .map(|(c, at)| of(at).iter().map(|x| c * x).collect::<Vec<f64>>())
            .reduce(plus)
            .expect("terms"),
        Operation::Concat { parts, .. } => parts.iter().flat_map(of).collect(),
    }
}

fn unit(len: usize, at: usize) -> Vec<f64> {
    (0..len).map(|i| f64::from(u8::from(i == at))).collect()
}

fn len(program: &Program<Flex>, id: NodeId) -> usize {
    program.shape(id).unwrap()[0]
}

#[test]
fn forwards_is_the_recursion() {
    for seed in 0..200 {
        let draw = &mut Random(seed);
        let program = random(draw, true);
        let ids: Vec<NodeId> = program.ids().collect();
        // Both inputs and any other node; two probes.
        let mut begins: BTreeSet<usize> = [0, 1].into();
        begins.insert(draw.below(ids.len()));
        let mut starts = Vec::new();
        let mut each = [BTreeMap::new(), BTreeMap::new()];
        for at in begins {
            let n = len(&program, ids[at]);
            let x: Vec<f64> = (0..2 * n).map(|_| number(draw)).collect();
            starts.push((ids[at], tensor(&x, &[2, n])));
            each[0].insert(at, x[..n].to_vec());
            each[1].insert(at, x[n..].to_vec());
        }
        // Any nodes, one of them twice.
        let mut stops: Vec<usize> = (0..3).map(|_| draw.below(ids.len())).collect();
        stops.push(stops[0]);
        let ends: Vec<NodeId> = stops.iter().map(|&at| ids[at]).collect();
        for sources in [true, false] {
            let found = program.forward(&starts, &ends, sources).unwrap();
            for (found, &at) in found.into_iter().zip(&stops) {
                let twin = each.each_ref();
                let twin = twin.map(|starts| value(&program, starts, at, sources));
                assert_eq!(numbers(found), twin.concat(), "{seed}: {program:?}");
            }
        }
    }
}

#[test]
fn backwards_is_its_transpose() {
    for seed in 0..200 {
        let draw = &mut Random(seed);
        let program = random(draw, true);
        let ids: Vec<NodeId> = program.ids().collect();
        // Two seeds, perhaps at one node; an input and any node as targets, one of them twice.
        let seeds: Vec<(usize, Vec<f64>)> = (0..2)
            .map(|_| {
                let at = draw.below(ids.len());
                let n = len(&program, ids[at]);
                (at, (0..n).map(|_| number(draw)).collect())
            })
            .collect();
        let targets = [draw.below(2), draw.below(ids.len())];
        let mut ends: Vec<NodeId> = targets.iter().map(|&at| ids[at]).collect();
        ends.push(ends[0]);
        let given: Vec<(NodeId, FlexTensor)> = seeds
            .iter()
            .map(|(at, q)| (ids[*at], tensor(q, &[1, q.len()])))
            .collect();
        let found = program.backward(&given, &ends).unwrap();
        let mut heard = 0;
        let hearing = |_: &Node<Flex>, _: &FlexTensor, _: &FlexTensor| {
            heard += 1;
            Ok(())
        };
        let with_sources = program.contributions(&given, &ends, hearing).unwrap();
        let plain = program.clipped(&given, &ends, Clip::Deconvolution).unwrap();
        let read = |x: &Option<FlexTensor>| x.clone().map(numbers);
        for (i, target) in [targets[0], targets[1], targets[0]].into_iter().enumerate() {
            let n = len(&program, ids[target]);
            // ⟨y, F eᵢ⟩, with the other target at zero: what comes to a target goes no further.
            let twin: Vec<f64> = (0..n)
                .map(|i| {
                    let mut starts = BTreeMap::new();
                    for other in targets {
                        starts.insert(other, vec![0.0; len(&program, ids[other])]);
                    }
                    starts.insert(target, unit(n, i));
                    let product = |(at, q): &(usize, Vec<f64>)| -> f64 {
                        let column = value(&program, &starts, *at, false);
                        column.iter().zip(q).map(|(a, b)| a * b).sum()
                    };
                    seeds.iter().map(product).sum()
                })
                .collect();
            let found_here = read(&found[i]).unwrap_or(vec![0.0; n]);
            assert_eq!(found_here, twin, "{seed}: {program:?}");
            // Where there is nothing to go through in another way, these are the adjoint.
            assert_eq!(read(&found[i]), read(&with_sources[i]));
            assert_eq!(read(&found[i]), read(&plain[i]));
        }
        // Every source on a way from a seed that stops at targets.
        let mut passed = BTreeSet::new();
        let mut open: Vec<usize> = seeds.iter().map(|(at, _)| *at).collect();
        while let Some(at) = open.pop() {
            if !targets.contains(&at) && passed.insert(at) {
                open.extend(program.nodes[at].operation.operands().map(|of| of.0));
            }
        }
        let is_source =
            |at: &&usize| matches!(program.nodes[**at].operation, Operation::Source { .. });
        assert_eq!(heard, passed.iter().filter(is_source).count());
    }
}

/// Values that count how many there are.
#[derive(Default)]
struct Alive {
    now: usize,
    most: usize,
}

#[derive(Clone)]
struct Token(Rc<Held>);

struct Held(Rc<RefCell<Alive>>);

impl Token {
    fn new(alive: &Rc<RefCell<Alive>>) -> Self {
        let mut counts = alive.borrow_mut();
        counts.now += 1;
        counts.most = counts.most.max(counts.now);
        Self(Rc::new(Held(alive.clone())))
    }

    /// Whether nobody else holds it, so that a backend may work in place.
    fn is_sole(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.borrow_mut().now -= 1;
    }
}

struct Counting {
    alive: Rc<RefCell<Alive>>,
    /// Which nodes a map or source could work on in place.
    sole: BTreeSet<NodeIndex>,
}

impl Counting {
    fn next(&mut self, here: &Here<'_, Flex>, x: Token) -> Token {
        if x.is_sole() {
            self.sole.insert(here.index);
        }
        Token::new(&self.alive)
    }
}

impl Forwards<Flex> for Counting {
    type Value = Token;

    fn input(&mut self, _: &Here<'_, Flex>, number: usize) -> Result<Token> {
        Err(Error::NoStart { input: number })
    }
    fn map(
        &mut self,
        here: &Here<'_, Flex>,
        _: &Arc<dyn LinearMap<Flex>>,
        _: &Shape,
        x: Token,
    ) -> Token {
        self.next(here, x)
    }
    fn source(&mut self, here: &Here<'_, Flex>, _: &Constant<Flex>, x: Token) -> Token {
        self.next(here, x)
    }
    fn sum(&mut self, _: &Here<'_, Flex>, _terms: Vec<(f64, Token)>) -> Token {
        Token::new(&self.alive)
    }
    fn concat(&mut self, _: &Here<'_, Flex>, _parts: Vec<(Along, Token)>) -> Token {
        Token::new(&self.alive)
    }
}

impl Backwards<Flex> for Counting {
    type Value = Token;

    fn map(
        &mut self,
        here: &Here<'_, Flex>,
        _: &Arc<dyn LinearMap<Flex>>,
        _: &Shape,
        q: Token,
    ) -> Result<Token> {
        Ok(self.next(here, q))
    }
    fn source(&mut self, _: &Here<'_, Flex>, _: &Constant<Flex>, q: Token) -> Result<Token> {
        Ok(q)
    }
    fn term(&mut self, _: &Here<'_, Flex>, _: NodeIndex, _c: f64, _size: f64, q: Token) -> Token {
        q
    }
    fn part(&mut self, _: &Here<'_, Flex>, _: Along, _q: Token) -> Option<Token> {
        Some(Token::new(&self.alive))
    }
    fn add(&mut self, sum: Token, _q: Token) -> Token {
        sum
    }
}

/// What is alive at once is what [`Program::probe_bytes_between`] says, and operands that nobody reads
/// again are handed over.
#[test]
fn values_go_at_their_last_use() {
    for seed in 0..200 {
        let draw = &mut Random(seed);
        let program = random(draw, false);
        let ids: Vec<NodeId> = program.ids().collect();
        let starts = [NodeIndex(0), NodeIndex(1)];
        let stop = NodeIndex(2 + draw.below(ids.len() - 2));
        let alive = Rc::new(RefCell::new(Alive::default()));
        let mut counting = Counting {
            alive: alive.clone(),
            sole: BTreeSet::new(),
        };
        let last_use = program.last_uses(&starts, &[stop]);
        let used = starts.iter().filter(|start| last_use[start.0].is_some());
        let given: Vec<_> = used.map(|start| (*start, Token::new(&alive))).collect();
        let found = Program::forwards(&program, given, &[stop], &mut counting).unwrap();
        let ends = starts.map(|start| ids[start.0]);
        let bytes = program.probe_bytes_between(&ends, &[ids[stop.0]]).unwrap();
        // Two numbers of eight bytes each, and as much again to work in.
        let said = bytes / (2 * 2 * 8);
        drop(found);
        let most = alive.borrow().most;
        assert_eq!(alive.borrow().now, 0);
        // Forwards it is so; backwards may need more, and the account is of both.
        assert!(
            most <= said,
            "{seed}: {most} alive, {said} said\n{program:?}"
        );
        for (at, last) in last_use.iter().enumerate() {
            let node = &program.nodes[at].operation;
            if let (Operation::Map { input, .. } | Operation::Source { input, .. }, Some(_)) =
                (node, last)
            {
                let handed = last_use[input.0] == Some(at);
                assert_eq!(counting.sole.contains(&NodeIndex(at)), handed);
            }
        }

        let alive = Rc::new(RefCell::new(Alive::default()));
        let mut counting = Counting {
            alive: alive.clone(),
            sole: BTreeSet::new(),
        };
        let passes = program.dependants(&starts);
        let seed_there = [(stop, Token::new(&alive))];
        let found = Program::backwards(&program, seed_there, &starts, &passes, &mut counting);
        drop(found.unwrap());
        let back = alive.borrow().most;
        assert_eq!(alive.borrow().now, 0);
        // One more while it is added to what has come before.
        assert!(
            back <= said + 1,
            "{seed}: {back} alive, {said} said\n{program:?}"
        );
    }
}

#[test]
fn forms_of_a_program_have_ids_of_their_own() {
    let program = random(&mut Random(3), true);
    let input = program.inputs()[0];
    assert_eq!(
        program.index(input).unwrap(),
        NodeIndex(1),
        "input 0 is node 1"
    );
    let same = program.prepared();
    assert_eq!(same.inputs(), program.inputs());
    assert_eq!(
        same.node(input).unwrap().name,
        program.node(input).unwrap().name
    );
    let foreign = |result: Result<&Node<Flex>>| {
        assert!(
            matches!(result, Err(Error::ForeignNode { node: 1, .. })),
            "{result:?}"
        );
    };
    let folded = program.homogeneous();
    foreign(folded.node(input));
    let regions = program.fields(&[(input, boxed(0..1))]).unwrap();
    let window = program.window(&regions, &[input]).unwrap();
    assert!(window.program.node(input).is_err());
    assert!(program.node(window.program.outputs()[0]).is_err());
    // Boxes are of a program too, and within it.
    assert!(matches!(
        folded.window(&regions, &[]),
        Err(Error::ForeignNode { .. })
    ));
    assert!(regions.of(folded.inputs()[0]).is_err());
    for outside in [boxed(0..3), Region(vec![0..1, 0..1])] {
        let found = program.reaches(&[(input, outside)]);
        assert!(matches!(found, Err(Error::Shape { .. })), "{found:?}");
    }
    let boxless = program.inputs()[1];
    let found = program.window(&regions, &[boxless]);
    assert!(matches!(found, Err(Error::Question(_))), "{found:?}");
}

/// A map that panics, as Burn does.
#[derive(Debug)]
struct Panics;

impl LinearMap<Flex> for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn apply(&self, _: FlexTensor) -> FlexTensor {
        panic!("no way forth")
    }
    fn adjoint(&self, _: FlexTensor) -> FlexTensor {
        panic!("no way back")
    }
    fn structure(&self) -> Structure<'_, Flex> {
        Structure::View(self)
    }
}

impl Locality<Flex> for Panics {
    fn flops(&self, _: &Shape, _: &Shape) -> u64 {
        0
    }
    fn reach(&self, _: &Shape, _: &Shape, _: &Region) -> Region {
        panic!("no reach")
    }
    fn field(&self, _: &Shape, _: &Shape, _: &Region) -> Region {
        panic!("no field")
    }
    fn restrict(&self, _: &Cut<'_>) -> Option<Restricted<Flex>> {
        None
    }
}

#[test]
fn a_panic_is_an_error_that_names_the_node() {
    let map = Operation::Map {
        map: Arc::new(Panics),
        input: NodeIndex(0),
    };
    let program = made(vec![node(Operation::Input(0), 2, 0), node(map, 2, 1)], &[1]);
    let (input, output) = (program.inputs()[0], program.outputs()[0]);
    let x = || tensor(&[1.0, 2.0], &[1, 2]);
    let found = [
        program
            .forward(&[(input, x())], &[output], true)
            .map(|_| ()),
        program.backward(&[(output, x())], &[input]).map(|_| ()),
        program.fields(&[(output, boxed(0..1))]).map(|_| ()),
        program.times(1, 1, &FlexDevice).map(|_| ()),
    ];
    for found in found {
        let Err(Error::Panicked { place, message }) = found else {
            panic!("{found:?}");
        };
        assert_eq!(
            (place.node.as_str(), place.op.as_str()),
            ("node 1", "panics")
        );
        assert!(message.starts_with("no "), "{message}");
    }
}

fn boxed(range: std::ops::Range<usize>) -> Region {
    Region(std::iter::once(range).collect())
}

/// Doubles what comes, and stops the program when it is asked for the last time.
#[derive(Debug)]
struct Stops {
    asked: Arc<AtomicUsize>,
    last: usize,
    interrupt: Interrupt,
}

impl Stops {
    fn ask(&self, x: FlexTensor) -> FlexTensor {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
            self.interrupt.stop();
        }
        LinearMap::<Flex>::apply(&Multiple(2.0), x)
    }
}

impl LinearMap<Flex> for Stops {
    fn name(&self) -> &'static str {
        "stops"
    }
    fn apply(&self, x: FlexTensor) -> FlexTensor {
        self.ask(x)
    }
    fn adjoint(&self, y: FlexTensor) -> FlexTensor {
        self.ask(y)
    }
    fn structure(&self) -> Structure<'_, Flex> {
        Structure::General
    }
}

/// A stop within one node is answered before the next one, and after the last one too.
#[test]
fn a_stop_is_answered_at_the_next_node() {
    const MAPS: usize = 5;
    for last in 1..=MAPS + 1 {
        for back in [false, true] {
            let (interrupt, asked) = (Interrupt::new(), Arc::new(AtomicUsize::new(0)));
            let mut nodes = vec![node(Operation::Input(0), 2, 0)];
            for at in 1..=MAPS {
                let map = Arc::new(Stops {
                    asked: asked.clone(),
                    last,
                    interrupt: interrupt.clone(),
                });
                let input = NodeIndex(at - 1);
                nodes.push(node(Operation::Map { map, input }, 2, at));
            }
            let program = made(nodes, &[MAPS]).with_interrupt(&interrupt);
            let (input, output) = (program.inputs()[0], program.outputs()[0]);
            let x = tensor(&[1.0, -1.0], &[1, 2]);
            let found = match back {
                false => program.forward(&[(input, x)], &[output], false).map(|_| ()),
                true => program.backward(&[(output, x)], &[input]).map(|_| ()),
            };
            let expected = match last <= MAPS {
                true => (Err(Error::Interrupted), last),
                false => (Ok(()), MAPS),
            };
            assert_eq!(
                (found, asked.load(Ordering::Relaxed)),
                expected,
                "{last} {back}"
            );
        }
    }
}

/// Programs made of one carry its interrupt.
#[test]
fn copies_are_stopped_with_the_program() {
    let program = made(
        vec![
            node(Operation::Input(0), 2, 0),
            node(multiple(2.0, 0), 2, 1),
        ],
        &[1],
    );
    let interrupt = Interrupt::new();
    let program = program.with_interrupt(&interrupt);
    let output = program.outputs()[0];
    let regions = program.fields(&[(output, boxed(0..1))]).expect("boxes");
    let window = program.window(&regions, &[output]).expect("a window");
    let copies = [program.homogeneous(), program.prepared(), window.program];
    interrupt.stop();
    for copy in copies {
        let start = (copy.inputs()[0], tensor(&[1.0], &[1, 1]));
        let wide = (copy.inputs()[0], tensor(&[1.0, 1.0], &[1, 2]));
        let start = if copy.nodes()[0].shape[0] == 1 {
            start
        } else {
            wide
        };
        let found = copy.forward(&[start], copy.outputs(), false);
        assert_eq!(found.map(|_| ()), Err(Error::Interrupted));
    }
    assert_eq!(
        program.window(&regions, &[output]).map(|_| ()),
        Err(Error::Interrupted)
    );
}
