//! A model, opened once: read, hashed, captured and uploaded; frozen at as many pictures as there are.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use burn::tensor::{Device, FloatDType, TensorData};
use burn_dispatch::Dispatch;
use linearscope::{Interrupt, Kernels, Loaded, Network, RuleSet, program::machine_budget};
use linearscope_analysis::{FrozenNetwork, LinearOperator, vectors};
use linearscope_onnx::{Model as Onnx, Signature};
use linearscope_preprocess::Limits;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    args::{Common, RecipeFlags},
    boxes::Boxes,
    command::About,
    console, device,
    ends::{Ends, Layouts},
    error::{Failure, Result},
    input::{Input, Read, check_finite, read_input},
    limits,
    model::{self, Model},
    picture::Painter,
    recipe::Recipe,
    results::{Results, SCHEMA, hex, sha256},
    rules,
    session::Session,
    subject::Subject,
    task::Task,
};

/// Networks of so many input shapes stay loaded: a folder seldom has more at a time.
const SHAPES: usize = 2;

/// What every JSON of this program begins with.
pub(crate) fn header(
    command: &str,
    model: &Path,
    hash: &str,
    parameters: usize,
) -> Map<String, Value> {
    let mut header = json!({
        "schema": SCHEMA,
        "command": command,
        "model": { "file": model, "sha256": hash, "parameters": parameters },
    });
    if let Some(weights) = model::weights(model) {
        header["model"]["weights"] = json!(weights);
    }
    match header {
        Value::Object(header) => header,
        _ => unreachable!("a literal object"),
    }
}

/// What every text of this program begins with: the model, what it is asked about, what it makes of it, and
/// how that is computed.
pub(crate) fn heading(
    model: &Path,
    input: &str,
    [from, to]: [&[usize]; 2],
    computed: &[&str],
) -> String {
    let model = model::name(model);
    let computed = computed.join(", ");
    format!(
        "{model} · {input} {} → {} · {computed}",
        sizes(from),
        sizes(to)
    )
}

/// 1×3×48×48.
pub(crate) fn sizes(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    sizes.join("×")
}

/// A header with more entries.
pub(crate) fn with(mut header: Map<String, Value>, more: Value) -> Map<String, Value> {
    if let Value::Object(more) = more {
        header.extend(more);
    }
    header
}

/// What this machine is called.
pub(crate) fn host_name() -> String {
    #[cfg(unix)]
    {
        let name = rustix::system::uname();
        name.nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Facts of this run, which no result depends on.
pub(crate) fn run_facts(started: jiff::Timestamp, since: Instant, line: &str) -> Value {
    json!({
        "program": format!("linearscope {}", env!("CARGO_PKG_VERSION")),
        "line": line,
        "started": started.to_string(),
        "seconds": since.elapsed().as_secs_f64(),
        "host": host_name(),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
    })
}

/// The command line: the program's name and its arguments.
static TYPED: OnceLock<String> = OnceLock::new();

/// Let this be the command line.
pub(crate) fn type_in(words: &[OsString]) {
    let words = words.iter().skip(1);
    let words = words.map(|word| crate::args::quoted(&word.to_string_lossy()));
    let words: Vec<String> = std::iter::once("linearscope".to_string())
        .chain(words)
        .collect();
    // The first one stays: a process is one program.
    let _ = TYPED.set(words.join(" "));
}

/// The command line as it was typed; the program's name where it was not started by one.
pub(crate) fn typed() -> String {
    TYPED.get().map_or("linearscope", String::as_str).into()
}

/// A network on its device, stopped by Ctrl-C in the middle of whatever it does.
pub(crate) fn load(
    network: Network,
    device: &Device,
    dtype: FloatDType,
    kernels: Kernels,
) -> Result<Arc<Loaded<Dispatch>>> {
    let loaded = FrozenNetwork::load(network, device, dtype)?.with_kernels(kernels)?;
    Ok(Arc::new(loaded.with_interrupt(console::interrupt())))
}

/// A classifier's network up to its scores, said aloud; and the nodes left out.
pub(crate) fn scores(network: Network) -> (Network, Vec<String>) {
    let (network, left_out) = network.without_final_softmax();
    for node in &left_out {
        console::notice(&format!(
            "the softmax \"{node}\" at the end is left out: outputs are the scores before it"
        ));
    }
    (network, left_out)
}

/// What decisions and probes may take: the flag's GB, else half of what the machine has left.
pub(crate) fn memory(flag: Option<f64>) -> Result<usize> {
    match flag {
        None => Ok(machine_budget()),
        Some(gigabytes) => Ok(limits::bytes("--max-memory", gigabytes, 2.5)? as usize),
    }
}

/// The name under which an input's results lie.
pub(crate) fn name_of(path: &Path) -> String {
    let name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    name(path)
        .or_else(|| name(&path.canonicalize().ok()?))
        .unwrap_or_else(|| "input".into())
}

/// A network of one input shape on its device.
#[derive(Clone)]
struct Ready {
    shape: Vec<usize>,
    loaded: Arc<Loaded<Dispatch>>,
    facts: Value,
}

/// A recipe, the labels it names, and whether it is for arrays.
#[derive(Clone)]
struct Prepared {
    arrays: bool,
    recipe: Option<Recipe>,
    labels: Option<Arc<Vec<String>>>,
}

/// What pictures need alike, made by the first that does.
#[derive(Default)]
struct Made {
    prepared: Vec<Prepared>,
    ready: Vec<Ready>,
}

/// A model and everything that is the same for each of its pictures, which may be asked about side by side.
pub(crate) struct Opened {
    about: &'static About,
    common: Common,
    /// The command's own flags.
    arguments: Value,
    ends: Ends,
    hash: String,
    /// The hashes of arrays that other inputs are fixed to.
    set: Vec<String>,
    signature: Signature,
    /// The model was in memory, and no recipe lies alongside it.
    in_memory: bool,
    device: Device,
    rules: RuleSet,
    budget: usize,
    /// How much a picture or an array may take.
    limits: Limits,
    made: Mutex<Made>,
    /// What was said already: once for a folder, not once a picture.
    said: Mutex<BTreeSet<String>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    /// Read the model and everything that is said of it.
    pub(crate) fn new(about: &'static About, common: &Common, arguments: Value) -> Result<Self> {
        Self::of(about, common, arguments, None)
    }

    /// The same of a model in memory, which `common.model` is the name of.
    pub(crate) fn of(
        about: &'static About,
        common: &Common,
        arguments: Value,
        model: Option<&[u8]>,
    ) -> Result<Self> {
        let in_memory = model.is_some();
        let mut common = common.clone();
        let freezing = &mut common.freezing;
        // From here on `auto` has a name: in manifests, keys and jobs.
        let device;
        (freezing.device, device) = device::opened(&freezing.device, freezing.dtype)?;
        let budget = memory(freezing.max_memory)?;
        let limits = limits::of(common.recipe.max_input)?;
        let rules = rules::read(&freezing.rules)?;
        let (model, hash) = match model {
            None => model::read(&common.model)?,
            Some(bytes) => {
                let name = common.model.display().to_string();
                (Model::Onnx(Onnx::from_bytes(bytes, &name)?), sha256(bytes))
            }
        };
        let ends = common.ends.of_within(model, &limits)?;
        let signature = ends.model.inputs()[0].clone();
        let set = common.ends.hashes()?;
        Ok(Self {
            about,
            common,
            arguments,
            ends,
            set,
            hash,
            signature,
            in_memory,
            device,
            rules,
            budget,
            limits,
            made: Mutex::default(),
            said: Mutex::default(),
        })
    }

    /// The name of the device that everything is computed on, which `auto` has become.
    pub(crate) fn device_name(&self) -> &str {
        &self.common.freezing.device
    }

    /// The SHA-256 of the model's file.
    pub(crate) fn model_hash(&self) -> &str {
        &self.hash
    }

    /// The input that varies, and the output that is read.
    pub(crate) fn signatures(&self) -> [Signature; 2] {
        [self.signature.clone(), self.ends.model.outputs()[0].clone()]
    }

    fn notice(&self, text: String) {
        let mut said = locked(&self.said);
        if !said.contains(&text) {
            console::notice(&text);
            said.insert(text);
        }
    }

    fn prepare(&self, input: Input<'_>) -> Result<Prepared> {
        let arrays = input.is_array();
        let mut made = locked(&self.made);
        if let Some(found) = made.prepared.iter().find(|one| one.arrays == arrays) {
            return Ok(found.clone());
        }
        let recipe = Recipe::of_input(
            &self.common.model,
            &self.common.recipe,
            !self.in_memory,
            arrays,
            &self.signature,
        )?;
        let labels = match &recipe {
            Some(recipe) => recipe.labels()?.map(Arc::new),
            None => None,
        };
        if let Some(recipe) = recipe.as_ref().filter(|_| !arrays) {
            self.notice(recipe.line());
            for doubt in recipe.doubts() {
                self.notice(doubt);
            }
        }
        let unused = self.common.recipe.given();
        if arrays && !unused.is_empty() {
            self.notice(format!(
                "{}: no effect, since arrays are used without preprocessing",
                unused.join(", ")
            ));
        }
        let prepared = Prepared {
            arrays,
            recipe,
            labels,
        };
        made.prepared.push(prepared.clone());
        Ok(prepared)
    }

    /// Everything that decides what is computed, the picture apart. Equal questions have equal answers, bit by
    /// bit.
    pub(crate) fn question<'a>(&self, input: impl Into<Input<'a>>) -> Result<Value> {
        let prepared = self.prepare(input.into())?;
        let labels = prepared.labels.as_ref();
        let freezing = &self.common.freezing;
        let mut question = json!({
            "schema": SCHEMA,
            "version": env!("CARGO_PKG_VERSION"),
            "command": self.about.name,
            "arguments": self.arguments,
            "model": self.hash,
            "recipe": if prepared.arrays { Value::Null } else { json!(prepared.recipe) },
            "labels": labels.map(|labels| sha256(labels.join("\n").as_bytes())),
            "rules": self.rules.to_string(),
            "dtype": freezing.dtype,
            "device": freezing.device,
            "kernels": freezing.kernels().name(),
            "max_memory": freezing.max_memory,
            "check_decisions": freezing.check_decisions,
            "each_channel": self.common.each_channel,
            "task": self.common.task,
            "ends": self.common.ends,
            "set": self.set,
        });
        // The hash is that of the weights, which several networks may take.
        if model::is_zoo(&self.common.model) {
            question["zoo"] = json!(model::name(&self.common.model));
        }
        Ok(question)
    }

    /// The key of one picture's piece: the hash of the question and of the picture's bytes.
    pub(crate) fn key<'a>(&self, input: impl Into<Input<'a>>) -> Result<String> {
        let input = input.into();
        let mut hasher = Sha256::new();
        let write = |hasher: &mut Sha256, text: &str| hasher.write_all(text.as_bytes());
        let question = self.question(input)?.to_string();
        let picture = input.sha256()?;
        write(&mut hasher, &question)
            .and_then(|()| write(&mut hasher, &picture))
            .expect("to memory");
        Ok(hex(hasher.finalize()))
    }

    fn ready(&self, shape: &[usize]) -> Result<Ready> {
        let mut made = locked(&self.made);
        if let Some(found) = made.ready.iter().find(|ready| ready.shape == shape) {
            return Ok(found.clone());
        }
        let network = self.ends.model.network(&[shape.to_vec()])?;
        let (network, left_out) = network.without_final_softmax();
        for node in &left_out {
            self.notice(format!(
                "the softmax \"{node}\" at the end is left out: outputs are the scores before it"
            ));
        }
        let facts = json!({
            "parameters": network.parameters(),
            "norms_recognised": network.recognised_norms(),
            "functions_recognised": network.recognised_functions(),
            "final_softmax_left_out": left_out,
        });
        console::step(&format!(
            "loading {} parameters for x₀ of shape {shape:?}",
            network.parameters()
        ));
        let freezing = &self.common.freezing;
        let (dtype, kernels) = (freezing.dtype.dtype(), freezing.kernels());
        let loaded = load(network, &self.device, dtype, kernels)?;
        if made.ready.len() == SHAPES {
            made.ready.remove(0);
        }
        let ready = Ready {
            shape: shape.to_vec(),
            loaded,
            facts,
        };
        made.ready.push(ready.clone());
        Ok(ready)
    }

    /// Which arrays are written with their channels last. Rows and columns of the whole matrix count channels
    /// first, and so do the arrays alongside it.
    fn layouts(&self) -> Layouts {
        let layouts = self.ends.layouts;
        if self.about.name != crate::commands::matrix::NAME || !(layouts.input || layouts.output) {
            return layouts;
        }
        let text = "rows and columns of F, and x0.npy, count channels first";
        self.notice(text.into());
        Layouts::default()
    }

    /// What the network does, as said or as its shapes say, and how boxes lie where it finds boxes.
    fn task(
        &self,
        frozen: &FrozenNetwork,
        labels: Option<&[String]>,
    ) -> Result<(Option<Task>, Option<Boxes>)> {
        let classes = labels.map(<[String]>::len);
        let output = frozen.output_shape();
        let joined = self.ends.boxes_joined;
        let taken = match joined {
            true => Some(Task::Detector),
            false => Task::of(frozen.input_shape(), output),
        };
        let layout = self.common.ends.boxes;
        let said = match (self.common.task, layout) {
            (Some(task), Some(layout)) if task != Task::Detector => {
                return Err(Failure::input(format!(
                    "--boxes {} is for detectors, but --task is {}",
                    layout.name(),
                    task.name()
                ))
                .hint("omit one of them"));
            }
            // What says how boxes are read says that there are boxes.
            (task, layout) => task.or(layout.map(|_| Task::Detector)),
        };
        let mut task = match said {
            Some(task) if !(task.fits(output, classes) || joined && task == Task::Detector) => {
                let misfit = task.misfit(output, classes, taken);
                return Err(match (self.common.task, layout) {
                    // Nobody said what --boxes says.
                    (None, Some(layout)) => Failure {
                        message: format!(
                            "--boxes {} is for detectors; {}",
                            layout.name(),
                            misfit.message
                        ),
                        ..misfit
                    },
                    _ => misfit,
                });
            }
            said => said.or(taken),
        };
        let boxes = match (task, said) {
            (Some(Task::Detector), _) if joined => Boxes::joined(output),
            (Some(Task::Detector), Some(_)) => Boxes::told(output, classes),
            (Some(Task::Detector), None) => Boxes::of(output),
            _ => None,
        };
        let known = boxes.map(|boxes| boxes.known(labels, layout)).transpose()?;
        if let (Some(boxes), Some(None)) = (boxes, known) {
            let unknown = boxes.unknown(classes.unwrap_or(0));
            if said.is_some() {
                return Err(unknown);
            }
            self.notice(unknown.one_line());
            task = None;
        }
        let boxes = known.flatten();
        if let Some(boxes) = boxes {
            self.notice(boxes.words());
            let values = vectors::read(frozen.reference())?;
            if let Some(raw) = boxes.raw(&values) {
                self.notice(raw.words().into());
            }
            if let Some(suspicion) = boxes.suspicion(&values) {
                self.notice(suspicion);
            }
            // A file without any labels says nothing.
            let labels = classes.filter(|&labels| labels > 0);
            if let Some(doubt) = labels.and_then(|labels| boxes.doubt(labels)) {
                self.notice(doubt);
            }
        }
        let scored = match (task, output) {
            (Some(Task::Segmenter), &[_, channels, ..]) => Some(channels),
            (Some(Task::Classifier), _) => Some(frozen.output_len()),
            _ => None,
        };
        if let (Some(labels), Some(scored)) = (classes, scored)
            && labels != scored
        {
            self.notice(format!(
                "there are {labels} labels for {scored} classes, so names may be wrong"
            ));
        }
        Ok((task, boxes))
    }

    /// Bytes for decisions and probes.
    pub(crate) fn budget(&self) -> usize {
        self.budget
    }

    /// Of memory, for one of several pictures that are there at once.
    pub(crate) fn share_of(&mut self, pictures: usize) {
        self.budget /= pictures.max(1);
    }

    /// Read pictures by these flags from here on, and say everything again.
    ///
    /// # Errors
    /// A limit that is none.
    pub(crate) fn set_recipe(&mut self, recipe: RecipeFlags) -> Result<()> {
        self.limits = limits::of(recipe.max_input)?;
        self.common.recipe = recipe;
        locked(&self.made).prepared.clear();
        locked(&self.said).clear();
        Ok(())
    }

    /// Freeze by these rules from here on, as `--rules` names them.
    pub(crate) fn set_rules(&mut self, given: Vec<String>) -> Result<()> {
        self.rules = rules::read(&given)?;
        self.common.freezing.rules = given;
        Ok(())
    }

    /// Read x₀ and freeze; results will be in `target`.
    pub(crate) fn at(&self, input: &Path, target: &Path) -> Result<Session> {
        let (started, since) = (jiff::Timestamp::now(), Instant::now());
        let results = Results::new(target, self.about, self.common.freezing.dtype)?;
        let Looked { subject, x0, facts } = self.look_at(input)?;
        let session = Session {
            subject,
            results,
            check_decisions: self.common.freezing.check_decisions,
            certificate: None,
            manifest: facts,
            typed: typed(),
            started,
            since,
        };
        session.with_x0(&x0)
    }

    /// Read x₀ and freeze.
    pub(crate) fn look_at<'a>(&self, input: impl Into<Input<'a>>) -> Result<Looked> {
        self.look_at_until(input, &console::interrupt())
    }

    /// The same, stopped by `interrupt`, which what is frozen keeps.
    pub(crate) fn look_at_until<'a>(
        &self,
        input: impl Into<Input<'a>>,
        interrupt: &Interrupt,
    ) -> Result<Looked> {
        let input = input.into();
        let freezing = self.common.freezing.clone();
        let Prepared { recipe, labels, .. } = self.prepare(input)?;
        let Read {
            values,
            shape,
            file,
        } = read_input(
            input,
            recipe.as_ref(),
            &self.signature,
            self.ends.layouts.input,
            &self.limits,
        )?;
        check_finite(input.name(), &values)?;
        // Reading and loading run to their ends: others need what they make.
        interrupt.check()?;
        let Ready { loaded, facts, .. } = self.ready(&shape)?;
        // Stopped by who asks now, which need not be who it was loaded for.
        let loaded = Arc::new(loaded.with_interrupt(interrupt.clone()));
        console::step("freezing");
        let x0 = TensorData::new(values.clone(), shape.clone());
        let frozen = FrozenNetwork::within(loaded, x0, self.rules.clone(), self.budget)?;
        for rule in frozen.frozen().unused_rules() {
            let text = format!("the rule {rule} matches no op of this network");
            self.notice(text);
        }
        let recorded = frozen.recorded().is_some();
        if !recorded {
            self.notice(format!(
                "the decisions at x₀ need more than the {:.1} MB available for them; every product runs the \
                 network again, with reference and probe side by side (paired mode)",
                self.budget as f64 / 1e6
            ));
            if freezing.kernels.asked() == Some(Kernels::Own) {
                let text = "paired mode computes the reference with Burn's kernels, because its adjoint uses their decisions";
                self.notice(text.into());
            }
        }
        let account = frozen
            .recorded()
            .map(|f| f.program().account())
            .unwrap_or_default();
        let (task, boxes) = self.task(&frozen, labels.as_ref().map(|labels| &labels[..]))?;
        let layouts = self.layouts();
        let parameters = facts["parameters"].as_u64().unwrap_or(0) as usize;
        let header = header(self.about.name, &self.common.model, &self.hash, parameters);
        let picture = input.sha256()?;
        let manifest = with(
            header,
            json!({
                "key": self.key(input)?,
                "arguments": self.arguments,
                "input": {
                    "file": input.name(),
                    "sha256": picture,
                    "shape": frozen.input_shape(),
                    "picture": file,
                },
                "output": { "shape": frozen.output_shape() },
                "ends": self.ends.facts,
                "recipe": if input.is_array() { Value::Null } else { json!(recipe) },
                "backend": frozen.backend_name(),
                "device": freezing.device,
                "dtype": freezing.dtype,
                "kernels": frozen.frozen().loaded().kernels().name(),
                "rules": frozen.frozen().rules().to_string(),
                "norms_recognised": facts["norms_recognised"],
                "functions_recognised": facts["functions_recognised"],
                "final_softmax_left_out": facts["final_softmax_left_out"],
                "mode": if recorded { "recorded" } else { "paired" },
                "program_nodes": account.nodes,
                "decision_bytes": account.decision_bytes,
            }),
        );
        let subject = Subject {
            frozen,
            painter: Painter {
                recipe,
                each_channel: self.common.each_channel,
            },
            model: model::name(&self.common.model),
            layouts,
            task,
            boxes,
            line: Common {
                input: PathBuf::from(input.name()),
                ..self.common.clone()
            }
            .line(),
            labels,
            from_array: input.is_array(),
            limits: self.limits,
            precision: freezing.dtype,
        };
        Ok(Looked {
            subject,
            x0: values,
            facts: manifest,
        })
    }
}

/// A network frozen at a picture.
pub(crate) struct Looked {
    pub subject: Subject,
    /// As it was read, flat.
    pub x0: Vec<f64>,
    /// What a manifest says of both.
    pub facts: Map<String, Value>,
}
